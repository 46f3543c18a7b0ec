"""Is the feature that produced these activations irreducibly two-dimensional?"""

import pytest
import torch

N = 2000


def circle(phase):
    return torch.stack([phase.cos(), phase.sin()], dim=1)


def turned(flat, rng):
    return flat @ circle(rng.uniform(1, high=2 * torch.pi) + torch.tensor([0.0, torch.pi / 2]))


def placed(flat, rng, start=0):
    """The flat cloud in two of 48 dimensions, far from the origin in all the others, with a little noise."""
    acts = torch.full((len(flat), 48), 3.0)
    acts[:, start : start + 2] = flat
    return acts + 0.025 * flat.std(dim=0).max() * rng.normal(len(flat), 48)


def expect(answer, truth, cloud):
    assert answer is truth, f"Expected  {truth} for {cloud}\nGot       {answer}"


@pytest.mark.parametrize("thickness,stretch", [(0.0, 1.0), (0.1, 1.0), (0.0, 1.8)], ids=["thin", "thick", "oval"])
def test_a_ring_is_irreducible(irreducible, rng, thickness, stretch):
    """A ring is irreducible: True. Turn it as you like, one coordinate leaves two values for the other."""
    acts = circle(rng.uniform(N, high=2 * torch.pi)) * (1 + thickness * rng.normal(N, 1)) * torch.tensor([stretch, 1.0])
    expect(irreducible(turned(acts, rng)), True, f"a ring, {thickness:.0%} thick, stretched {stretch} : 1")


@pytest.mark.parametrize("filled", ["more on one side", "in seven groups"])
def test_an_unevenly_filled_ring_is_irreducible(irreducible, rng, filled):
    """A crowded side isn't a line yet, and seven days aren't seven lines: none holds more than two of them."""
    side, days = rng.uniform(N, high=2 * torch.pi), rng.uniform(N, high=7.0).floor() * 2 * torch.pi / 7
    phase = side + 0.4 * side.sin() if filled == "more on one side" else days + 0.1 * rng.normal(N)
    expect(irreducible(placed(turned(circle(phase), rng), rng, 5)), True, f"a ring filled {filled}")


@pytest.mark.parametrize("start", [0, 40], ids=["first dimensions", "late dimensions"])
def test_a_ring_is_found_wherever_it_lies(irreducible, rng, start):
    """Which plane did you project on, and did you subtract the mean before you looked for it?"""
    acts = placed(circle(rng.uniform(N, high=2 * torch.pi)), rng, start)
    expect(irreducible(acts), True, f"a ring in dimensions {start} and {start + 1} of 48, the others being near 3")


@pytest.mark.parametrize("points", [2000, 10_000], ids=["2,000 points", "10,000 points"])
def test_a_ring_is_irreducible_however_many_points_it_has(irreducible, rng, points):
    """Is a number of points written in your code? Take 40% of as many as there are."""
    acts = circle(rng.uniform(points, high=2 * torch.pi)) * (1 + 0.05 * rng.normal(points, 1))
    expect(irreducible(turned(acts, rng)), True, f"a ring of {points} points, 5% thick")


@pytest.mark.parametrize("kind", ["uniform", "two-sided", "yes-or-no", "sparse", "Gaussian", "unequal Gaussian"])
def test_independent_features_are_separable_in_any_rotation(irreducible, rng, kind):
    """Two independent features are reducible: at some angle (not at all of them, and here not along the principal axes)
    the two coordinates tell nothing of each other. How small does their dependence get, and what is your cut?"""
    u, on = rng.uniform(N, 2), rng.uniform(N, 2) < 0.5
    values = {"uniform": u, "two-sided": torch.where(on, 1 + u, -1 - u), "yes-or-no": 1.0 * on, "sparse": on * u}
    flat = values.get(kind, rng.normal(N, 2)) + 0.005 * rng.normal(N, 2)
    flat = (flat - flat.mean(dim=0)) / flat.std(dim=0)  # of equal variance, so that the principal axes are diagonals
    flat = flat * torch.tensor([1.0, 0.5 if kind == "unequal Gaussian" else 1.0])
    expect(irreducible(turned(flat, rng)), False, f"two independent {kind} features")


@pytest.mark.parametrize("shape", ["cross", "long cross", "V", "line"])
def test_features_that_exclude_each_other_are_a_mixture(irreducible, rng, shape):
    """One line that holds 40% of the points or more is enough: in any direction, and not only through the mean."""
    first, angle = rng.uniform(N) < 0.5, rng.uniform(1, low=0.9, high=1.5)
    far = (1 + rng.uniform(N, 1)) * (2.0 * (rng.uniform(N, 1) < 0.5) - 1)
    strength = {"V": rng.uniform(N, 1), "long cross": far * (2.0 - 1.0 * first[:, None])}.get(shape, rng.normal(N, 1))
    flat = strength * circle(first * {"line": 0.0, "long cross": torch.pi / 2}.get(shape, angle))
    acts = placed(turned(flat + torch.tensor([2.0, -3.0]), rng), rng, 7)
    expect(irreducible(acts), False, f"a {shape}")


@pytest.mark.parametrize("sense", [1, -1], ids=["to the left", "to the right"])
def test_a_line_is_found_on_either_side_of_the_principal_axes(irreducible, rng, sense):
    """Through how many degrees do you turn the cloud? Only one of these two arms holds 40% of the points."""
    for turn in torch.arange(4) * torch.pi / 4 + rng.uniform(1):
        rare, angle = rng.uniform(N) < 0.3, sense * rng.uniform(1, low=1.0, high=1.2)
        flat = rng.normal(N, 1) * circle(turn + rare * angle) + 0.01 * rng.normal(N, 2)
        expect(irreducible(flat), False, "a cross, 70% of its points on one arm and 30% on the other")


def test_the_unit_of_the_activations_does_not_matter(irreducible, rng):
    """Very small clouds and very large ones. Is every length compared with one that is measured in the cloud?"""
    tiny = 0.01 * circle(rng.uniform(N, high=2 * torch.pi)).double()
    expect(irreducible(tiny), True, "a ring of radius 0.01, in float64")
    cross = 100 * rng.normal(N, 1) * circle((rng.uniform(N) < 0.5) * 1.2) + rng.normal(N, 2)
    expect(irreducible(turned(cross, rng)), False, "a cross with arms of length 100")


def cloud(kind, rng):
    """A square is separable, a cross and a V are mixtures."""
    arms = circle((rng.uniform(N) < 0.5) * rng.uniform(1, low=0.9, high=1.5))
    ring, square = circle(rng.uniform(N, high=2 * torch.pi)), rng.uniform(N, 2)
    return {"ring": ring, "square": square, "cross": rng.normal(N, 1) * arms, "V": rng.uniform(N, 1) * arms}[kind]


@pytest.mark.parametrize("other", ["square", "cross", "V"])
def test_rings_are_told_apart_from_others_in_whatever_order_they_come(irreducible, rng, other):
    """Nothing but the points may decide: not the size of the cloud, nor what came before it."""
    for kind in [("ring", other)[i % 2] for i in rng.permutation(8).tolist()]:
        flat = cloud(kind, rng)
        acts = turned(flat / flat.std(dim=0).max(), rng) + 0.01 * rng.normal(N, 2)
        expect(irreducible(acts), kind == "ring", f"a {kind}")
