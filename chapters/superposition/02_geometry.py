# %% [markdown]
# # The geometry of superposition
#
# You can build the toy model now. This section looks inside it, with three questions. How well could it do *without*
# superposition? When it does better, which features get in each other's way? And how much of the hidden space does each
# feature get? The models to look at are trained for you; in the next section you write that loop yourself.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict, reference

toy = reference("superposition")  # exercises of other sections, solved; `train` is the next section's

# %% [markdown]
# Here are five features in two hidden dimensions and seven kinds of data, with six runs of each kind, because a run can
# get stuck. In the first two kinds the features are always on. In the first they matter less and less, $I_i = 0.7^i$;
# in all others they matter equally. From the third kind on they are ever sparser.

# %%
n_runs = 6  # runs per kind of data
steps = 1200

torch.manual_seed(0)
p = torch.tensor([1.0, 1.0, 0.5, 0.3, 0.2, 0.1, 0.05])
kinds = ["p=1, unequal"] + [f"p={q:g}" for q in p[1:].tolist()]
importance = torch.ones(7, 5)
importance[0] = 0.7 ** torch.arange(5)

inst = 7 * n_runs
p_all = p.repeat_interleave(n_runs)[:, None].expand(inst, 5)
importance_all = importance.repeat_interleave(n_runs, dim=0)
batches = [toy.generate_batch(inst, 128, p_all) for _ in range(steps)]
start = 0.6 * torch.randn(inst, 2, 5), torch.zeros(inst, 5)
W_all, b_all = toy.train(*start, batches, importance_all, 0.02)

x = toy.generate_batch(inst, 20_000, p_all)
errors = importance_all[:, None] * (x - toy.forward(x, W_all, b_all)) ** 2
loss = errors.mean(dim=(1, 2)).reshape(7, n_runs)  # kind run
runs = W_all.reshape(7, n_runs, 2, 5)  # kind run hidden feats
best = runs[torch.arange(7), loss.argmin(dim=1)]  # kind hidden feats: the run of the lowest loss

# %% [markdown]
# ## How well could a linear model do?
#
# Take the ReLU away. You still have five features, two hidden dimensions and a bias, and may choose the weights freely.
# Which features would you keep? And is dense or sparse data easier for such a model?

# %%
harder = predict(
    "Five equally important features, two dimensions, a linear model. For which data does it lose the larger share of "
    "the features' variance?",
    ...,
    among=["dense (p = 1)", "sparse (p = 0.05)", "no difference"],
)

# %% [markdown]
# All that it can compute is $\hat x = Ax + a$, with a matrix $A$ of rank at most $m$. Three steps find the best one.
#
# *The bias takes care of the means.* Whatever $A$ is, the best $a$ makes the average error zero. So the means cost
# nothing, and only the deviations $x - \mathbb E[x]$ are left to be reconstructed.
#
# *Importance is a change of units.* Measure the deviations as $y_i = \sqrt{I_i}\,(x_i - \mathbb E[x_i])$, and the
# weighted error of $x$ is the plain squared error of $y$; a map of rank $m$ stays one. For plain squared error the best
# such map is known: it projects on the $m$ leading principal components
# ([Baldi and Hornik 1989](https://doi.org/10.1016/0893-6080(89)90014-2)).
#
# *Independent features are their own principal components.* Their covariance is diagonal, with
# $I_i \operatorname{Var}(x_i)$ for feature $i$, so its eigenvectors are the axes. The projection keeps $m$ features
# whole and drops the others (tied weights can: $m$ unit columns of $W$, the others zero). A dropped feature costs its
# variance. On with probability $p$ and then uniform on $[0, 1]$, it has $\mathbb E[x_i]=p/2$ and
# $\mathbb E[x_i^2]=p/3$, and so
#
# $$\text{loss} = \frac1n\sum_{i\ \text{dropped}} I_i\left(\frac p3-\frac{p^2}4\right)$$
#
# where the $m$ features of largest importance are kept, and the mean is over all $n$, as in your `weighted_loss`.
#
# | case | what is dropped | loss |
# |---|---|---|
# | $n=5$, $m=2$, all $I_i=1$, $p=1$ | three features of variance 1/12 | $\frac35\cdot\frac1{12}=0.05$ |
# | $m=0$ | everything; the bias still gives the means | $\frac1n\sum_i I_i(\frac p3-\frac{p^2}4)$ |
# | $m\ge n$ | nothing | 0 |


