"""The trainer where something isn't as it should be: outliers, NaN, other dtypes, frozen parameters, old folders."""

import json
import warnings

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from saelab.sae import (
    BatchTopKSAE,
    Crosscoder,
    GatedSAE,
    JumpReLUSAE,
    MatryoshkaSAE,
    StandardSAE,
    TopKSAE,
    Transcoder,
    calibrate,
    load,
    save,
    start_from,
    train,
)
from saelab.scores import quality

FEATURES = F.normalize(torch.randn(20, 10, generator=torch.Generator().manual_seed(1)), dim=1)
MAKE = {
    "standard": lambda: StandardSAE(10, 32, l1=2.0),
    "gated": lambda: GatedSAE(10, 32, l1=3.0),
    "jumprelu": lambda: JumpReLUSAE(10, 32, l0=2.0),
    "topk": lambda: TopKSAE(10, 32, k=2),
    "batchtopk": lambda: BatchTopKSAE(10, 32, k=1),
}
every_kind = pytest.mark.parametrize("kind", MAKE)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def toy(step: int, batch: int = 512) -> torch.Tensor:
    """Activations with one feature on, on average, and a mean that isn't 0: [batch, 10]."""
    generator = torch.Generator().manual_seed(step)
    on = torch.rand(batch, 20, generator=generator) < 0.05
    return (on * (0.5 + torch.rand(batch, 20, generator=generator))) @ FEATURES + 0.3


def with_outliers(rows: slice, steps: range = range(1)):
    """toy, but in these steps these rows are 100 times as long as the median row."""

    def batches(step: int) -> torch.Tensor:
        x = toy(step)
        if step in steps:
            x[rows] = 100 * x.norm(dim=1).median() * F.normalize(x[rows], dim=1)
        return x

    return batches


# outliers


@every_kind
def test_one_long_row_in_the_first_batch_costs_nothing_and_is_told(kind):
    clean, spoilt = MAKE[kind](), MAKE[kind]()
    train(clean, toy, 200, lr=1e-2, progress=False)
    with pytest.warns(UserWarning, match="1 of 512 rows at step 0 is more than 20 times as long as the median") as told:
        train(spoilt, with_outliers(slice(7, 8)), 200, lr=1e-2, progress=False)
    assert [warning.filename for warning in told] == [__file__], "told once, at the line that called train"
    held_out = toy(999, 4000)
    assert quality(spoilt, held_out).fvu < quality(clean, held_out).fvu + 0.03


def test_the_fvu_in_history_is_that_of_ordinary_rows():
    sae, always = TopKSAE(10, 32, k=2), with_outliers(slice(0, 4), range(1000))
    with pytest.warns(UserWarning, match="4 of 512 rows at step 0 are more than"):
        history = train(sae, always, 150, lr=1e-2, progress=False)
    ordinary = always(149)[4:]
    assert history["fvu"][-1] == pytest.approx(quality(sae, ordinary).fvu, rel=0.05)
    assert quality(sae, always(149)).fvu != pytest.approx(history["fvu"][-1], rel=0.3)


def test_rows_of_a_pair_are_judged_on_both_sides():
    def pairs(step):
        return toy(step), with_outliers(slice(3, 5))(step)

    with pytest.warns(UserWarning, match="2 of 512 rows at step 0"):
        history = train(Transcoder(10, 32, k=1), pairs, 150, lr=1e-2, progress=False)
    assert history["fvu"][-1] < 0.3


def test_where_many_rows_are_long_they_are_the_data():
    def batches(step):
        return toy(step) * torch.where(torch.arange(512) % 20 == 0, 50.0, 1.0)[:, None]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(TopKSAE(10, 32, k=2), batches, 3, progress=False)
        train(TopKSAE(10, 32, k=2), lambda step: toy(step, 4), 3, progress=False)


@pytest.mark.parametrize("size", [1e-20, 1e20])
def test_very_small_and_very_large_activations_are_learnt_as_well(size):
    found = []
    for factor in (1.0, size):
        found.append(train(TopKSAE(10, 32, k=2), lambda step, f=factor: f * toy(step), 40, progress=False)["fvu"][-1])
    assert found[1] == pytest.approx(found[0], rel=1e-3)


