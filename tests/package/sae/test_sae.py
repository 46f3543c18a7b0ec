"""The dictionaries: they find a toy's features, keep their formulas, go on after a kill, and are SAELens's too."""

import copy

import pytest
import torch
from torch.nn import functional as F

from saelab.sae import (
    BatchTopKSAE,
    Crosscoder,
    GatedSAE,
    JumpReLUSAE,
    MatryoshkaSAE,
    SkipTranscoder,
    StandardSAE,
    TopKSAE,
    Transcoder,
    calibrate,
    load,
    save,
    start_from,
    train,
)
from saelab.sae.resampling import resample
from saelab.sae.topk import batch_threshold, nth_largest
from saelab.scores import quality

ROTATION = torch.linalg.qr(torch.randn(10, 10, generator=torch.Generator().manual_seed(3))).Q


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def toy_features() -> torch.Tensor:
    """20 directions in 10 dimensions, pushed apart: [20, 10], rows of norm 1."""
    W = torch.randn(20, 10, generator=torch.Generator().manual_seed(1)).requires_grad_()
    optimiser = torch.optim.Adam([W], 0.02)
    for _ in range(300):
        U = F.normalize(W, dim=1)
        optimiser.zero_grad()
        ((U @ U.T - torch.eye(20)) ** 4).sum().backward()
        optimiser.step()
    return F.normalize(W.detach(), dim=1)


FEATURES = toy_features()


def toy(step: int, batch: int = 512) -> torch.Tensor:
    """Activations with one feature on, on average, and a mean that isn't 0: [batch, 10]."""
    generator = torch.Generator().manual_seed(step)
    on = torch.rand(batch, 20, generator=generator) < 0.05
    return (on * (0.5 + torch.rand(batch, 20, generator=generator))) @ FEATURES + 0.3


def pairs(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    return toy(step), 2 * toy(step) @ ROTATION


def twins(step: int) -> torch.Tensor:
    return torch.stack([toy(step), toy(step) @ ROTATION], dim=1)


def recovery(W_dec: torch.Tensor, features: torch.Tensor) -> float:
    """Mean best cosine of each feature with any latent."""
    return float((F.normalize(features, dim=1) @ F.normalize(W_dec.detach(), dim=1).T).amax(1).mean())


def all_kinds() -> dict:
    return {
        "standard": (StandardSAE(10, 32, l1=2.0), toy),
        "gated": (GatedSAE(10, 32, l1=3.0), toy),
        "jumprelu": (JumpReLUSAE(10, 32, l0=2.0), toy),
        "topk": (TopKSAE(10, 32, k=2), toy),
        "batchtopk": (BatchTopKSAE(10, 32, k=1), toy),
        "matryoshka": (MatryoshkaSAE(10, 32, k=1, prefixes=[20, 32]), toy),
        "transcoder": (Transcoder(10, 32, k=1), pairs),
        "skip": (SkipTranscoder(10, 32, k=1), pairs),
        "crosscoder": (Crosscoder(10, 32, k=1), twins),
    }


@pytest.fixture(scope="module")
def trained() -> dict:
    """Every kind after 300 steps on the toy: name → (dictionary, history)."""
    return {
        name: (sae, train(sae, batches, 300, lr=1e-2, progress=False)) for name, (sae, batches) in all_kinds().items()
    }


KINDS = ["standard", "gated", "jumprelu", "topk", "batchtopk", "matryoshka", "transcoder", "skip", "crosscoder"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "skip"])
def test_a_toys_features_are_recovered(trained, kind):
    truth = {"transcoder": FEATURES @ ROTATION, "crosscoder": torch.cat([FEATURES, FEATURES @ ROTATION], 1)}
    features = truth.get(kind, FEATURES)
    untrained = recovery(all_kinds()[kind][0].W_dec, features)
    assert untrained < 0.75
    assert recovery(trained[kind][0].W_dec, features) > 0.86