# %% exercise="linear_optimum_loss" points=2 minutes=15 difficulty=2 importance=3
def linear_optimum_loss(n: int, m: int, importance: Float[Tensor, "n"], p: float) -> float:
    """Loss of the best linear model with a bias: n features, m hidden dimensions (any m ≥ 0, even m ≥ n).

    The features are independent, on with probability p and then uniform on [0, 1]. Their importances
    come in any order. The loss is the importance-weighted squared error, averaged over all n features.

    >>> round(linear_optimum_loss(5, 2, torch.ones(5), 1.0), 4)
    0.05
    """
    # BEGIN SOLUTION
    dropped = importance.sort(descending=True).values[m:]  # empty when m ≥ n
    variance = p / 3 - p**2 / 4
    return dropped.sum().item() * variance / n
    # END SOLUTION


# %%
check(linear_optimum_loss)

# %% [markdown] hint=1
# Two things make up the loss: *which* features are dropped, and what *one* dropped feature costs. For a dropped feature
# the bias already answers with the mean. How large is the squared error of an answer that is always the mean?

# %% [markdown] hint=2
# $\operatorname{Var}(x) = \mathbb E[x^2] - \mathbb E[x]^2$, with the two expectations from the text. The dropped
# features are the $n - m$ least important ones, wherever they stand in `importance`; none if $m \ge n$.

# %% [markdown] hint=3
# `importance.sort(descending=True).values[m:]` are the importances of the dropped features, and that slice is right for
# $m=0$ and for $m\ge n$ too. Put them into the equation, as a Python number. What does it divide by?

# %%
# Your formula, PCA on samples, and the best ReLU model of each kind.
n_samples = 200_000

q = p[1:]  # the kinds in which all importances are 1
samples = toy.generate_batch(6, n_samples, q[:, None].expand(6, 5))
ours, pca = torch.zeros(6), torch.zeros(6)
for k in range(6):
    ours[k] = linear_optimum_loss(5, 2, torch.ones(5), float(q[k]))
    variances = torch.linalg.eigvalsh(torch.cov(samples[k].T))  # of the principal components, rising
    pca[k] = variances[:3].sum() / 5
relu = loss[1:].min(dim=1).values

assert ((pca / ours - 1).abs() < 0.05).all()  # these samples know the variance of a sparse feature to about 1%
assert abs(ours[0] / 0.05 - 1) < 1e-5 and abs(loss[1].median() / 0.05 - 1) < 0.02  # dense: the ReLU is of no use
print("Loss of the ReLU model over that of the linear one:", ", ".join(f"{r:.1f}" for r in relu / ours))
lost = 5 * pca / samples.var(dim=1).sum(dim=1)  # share of the features' variance, for each p
if abs(lost[0] - lost[-1]) < 0.05:
    harder.came_out("no difference")
else:
    harder.came_out("dense (p = 1)" if lost[0] > lost[-1] else "sparse (p = 0.05)")
plots.line(
    1 / q,
    {"best linear model, your formula": ours, "PCA on samples": pca, "ReLU model, trained": relu},
    title="Loss of three models of five features in two dimensions",
    x_title="1/p: a feature is on once in … samples",
    y_title="loss",
    log_x=True,
    log_y=True,
    markers=True,
)

# %% [markdown]
# PCA lies on your line. How sparse the features are makes no difference to the linear model: it always loses three
# fifths of their variance, and the line bends only because the variance changes. The ReLU model starts on the same line
# at $p=1$ and ends, at $p=0.05$, with less than a fifth of its loss.
#
# That gap proves something. Suppose no two features overlapped in the hidden space. Then at most $m$ of them have any
# weight, each $\hat x_i$ depends on $x_i$ alone, every dropped feature gets a constant, and the loss can't be below
# your line, ReLU or not. **A loss under the line is superposition at work.** The converse doesn't hold: a model on the
# line, or stuck above it, may be full of overlapping features. Nor does a loss tell *which* features overlap.


