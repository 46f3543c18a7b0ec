# %% [markdown]
# # Circles and manifolds
#
# Every feature so far was one number: how much of it is there? A direction was enough to hold it. But what about the
# day of the week? Sunday is next to Monday and next to Saturday, and no day is the largest. **If you had to store
# seven days in a few dimensions so that "the day after" is the same move everywhere, what shape would you use? And if
# you were given the cloud of points, how would you know that it isn't just two ordinary features?**
#
# At the end of this section you can look at a cloud of activations, say whether one-dimensional features could have
# made it, and say what a dictionary of one-dimensional latents makes of a cloud that they could not have made.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict


def mutual_information(x: Float[Tensor, "batch"], y: Float[Tensor, "batch"], bins: int = 10) -> float:
    """Nats that one coordinate tells about the other, from a histogram with bins × bins cells; near 0: independent."""
    cells = [((v - v.min()) / (v.max() - v.min()).clamp_min(1e-12) * bins).long().clamp_max(bins - 1) for v in (x, y)]
    joint = torch.bincount(cells[0] * bins + cells[1], minlength=bins**2).view(bins, bins) / len(x)
    product = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0)
    return float(torch.xlogy(joint, joint / product.clamp_min(1e-12)).sum())


# %% [markdown]
# ## Is this feature really two-dimensional?
#
# Below are six clouds of points in a plane. An ordinary feature has a direction and a strength. **Which of the clouds
# could two ordinary features have made?** Decide all six. (One of them should worry you.)

# %%
N = 2000  # points

torch.manual_seed(0)
phase = 2 * torch.pi * torch.rand(N)
ring = torch.stack([phase.cos(), phase.sin()], dim=1)
turn = torch.tensor([[0.87, -0.5], [0.5, 0.87]])  # by 30 degrees
arms = torch.tensor([[1.0, 0.0], [0.5, 0.87]])  # two directions, 60 degrees apart
on = torch.randint(0, 2, (N,))  # which of two features is on
gallery = {
    "A": ring + 0.05 * torch.randn(N, 2),
    "B": (2 * torch.rand(N, 2) - 1) @ turn,
    "C": 0.4 * torch.randn(N, 2),
    "D": 0.45 * torch.randn(N, 1) * arms[on] + 0.01 * torch.randn(N, 2),
    "E": 1.5 * torch.rand(N, 1) * arms[on] - 0.7 + 0.01 * torch.randn(N, 2),
    "F": ring * torch.tensor([1.2, 0.7]),
}
plots.scatter(
    {name: cloud[:400] for name, cloud in gallery.items()},
    title="Which of these could two features have made?",
    x_title="first coordinate",
    y_title="second coordinate",
)

# %%
how_many = predict("How many of the six clouds could two ordinary features have made?", ..., "clouds")
round_one = predict("Could two ordinary features have made cloud C?", ..., among=["yes", "no, it needs its plane"])

# %% [markdown]
# Two ordinary features make a plane in one of two ways. Either they come and go *independently*: then there's a pair
# of axes along which the cloud is a product, and knowing one coordinate tells nothing about the other. Or they
# *exclude* each other: then the cloud lies on two lines. This has been made a definition
# ([Engels et al. 2024](https://arxiv.org/abs/2405.14860), "Not All Language Model Features Are One-Dimensionally
# Linear"). A two-dimensional feature is **reducible** if you can rotate and shift the plane so that its coordinates
# $(a, b)$ are
#
# * **separable**, $p(a, b) = p(a)\,p(b)$, or
# * a **mixture**, of which one part, with a weight $w > 0$, has $b = 0$: it lies on a line.
#
# If neither can be done, the feature is **irreducible**: it needs its plane. Go through the cases in your head:
#
# | cloud | independent after some rotation? | many points on a line? | so it is |
# |---|---|---|---|
# | a ring | no: $a$ always leaves two values for $b$ | no | irreducible |
# | a square, turned (B) | yes: turn it back | no | two features |
# | a Gaussian, round (C) or stretched | yes: along its principal axes | no | two features |
# | a cross (D) or a V (E) | no: where one is on, the other is off | yes: half of them | two exclusive features |
# | a line with a little noise | yes | yes: all of them | one feature |
#
# C is the worrying one. It's perfectly round, both principal components are nearly equal, and yet it is nothing but two
# independent numbers. Roundness doesn't make a circle, *dependence* does.
#
# **Now make a function of it.** Both halves of the definition begin with "if you can rotate", so you have to look at
# the cloud from many sides. For independence you have `mutual_information`, given above: how much one coordinate tells
# about the other, in nats, near 0 for independent ones. For a line, think of what you see when you look along it. And
# why may you ask for a line with 40% of the points? Of two features that exclude each other, the commoner one has at
# least half of them.
#
# The paper measures the same two things as numbers and compares features by them. A yes or no needs cuts, and those are
# yours to find: the docstring says which clouds come, and `gallery` holds six to try. There is more than one good way.