def test_rows_that_are_all_the_same_are_told():
    with pytest.raises(ValueError, match="rows of the first batch are all the same.*normalise=False"):
        train(TopKSAE(10, 32, k=2), lambda step: torch.ones(8, 10), 3, progress=False)
    train(TopKSAE(10, 32, k=2), lambda step: torch.ones(8, 10), 3, progress=False, normalise=False)


# NaN and infinity


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300], ids=["nan", "inf", "beyond float32"])
@every_kind
def test_a_batch_that_is_not_finite_stops_at_its_step_and_leaves_dictionary_and_checkpoint_good(kind, value, tmp_path):
    def batches(step):
        x = toy(step).double()
        if step == 25:
            x[3, 2] = x[8, 1] = value
        return x

    checkpoint, sae = tmp_path / "run.safetensors", MAKE[kind]()
    options = dict(steps=40, progress=False, checkpoint=checkpoint, checkpoint_every=10)
    with pytest.raises(ValueError, match=r"infinite activations in the batch of step 25 \(rows 3, 8 of 512\)"):
        train(sae, batches, **options)
    assert all(tensor.isfinite().all() for tensor in sae.state_dict().values())
    assert quality(sae, toy(99)).fvu < 1, "it is usable: in the units of the activations, with a threshold"
    asked = []
    mended = MAKE[kind]()
    train(mended, lambda step: asked.append(step) or toy(step), **options)
    assert asked[:2] == [0, 20], "the last good checkpoint was kept"


def test_a_run_that_diverges_says_so_and_keeps_the_last_good_checkpoint(tmp_path):
    checkpoint = tmp_path / "run.safetensors"
    with pytest.raises(
        ValueError, match=r"at step \d+, though its batch is finite. The learning rate is probably too high"
    ):
        train(StandardSAE(10, 32), toy, 50, lr=1e30, progress=False, checkpoint=checkpoint, checkpoint_every=1)
    if checkpoint.exists():
        from safetensors.torch import load_file

        assert all(tensor.isfinite().all() for tensor in load_file(checkpoint).values())


def test_nan_weights_are_neither_saved_nor_trained_on(tmp_path):
    sae = TopKSAE(10, 32, k=2)
    save(sae, tmp_path)
    with torch.no_grad():
        sae.W_enc[0, 0] = float("nan")
    before = (tmp_path / "sae_weights.safetensors").read_bytes()
    with pytest.raises(ValueError, match="W_enc would be NaN or infinite in float32, so nothing was saved"):
        save(sae, tmp_path)
    assert (tmp_path / "sae_weights.safetensors").read_bytes() == before
    with pytest.raises(ValueError, match="W_enc has NaN or infinite weights before the first step"):
        train(sae, toy, 3, progress=False)


def test_weights_too_large_for_half_precision_are_not_saved_in_it(tmp_path):
    sae = TopKSAE(10, 32, k=2)
    with torch.no_grad():
        sae.W_enc[0, 0] = 1e5
    with pytest.raises(ValueError, match="W_enc would be NaN or infinite in float16.*store float32"):
        save(sae, tmp_path / "half", torch.float16)
    assert not (tmp_path / "half").exists()
    save(sae, tmp_path / "whole")


def test_calibrating_on_nan_is_told():
    x = toy(0)
    x[1] = float("nan")
    for call in (calibrate, start_from):
        with pytest.raises(ValueError, match=rf"activations in what {call.__name__} was given \(rows 1 of 512\)"):
            call(BatchTopKSAE(10, 32, k=1), x)


# what activations come as


@pytest.mark.parametrize(
    "of",
    [torch.float64, torch.float16, torch.bfloat16, "numpy", "numpy float64", "requires_grad", "inference"],
    ids=lambda of: str(of).removeprefix("torch."),
)
def test_activations_of_any_kind_are_learnt_in_float32(of):
    def batches(step):
        x = toy(step)
        if of == "inference":
            with torch.inference_mode():
                return x * 1
        if of == "requires_grad":
            return x.requires_grad_()
        if isinstance(of, str):
            return x.numpy().astype(np.float64 if "64" in of else np.float32)
        return x.to(of)

    sae, plain = BatchTopKSAE(10, 32, k=1), BatchTopKSAE(10, 32, k=1)
    history, expected = (train(one, b, 60, lr=1e-2, progress=False) for one, b in ((sae, batches), (plain, toy)))
    assert {p.dtype for p in sae.parameters()} == {torch.float32}
    coarse = of in (torch.float16, torch.bfloat16)
    assert history["fvu"][-1] == pytest.approx(expected["fvu"][-1], rel=0.05 if coarse else 1e-6)