# %% misconception="linear_optimum_loss"
def second_moment_for_variance(n, m, importance, p):
    "A dropped feature was charged E[x²] = p/3, the cost of answering 0. The bias answers the mean: charge variance."
    return importance.sort(descending=True).values[m:].sum().item() * (p / 3) / n


# %% misconception="linear_optimum_loss"
def keeps_the_features_that_come_first(n, m, importance, p):
    "The first m features were kept. They come in any order of importance: look for the m largest."
    return importance[m:].sum().item() * (p / 3 - p**2 / 4) / n


# %% misconception="linear_optimum_loss"
def drops_the_most_important(n, m, importance, p):
    "The m *least* important features were kept. Sorting is ascending unless you say otherwise."
    return importance.sort().values[m:].sum().item() * (p / 3 - p**2 / 4) / n


# %% misconception="linear_optimum_loss"
def forgets_that_features_are_off(n, m, importance, p):
    "The variance used is 1/12, that of a feature which is always on. With probability 1 - p it is 0."
    return importance.sort(descending=True).values[m:].sum().item() / 12 / n


# %% misconception="linear_optimum_loss"
def mean_over_the_dropped_features(n, m, importance, p):
    "The mean is over the dropped features only. The kept ones have error 0, and they count: divide by n, not by n - m."
    return importance.sort(descending=True).values[m:].sum().item() * (p / 3 - p**2 / 4) / max(n - m, 1)


# %% misconception="linear_optimum_loss"
def slice_counted_from_the_end(n, m, importance, p):
    "A negative slice end, as in `[:n - m]` with m > n, counts from the other end: features are dropped where none is."
    return importance.sort().values[: n - m].sum().item() * (p / 3 - p**2 / 4) / n


# %% alternative="linear_optimum_loss"
def from_the_eigenvalues_of_the_covariance(n, m, importance, p):
    covariance = torch.diag(importance.double()) * (p * (1 / 12 + (1 - p) / 4))
    return torch.linalg.eigvalsh(covariance)[: max(n - m, 0)].sum() / n


# %% alternative="linear_optimum_loss"
def all_but_the_largest(n, m, importance, p):
    lost = importance.sum() - importance.topk(min(m, n)).values.sum()
    return float(lost) / n * p * (4 - 3 * p) / 12


# %% [markdown]
# ## Who is in whose way?
#
# Switch feature $j$ on, alone and with strength 1. The hidden space then holds its column $W_j$ and nothing else. Now
# stand on the direction $\hat W_i = W_i/\lVert W_i\rVert$ of *another* feature and read off how much of $i$ there seems
# to be. There should be nothing. **What do you read if $i$ and $j$ are at right angles? Back to back? Does the length
# of $W_i$ matter, or that of $W_j$?**
#
# You read the shadow of $W_j$ on direction $i$, and that is the *interference* of $j$ with $i$:
#
# $$G_{ij} = \hat W_i\cdot W_j \quad (i\ne j), \qquad G_{ii} = 0$$
#
# It is the Gram matrix $W^\top W$ (hence the function's name) with row $i$ divided by $\lVert W_i\rVert$ and the
# diagonal set to 0. Only one of the two is a unit vector: $i$ is where you stand, while a longer $j$ is more in your
# way. So $G$ is not symmetric: row $i$ holds what disturbs feature $i$, column $j$ what feature $j$ disturbs.
# ([Elhage et al. 2022](https://transformer-circuits.pub/2022/toy_model/index.html) colour feature $i$ by the sum of the
# squares of its row.)
#
# | $i$ and $j$ … | $G_{ij}$ |
# |---|---|
# | at right angles | 0 |
# | back to back | $-\lVert W_j\rVert$ |
# | on the same ray | $+\lVert W_j\rVert$ |
# | $W_i = 0$: a dropped feature has no direction | 0, by convention |