# %% exercise="irreducible" points=4 minutes=50 difficulty=4 importance=3
def irreducible(acts: Float[Tensor, "batch d_model"]) -> bool:
    """Is the feature that produced these activations irreducibly two-dimensional? (Engels et al. 2024)

    Judge the cloud in the plane of its first two principal components, centred. False if it is reducible there:
    either its two coordinates are independent after some rotation of the plane, or one straight line, in any
    direction and through any place, holds 40% of its points or more, to within the noise. Otherwise True.

    You get clear cases only: 2,000 points or more in d_model ≥ 2 dimensions, in any units, anywhere, in any position.
    Noise, in every dimension, is at most 3% of the cloud's standard deviation along its first principal component.
    Rings may be up to 10% of their radius thick, stretched (below 2:1), unevenly filled, or filled in seven groups.
    The features of a reducible cloud are orthogonal and independent (Gaussian, uniform, two-sided: from 1 to 2 in size
    with either sign, yes-or-no, sparse), or exclude each other, or are one.

    >>> phase = torch.arange(2000) * 2 * torch.pi / 2000
    >>> irreducible(torch.stack([phase.cos(), phase.sin()], dim=1))
    True
    """
    # BEGIN SOLUTION
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T  # batch 2
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    shadows = torch.stack([angles.cos(), angles.sin()], dim=1) @ z.T  # angle batch: the cloud from 36 sides
    many, ordered = int(0.4 * len(z)), shadows.sort(dim=1).values
    window = (ordered[:, many:] - ordered[:, :-many]).min()  # the narrowest that holds 40%
    mixture = window < 0.2 * z[:, 0].std()
    dependence = min(mutual_information(a, b) for a, b in zip(shadows[:18], shadows[18:], strict=True))
    return bool(not mixture and dependence > 0.2)
    # END SOLUTION


# %%
check(irreducible)

# %% [markdown] hint=1
# What would you have to *see* to believe that two ordinary features made the cloud? There are two ways, so there are
# two things to look for; finding either is enough to answer False. And from which side would you have to look?

# %% [markdown] hint=2
# Centre the cloud, project it on its first two principal components, and take its shadow
# $z\cdot(\cos\theta, \sin\theta)$ for angles $\theta$ every few degrees over *half a turn*. Two shadows 90° apart are a
# rotated pair of coordinates: over all rotations, how small does their mutual information become? A line seen end-on is
# a single value of a shadow: how narrow is the narrowest window that holds 40% of the points? No line has to pass
# through the centre of the cloud (look at the V), so the window may lie anywhere. Print both numbers for the six clouds
# before you choose your cuts.

# %% [markdown] hint=3
# `z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T`, and with 36 angles, 5° apart,
# `shadows = directions @ z.T`; then `zip(shadows[:18], shadows[18:])` runs through all rotations of the axes. With
# `k = int(0.4 * len(z))` and `s = shadows.sort(dim=1).values` the narrowest window is `(s[:, k:] - s[:, :-k]).min()`;
# measure it in standard deviations of the first component. 0.2 is a good cut for both numbers. Which of the two must be
# large for the answer True: either, or both?

# %%
# What do you say to the six clouds? And what to one principal component analysis of them?
for name, cloud in gallery.items():
    first, second = torch.linalg.eigvalsh(cloud.T.cov()).flip(0).tolist()
    print(f"{name}: irreducible {irreducible(cloud)!s:5}   second principal variance / first {second / first:.1f}")
