"""Are steps taken in the right order, rows kept at length 1, and features given latents one to one?"""

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

CLOSE = {"atol": 1e-5, "rtol": 1e-4}
STEEP = torch.tensor([1e6, 2e6]).double()  # a penalty beside which the reconstruction doesn't count
CASES = {  # angles in a plane: features, latents; each feature's latent, and the angle between them
    "rows in another order": ([0, 100, 200], [205, 5, 95], [1, 2, 0], [5, 5, 5]),
    "the largest sum, not the nearest pair first": ([0, 60], [2, -35], [1, 0], [35, 58]),
    "a latent is given away once": ([0, 40], [18, 150], [0, 1], [18, 110]),
    "a latent that points backwards is no match": ([0, 90], [180, 60, 100], [1, 2], [60, 10]),
    "a bad match is told with its sign": ([0], [165], [0], [165]),
    "a latent too many is left over, however long": ([10, 130], [60, 125, 20], [2, 1], [10, 5]),
    "a feature too many gets none": ([10, 130, 250], [128, 15], [1, 0, -1], [5, 2, 90]),
    "a latent of length 0 has cosine 0, which still beats a negative one": ([0, 90], [5, 250, None], [0, 2], [5, 90]),
}


def any_run(rng, steps, comp=3):  # W_enc, b_enc, W_dec, b_dec, batches and λ in float64; about half of the latents on
    W_dec = normalize(rng.normal(comp, 4, 5).double(), dim=-1)
    run = W_dec.mT + rng.normal(comp, 5, 4) / 5, rng.normal(comp, 4) / 5, W_dec, rng.normal(comp, 5) / 5
    return [each.double() for each in (*run, rng.normal(steps, 6, comp, 5), rng.uniform(comp, low=0.1, high=0.5))]


def always_on(rng, steps):  # all latents are on, and the penalty has an even slope for every number but W_dec's
    W_enc, b_enc, x = [rng.uniform(*shape, low=0.5) for shape in [(2, 5, 4), (2, 4), (6, 2, 5)]]
    x = x.repeat(steps, 1, 1, 1)
    return [w.double() for w in (W_enc, b_enc, normalize(rng.normal(2, 4, 5).double(), dim=-1), torch.zeros(2, 5), x)]


@pytest.mark.parametrize("name", CASES)
def test_features_and_latents_are_matched_one_to_one(match, rng, name):
    "The matrix of signed cosines, features by latents, goes to the assignment as something to maximise."
    features, latents, expected, angles = CASES[name]
    angle = torch.tensor([a or 0 for a in features + latents]) * torch.pi / 180
    arrows = torch.stack([angle.cos(), angle.sin()], dim=1) @ rng.rotation(4)[:2]
    n, lengths = len(features), rng.uniform(len(angle), 1, low=0.5, high=2.0)
    lengths[n:] *= torch.tensor([[0.0 if a is None else 1.0 if j in expected else 9.0] for j, a in enumerate(latents)])
    index, cosine = match((arrows * lengths)[n:], (arrows * lengths)[:n])
    told = f"{name}: features at {features}°, latents at {latents}°: expected {expected}, got {index.tolist()}"
    assert index.tolist() == expected, told
    assert_close(cosine, (torch.tensor(angles) * torch.pi / 180).cos(), **CLOSE)


def test_decoder_rows_have_length_one_at_the_end(train_sae, rng):
    "A latent's direction is a row of W_dec, along its last axis. After each step of Adam rows get length 1 again."
    for steps in (1, 3):
        assert_close(train_sae(*any_run(rng, steps), 0.3)[2].norm(dim=-1), torch.ones(3, 4).double(), **CLOSE)