# %% exercise="gram" points=2 minutes=15 difficulty=2 importance=4
def gram(W: Float[Tensor, "hidden feats"]) -> Float[Tensor, "feats feats"]:
    """Interference: entry (i, j) is the shadow of W_j on the direction of W_i (Elhage et al. 2022).

    0 on the diagonal and in the row of a feature with no weight. Gradients flow back to W, and a dropped feature (a
    column of zeros) leaves those of the other columns as they would be without it.

    >>> gram(torch.tensor([[2.0, -1.0]]))  # back to back, one twice as long
    tensor([[ 0., -1.],
            [-2.,  0.]])
    """
    # BEGIN SOLUTION
    directions = W / W.norm(dim=0).clamp_min(1e-8)  # hidden feats
    shadows = directions.T @ W  # feats feats: row i is what falls on direction i
    return shadows - torch.diag(shadows.diagonal())
    # END SOLUTION


# %%
check(gram)

# %% [markdown] hint=1
# One matrix product holds the product of every column with every column. Is it `W @ W.T` or `W.T @ W`? What shape
# should come out?

# %% [markdown] hint=2
# Make unit vectors of *one* of the two factors only, the one that gives the rows. A column of zeros has length 0: what
# happens in the division, and what would be harmless to divide by?

# %% [markdown] hint=3
# `shadows = (W / W.norm(dim=0).clamp_min(1e-8)).T @ W` has $i$ on its rows. Its diagonal holds the features' own
# lengths. What do you subtract so that it becomes 0, and nothing else changes?

# %%
# The best run of four kinds of data. Training never brings a length to exactly 0: below 0.1 we call it dropped.
shown = [0, 1, 3, 6]  # kinds of data
titles = [kinds[kind] for kind in shown]
long_enough = best[shown].norm(dim=1, keepdim=True) > 0.1
learned = best[shown] * long_enough
plots.heat_map(
    torch.stack([gram(W) for W in learned]),
    titles=titles,
    title="Interference in models with five features and two dimensions",
    x="feature j, switched on",
    y="feature i, read off",
    unit="Ŵ_i · W_j",
)

# %%
plots.arrows(best[shown], titles=titles, title="The same four models as arrows")

# %% [markdown]
# Dense data, unequal importance: nothing to see, two features at right angles and three dropped. At $p=0.3$ four of the
# features have just one other in their way, by about $-1$: pairs, back to back. At $p=0.05$ every feature interferes
# with every other, two behind it (about $-0.9$) and two beside it (about $+0.35$). The minus signs are cheap, since the
# ReLU turns a negative reading into 0. The plus signs make features appear that aren't there, and a negative bias has
# to make up for them.
#
# Now the second panel: dense, equal importance. Its arrows stand at no particular angle and it is full of interference,
# yet its loss was *on* the line. When importances tie, no principal component is preferred, any plane does as well as
# that of two axes, and the run ended in some such plane. So interference alone doesn't prove that superposition pays.
# Nor does the matrix tell how *often* a shadow falls: that is up to $p$. And the cut at 0.1 matters: a feature of
# length 0.001 has a full row too.


# %% misconception="gram"
def compares_hidden_dimensions(W):
    "W Wᵀ compares the hidden dimensions with each other. Features are the columns of W: you need Wᵀ W."
    return gram(W.T)


# %% misconception="gram"
def cosines_for_shadows(W):
    "Both vectors were made unit vectors. Only the direction you stand on is one: W_j keeps its length."
    return gram(W / W.norm(dim=0).clamp_min(1e-8))


# %% misconception="gram"
def normalises_neither(W):
    "This is Wᵀ W itself. The length of W_i, where you stand, should not count: divide row i by it."
    return W.T @ W - torch.diag(W.pow(2).sum(dim=0))


# %% misconception="gram"
def normalises_the_neighbour(W):
    "Rows and columns are exchanged: row i belongs to where you stand, and the vector you stand on is the unit vector."
    return gram(W).T


# %% misconception="gram"
def keeps_the_diagonal(W):
    "The diagonal is still there. It holds each feature's own length, and no feature is in its own way."
    return (W / W.norm(dim=0).clamp_min(1e-8)).T @ W


# %% misconception="gram"
def forgets_the_sign(W):
    "The sign is lost. A neighbour behind you pushes your reading down, and to the ReLU that is a great difference."
    return gram(W).abs()