def test_float16_activations_whose_squares_overflow_are_scaled_in_float32():
    found = [
        train(TopKSAE(10, 32, k=2), lambda step, to=to: (1000 * toy(step)).to(to), 40, progress=False)["fvu"][-1]
        for to in (torch.float32, torch.float16)
    ]
    assert found[1] == pytest.approx(found[0], rel=0.02)


def test_a_float64_dictionary_is_trained_in_float64():
    sae, single = TopKSAE(10, 32, k=2).double(), TopKSAE(10, 32, k=2)
    history, expected = (train(one, toy, 40, progress=False) for one in (sae, single))
    assert sae.W_dec.dtype == torch.float64
    assert history["fvu"][-1] == pytest.approx(expected["fvu"][-1], rel=1e-3)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__)
def test_it_learns_the_same_where_gradients_are_off(mode):
    plain, sae = TopKSAE(10, 32, k=2), TopKSAE(10, 32, k=2)
    train(plain, toy, 20, progress=False)
    with mode():
        train(sae, toy, 20, progress=False)
    assert torch.equal(sae.W_dec, plain.W_dec)


def test_it_learns_where_float64_is_the_default():
    batches = [toy(step) for step in range(60)]
    torch.set_default_dtype(torch.float64)
    try:
        sae = BatchTopKSAE(10, 32, k=1)
        history = train(sae, batches.__getitem__, 60, lr=1e-2, progress=False)
    finally:
        torch.set_default_dtype(torch.float32)
    assert history["fvu"][-1] < 0.5


def made_in_inference_mode():
    with torch.inference_mode():
        return TopKSAE(10, 32, k=2)