assert [irreducible(cloud) for cloud in gallery.values()] == [True, False, False, False, False, True]
how_many.came_out(sum(not irreducible(cloud) for cloud in gallery.values()), within=0)
round_one.came_out("no, it needs its plane" if irreducible(gallery["C"]) else "yes")

# %% [markdown]
# Only A and F need their plane. The last column shows how little the principal variances tell: equal or nearly so for a
# circle (A), for a square (B) and for a round Gaussian (C), unequal for an ellipse (F), which is as irreducible as a
# circle.
#
# Now the other half of the question: what does a dictionary make of a ring? Each of its latents is one direction and
# one non-negative number. Give it $k$ latents, spread evenly round the ring, and let one of them be active at a time,
# the one that fits best. Draw for yourself what the reconstruction will look like. Choose $k$, predict how much of the
# variance it explains, and run.

# %%
k = 7  # latents, from 3 to 30
explained = predict(f"{k} latents round a ring, one active at a time: how much of the variance is explained?", ..., "%")


# %%
# Your dictionary of one-dimensional latents, one active at a time
def tile(x: Float[Tensor, "batch 2"], k: int) -> Float[Tensor, "batch 2"]:
    """What the best one of k unit latents, spread evenly, makes of each point."""
    angle = 2 * torch.pi * torch.arange(k) / k
    directions = torch.stack([angle.cos(), angle.sin()], dim=1)  # k 2
    strength, best = (x @ directions.T).max(dim=1)
    return strength[:, None] * directions[best]


share = {}
for latents in sorted({4, 7, 12, k}):
    share[latents] = 1 - (ring - tile(ring, latents)).pow(2).sum() / ring.pow(2).sum()
    width = torch.tensor(2 * torch.pi / latents)  # of the arc that one latent serves
    law = 0.5 + 0.5 * width.sin() / width
    print(f"{latents:2} latents explain {share[latents]:.3f} of the ring's variance; the formula says {law:.3f}")
    assert abs(share[latents] - law) < 0.01  # 2,000 random points: standard error below 0.002
explained.came_out(100 * share[k], within=3)
made = f"what {k} latents make of it"
plots.scatter(
    {"the ring": ring[:800], made: tile(ring, k)[:800]},
    title="A ring, and its reconstruction",
    x_title="first coordinate",
    y_title="second coordinate",
    colour={"the ring": phase[:800], made: phase[:800]},
    colour_title="phase",
    cyclic=True,
)

# %% [markdown]
# With seven latents the ring becomes seven short spokes. Each latent serves an arc of width $2\pi/k$. On its own
# direction it is perfect; towards the ends of its arc it can only shrink, by the cosine of the angle between the point
# and its direction. Averaged over the arc, with width $w = 2\pi/k$, this explains $\frac12 + \frac12 \frac{\sin w}{w}$
# of the variance: with seven latents 94%, with twelve 98%. Nothing in such a number says that anything is wrong, and
# every single latent would look clean to you: "fires on Tuesday". But the colour has stopped running along the shape:
# within a spoke, two phases on either side of the latent's direction have become *the same point*. What was there, the
# phase, and the neighbourhood of Monday and Sunday, isn't in any single latent; it is in how the seven directions lie
# to each other.
#
# This is what was found in real models. In GPT-2 small, layer 7,
# [Engels et al. 2024](https://arxiv.org/abs/2405.14860) clustered the latents of a sparse autoencoder by the similarity
# of their directions. Some clusters, taken together, arrange the days of the week, the months of the year or the years
# of the twentieth century in circles; they report circles of days and months in Mistral 7B as well. The lists in the
# authors' code repository name nine latents for the days and sixteen for the months. For Mistral 7B and Llama 3 8B they
# go on to intervene on the circle while the model adds days or months.
#
# Four warnings. *Tiles aren't forced*: four latents, two along each axis, back to back, rebuild the ring exactly with
# two of them active. Which of the two a dictionary does depends on what it pays for a second active latent, so tiles
# tell you about the dictionary as much as about the model. *The first two principal components aren't sacred*: a circle
# may lie in the second and third, and then your function looks at the wrong plane. *Real clouds aren't clear cases*: a
# filled disc is neither a product nor on a line, and its mutual information is below 0.2 nats. And *irreducible doesn't
# mean used*: a shape in the activations says nothing about whether the model computes with it. To find out you must
# intervene.