# %% misconception="gram"
def dropped_feature_sees_nan(W):
    "A dropped feature has length 0, and 0/0 is NaN all along its row. Guard the division."
    return ((W / W.norm(dim=0)).T @ W).fill_diagonal_(0)


# %% misconception="gram"
def nan_hidden_after_the_division(W):
    """The values are right, the gradients are not: with one dropped feature they are NaN for all columns. Where 0/0 was
    computed, setting it to 0 afterwards hides the value only. Guard before you divide."""
    shadows = ((W / W.norm(dim=0)).T @ W).nan_to_num(0.0)
    return shadows - torch.diag(shadows.diagonal())


# %% alternative="gram"
def one_pair_at_a_time(W):
    G = W.new_zeros(W.shape[1], W.shape[1])
    for i, j in torch.cartesian_prod(torch.arange(len(G)), torch.arange(len(G))):
        if i != j and W[:, i].any():
            G[i, j] = W[:, i].dot(W[:, j]) / W[:, i].dot(W[:, i]).sqrt()
    return G


# %% alternative="gram"
def divide_afterwards_in_float64(W):
    products = torch.einsum("hi,hj->ij", W.double(), W.double())
    squares = products.diagonal()
    shadows = products / torch.where(squares > 0, squares, 1.0).sqrt()[:, None]
    return shadows.masked_fill(torch.eye(len(squares), dtype=torch.bool), 0).to(W.dtype)


# %% [markdown]
# ## How much of a dimension does each feature get?
#
# Five features share a plane, and it was up to the model how to divide its two dimensions among them. Did every feature
# get two fifths? Did some get a whole dimension and others nothing? Look at the arrows above.

# %%
largest_share = predict(
    "The best run at p = 0.3: how much of a dimension, from 0 to 1, does the feature get that gets most?", ...
)

# %% [markdown]
# To answer, we need to say what "getting a dimension" means. Take feature $i$, the column $W_i$ of `W`, and walk along
# its direction $\hat W_i = W_i / \lVert W_i\rVert$. Which features cast a shadow there? Every feature $j$ does, of
# length $\hat W_i\cdot W_j$. The *dimensionality* of feature $i$ is its own squared length over all the squared shadows
# on its direction, its own included ([Elhage et al. 2022](https://transformer-circuits.pub/2022/toy_model/index.html),
# "The Geometry of Superposition"):
#
# $$D_i = \frac{\lVert W_i\rVert^2}{\sum_j (\hat W_i\cdot W_j)^2}$$
#
# | feature $i$ … | shadows on its direction | $D_i$ |
# |---|---|---|
# | has a direction to itself | only its own | 1 |
# | shares it with an equal, opposite one | two of the same length | 1/2 |
# | was dropped, $W_i = 0$ | – | 0, by convention |


# %% exercise="dimensionality" points=2 minutes=15 difficulty=2 importance=4
def dimensionality(W: Float[Tensor, "hidden feats"]) -> Float[Tensor, "feats"]:
    """Fraction of a hidden dimension that each feature gets; 0 for a feature with no weight.

    Gradients flow back to W, and a dropped feature (a column of zeros) leaves those of the other columns as they would
    be without it. Source: Elhage et al. 2022, "The Geometry of Superposition".

    >>> dimensionality(torch.tensor([[1.0, -1.0]]))  # an antipodal pair
    tensor([0.5000, 0.5000])
    """
    # BEGIN SOLUTION
    norms = W.norm(dim=0)  # feats
    directions = W / norms.clamp_min(1e-8)  # hidden feats
    shadows = directions.T @ W  # feats feats: row i is what falls on direction i
    return norms**2 / shadows.pow(2).sum(dim=1).clamp_min(1e-16)
    # END SOLUTION


# %%
check(dimensionality)

# %% [markdown] hint=1
# One matrix product gives every $\hat W_i \cdot W_j$ at once, as in `gram`, and here the diagonal stays. Which of its
# axes is $i$?

# %% [markdown] hint=2
# Only *one* of the two vectors in $\hat W_i\cdot W_j$ is a unit vector. A long neighbour should crowd you more than a
# short one.