@pytest.mark.parametrize("kind", KINDS)
def test_decoder_rows_keep_norm_one(trained, kind):
    torch.testing.assert_close(trained[kind][0].W_dec.norm(dim=1), torch.ones(32))


def test_a_skip_transcoder_leaves_a_linear_map_to_its_skip(trained):
    sae, history = trained["skip"]
    assert history["fvu"][-1] < 0.02 < trained["transcoder"][1]["fvu"][-1]
    assert (sae.W_skip - 2 * ROTATION).norm() < 0.3 * (2 * ROTATION).norm()


def test_a_crosscoder_sees_that_twins_share_their_features(trained):
    live = trained["crosscoder"][0]
    best = (torch.cat([FEATURES, FEATURES @ ROTATION], 1) @ live.W_dec.T).argmax(1)
    assert (live.norms[best] - 0.5).abs().mean() < 0.02


def test_l1_shrinks_a_lone_feature_by_half_its_weight():
    sae = StandardSAE(2, 1, l1=0.4)
    direction = torch.tensor([0.6, 0.8])
    with torch.no_grad():
        sae.W_dec.copy_(direction[None])
    amounts = torch.tensor([0.0, 1.0, 2.0, 3.0]).repeat(16)
    x = amounts[:, None] * direction
    # With W_dec and b_dec as they should be, the best encoder gives f = amount - l1 / 2 wherever it is on.
    optimiser = torch.optim.Adam([sae.W_enc, sae.b_enc], 0.02)
    for _ in range(800):
        optimiser.zero_grad()
        sae.loss(x).total.backward()
        optimiser.step()
    torch.testing.assert_close(sae.encode(x[1:4])[:, 0], torch.tensor([0.8, 1.8, 2.8]), atol=0.01, rtol=0)


def test_jumprelu_gradients_are_the_papers():
    torch.manual_seed(0)
    sae = JumpReLUSAE(6, 9, l0=0.7, bandwidth=0.8, threshold=0.5)
    x = torch.randn(40, 6)
    sae.loss(x, warm=0.5).total.backward()
    with torch.no_grad():
        z, theta, eps, n = sae.hidden(x), sae.threshold, 0.8, 40
        f = z * (z > theta)
        to_f = 2 * (f @ sae.W_dec + sae.b_dec - x) @ sae.W_dec.T / n
        K = ((z - theta) / eps).abs() < 0.5
        expected = (-(theta / eps) * K * to_f - (1 / eps) * K * 0.5 * 0.7 / n).sum(0)
        to_W_enc = (x - sae.b_dec).T @ (to_f * (z > theta))  # the penalty sends nothing to the encoder
    assert K.any(0).all()
    torch.testing.assert_close(sae.threshold.grad, expected)
    torch.testing.assert_close(sae.W_enc.grad, to_W_enc)


def test_gated_auxiliary_term_leaves_the_decoder_alone():
    torch.manual_seed(0)
    sae, x = GatedSAE(6, 9), torch.randn(40, 6)
    sae.loss(x).terms["gate"].backward()
    assert sae.W_dec.grad is None and sae.r_mag.grad is None
    assert sae.W_enc.grad.abs().sum() > 0 and sae.b_gate.grad.abs().sum() > 0


def test_topk_keeps_exactly_the_k_largest():
    sae = TopKSAE(10, 32, k=3)
    h = torch.rand(2, 50, 32, generator=torch.Generator().manual_seed(0)) + 0.1
    f = sae.activate(h)
    assert ((f > 0).sum(-1) == 3).all()
    torch.testing.assert_close(f.sum(-1), h.sort(dim=-1).values[..., -3:].sum(-1))
    assert (sae.activate(-h) == 0).all(), "what is negative isn't kept"