# %% misconception="irreducible"
def two_equal_variances(acts):
    """Clouds with two principal variances of similar size were called irreducible, the others reducible. That tells
    round from long: a round Gaussian has equal variances too, and a stretched ring has not."""
    variances = torch.linalg.eigvalsh(acts.T.cov()).flip(0)
    return bool(variances[1] > 0.5 * variances[0])


# %% misconception="irreducible"
def only_the_principal_axes(acts):
    """Independent features were called irreducible where the principal axes lie between their own axes. Do you test
    independence in *all* rotations?"""
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    ordered, k = (z @ torch.stack([angles.cos(), angles.sin()])).sort(dim=0).values, int(0.4 * len(z))
    line = (ordered[k:] - ordered[:-k]).min() < 0.2 * z[:, 0].std()
    return bool(not line and mutual_information(z[:, 0], z[:, 1]) > 0.2)


# %% misconception="irreducible"
def everything_is_reducible(acts):
    """Every cloud was called reducible, rings included. Find out which of your two tests says so of a ring. For lines
    it may be a window that is too wide or a cut that is too high. For independence it can't be correlation: along the
    principal axes every cloud has correlation 0, a ring too."""
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    return bool(torch.corrcoef(z.T)[0, 1].abs() > 0.1)


# %% misconception="irreducible"
def only_the_radius(acts):
    """Clouds whose points all lie at about one distance from the centre were called irreducible, the others reducible.
    A stretched ring has many radii, and two yes-or-no features, the corners of a square, only one."""
    centred = acts - acts.mean(dim=0)
    radius = (centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T).norm(dim=1)
    return bool(radius.std() < 0.15 * radius.mean())


# %% misconception="irreducible"
def a_hole_in_the_middle(acts):
    """Clouds with an empty middle were called irreducible, the others reducible. A V has no points at its mean either,
    nor have the four corners of a square."""
    centred = acts - acts.mean(dim=0)
    radius = (centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T).norm(dim=1)
    return bool((radius < 0.3 * radius.pow(2).mean().sqrt()).double().mean() < 0.02)


# %% misconception="irreducible"
def forgets_mixtures(acts):
    """Rings and independent features are told apart, but features that exclude each other were called irreducible: no
    line was found in a cross or in a V. Do you look for lines, and would your test see one that holds half of the
    points and not nearly all of them?"""
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    shadows = torch.stack([angles.cos(), angles.sin()], dim=1) @ z.T
    return min(mutual_information(a, b) for a, b in zip(shadows[:18], shadows[18:], strict=True)) > 0.2


# %% misconception="irreducible"
def forgets_separability(acts):
    """Rings and lines are told apart, but independent features without a line were called irreducible: a square, a
    Gaussian. Do you test for independence, and is your cut above what sampling noise gives?"""
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    ordered, k = (z @ torch.stack([angles.cos(), angles.sin()])).sort(dim=0).values, int(0.4 * len(z))
    return bool((ordered[k:] - ordered[:-k]).min() > 0.2 * z[:, 0].std())


# %% misconception="irreducible"
def wants_both(acts):
    """Nothing but a single line was called reducible. One of the two ways is enough, separable *or* a mixture: does
    your function want both?"""
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    shadows = torch.stack([angles.cos(), angles.sin()], dim=1) @ z.T
    ordered, k = shadows.sort(dim=1).values, int(0.4 * len(z))
    dependence = min(mutual_information(a, b) for a, b in zip(shadows[:18], shadows[18:], strict=True))
    return bool((ordered[:, k:] - ordered[:, :-k]).min() > 0.2 * z[:, 0].std() or dependence > 0.2)


# %% misconception="irreducible"
def not_centred(acts):
    """Clouds far from the origin were judged wrongly, the others rightly. If you don't subtract the mean, the first
    'principal component' points from the origin to the cloud, and one of the cloud's own directions is lost."""
    z = acts @ torch.linalg.svd(acts, full_matrices=False).Vh[:2].T
    return irreducible(z)


# %% misconception="irreducible"
def the_first_two_coordinates(acts):
    "Rings in other dimensions than the first two were missed. The plane of a feature can lie anywhere: look for it."
    return irreducible(acts[:, :2])


