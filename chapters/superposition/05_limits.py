# %% [markdown]
# # How much fits?
#
# You have seen features crowd into fewer dimensions than there are features. Two questions are left. How little can
# they overlap, whatever training does? And where they must share, how much does each feature get? The second question
# is optional: no later section needs it.

# %% setup=1
import math

import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict, reference

toy = reference("superposition")  # the exercises of earlier sections, solved


def sums_to(total, values, low, high, steps=50):
    """The x between low and high at which values(x), which fall with x, sum to total (by bisection)."""
    for _ in range(steps):
        x = (low + high) / 2
        low, high = (x, high) if values(x).sum() > total else (low, x)
    return high


def minimise(losses, parameters, steps, lr):
    """Adam on the sum of `losses()`, one loss per instance."""
    optimizer = torch.optim.Adam(parameters, lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        losses().sum().backward()
        optimizer.step()


# %% [markdown]
# ## How nearly orthogonal can features be?
#
# Draw five arrows from one point on a sheet of paper, so that no two overlap more than they must. An arrow and its
# opposite overlap completely here: they lie on one line.

# %%
five_arrows = predict(
    "Five arrows in a plane, placed as well as possible: how large is the |cosine| between the two that overlap most?",
    ...,
)

# %% [markdown]
# The *coherence* of the features, the columns $W_i$ of `W`, is the largest overlap of any two of them, lengths divided
# out and sign ignored:
#
# $$\mu(W) = \max_{i\ne j}\;|\hat W_i\cdot \hat W_j|, \qquad \hat W_i = W_i/\lVert W_i\rVert$$
#
# Why must it grow with the number $n$ of features in $m$ dimensions? Put all overlaps in one table,
# $G_{ij} = \hat W_i\cdot\hat W_j$. Its eigenvalues sum to its trace, $n$, and at most $m$ of them are not zero; their
# squares sum to least when all $m$ are equal, $n/m$ each. That sum of squares is also the sum of all squared entries,
# so $\sum_{ij} G_{ij}^2 \ge n^2/m$. The diagonal takes $n$ of it, the rest is spread over $n(n-1)$ entries, and the
# largest of these is at least their average. This is the *Welch bound*
# ([Welch 1974](https://doi.org/10.1109/TIT.1974.1055219), "Lower bounds on the maximum cross correlation of signals"):
#
# $$\mu(W) \;\ge\; \sqrt{\frac{n-m}{m\,(n-1)}} \quad\text{for } n > m$$
#
# | how many features | bound | what meets it |
# |---|---|---|
# | $n \le m$ | 0, by convention | any orthogonal set |
# | $n = m+1$ | $1/m$ | the simplex: triangle, tetrahedron, … |
# | $n \to \infty$ | $1/\sqrt m$ | – |
#
# Write both: `coherence` measures, `welch` says what no `W` can beat. A dropped feature, a column of zeros, has no
# direction and is left out; where fewer than two features are left, nothing overlaps: 0.


# %% exercise="coherence" points=2 minutes=15 difficulty=2 importance=3
def coherence(W: Float[Tensor, "hidden feats"]) -> float:
    """Largest |cosine| between two different features; dropped ones (zero columns) are left out.

    0.0 when fewer than two features are left.

    >>> angle = torch.arange(3) * 2 * torch.pi / 3
    >>> round(coherence(torch.stack([angle.cos(), angle.sin()])), 4)  # a triangle
    0.5
    """
    # BEGIN SOLUTION
    kept = W[:, W.norm(dim=0) > 0]  # hidden kept
    if kept.shape[1] < 2:
        return 0.0
    directions = kept / kept.norm(dim=0)
    cosines = directions.T @ directions  # kept kept
    return cosines.abs().fill_diagonal_(0).max().item()
    # END SOLUTION


def welch(n: int, m: int) -> float:
    """Welch's lower bound on the coherence of n features in m dimensions; 0.0 for n ≤ m (Welch 1974).

    >>> round(welch(3, 2), 4)  # three in a plane: the triangle meets it
    0.5
    """
    # BEGIN SOLUTION
    return math.sqrt((n - m) / (m * (n - 1))) if n > m else 0.0
    # END SOLUTION


# %%
check(coherence, welch)

# %% [markdown] hint=1
# One matrix product gives the overlaps of all pairs. Which of its entries are no pair? And what does a column of zeros
# do to a division by its length?

# %% [markdown] hint=2
# First select the columns whose norm is not zero, then divide each by its own norm (`dim=0` runs down a column). Two
# features back to back have cosine −1: what makes that a complete overlap? In `welch`, deal with $n\le m$ first; that
# also keeps $n = 1$ from dividing by zero.

# %% [markdown] hint=3
# `kept = W[:, W.norm(dim=0) > 0]`; return 0.0 if fewer than two columns are left; `U = kept / kept.norm(dim=0)`; then
# `U.T @ U` holds all cosines. Which of them must not take part in the maximum, and what happens to the sign? `welch` is
# the equation, with one case in front of it.

# %%
# The best five arrows, and some sets that meet the bound. Exact up to rounding, hence 1e-3.
dimensions = (2, 3, 7)  # of the simplices

angle = torch.arange(5) * 2 * torch.pi / 5
pentagon = torch.stack([angle.cos(), angle.sin()])
print(f"five in a plane: bound {welch(5, 2):.3f}, pentagon {coherence(pentagon):.3f}")
assert abs(welch(5, 2) - 0.612) < 1e-3 and abs(coherence(pentagon) - 0.809) < 1e-3
for m in dimensions:
    simplex = torch.linalg.eigh(torch.eye(m + 1) - 1 / (m + 1)).eigenvectors[:, 1:].T  # m m+1
    print(f"{m + 1} in {m} dimensions: bound {welch(m + 1, m):.3f}, simplex {coherence(simplex):.3f}")
    assert abs(coherence(simplex) - welch(m + 1, m)) < 1e-3
five_arrows.came_out(coherence(pentagon), within=0.05)

# %% [markdown]
# It is 0.809, the cosine of 36°. Five arrows in a plane can't reach the bound of 0.612: the angles between five
# *lines*, taken one after the other, add up to 180°, so one of them is at most 36°, and the pentagon is the best there
# is.
#
# Is that the rule or the exception? Take seven dimensions, where you can't draw, and compare the bound with random
# features and with features pushed apart by gradient descent on a smooth version of the coherence.

# %%
reached = predict(
    "Nine sets of 8 to 56 features in seven dimensions, pushed apart: how many of the nine meet the Welch bound?",
    ...,
    "sets",
)


# %%
def push_apart(n, m, starts=12):
    """The least coherent of several sets of n features in m dimensions, each pushed apart from a random start."""
    W = torch.randn(starts, m, n).requires_grad_()

    def smooth_coherence():
        U = W / W.norm(dim=1, keepdim=True)
        squares = (U.transpose(1, 2) @ U).square() - 2 * torch.eye(n)
        return torch.logsumexp(sharpness * squares.flatten(1), dim=1) / sharpness

    for sharpness in (10, 30, 100, 300, 1000):  # from "all pairs matter" to "only the worst does"
        minimise(smooth_coherence, [W], steps=60, lr=0.2 / sharpness**0.5)
    return min(W.detach(), key=coherence)


m = 7  # dimensions
counts = torch.tensor([8, 11, 14, 18, 23, 28, 36, 46, 56])  # of features

torch.manual_seed(0)
bound = torch.zeros(len(counts))
pushed = torch.zeros(len(counts))
drawn = torch.zeros(50, len(counts))  # 50 random sets for each
for k, n in enumerate(counts.tolist()):
    bound[k] = welch(n, m)
    pushed[k] = coherence(push_apart(n, m))
    for trial in range(50):
        drawn[trial, k] = coherence(torch.randn(m, n))

touches = (pushed - bound).abs() < 5e-3  # the descent ends about 2e-4 above the optimum
print("met at", counts[touches].tolist(), "features")
reached.came_out(touches.sum(), within=1)
assert (pushed > bound - 1e-4).all()  # 1e-4: rounding
if m == 7:
    assert counts[touches].tolist() == [8, 14, 28]
plots.line(
    counts,
    {"Welch bound": bound, "pushed apart": pushed, "random": drawn.median(dim=0).values},
    title=f"Coherence of features in {m} dimensions (band: middle 80% of random sets)",
    x_title="features n",
    y_title="coherence",
    bands={"random": (drawn.quantile(0.1, dim=0), drawn.quantile(0.9, dim=0))},
    guides={"1/√m": m**-0.5},
    markers=True,
)

# %% [markdown]
# The pushed sets touch the bound at 8, 14 and 28 features, hover above it between, and beyond 28 leave it for good.
# Look back at the proof to see why: both of its steps must lose nothing. So all $m$ nonzero eigenvalues of the table
# are equal, which means that the features fill all directions evenly (they are then called a *tight frame*), and all
# overlaps have one size (*equiangular*). Such equiangular tight frames exist for few pairs $(n, m)$ only, and in real
# space never for $n > m(m+1)/2$ ([Strohmer and Heath 2003](https://doi.org/10.1016/S1063-5203(03)00023-X),
# "Grassmannian frames with applications to coding and communication"): 3 in a plane, so no pentagon, and 28 in seven
# dimensions.
#
# **Try a size of your own.** Say how much your features will have to overlap, then push them apart. The bound is
# printed beside the result; do they meet it?

# %%
n_own, m_own = 6, 3  # features and dimensions: more features than dimensions, up to 60
overlap = predict(f"{n_own} features in {m_own} dimensions, pushed apart: what is their coherence?", ...)

# %%
torch.manual_seed(0)
found = coherence(push_apart(n_own, m_own))
print(f"bound {welch(n_own, m_own):.3f}, random {coherence(torch.randn(m_own, n_own)):.3f}, pushed apart {found:.3f}")
overlap.came_out(found, within=0.05)

# %% [markdown]
# So how many features fit? Say what overlap $\varepsilon$ you tolerate. *Below* $1/\sqrt m$, solve the bound for $n$:
# at most $m(1-\varepsilon^2)/(1-m\varepsilon^2)$ fit. *Above* $1/\sqrt m$ the bound says nothing, however large $n$ is,
# and the number can be huge. Two random directions overlap by more than $\varepsilon$ with probability at most
# $2e^{-m\varepsilon^2/2}$, and there are fewer than $n^2/2$ pairs. So for $n \le e^{m\varepsilon^2/4}$ the expected
# number of bad pairs is below one: some set has none. That is the counting behind the Johnson–Lindenstrauss lemma, and
# the number it promises is *exponential* in $m$.

# %%
m = 768  # the width of GPT-2 small
for e in (0.02, 0.03):
    print(f"overlaps up to {e}: at most {int(m * (1 - e**2) / (1 - m * e**2)):,} features fit")
for e in (0.1, 0.2, 0.3):
    print(f"overlaps up to {e}: at least {int(math.exp(m * e**2 / 4)):,} fit")

# %% [markdown]
# Mind the line for 0.1: it guarantees 6, while 768 fit without any overlap. A guarantee is no estimate.
#
# Coherence has its limits. It is the worst pair, not the typical one. It ignores the sign, and the toy model does not:
# its ReLU and a bias can wipe out a *negative* overlap, and the pentagon's 0.809 is one (its positive overlaps are
# 0.309). And room for $n$ directions is not room for $n$ features *at once*: $k$ active ones of size 1 can spill up to
# $k\mu$ onto another. If $\mu < 1/(2k-1)$, any $k$ of them can be read back exactly by orthogonal matching pursuit,
# which you will write soon ([Tropp 2004](https://doi.org/10.1109/TIT.2004.834793), "Greed is good"); for $\mu = 0.3$,
# two.


# %% misconception="coherence"
def keeps_the_diagonal(W):
    "The answer is always 1: each feature's overlap with itself is among the candidates. Only pairs count."
    U = torch.nn.functional.normalize(W, dim=0)
    return (U.T @ U).abs().max().item() if (U != 0).any(dim=0).sum() > 1 else 0.0


# %% misconception="coherence"
def the_sign_is_kept(W):
    "The largest *signed* cosine was taken. Two features back to back share one line: absolute value first."
    U = torch.nn.functional.normalize(W, dim=0)
    return (U.T @ U).fill_diagonal_(-2)[U.any(dim=0)][:, U.any(dim=0)].max().item() if U.any(dim=0).sum() > 1 else 0.0


# %% misconception="coherence"
def mean_instead_of_the_maximum(W):
    "This is the average overlap. Coherence is about the worst pair: one pair of near twins makes it large."
    U = torch.nn.functional.normalize(W[:, W.any(dim=0)], dim=0)
    n = U.shape[1]
    return (U.T @ U).abs().fill_diagonal_(0).sum().item() / max(n * (n - 1), 1)


# %% misconception="coherence"
def lengths_not_divided_out(W):
    "These are inner products: they grow with the features' lengths. For cosines make the columns unit vectors."
    return (W.T @ W).abs().fill_diagonal_(0).max().item()


# %% misconception="coherence"
def dropped_feature_is_nan(W):
    "A dropped feature has length 0, 0/0 is NaN, and NaN swallows the maximum. Leave zero columns out first."
    U = W / W.norm(dim=0)
    return (U.T @ U).abs().fill_diagonal_(0).max().item()


# %% misconception="coherence"
def compares_the_rows(W):
    "The rows of W were compared: those are hidden dimensions. Features are columns; the table is feats × feats."
    return coherence(W.T)


# %% misconception="coherence" part="welch"
def forgets_the_root(n, m):
    "The proof bounds the *square* of the largest overlap. Take the square root."
    return (n - m) / (m * (n - 1)) if n > m else 0.0


# %% misconception="coherence" part="welch"
def root_of_a_negative_number(n, m):
    "With n < m the number under the root is negative, with n = 1 it divides by 0. Up to m can be orthogonal: 0.0."
    return math.sqrt((n - m) / (m * (n - 1)))


# %% misconception="coherence" part="welch"
def pairs_of_a_feature_with_itself(n, m):
    "The average was taken over n² entries. The diagonal holds no overlaps: each feature has n − 1 others."
    return math.sqrt((n - m) / (m * n)) if n > m else 0.0


# %% alternative="coherence"
def pair_by_pair(W):
    largest = 0.0
    for i in range(W.shape[1]):
        for j in range(i):
            lengths = W[:, i].norm().item() * W[:, j].norm().item()
            if lengths > 0:
                largest = max(largest, abs((W[:, i] * W[:, j]).sum().item()) / lengths)
    return largest


# %% alternative="coherence" part="welch"
def as_the_proof_counts(n, m):
    return torch.tensor(max(n * n / m - n, 0.0) / max(n * (n - 1), 1)).sqrt()


# %% [markdown]
# ## How much of a dimension does each feature get? (optional)
#
# *This exercise is optional. It uses another model than the rest of the chapter, one that can be solved on paper, and
# no later section needs it. Skip to computing in superposition if you like.*
#
# Three dimensions, ten features, each a quarter less important than the one before. You hand the dimensions out. One
# each to the first three? Something for all of them, in proportion to importance? And does it matter to you how rarely
# the features are on?

# %%
p = 0.3  # how often a feature is on: try others
get_some = predict(
    f"Ten features share three dimensions in the best way, on with probability {p:g}. How many get any room?",
    ...,
    "features",
)

# %% [markdown]
# What is handed out is *capacity* ([Scherlis et al. 2022](https://arxiv.org/abs/2210.01892), "Polysemanticity and
# Capacity in Neural Networks"),
#
# $$C_i = \frac{(W_i\cdot W_i)^2}{\sum_j (W_i\cdot W_j)^2}.$$
#
# You know it: it is the dimensionality $D_i$, multiplied by $\lVert W_i\rVert^2$ above and below. It lies between 0 and
# 1, and in $m$ dimensions the capacities sum to at most $m$.
#
# What is a little more capacity *worth*? For that we need a model that can be solved. The paper's toy model computes
# instead of reconstructing: the target is $\sum_i v_i x_i^2$ with importances $v_i$, and the model has only $m$ squares
# to spend, $\lVert W x\rVert^2 + e$. Let the features be independent, with mean 0, variance 1 and *kurtosis*
# $K_i = \mathbb E[x_i^4]$. Multiply out, choose the best constant $e$, and the mean squared error is
#
# $$L = \sum_i (K_i-1)\,(v_i - \lVert W_i\rVert^2)^2 \;+\; 2\sum_{i\ne j} (W_i\cdot W_j)^2.$$
#
# *Represent every feature at full strength*, asks the first sum; *don't interfere*, asks the second. Kurtosis sets how
# much the first counts, and it measures sparsity: a feature that is on with probability $p$, then uniform between −1
# and 1, has $K = 9/(5p)$ once it is scaled to variance 1.
#
# By the definition of $C_i$ the second sum is $\sum_i 2\lVert W_i\rVert^4(1/C_i - 1)$. So, its capacity given, each
# feature stands alone; with the best length for it, it is left with the loss
#
# $$\ell_i(C) = \frac{2\,(K_i-1)\,v_i^2\,(1-C)}{2+(K_i-3)\,C}.$$
#
# (This last step is ours, from the loss above; you will see it hold for trained weights.) It costs $(K_i-1)v_i^2$ to
# drop a feature, nothing to give it a whole dimension. In between the kurtosis sets the shape. At 3, a Gaussian's,
# $\ell_i$ is a straight line: equal steps of capacity bring the same. Above 3, where sparse features are, each step
# brings less than the one before: the first $(K_i-1)^2/4$ times as much as the last. (Below 3 it is the other way
# round, and sharing never pays.)
#
# Now hand out: find the $C_i$ between 0 and 1 that sum to $m$ and make $\sum_i \ell_i(C_i)$ as small as possible. With
# all $K_i>3$ there is exactly one answer.


# %% exercise="allocate" points=3 minutes=30 difficulty=4 importance=1
def allocate(importance: Float[Tensor, "feats"], kurtosis: Float[Tensor, "feats"], m: int) -> Float[Tensor, "feats"]:
    """Capacities C_i between 0 and 1, with sum m, that minimise the sum of l_i(C_i); each accurate to 1e-4.

    l_i(C) = 2 (K_i - 1) v_i² (1 - C) / (2 + (K_i - 3) C), where v_i > 0 is the importance and K_i > 3 the kurtosis
    of feature i, and 1 ≤ m ≤ feats. After Scherlis et al. 2022; `sums_to` above may help.

    >>> allocate(torch.tensor([2.0, 1.0]), torch.tensor([9.0, 9.0]), 1)
    tensor([0.7778, 0.2222])
    """
    # BEGIN SOLUTION
    v, K = importance.double(), kurtosis.double()

    def capacities(tau):
        return (((K - 1) * v / tau - 2) / (K - 3)).clamp(0, 1)

    all_full, all_empty = v.min(), (v * (K - 1) / 2).max()
    tau = sums_to(m, capacities, all_full, all_empty)
    return capacities(tau).to(importance.dtype)
    # END SOLUTION


# %%
check(allocate)

# %% [markdown] hint=1
# Two features both hold something between 0 and 1, and a little more capacity would help the first more than it helps
# the second. Can this be the best allocation? So what must be equal?

# %% [markdown] hint=2
# The return on a little more capacity is $-\ell_i'(C) = 2v_i^2(K_i-1)^2/(2+(K_i-3)C)^2$. All features that share must
# have the same return. Solve for $C$, given that return. What happens to a feature that would get less than 0, or more
# than 1?

# %% [markdown] hint=3
# Write the common return as $2\tau^2$: `C = (((K - 1) * v / tau - 2) / (K - 3)).clamp(0, 1)`. Its sum falls as the
# price `tau` rises; all features are full at `v.min()` and all are empty at `(v * (K - 1) / 2).max()`. Which `tau`
# between them do you want, and which function above finds it?

# %%
n = 10  # features
m = 3  # dimensions
v = 0.75 ** torch.arange(n)

K = torch.full((n,), 9 / (5 * p))
C = allocate(v, K, m)
sharing = (C > 0.01) & (C < 0.99)
tau = ((K - 1) * v / (2 + (K - 3) * C))[sharing].mean()  # √(return / 2), the same for all features that share
print("capacities", [f"{c:.2f}" for c in C], f"at the price τ = {tau:.2f}")
get_some.came_out((C > 0.01).sum(), within=1)
plots.bars(
    {"takes a whole dimension below": v, "shares below, is dropped above": v * (K - 1) / 2 - v},
    [f"{i}" for i in range(n)],
    title="At which prices does a feature get room?",
    x_title="feature",
    y_title="price τ",
    guides={"τ": tau.item()},
    stacked=True,
)

# %% [markdown]
# Read the line as a water level. A feature whose whole bar is under water gets nothing, one whose lower block stands
# out gets a whole dimension, and one that the surface cuts in its upper block shares. In symbols, a feature gets a
# whole dimension if $v_i\ge\tau$, is dropped if $v_i\le2\tau/(K_i-1)$ and shares in between. All that kurtosis does is
# *widen the band in which sharing pays*. The band is empty at $K=3$, where the first $m$ take all; as $K\to\infty$ no
# feature is dropped, and shares below 1 are proportional to $v_i$.
#
# But we chose capacities as if they were free. Do trained weights get there? Train the quadratic model on its loss, and
# beside it the ReLU model of the first section, which is *not* the one we solved: same sparsity, and importance
# $v_i^2$, because that is what an error on feature $i$ costs.


# %%
def quadratic_losses():
    G = W.transpose(-1, -2) @ W  # inst feats feats
    strength = G.diagonal(dim1=-2, dim2=-1)
    interference = G.square().sum(dim=(-1, -2)) - strength.square().sum(dim=-1)
    return ((K - 1) * (v - strength) ** 2).sum(dim=-1) + 2 * interference


def relu_losses(batch=256):
    x = toy.generate_batch(starts, batch, torch.full((starts, n), p))
    x_hat = toy.forward(x, W_relu, b)
    return (v**2 * (x - x_hat) ** 2).mean(dim=(1, 2))  # inst


starts = 4
torch.manual_seed(0)
W = (0.3 * torch.randn(starts, m, n)).requires_grad_()
W_relu = (0.3 * torch.randn(starts, m, n)).requires_grad_()
b = torch.zeros(starts, n, requires_grad=True)
minimise(quadratic_losses, [W], steps=1000, lr=0.02)
minimise(relu_losses, [W_relu, b], steps=1500, lr=0.01)
with torch.no_grad():
    quadratic = W[quadratic_losses().argmin()]
    relu = W_relu[relu_losses(20_000).argmin()]

measured = {
    "predicted": C,
    "quadratic model": toy.dimensionality(quadratic),
    "ReLU model": toy.dimensionality(relu),
}
for name, values in measured.items():
    print(f"{name}: the capacities sum to {values.sum():.1f}")
# the prediction is exact; 0.02 is what training may leave, small beside the steps between features
assert (measured["quadratic model"] - C).abs().max() < 0.02
assert (quadratic.square().sum(dim=0) - tau * C)[sharing].abs().max() < 0.02
plots.bars(
    measured,
    [f"{i}" for i in range(n)],
    title=f"Capacities in {m} dimensions, features on with p = {p}",
    x_title="feature",
    y_title="capacity",
    guides={"1/2": 0.5},
)

# %% [markdown]
# For the quadratic model theory and training agree to the second digit, and in the lengths as well: among the features
# that share, $\lVert W_i\rVert^2 = \tau C_i$. That is a tight frame again, of unequal lengths this time, and one exists
# for any shares between 0 and 1 that sum to a whole number; so the minimum we computed can really be reached.
#
# Only two things carry over to the ReLU model: the sum, and roughly which features are kept. The shares don't. It tends
# to halves, two features back to back, because a ReLU forgives a negative overlap and a square doesn't; and from other
# starts it ends in other arrangements. So take from capacity its *question*, which feature gains what from a little
# more room, and not its numbers: in a language model $v_i$ and $K_i$ are unknown, and features are not independent.


# %% misconception="allocate"
def only_the_top_m(importance, kurtosis, m):
    "The m most important get everything. With heavy tails the first share is worth more than the last: sharing pays."
    return torch.zeros_like(importance).scatter(0, importance.topk(m).indices, 1.0)


# %% misconception="allocate"
def clips_after_normalising(importance, kurtosis, m):
    "What you clipped away at 1 is lost: the sum is no longer m. The price must be found with the clipping inside."
    return (m * importance / importance.sum()).clamp(0, 1)


# %% misconception="allocate"
def kurtosis_ignored(importance, kurtosis, m):
    "Kurtosis plays no part: capped shares in proportion to importance are the limit of infinitely heavy tails."
    C_at = lambda price: (importance / price).clamp(0, 1)  # noqa: E731
    return C_at(sums_to(m, C_at, importance.min() / 2, 2 * importance.sum()))


# %% misconception="allocate"
def kurtosis_upside_down(importance, kurtosis, m):
    "Kurtosis works the wrong way round: heavier tails mean rarer collisions, which makes sharing *more* attractive."
    return allocate(importance, 3 + 9 / (kurtosis - 3), m)


# %% misconception="allocate"
def importance_not_squared(importance, kurtosis, m):
    "The return goes with v instead of v². The importance multiplies the target, so an error on it costs v²."
    return allocate(importance.sqrt(), kurtosis, m)


# %% misconception="allocate"
def equal_losses(importance, kurtosis, m):
    "The losses were made equal, not the returns. What counts is how much a *little more* lowers a loss: its slope."
    most = (kurtosis - 1) * importance**2
    C_at = lambda loss: ((most - loss) / (most + loss * (kurtosis - 3) / 2)).clamp(0, 1)  # noqa: E731
    return C_at(sums_to(m, C_at, 0 * most.min(), most.max()))


# %% misconception="allocate"
def no_upper_clip(importance, kurtosis, m):
    "Some feature gets more than one dimension. Its loss is zero at C = 1: stop there, and give the rest to others."
    C_at = lambda price: (((kurtosis - 1) * importance / price - 2) / (kurtosis - 3)).clamp(min=0)  # noqa: E731
    return C_at(sums_to(m, C_at, importance.min() / 2, kurtosis.max() * importance.max()))


# %% misconception="allocate"
def clips_once_and_rescales(importance, kurtosis, m):
    "Solved without bounds, then clipped, then rescaled: features that share no longer gain the same. Find τ again."
    slope, owed = (kurtosis - 1) * importance / (kurtosis - 3), 2 / (kurtosis - 3)
    C = (slope * (m + owed.sum()) / slope.sum() - owed).clamp(0, 1)
    return C * m / C.sum()


# %% alternative="allocate"
def between_the_kinks(importance, kurtosis, m):
    C_at = lambda s: (((kurtosis - 1) * importance * s - 2) / (kurtosis - 3)).clamp(0, 1)  # noqa: E731
    kinks = torch.cat([2 / (importance * (kurtosis - 1)), 1 / importance]).sort().values  # of the total, in 1/price
    totals = torch.stack([C_at(s).sum() for s in kinks])
    right = min(int((totals < m).sum()), len(kinks) - 1)
    step = (m - totals[right - 1]) / (totals[right] - totals[right - 1]).clamp_min(1e-12)
    return C_at(kinks[right - 1] + step.clamp(0, 1) * (kinks[right] - kinks[right - 1]))


# %% alternative="allocate"
def feature_by_feature(importance, kurtosis, m):
    features = list(zip(importance.tolist(), kurtosis.tolist(), strict=True))
    low, high = 0.0, 2 * (kurtosis.max().item() * importance.max().item()) ** 2
    for _ in range(80):
        level = (low + high) / 2
        C = [min(max((math.sqrt(2 / level) * v * (K - 1) - 2) / (K - 3), 0), 1) for v, K in features]
        low, high = (level, high) if sum(C) > m else (low, level)
    return torch.tensor(C, dtype=importance.dtype)