def test_auxk_reaches_only_dead_latents():
    sae, x = TopKSAE(10, 32, k=2), toy(0)
    dead = torch.arange(32) >= 25
    sae.loss(x, dead=dead).terms["aux"].backward()
    assert (sae.W_dec.grad[:25] == 0).all() and (sae.W_dec.grad[25:] != 0).any()
    assert float(sae.loss(x).terms["aux"].detach()) == 0


@pytest.mark.parametrize("n", [1, 7, 300, 5000, 19_000, 20_000])
def test_the_fast_nth_largest_is_exact(n):
    values = torch.randn(20_000, generator=torch.Generator().manual_seed(n))
    values[::61] += 5  # the sample misleads
    assert nth_largest(values, n) == values.sort(descending=True).values[n - 1]


def test_batchtopk_keeps_k_per_sample_on_average():
    h = torch.randn(400, 64, generator=torch.Generator().manual_seed(0))
    assert (h > batch_threshold(h, 5)).sum() == 5 * 400
    assert batch_threshold(-h.abs(), 5) == 0 and batch_threshold(h, 64) == 0


def test_calibrated_l0_is_k_on_held_out_activations(trained):
    sae = copy.deepcopy(trained["batchtopk"][0])
    sae.threshold.fill_(0.0)
    acts = toy(10_000, 20_000)
    assert (sae.encode(acts) > 0).sum() / 20_000 > 1.5, "without a threshold too many are on"
    calibrate(sae, acts)
    assert (sae.encode(acts) > 0).sum() == 20_000
    assert (sae.encode(toy(10_001, 20_000)) > 0).sum() / 20_000 == pytest.approx(1, abs=0.03)


def test_only_batchtopk_is_calibrated():
    with pytest.raises(ValueError, match="only the BatchTopK family"):
        calibrate(TopKSAE(10, 32, k=2), toy(0))
    with pytest.raises(ValueError, match="no threshold yet"):
        BatchTopKSAE(10, 32, k=2).eval().encode(toy(0))


def test_one_prefix_makes_matryoshka_a_batchtopk():
    x = toy(0)
    flat, nested = BatchTopKSAE(10, 32, k=2), MatryoshkaSAE(10, 32, k=2, prefixes=[32])
    torch.testing.assert_close(nested.loss(x).total, flat.loss(x).total)


def test_matryoshka_adds_up_the_errors_of_its_prefixes():
    sae, x = MatryoshkaSAE(10, 32, k=2, prefixes=[4, 12, 32]), toy(0)
    f = sae.encode(x)
    by_hand = [(x - f[:, :m] @ sae.W_dec[:m] - sae.b_dec).square().sum(1).mean() for m in (4, 12, 32)]
    torch.testing.assert_close(sae.loss(x).total, sum(by_hand))


@pytest.mark.parametrize("kind", ["jumprelu", "matryoshka", "skip"])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(kind, tmp_path):
    options = dict(steps=60, progress=False, log_every=7, dead_after=5, resample_every=11)
    undisturbed, batches = all_kinds()[kind]
    whole = train(undisturbed, batches, **options)

    def killed_at_45(step):
        if step == 45:
            raise KeyboardInterrupt
        return batches(step)

    checkpoint = dict(checkpoint=tmp_path / "run.safetensors", checkpoint_every=20)
    with pytest.raises(KeyboardInterrupt):
        train(all_kinds()[kind][0], killed_at_45, **options, **checkpoint)
    asked = []
    other = type(undisturbed)(**undisturbed.config)
    resumed = train(other, lambda step: asked.append(step) or batches(step), **options, **checkpoint)
    assert asked[:2] == [0, 40], "it looks at the first batch, to know whose checkpoint it is, and goes on at 40"
    assert resumed == whole
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def frozen(sae, name: str = "W_dec"):
    getattr(sae, name).requires_grad_(False)
    return sae


def trained_before(sae):
    train(sae, toy, 2, progress=False)
    return sae