# %% [markdown] hint=3
# `norms = W.norm(dim=0)` are the lengths and `shadows = (W / norms.clamp_min(1e-8)).T @ W` has $i$ on its rows. The
# numerator is `norms**2`. What do you square and sum, over which axis, and what guards this second division?


# %%
# Arrangements whose answer is known, fed in exactly, so 1e-3 is generous.
def ring(k, turn=0.0):
    angle = torch.arange(k) * 2 * torch.pi / k + turn
    return torch.stack([angle.cos(), angle.sin()])


tetrahedron = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])
height = torch.full((1, 4), 0.5**0.5)
lower = torch.cat([ring(4), -height])
upper = torch.cat([ring(4, turn=torch.pi / 4), height])  # a cube's upper face, turned by an eighth of a circle
antiprism = torch.cat([lower, upper], dim=1)
shapes = {
    "antipodal pair": (ring(2), 1 / 2),
    "triangle": (ring(3), 2 / 3),
    "tetrahedron": (tetrahedron, 3 / 4),
    "pentagon": (ring(5), 2 / 5),
    "square antiprism": (antiprism, 3 / 8),
}
for name, (W, fraction) in shapes.items():
    print(f"{name:<17} {dimensionality(W).mean():.3f}")
    assert ((dimensionality(W) - fraction).abs() < 1e-3).all(), (name, dimensionality(W))

# %%
# Now look: what did the models do with their two dimensions? Every dot is a feature; all six runs are shown.
D = torch.stack([torch.stack([dimensionality(W) for W in kind]) for kind in runs])  # kind run feats
D_best = torch.stack([dimensionality(W) for W in best])
# Short training leaves ±.01; another arrangement would be off by .1. The sum is the rank in every run.
assert ((D_best[3].sort().values - torch.tensor([0, 0.5, 0.5, 0.5, 0.5])).abs() < 0.03).all(), D_best[3]
assert ((D_best[5:] - 0.4).abs() < 0.03).all(), D_best[5:]
assert ((D.sum(dim=-1) - 2).abs() < 0.01).all(), D.sum(dim=-1)
largest_share.came_out(D_best[3].max(), within=0.05)
plots.dimensionality_strip(
    list(D.flatten(1)),
    kinds,
    guides={"1": 1, "1/2": 1 / 2, "2/5": 2 / 5},
    title="Dimensionality of five features in two dimensions, all runs",
)

# %% [markdown]
# With sparse data the dots do not fill the strip; they sit on a few fractions. At $p=0.3$ they sit on 1/2 and 0: two
# pairs, back to back, and the fifth feature is dropped. At $p=0.05$ they sit on 2/5: the pentagon. Between the two
# there is no smooth path. At $p=0.2$ some runs end in pairs and some in pentagons, with losses a few percent apart, and
# hardly any halfway: the model *jumps*. Here and there a run is stuck elsewhere, such as at 0.8, 0.1 and 0.1 (a long
# feature facing two short ones); its loss is higher.
#
# Be careful with two conclusions. Add the five numbers up in any run and you get 2, even for the dense models, which
# gain next to nothing from superposition. The sum is never more than the rank of $W$, and training fills it up (a
# random $W$ falls short): it counts the dimensions in use and nothing else. Nor does a fraction by itself mean that
# sharing pays: with dense, equally important features any plane will do, and the dots lie anywhere between 0 and 1.
# The evidence is that runs which started from different weights meet at the *same* fractions.
#
# **Now your own plane.** Choose how many features have to share it and how rare they are, and say how many of them will
# find a place. Then look at the fractions: which arrangement of the table above is it?

# %%
n = 6  # features, from 3 to 10
p_own = 0.05  # how often each is on, from 0.02 to 1
placed = predict(
    f"{n} features, on with probability {p_own:g}: how many get more than a tenth of a dimension?", ..., "features"
)

# %%
torch.manual_seed(0)
p_n = torch.full((n_runs, n), p_own)
batches = [toy.generate_batch(n_runs, 128, p_n) for _ in range(800)]
W_n, b_n = toy.train(0.6 * torch.randn(n_runs, 2, n), torch.zeros(n_runs, n), batches, torch.ones(n_runs, n), 0.03)
x = toy.generate_batch(n_runs, 20_000, p_n)
best_n = W_n[(x - toy.forward(x, W_n, b_n)).square().mean(dim=(1, 2)).argmin()]  # the run of the lowest loss
fractions = dimensionality(best_n)
print("dimensionality:", ", ".join(f"{share:.2f}" for share in fractions.sort(descending=True).values))
placed.came_out((fractions > 0.1).sum(), within=0)