# %% misconception="irreducible"
def lines_through_the_mean(acts):
    """A cross was recognised, a V wasn't. Both arms of a V pass by the mean of the cloud: is a line found anywhere, or
    only through the centre?"""
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    shadows = torch.stack([angles.cos(), angles.sin()], dim=1) @ z.T
    half_width = shadows.abs().sort(dim=1).values[:, int(0.4 * len(z))].min()
    dependence = min(mutual_information(a, b) for a, b in zip(shadows[:18], shadows[18:], strict=True))
    return bool(half_width > 0.1 * z[:, 0].std() and dependence > 0.2)


# %% misconception="irreducible"
def lines_along_the_principal_axes(acts):
    """Lines were found only where they run along the principal axes. Those of a cross lie between its arms: look from
    all sides."""
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    shadows = torch.stack([angles.cos(), angles.sin()], dim=1) @ z.T
    ordered, k = z.sort(dim=0).values, int(0.4 * len(z))
    dependence = min(mutual_information(a, b) for a, b in zip(shadows[:18], shadows[18:], strict=True))
    return bool((ordered[k:] - ordered[:-k]).min() > 0.2 * z[:, 0].std() and dependence > 0.2)


# %% misconception="irreducible"
def looks_through_a_quarter_turn(acts):
    """A line was found on one side of the principal axes and missed on the other. Do the directions in which you look
    for lines cover half a turn?"""
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    shadows = torch.stack([angles.cos(), angles.sin()], dim=1) @ z.T
    ordered, k = shadows[:18].sort(dim=1).values, int(0.4 * len(z))
    dependence = min(mutual_information(a, b) for a, b in zip(shadows[:18], shadows[18:], strict=True))
    return bool((ordered[:, k:] - ordered[:, :-k]).min() > 0.2 * z[:, 0].std() and dependence > 0.2)


# %% misconception="irreducible"
def forgets_the_unit(acts):
    """A small cloud or a large one was judged by its size. Activations come in any unit: compare the window with a
    length that you measured in the cloud, such as a standard deviation."""
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    shadows = torch.stack([angles.cos(), angles.sin()], dim=1) @ z.T
    ordered, k = shadows.sort(dim=1).values, int(0.4 * len(z))
    dependence = min(mutual_information(a, b) for a, b in zip(shadows[:18], shadows[18:], strict=True))
    return bool((ordered[:, k:] - ordered[:, :-k]).min() > 0.2 and dependence > 0.2)


# %% alternative="irreducible"
def as_the_paper_counts(acts):
    # strips of ±0.1 root mean squares round each line, and mutual information between ranks, in plain loops
    x = acts.double() - acts.double().mean(dim=0)
    z = x @ torch.linalg.eigh(x.T @ x).eigenvectors[:, -2:]
    share, dependence = 0.0, float("inf")
    for degree in range(0, 180, 5):
        angle = torch.tensor(degree).double().deg2rad()
        a, b = z @ torch.stack([angle.cos(), angle.sin()]), z @ torch.stack([-angle.sin(), angle.cos()])
        for offset in a.sort().values[::100]:
            gap = a - offset
            share = max(share, (gap.abs() < 0.1 * gap.pow(2).mean().sqrt()).double().mean().item())
        dependence = min(dependence, mutual_information(a.argsort().argsort(), b.argsort().argsort(), bins=8))
    return share < 0.38 and dependence > 0.25


# %% alternative="irreducible"
def by_energies(acts):
    # whitened; independent coordinates have independent squares, on a ring one grows as the other shrinks
    z = acts - acts.mean(dim=0)
    u, s, _ = torch.linalg.svd(z, full_matrices=False)
    white, z = u[:, :2] * len(z) ** 0.5, u[:, :2] * s[:2] / s[0] * len(z) ** 0.5
    dependence, fullest = 1.0, 0.0
    for angle in torch.linspace(0, torch.pi, 37, dtype=z.dtype)[:-1]:
        side = torch.stack([angle.cos(), angle.sin()])
        near = ((z @ side)[:, None] - torch.linspace(-3, 3, 61)).abs() < 0.1
        fullest = max(fullest, near.double().mean(dim=0).max().item())
        squares = torch.stack([white @ side, white @ torch.stack([-side[1], side[0]])]).square()
        dependence = min(dependence, torch.corrcoef(squares)[0, 1].abs().item())
    return fullest < 0.38 and dependence > 0.45