OTHER_RUNS = {
    "k": (lambda: TopKSAE(10, 32, k=3), toy, {}, r"\(k 2 there, 3 here\)"),
    "width": (lambda: TopKSAE(10, 33, k=2), toy, {}, r"\(d_sae 32 there, 33 here\)"),
    "kind": (lambda: BatchTopKSAE(10, 32, k=2), toy, {}, "architecture TopKSAE there, BatchTopKSAE here"),
    "lr": (lambda: TopKSAE(10, 32, k=2), toy, {"lr": 0.1}, r"\(lr 0.003 there, 0.1 here\)"),
    "batch size": (
        lambda: TopKSAE(10, 32, k=2),
        lambda step: toy(step, 256),
        {},
        r"batch \[512, 10\] there, \[256, 10\]",
    ),
    "data": (lambda: TopKSAE(10, 32, k=2), lambda step: toy(step + 9), {}, "its first batch has other activations"),
    "scale of the data": (lambda: TopKSAE(10, 32, k=2), lambda step: 1.1 * toy(step), {}, "has other activations"),
    "seed": (lambda: TopKSAE(10, 32, k=2, seed=1), toy, {}, "started from other weights"),
    "another start": (lambda: trained_before(TopKSAE(10, 32, k=2)), toy, {}, "started from other weights"),
    "frozen": (lambda: frozen(TopKSAE(10, 32, k=2)), toy, {}, r"frozen \[\] there, \['W_dec'\] here"),
    "float64": (lambda: TopKSAE(10, 32, k=2).double(), toy, {}, "dtype torch.float32 there, torch.float64 here"),
}


@pytest.mark.parametrize("what", OTHER_RUNS)
def test_the_checkpoint_of_a_run_with_another_setting_start_or_text_is_refused(what, tmp_path):
    make, batches, options, told = OTHER_RUNS[what]
    checkpoint = tmp_path / "run.safetensors"
    train(TopKSAE(10, 32, k=2), toy, 3, progress=False, checkpoint=checkpoint)
    before = checkpoint.read_bytes()
    with pytest.raises(ValueError, match=f"run.safetensors belongs to another run .*{told}.*delete this one"):
        train(make(), batches, 3, progress=False, checkpoint=checkpoint, **options)
    assert checkpoint.read_bytes() == before


def test_the_half_trained_dictionary_itself_goes_on_too(tmp_path):
    """In a notebook only the cell that trains is run again, on the object that was interrupted."""
    checkpoint, whole, sae = tmp_path / "run.safetensors", TopKSAE(10, 32, k=2), TopKSAE(10, 32, k=2)
    train(whole, toy, 30, progress=False)

    def interrupted(step):
        if step == 25:
            raise KeyboardInterrupt
        return toy(step)

    options = dict(progress=False, checkpoint=checkpoint, checkpoint_every=10)
    with pytest.raises(KeyboardInterrupt):
        train(sae, interrupted, 30, **options)
    train(sae, toy, 30, **options)
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in sae.state_dict().items())
    train(copy.deepcopy(sae), toy, 30, **options)  # and once it is finished, it just stays finished


def test_another_files_content_is_no_checkpoint(tmp_path):
    checkpoint = tmp_path / "run.safetensors"
    checkpoint.write_bytes(b"half")
    with pytest.raises(ValueError, match="no checkpoint of saelab"):
        train(TopKSAE(10, 32, k=2), toy, 3, progress=False, checkpoint=checkpoint)