@pytest.mark.parametrize(
    "make, batches, sentence",
    [
        (made_in_inference_mode, toy, r"made under torch.inference_mode\(\).*make it outside"),
        (lambda: TopKSAE(10, 32, k=2).half(), toy, r"in float16 can't be trained: call sae.float\(\) first"),
        (
            MAKE["topk"],
            lambda step: toy(step)[:, :9],
            r"takes activations \[rows, 10\] here; the batch of step 0 is \[512, 9",
        ),
        (MAKE["topk"], lambda step: toy(step).reshape(4, -1, 10), r"step 0 is \[4, 128, 10\]"),
        (MAKE["topk"], lambda step: toy(step)[:0], r"step 0 is \[0, 10\]"),
        (MAKE["topk"], lambda step: [toy(step)], "is one tensor of activations; the batch of step 0 is a list of 1"),
        (MAKE["topk"], lambda step: (toy(step), toy(step)), "is one tensor of activations; .* is a tuple of 2"),
        (MAKE["topk"], lambda step: {"x": toy(step)}, "a tensor or a numpy array; the batch of step 0 is one dict"),
        (MAKE["topk"], lambda step: toy(step)[: 512 if step < 2 else 0], "the batch of step 2 is .0, 10."),
        (lambda: Crosscoder(10, 32, k=1), toy, r"takes activations \[rows, 2, 10\] here; .* is \[512, 10\]"),
        (lambda: Transcoder(10, 32, k=1), toy, "is a pair: .*; the batch of step 0 is one Tensor"),
        (lambda: Transcoder(10, 32, 1, d_out=7), lambda s: (toy(s), toy(s)), r"\[rows, 7\] here; .* is \[512, 10\]"),
        (
            lambda: Transcoder(10, 32, 1),
            lambda s: (toy(s), toy(s)[1:]),
            "as many inputs as outputs; .* has 512 and 511",
        ),
    ],
)
def test_what_cannot_be_learnt_is_told_in_a_sentence(make, batches, sentence):
    with pytest.raises(ValueError, match=sentence):
        train(make(), batches, 5, progress=False)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"steps": 0}, "steps must be a whole number, 1 or more, not 0"),
        ({"steps": 10.5}, "steps must be a whole number, 1 or more, not 10.5"),
        ({"steps": 3, "lr": -1.0}, "lr must be a number, more than 0, not -1.0"),
        ({"steps": 3, "log_every": 0}, "log_every must be a whole number"),
        ({"steps": 3, "resample_every": 0}, "resample_every must be a whole number"),
    ],
)
def test_settings_that_make_no_sense_are_told(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        train(MAKE["topk"](), toy, progress=False, **options)


# frozen


@pytest.mark.parametrize("kind, name", [(kind, name) for kind in MAKE for name in ("W_dec", "W_enc", "b_dec")])
def test_a_frozen_parameter_stays_and_the_rest_learns_and_goes_on(kind, name, tmp_path):
    def frozen():
        sae = MAKE[kind]()
        getattr(sae, name).requires_grad_(False)
        return sae

    sae, again, interrupted = frozen(), frozen(), frozen()
    before = {key: value.clone() for key, value in sae.state_dict().items()}
    options = dict(steps=30, progress=False, checkpoint_every=10)
    train(sae, toy, **options)
    changed = {key for key, value in sae.named_parameters() if not torch.equal(value, before[key])}
    assert changed == {key for key, _ in sae.named_parameters()} - {name}

    def killed(step):
        if step == 15:
            raise KeyboardInterrupt
        return toy(step)

    with pytest.raises(KeyboardInterrupt):
        train(interrupted, killed, checkpoint=tmp_path / "run", **options)
    train(again, toy, checkpoint=tmp_path / "run", **options)
    assert all(torch.equal(value, sae.state_dict()[key]) for key, value in again.state_dict().items())


def test_freezing_everything_or_resampling_what_is_frozen_is_told():
    sae = MAKE["topk"]()
    sae.W_dec.requires_grad_(False)
    with pytest.raises(ValueError, match="lets latents start again, but W_dec is frozen"):
        train(sae, toy, 5, progress=False, resample_every=2)
    with pytest.raises(ValueError, match="Every parameter of this TopKSAE is frozen"):
        train(sae.requires_grad_(False), toy, 5, progress=False)


def test_an_interrupted_dictionary_is_in_the_units_of_its_activations():
    sae = MAKE["standard"]()

    def interrupted(step):
        if step == 150:
            raise KeyboardInterrupt
        return 50 * toy(step)

    with pytest.raises(KeyboardInterrupt):
        train(sae, interrupted, 400, lr=1e-2, progress=False)
    assert not sae.training
    assert quality(sae, 50 * toy(999, 4000)).fvu < 0.5


# constructors


@pytest.mark.parametrize(
    "make, sentence",
    [
        (lambda: TopKSAE(10, 32, k=1.5), "k must be a whole number, 1 or more, not 1.5"),
        (lambda: BatchTopKSAE(10, 32, k=0), "k must be a whole number, 1 or more, not 0"),
        (lambda: Transcoder(10, 32, k=True), "k must be a whole number, 1 or more, not True"),
        (lambda: StandardSAE(10.0, 32), "d_in must be a whole number, 1 or more, not 10.0"),
        (lambda: StandardSAE(10, 0), "d_sae must be a whole number, 1 or more, not 0"),
        (lambda: Transcoder(10, 32, k=1, d_out=0.5), "d_out must be a whole number"),
        (lambda: Crosscoder(10, 32, k=1, sites=0), "sites must be a whole number"),
        (lambda: StandardSAE(10, 32, l1=float("nan")), "l1 must be a number, 0 or more, not nan"),
        (lambda: GatedSAE(10, 32, l1=-1), "l1 must be a number, 0 or more, not -1"),
        (lambda: JumpReLUSAE(10, 32, l0=float("inf")), "l0 must be a number, 0 or more, not inf"),
        (lambda: JumpReLUSAE(10, 32, bandwidth=0), "bandwidth must be a number, more than 0, not 0"),
        (lambda: MatryoshkaSAE(10, 32, 2, prefixes=[4, 4, 32]), "each only once, not .4, 4, 32."),
        (lambda: MatryoshkaSAE(10, 32, 2, prefixes=[4, 8.5, 32]), "each of prefixes must be a whole number.*not 8.5"),
        (lambda: MatryoshkaSAE(10, 32, 2, prefixes=[0, 32]), "each of prefixes must be a whole number.*not 0"),
        (lambda: MatryoshkaSAE(10, 32, 2, prefixes=[4, 16]), "prefixes must grow from 1 or more to d_sae = 32"),
    ],
)
def test_constructors_say_what_they_need(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_numpys_whole_numbers_are_whole_numbers(tmp_path):
    sae = MatryoshkaSAE(np.int64(10), np.int64(32), np.int64(2), prefixes=list(np.array([4, 32])))
    sae.threshold.fill_(0.1)
    assert load(save(sae, tmp_path)).config == sae.config


@pytest.mark.parametrize("d_sae", [1, 3, 8, 20, 64])
def test_the_prefixes_of_a_small_matryoshka_are_all_different(d_sae):
    prefixes = MatryoshkaSAE(10, d_sae, k=1).prefixes
    assert prefixes == sorted(set(prefixes)) and prefixes[-1] == d_sae


# folders of older SAELens


def old_folder(folder, **fields):
    """A folder as SAELens wrote them before 6.0: no metadata, and more than one way to say what is meant."""
    torch.manual_seed(0)
    from safetensors.torch import save_file

    weights = {"W_enc": torch.randn(10, 24), "W_dec": F.normalize(torch.randn(24, 10), dim=1)}
    weights |= {"b_enc": 0.1 * torch.randn(24), "b_dec": torch.randn(10)}
    weights |= fields.pop("weights", {})
    cfg = {"architecture": "standard", "d_in": 10, "d_sae": 24, "dtype": "float32", "device": "cpu"}
    cfg |= {
        "model_name": "gpt2-small",
        "hook_name": "blocks.8.hook_resid_pre",
        "hook_layer": 8,
        "hook_head_index": None,
    }
    cfg |= {"activation_fn_str": "relu", "apply_b_dec_to_input": True, "finetuning_scaling_factor": False}
    cfg |= {"sae_lens_training_version": None, "prepend_bos": True, "dataset_path": "text", "context_size": 128}
    cfg |= {"normalize_activations": "none", "dataset_trust_remote_code": True}
    cfg = {key: value for key, value in (cfg | fields).items() if value != "left out"}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(cfg))
    return folder


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"normalize_activations": None},
        {"normalize_activations": False},
        {"normalize_activations": "left out"},
        {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5}},
        {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5}, "architecture": "left out"},
        {"activation_fn_str": "left out", "activation_fn": "topk", "activation_fn_kwargs": {"k": 3}},
        {"apply_b_dec_to_input": False},
        {"hook_name": "left out", "hook_point": "blocks.8.hook_resid_pre"},
        {"weights": {"scaling_factor": torch.ones(24)}},
        {"rescale_acts_by_decoder_norm": True},
        {"architecture": "jumprelu", "weights": {"threshold": torch.linspace(-1, 1, 24)}},
    ],
    ids=str,
)
def test_an_old_saelens_folder_is_loaded_as_what_it_is(fields, tmp_path):
    folder = old_folder(tmp_path, **fields)
    ours, x = load(folder), torch.randn(50, 10, generator=torch.Generator().manual_seed(1))
    theirs = pytest.importorskip("sae_lens").SAE.load_from_disk(folder)
    torch.testing.assert_close(ours.encode(x), theirs.encode(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)
    assert ours.metadata["hook_name"] == "blocks.8.hook_resid_pre" and ours.metadata["model_name"] == "gpt2-small"


@pytest.mark.parametrize(
    "fields, sentence",
    [
        ({"activation_fn_str": "tanh-relu"}, "has the activation function 'tanh-relu'; saelab reads relu and topk"),
        ({"activation_fn_str": "topk"}, "describes no TopKSAE: k must be a whole number.*not None"),
        ({"normalize_activations": "layer_norm"}, r"normalises its activations \(layer_norm\)"),
        ({"normalize_activations": True}, r"normalises its activations \(expected_average_only_in\)"),
        ({"normalize_activations": "constant_norm_rescale"}, r"normalises its activations \(constant_norm_rescale\)"),
        ({"reshape_activations": "conv"}, "reshapes its activations .'conv'."),
        ({"weights": {"scaling_factor": torch.full((24,), 2.0)}}, "scales its latents .finetuning_scaling_factor."),
        ({"architecture": "temporal"}, "holds a 'temporal' dictionary"),
        ({"d_sae": "left out"}, "describes no StandardSAE: 'd_sae' is missing"),
        ({"d_sae": 2.5}, "describes no StandardSAE: d_sae must be a whole number, 1 or more, not 2.5"),
    ],
    ids=str,
)
def test_a_folder_that_computes_something_else_is_refused_by_name(fields, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        load(old_folder(tmp_path, **fields))