@pytest.mark.parametrize(
    "steps, on",
    [(1, 1), (2, 2), (7, 7), (20, 1)],
    ids=["1 step", "2 steps", "7 steps", "20 steps, a gradient in the first"],
)
def test_steps_get_shorter_over_the_run_and_adam_remembers(train_sae, rng, steps, on):
    "Make one Adam, set only lr, and clear the gradients each time: on an even slope step t is lr·(1 − t/T)."
    *start, x = always_on(rng, steps)
    x[on:] *= -4  # from there on no latent is on: what still moves is memory
    way, m, v = 0.0, 0.0, 0.0
    for t in range(steps):
        m, v = 0.9 * m + 0.1 * (t < on), 0.999 * v + 0.001 * (t < on)
        way += (1 - t / steps) * m / (1 - 0.9 ** (t + 1)) / (v / (1 - 0.999 ** (t + 1))) ** 0.5
    end, room = train_sae(*start, x, STEEP, 1e-4), 0.003 if on > 1 else 1e-6  # slopes change a little while they are on
    for i, sign in [(0, -1), (1, -1), (3, 1)][: 3 if on == steps else 2]:  # W_enc and b_enc go down, b_dec up
        assert_close((end[i] - start[i]) / 1e-4, torch.full_like(start[i], sign * way), rtol=room, atol=0.0)


@pytest.mark.parametrize("missing", [0.0, 0.3], ids=["error along the row", "error across it too"])
def test_adam_sees_no_gradient_along_a_row(train_sae, rng, missing):
    "The first step moves each number by lr, unless Adam sees no gradient. The second goes on by memory, from length 1."
    row, across = normalize(torch.tensor([1.0, -2, 3, 4]).double()[rng.permutation(4)], dim=0), rng.normal(4).double()
    across = missing * normalize(across - across @ row * row, dim=0)
    x = rng.uniform(6, 1, 1, low=1.0, high=2.0) * (row + across)  # of which the latent gives half, along its row
    start = 0.5 * row[None, :, None], torch.zeros(1, 1).double(), row[None, None], torch.zeros(1, 4).double()
    once = normalize(row + 0.1 * across.sign(), dim=0)
    then = normalize(once + 0.05 * 0.67006 * across.sign(), dim=0)  # the latent is off; m and v carry on
    for batches, expected in [(x[None], once), (torch.stack([x, -9 * x]), then)]:
        assert_close(train_sae(*start, batches, torch.ones(1).double(), 0.1)[2][0, 0], expected, **CLOSE)


def test_each_component_learns_as_if_it_were_alone(train_sae, rng):
    "Each component has its own numbers, its own data and its own λ, and feels nothing of the others."
    *start, x, lam = any_run(rng, 5)
    together = train_sae(*start, x, lam, 0.05)
    for c in [slice(0, 1), slice(2, 3)]:
        for one, among in zip(train_sae(*[w[c] for w in start], x[:, :, c], lam[c], 0.05), together):
            assert_close(among[c], one, **CLOSE)


def test_rows_settle_on_the_features_near_them(train_sae, rng):
    "Five features in a plane, in float32: encoder, decoder and biases all have to learn, over the whole run."
    angle = torch.arange(5) * 2 * torch.pi / 5 + rng.uniform(1, high=6.0) + torch.tensor([[0.0], [0.35], [-0.35]])
    (truth, *near), x = torch.stack([angle.cos(), angle.sin()], dim=-1), rng.uniform(200, 64, 2, 5)
    W_dec, x = torch.stack(near), x * (rng.uniform(200, 64, 2, 5) < 0.05) @ truth
    start = W_dec.mT, torch.zeros(2, 5), W_dec, torch.zeros(2, 2), x
    cosine = (train_sae(*start, torch.full((2,), 0.3), 0.02)[2] * truth).sum(dim=-1).mean()
    assert cosine > 0.98, f"From a cosine of 0.94 with the features it should rise above 0.98; it is {cosine:.3f}."


def test_agrees_with_the_reference_on_runs_and_dictionaries(train_sae, match, reference, rng):
    "Take Adam's defaults besides lr, and the loss as given; return data, cut off from the graph."
    for run in [any_run(rng, 3, 1), any_run(rng, 12, 3)]:
        for got, expected in zip(train_sae(*run, 0.03), reference(*run, 0.03)):
            assert_close(got, expected, rtol=0.0, atol=1e-6)
            assert not got.requires_grad, "The returned tensors should have requires_grad False; one has True."
    for d_sae, feats in [(1, 1), (3, 7), (9, 4), (6, 6), (60, 40)]:
        W, truth = rng.normal(d_sae, 5).double(), rng.normal(feats, 5).double()
        for got, expected in zip(match(W, truth), reference.match(W, truth)):
            assert_close(got.to(expected.dtype), expected, **CLOSE)