@pytest.mark.parametrize("kind", KINDS)
def test_the_scale_of_the_activations_changes_nothing_but_the_scale(kind):
    def larger(step):
        batch = all_kinds()[kind][1](step)
        return 8 * batch if isinstance(batch, torch.Tensor) else tuple(8 * part for part in batch)

    small, batches = all_kinds()[kind]
    large = all_kinds()[kind][0]
    train(small, batches, 20, progress=False)
    train(large, larger, 20, progress=False)
    x = batches(99) if isinstance(batches(99), torch.Tensor) else batches(99)[0]
    torch.testing.assert_close(large(8 * x), 8 * small(x), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_products_change_little(trained, kind):
    sae, batches = all_kinds()[kind]
    history = train(sae, batches, 60, lr=5e-3, progress=False, log_every=20, bf16=True)
    exact, _ = all_kinds()[kind]
    expected = train(exact, batches, 60, lr=5e-3, progress=False, log_every=20)
    assert sae.W_dec.dtype == torch.float32
    assert history["fvu"] == pytest.approx(expected["fvu"], rel=0.1, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_is_loaded(trained, kind, tmp_path):
    sae = trained[kind][0]
    sae.metadata["hook_name"] = "blocks.1.hook_resid_post"
    again = load(save(sae, tmp_path))
    assert type(again) is type(sae) and again.config == sae.config and not again.training
    assert again.metadata["hook_name"] == "blocks.1.hook_resid_post"
    for name, value in sae.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float16, torch.bfloat16], ids=["float32", "float16", "bfloat16"]
)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "crosscoder"])
def test_saelens_reads_the_same_dictionary(trained, kind, dtype, tmp_path):
    SAE = pytest.importorskip("sae_lens").SAE
    ours = load(save(trained[kind][0], tmp_path, dtype))
    theirs = SAE.load_from_disk(tmp_path)
    x = toy(77)
    torch.testing.assert_close(theirs(x), ours(x), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(theirs.encode(x), ours.encode(x), atol=1e-6, rtol=1e-6)


def test_saelens_splits_heads_where_the_hook_point_is_z(trained, tmp_path):
    SAE = pytest.importorskip("sae_lens").SAE
    sae = TopKSAE(10, 32, k=2, metadata={"hook_name": "blocks.0.attn.hook_z"}).eval()
    theirs = SAE.load_from_disk(save(sae, tmp_path))
    x = toy(5)
    torch.testing.assert_close(theirs(x.unflatten(-1, (2, 5))).flatten(-2), sae(x), atol=1e-6, rtol=1e-6)


def test_half_precision_halves_the_file(trained, tmp_path):
    sizes = []
    for dtype in (torch.float32, torch.float16):
        folder = save(TopKSAE(64, 512, k=4), tmp_path / str(dtype), dtype)
        sizes.append((folder / "sae_weights.safetensors").stat().st_size)
        assert load(folder).W_enc.dtype == torch.float32
    assert sizes[1] < 0.52 * sizes[0]


THEIRS = {
    "StandardSAE": {},
    "GatedSAE": {},
    "JumpReLUSAE": {},
    "TopKSAE": {"k": 3, "rescale_acts_by_decoder_norm": True},
    "Transcoder": {"d_out": 7},
    "SkipTranscoder": {"d_out": 7},
    "JumpReLUTranscoder": {"d_out": 7},
    "JumpReLUSkipTranscoder": {"d_out": 7},
}


@pytest.mark.parametrize("apply_b_dec", [True, False], ids=["centred", "not centred"])
@pytest.mark.parametrize("name", THEIRS)
def test_saelens_dictionaries_become_ours(name, apply_b_dec, tmp_path):
    saes = pytest.importorskip("sae_lens").saes
    config = getattr(saes, f"{name}Config")(
        d_in=10, d_sae=24, apply_b_dec_to_input=apply_b_dec and "Transcoder" not in name, **THEIRS[name]
    )
    theirs = getattr(saes, name)(config)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
        if hasattr(theirs, "threshold"):
            theirs.threshold.abs_()
    theirs.save_model(tmp_path)
    x = torch.randn(100, 10, generator=generator)
    torch.testing.assert_close(load(tmp_path)(x), theirs(x), atol=5e-6, rtol=1e-5)


def test_a_folder_that_is_not_whole_is_told_in_a_sentence(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="has no cfg.json"):
        load(tmp_path / "nowhere")
    folder = save(trained["topk"][0], tmp_path / "sae")
    cfg = (folder / "cfg.json").read_text()
    (folder / "cfg.json").write_text("{")
    with pytest.raises(ValueError, match="not readable as JSON"):
        load(folder)
    (folder / "cfg.json").write_text(
        cfg.replace('"normalize_activations": "none"', '"normalize_activations": "layer_norm"')
    )
    with pytest.raises(ValueError, match="normalises its activations"):
        load(folder)
    (folder / "cfg.json").write_text(cfg.replace('"d_sae": 32', '"d_sae": 33'))
    with pytest.raises(ValueError, match="don't fit its cfg.json"):
        load(folder)
    (folder / "cfg.json").write_text('{"architecture": "temporal"}')
    with pytest.raises(ValueError, match="holds a 'temporal' dictionary"):
        load(folder)
    (folder / "cfg.json").write_text(cfg)
    (folder / "sae_weights.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(ValueError, match="is damaged"):
        load(folder)


def test_constructors_refuse_nonsense():
    with pytest.raises(ValueError, match="k must be between 1 and d_sae = 32"):
        TopKSAE(10, 32, k=40)
    with pytest.raises(ValueError, match="prefixes must grow"):
        MatryoshkaSAE(10, 32, k=2, prefixes=[8, 4, 32])
    with pytest.raises(ValueError, match="batch is a pair"):
        Transcoder(10, 32, k=2).loss(toy(0))


# starting at activations


def words(n: int, seed: int = 0) -> torch.Tensor:
    """Activations that are one of 40 directions each, the rarest 1 in 170 [n, 10]."""
    generator = torch.Generator().manual_seed(seed)
    W = F.normalize(torch.randn(40, 10, generator=torch.Generator().manual_seed(7)), dim=1)
    chances = 1 / torch.arange(1.0, 41.0)
    return 0.3 + 2 * W[torch.multinomial(chances, n, replacement=True, generator=generator)]


def test_a_start_at_activations_takes_rare_ones_too_and_leaves_nothing_dead():
    x, sae = words(4000), TopKSAE(10, 40, k=1)
    start_from(sae, x)
    assert torch.allclose(sae.b_dec, x.mean(0)) and torch.equal(sae.W_enc.T, sae.W_dec)
    nearest = F.normalize(x - x.mean(0), dim=1) @ sae.W_dec.T
    assert (nearest.amax(1) > 0.999).all()  # each of the 40 kinds has a row of its own
    dead = {}
    for name, one in {"data": sae, "random": TopKSAE(10, 40, k=1)}.items():
        train(one, lambda step: words(512, step), steps=150, progress=False)
        dead[name] = int((one.encode(words(4000, seed=999)) > 0).sum(0).eq(0).sum())
    assert dead["data"] == 0 < dead["random"]


def test_a_start_at_too_few_activations_is_told():
    with pytest.raises(ValueError, match=r"at least d_sae = 40 activations \[n, 10\]"):
        start_from(TopKSAE(10, 40, k=1), words(39))


# dead latents start again


def with_dead_latents(kind: str):
    """A dictionary after a step of Adam, latents 3 and 20 to start again; x [512, d_in], and small errors there."""
    sae, batches = all_kinds()[kind]
    batch = batches(0)
    x, y = batch if isinstance(batch, tuple) else (batch, batch)
    optimiser = torch.optim.Adam(sae.parameters())
    sae.loss(x, y).total.backward()
    optimiser.step()
    error = 0.01 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    return sae, optimiser, torch.isin(torch.arange(32), torch.tensor([3, 20])), x, error


@pytest.mark.parametrize("kind", KINDS)
def test_a_dead_latent_starts_at_an_input_as_large_as_the_error_there(kind):
    sae, optimiser, dead, x, error = with_dead_latents(kind)
    resample(sae, optimiser, dead, x, error, seed=0)
    directions, errors = F.normalize((x - x.mean(0)).flatten(1), dim=1), error.flatten(1)
    for i in (3, 20):
        at = int((F.normalize(errors, dim=1) @ sae.W_dec[i].detach()).argmax())
        torch.testing.assert_close(sae.W_dec[i].detach(), F.normalize(errors[at], dim=0))
        torch.testing.assert_close(sae.W_enc[:, i].detach(), directions[at])
        amount = sae.hidden(x[at : at + 1])[0, i]  # what BatchTopK compares with the rest of the batch
        if kind in ("standard", "gated", "jumprelu"):
            amount = sae.encode(x[at : at + 1])[0, i]
        torch.testing.assert_close(amount.detach(), errors[at].norm())


@pytest.mark.parametrize("kind", KINDS)
def test_only_dead_latents_change_and_adam_forgets_only_them(kind):
    sae, optimiser, dead, x, error = with_dead_latents(kind)
    before = copy.deepcopy((sae.state_dict(), optimiser.state_dict()["state"]))
    resample(sae, optimiser, dead, x, error, seed=0)
    for i, (name, parameter) in enumerate(sae.named_parameters()):
        memory, memory_before = optimiser.state[parameter]["exp_avg_sq"], before[1][i]["exp_avg_sq"]
        if name in ("b_dec", "W_skip"):
            assert torch.equal(parameter, before[0][name]) and torch.equal(memory, memory_before), name
            continue
        live, axis = (~dead).nonzero()[:, 0], int(name == "W_enc")
        for now, then in ((parameter, before[0][name]), (memory, memory_before)):
            assert torch.equal(now.index_select(axis, live), then.index_select(axis, live)), name
        assert not memory.index_select(axis, dead.nonzero()[:, 0]).any(), name


def test_badly_reconstructed_inputs_are_drawn():
    sae, optimiser, dead, x, error = with_dead_latents("topk")
    well = torch.arange(512) % 4 > 0
    resample(sae, optimiser, dead, x, error * torch.where(well, 1e-4, 1.0)[:, None], seed=0)
    assert not well[(F.normalize(error, dim=1) @ sae.W_dec[dead].T).argmax(0)].any()


def test_no_two_start_at_inputs_where_one_would_do():
    """Inputs of 40 kinds, an error for each kind: it is mended once, and what is left stays dead."""
    x, sae = words(4000), JumpReLUSAE(10, 64)
    kind = x.round(decimals=3).unique(dim=0, return_inverse=True)[1]
    error = 0.1 * F.normalize(torch.randn(40, 10, generator=torch.Generator().manual_seed(0)), dim=1)[kind]
    optimiser = torch.optim.Adam(sae.parameters())
    sae.loss(x).total.backward()
    optimiser.step()
    before = sae.W_dec.detach().clone()
    started = resample(sae, optimiser, torch.ones(64, dtype=torch.bool), x, error, seed=0)
    assert kind.max() == 39 and started.tolist() == list(range(40))
    assert (sae.W_dec != before).any(1).nonzero()[:, 0].tolist() == list(range(40))


def test_where_nothing_is_dead_nothing_changes():
    sae, optimiser, dead, x, error = with_dead_latents("jumprelu")
    before = copy.deepcopy(sae.state_dict())
    assert not len(resample(sae, optimiser, dead & False, x, error, seed=0))
    assert all(torch.equal(value, before[name]) for name, value in sae.state_dict().items())


def test_resampling_leaves_few_dead_and_reconstructs_better():
    found = {}
    for every in (None, 20):
        sae = JumpReLUSAE(10, 64, l0=1.0)
        train(sae, lambda step: words(512, step), 300, lr=1e-2, progress=False, dead_after=10, resample_every=every)
        found[every] = quality(sae, words(4000, seed=999))
    assert found[20].dead < 0.1 < 0.3 < found[None].dead
    assert found[20].fvu < 0.2 * found[None].fvu