# %% misconception="dimensionality"
def normalises_both_vectors(W):
    "Both vectors were made unit vectors. Only the direction you stand on is: long neighbours should crowd you more."
    cosines = torch.nn.functional.normalize(W, dim=0).T @ torch.nn.functional.normalize(W, dim=0)
    return W.norm(dim=0) ** 2 / cosines.pow(2).sum(dim=1).clamp_min(1e-8)


# %% misconception="dimensionality"
def sums_over_the_wrong_axis(W):
    """Two mistakes give these numbers. Either feature i is divided by the shadows that it *casts*, not by those that
    fall *on* its direction: row i of the shadows belongs to direction i, sum along the row. Or all columns were made
    unit vectors at the start: only the direction you stand on is one, in the numerator and in W_j lengths count."""
    shadows = (W / W.norm(dim=0).clamp_min(1e-8)).T @ W
    return W.norm(dim=0) ** 2 / shadows.pow(2).sum(dim=0).clamp_min(1e-8)


# %% misconception="dimensionality"
def length_instead_of_its_square(W):
    "The numerator is the length of W_i, not its square. Unit vectors don't show the difference; a length of 2 does."
    return dimensionality(W) / W.norm(dim=0).clamp_min(1e-8)


# %% misconception="dimensionality"
def leaves_out_its_own_shadow(W):
    "The sum leaves feature i itself out, so a lonely feature divides by zero. Its own shadow counts."
    return W.norm(dim=0) ** 2 / gram(W).pow(2).sum(dim=1).clamp_min(1e-8)


# %% misconception="dimensionality"
def squares_after_summing(W):
    "The shadows were summed first and squared then, so that two opposite ones cancel. Square each, then sum."
    shadows = (W / W.norm(dim=0).clamp_min(1e-8)).T @ W
    return W.norm(dim=0) ** 2 / shadows.sum(dim=1).pow(2).clamp_min(1e-8)


# %% misconception="dimensionality"
def dropped_feature_is_nan(W):
    "A dropped feature has no direction: 0/0 gives NaN. Guard the division, and let its dimensionality be 0."
    return W.norm(dim=0) ** 2 / ((W / W.norm(dim=0)).T @ W).pow(2).sum(dim=1)


# %% misconception="dimensionality"
def nan_hidden_afterwards(W):
    """The values are right, the gradients are not: with one dropped feature they are NaN for all columns. Where 0/0 was
    computed, setting it to 0 afterwards hides the value only. Guard before you divide."""
    products = W.T @ W
    return torch.nan_to_num(products.diagonal() ** 2 / products.pow(2).sum(dim=1), nan=0.0)


# %% misconception="dimensionality"
def cut_out_of_the_graph(W):
    "The result is detached, so that nothing could be trained through it. Leave out `.detach()` and `torch.no_grad()`."
    return dimensionality(W).detach()


# %% alternative="dimensionality"
def one_feature_at_a_time(W):
    D = []
    for i in range(W.shape[1]):
        shadows = [W[:, i].dot(W[:, j]) / W[:, i].norm() for j in range(W.shape[1])]
        D.append(W[:, i].norm() ** 2 / sum(shadow**2 for shadow in shadows) if W[:, i].any() else W.new_zeros(()))
    return torch.stack(D)


# %% alternative="dimensionality"
def through_the_gram_matrix(W):
    products = W.T @ W
    crowd = products.pow(2).sum(dim=1)
    return products.diagonal() ** 2 / torch.where(crowd > 0, crowd, 1.0)


# %% alternative="dimensionality"
def through_the_hidden_axes(W):
    crowd = torch.einsum("hi,hk,ki->i", W, W @ W.mT, W)  # squared length times all squared shadows
    return W.pow(2).sum(dim=0).square() / torch.where(crowd > 0, crowd, 1.0)
