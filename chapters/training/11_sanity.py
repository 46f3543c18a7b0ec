# %% [markdown]
# # Is any of it true?
#
# A dictionary comes back from training with a curve that went down and an explained variance that went up. Neither
# says whether its latents are the features of the data. Here the features are known, so you can see three ways in which
# good figures and a wrong dictionary go together, and then write the checks that need no truth.

# %% setup=1
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, plots  # noqa: F401
from saelab.sae import BatchTopKSAE, StandardSAE, train

# %% [markdown]
# ## How many latents should be on?
#
# Every sparse dictionary has a knob for its L0, and papers draw reconstruction against it as if any value would do.
# **Suppose five features are on in a token, and you allow three latents. Does the dictionary keep its features and
# leave the two smallest out, or does something else happen to it?**
#
# Here are 50 features along the axes of a 50-dimensional space, each on in a tenth of the tokens, so the true L0 is 5.
# Some go together, since each follows a few hidden causes. We start eight BatchTopK dictionaries *at the truth*, with
# `W_dec` the identity, and train them with $k$ from 1 to 12. Whatever is wrong afterwards, training made it so.


# %%
causes = normalize(torch.randn(50, 8, generator=torch.Generator().manual_seed(5)), dim=1)  # feats causes


def correlated(rows: int, seed: int, share: float = 0.6) -> Float[Tensor, "rows feats"]:
    """50 features, each on in a tenth of the rows, with sizes around 1; `share` of what decides is common causes."""
    g = torch.Generator().manual_seed(seed)
    own, common = torch.randn(rows, 50, generator=g), torch.randn(rows, 8, generator=g) @ causes.T
    on = share**0.5 * common + (1 - share) ** 0.5 * own > 1.2816  # a standard normal number is, one time in ten
    return on * (1 + 0.15 * torch.randn(rows, 50, generator=g))


def variance_explained(x: Float[Tensor, "rows d_in"], x_hat: Float[Tensor, "rows d_in"]) -> float:
    return 1 - float((x - x_hat).square().sum() / (x - x.mean(dim=0)).square().sum())


x = correlated(5000, seed=-1)
ks, mcc, learned, true = [1, 2, 3, 4, 5, 6, 8, 12], [], [], []
for k in ks:
    sae = BatchTopKSAE(50, 50, k)
    with torch.no_grad():
        sae.W_dec.copy_(torch.eye(50)), sae.W_enc.copy_(torch.eye(50))
    train(sae, lambda step: correlated(256, step), 600, lr=1e-2, normalise=False, progress=False)
    with torch.no_grad():
        learned.append(variance_explained(x, sae(x)))
    cosines = sae.W_dec.detach()  # its rows are unit vectors, and so are the true directions
    mcc.append(cosines[linear_sum_assignment(-cosines)].mean().item())
    kept = x * (x >= x.flatten().topk(min(k * len(x), int((x > 0).sum()))).values[-1])  # the truth, with L0 = k
    true.append(variance_explained(x, kept + (x - kept).mean(dim=0)))
    print(f"k={k:<2}  MCC {mcc[-1]:.2f}   explained {learned[-1]:.2f}, by the truth at that L0 {true[-1]:.2f}")
expected = torch.tensor([0.716, 0.822, 0.900, 0.959, 1.0, 1.0, 1.0, 1.0])
assert (torch.tensor(mcc) - expected).abs().max() < 0.04  # other causes, or fewer steps, move the first by 0.02
assert all(ours > theirs for ours, theirs in zip(learned[:4], true[:4]))
plots.line(
    ks,
    {"MCC with the truth": mcc, "variance explained, learned": learned, "variance explained, true": true},
    title="Below the true L0 of 5 the learned dictionary explains more than the true one, by being wrong",
    x_title="k, latents on per token",
    y_title="MCC, or share of variance",
    markers=True,
)

# %% [markdown]
# With $k=1$ the dictionary left the truth for an MCC of about 0.73, and up to $k=4$ it is wrong; from 5 on it stays.
# It was rewarded for that: with one latent a token it explains 0.39 of the variance, the truth 0.27. A latent that has
# to speak for its whole company does better when it points at the company. Judged by reconstruction at a given L0, the
# wrong dictionary *wins* (Chanin and Garriga-Alonso 2025, "Sparse but Wrong: Incorrect L0 Leads to Incorrect Features
# in Sparse Autoencoders").
#
# It does **not** show that a large $k$ is harmless. These runs started at the truth, and where the reconstruction is
# perfect nothing pushes them away; from a random start too large a $k$ leaves many wrong dictionaries equally good.
#
# ## What does one latent do with two features?
#
# The extreme case can be worked out. Take two features $a$ and $b$ at right angles that like to go together, and a
# single latent without any penalty. **Will it be $a$, the commoner one?** All that it can say is
# $\hat x = f\,W_{dec} + b_{dec}$: a point on a *line*. The squared error is smallest when each $x$ goes to the nearest
# point of the line, and the line of least squared distances is known: it goes through the mean, along the top
# eigenvector of the covariance. No encoder can beat that, and a ReLU one reaches it, once $b_{dec}$ has moved back
# along the line so that no $f$ needs to be negative.
#
# If $a$ and $b$ are independent, the covariance is diagonal, and the eigenvector is an axis: one latent, one feature.
# If they go together the latent takes some of each: it *hedges* (Chanin et al. 2025, "Feature Hedging: Correlated
# Features Break Narrow Sparse Autoencoders").


# %%
def pair(rows: int, seed: int, together: bool) -> Float[Tensor, "rows 2"]:
    """a is on with probability 0.3; b with 0.22, or if they go together with 0.5 where a is on and 0.1 where not."""
    u = torch.rand(rows, 2, generator=torch.Generator().manual_seed(seed))
    a = u[:, 0] < 0.3
    chance = torch.where(a, 0.5, 0.1) if together else 0.22
    return torch.stack([a, u[:, 1] < chance], dim=1).float()


panels = {}
for name, together in {"independent": False, "together": True}.items():
    sae = StandardSAE(2, 1, l1=0.0)
    train(sae, lambda step, t=together: pair(512, step, t), 400, lr=2e-2, normalise=False, progress=False)
    top = torch.linalg.eigh(pair(200_000, -1, together).T.cov()).eigenvectors[:, -1]
    row = sae.W_dec.detach()[0]
    row, top = row * row.sum().sign(), top * top.sum().sign()  # a line has two directions
    print(f"{name:12} the latent ({row[0]:.2f}, {row[1]:.2f})   top eigenvector ({top[0]:.2f}, {top[1]:.2f})")
    assert (row - top).abs().max() < 0.02
    panels[name] = torch.stack([torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), row], dim=1)
plots.arrows(
    torch.stack(list(panels.values())),
    titles=list(panels),
    title="Arrows 0 and 1 are the features, arrow 2 is the only latent",
)

# %% [markdown]
# ## Does explained variance say whether it is right?
#
# You can't look at MCC where the truth is unknown, so people look at explained variance. A harder case, nearer to real
# activations: 200 features in 32 dimensions, some common and most rare (the $i$-th has a frequency in proportion to
# $1/i$, Zipf's law), five on at a time. An L1 dictionary with a small penalty, a BatchTopK dictionary with $k=5$, and
# one that was never trained. **Which explains more, and which has found more of the features?**

# %%
truth = normalize(torch.randn(200, 32, generator=torch.Generator().manual_seed(6)), dim=1)
chance = 1 / torch.arange(1, 201)
chance = 5 * chance / chance.sum()  # the commonest is on in 85% of the tokens, the rarest in 0.4%


def zipf(rows: int, seed: int) -> Float[Tensor, "rows d_in"]:
    g = torch.Generator().manual_seed(seed)
    return ((torch.rand(rows, 200, generator=g) < chance) * (0.5 + torch.rand(rows, 200, generator=g))) @ truth


x, batches = zipf(4000, seed=-1), [zipf(256, step) for step in range(1600)]
kinds = {"L1": lambda seed: StandardSAE(32, 200, l1=0.35, seed=seed)}
kinds["BatchTopK"] = lambda seed: BatchTopKSAE(32, 200, k=5, seed=seed)
runs = {name: [make(seed) for seed in (0, 1)] for name, make in kinds.items()}  # each twice, from different starts
for name, pair_of_runs in runs.items():
    for sae in pair_of_runs:
        train(sae, batches.__getitem__, 1600, lr=1e-2, progress=False)
        sae.requires_grad_(False)
        l0 = (sae.encode(x) > 0).sum(dim=1).float().mean()
        print(f"{name:10} variance explained {variance_explained(x, sae(x)):.2f}   L0 {l0:.0f}")

# %% [markdown]
# Before you see how many of the 200 each has found, write what you need to judge them.
#
# ## What would a dictionary score that knows nothing?
#
# Three numbers, none of which needs the truth.
#
# **Explained variance, at its best.** Let $r = f\,W_{dec}$, and let $\tilde x$, $\tilde r$ be $x$ and $r$ less their
# means over tokens. An L1 dictionary answers too small, an untrained one too large; neither should be what you judge.
# So grant everyone the best bias and the best single gain $g$, and what remains has a closed form:
#
# $$\text{explained} = \max_{g,\,b}\left(1 - \frac{\sum\lVert x - g\,r - b\rVert^2}{\sum\lVert\tilde x\rVert^2}\right)
# = \frac{(\sum \tilde x\cdot\tilde r)^2}{\sum\lVert\tilde x\rVert^2\;\sum\lVert\tilde r\rVert^2}$$
#
# **The same of a null.** 0.7 is much if a random dictionary gets 0.2, and nothing if it gets 0.69. The null has random
# directions, and *everything else* must be as with yours: the same tokens, the same number of rows, the same norms, and
# the same L0. More latents on explain more whatever their directions are, so an unmatched L0 decides the comparison.
# To match it: take $h$, the activations (less their mean) along the random unit directions, and keep as many entries
# of the whole table as your dictionary has on, the largest ones.
#
# **The share of latents that a second seed finds again.** A feature of the data should not depend on the random start.
# Pair the rows of two dictionaries one to one, so that the cosines of the pairs add up to as much as possible
# (the Hungarian algorithm, `scipy.optimize.linear_sum_assignment`), and count pairs with a cosine of 0.9 or more.
# Paulo and Belrose 2025, "Sparse Autoencoders Trained on the Same Data Learn Different Features", do this to large
# models' dictionaries and find a minority of latents again. Two short cuts go wrong. Giving every row its *nearest*
# one lets a single row of the other dictionary be found many times. And taking the closest pair first, then the next
# closest, can leave a row with nobody:
#
# | | $V_0$ | $V_1$ | |
# |---|---|---|---|
# | $W_0$ | 0.98 | 0.50 | nearest: 0.98 and 0.94, both with $V_0$ |
# | $W_1$ | 0.94 | 0.00 | closest first: 0.98 + 0.00; one to one, best sum: 0.50 + 0.94 |


# %% exercise="sanity_suite" points=4 minutes=40 difficulty=3 importance=5
def explained(
    x: Float[Tensor, "tokens d_in"], f: Float[Tensor, "tokens d_sae"], W_dec: Float[Tensor, "d_sae d_in"]
) -> float:
    """Share of the variance of x that f @ W_dec explains, with the best bias and the best gain: the formula above.

    Means are over tokens, sums over tokens and dimensions together. 0 if no latent is on. x is not constant.

    >>> explained(torch.tensor([[5.0], [6.0], [7.0]]), torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.5]]))
    1.0
    """
    # BEGIN SOLUTION
    r = f @ W_dec
    x, r = x - x.mean(dim=0), r - r.mean(dim=0)
    return ((x * r).sum() ** 2 / (x.square().sum() * r.square().sum()).clamp_min(1e-12)).item()
    # END SOLUTION


def partners(W: Float[Tensor, "rows d_in"], V: Float[Tensor, "others d_in"]) -> Float[Tensor, "rows"]:
    """For each row of W, in order, the cosine (with its sign) with its partner, a row of V.

    Every row of W gets a partner of its own, so that the sum of these cosines is as large as it can be; V has at least
    as many rows as W. A row of zeros has cosine 0 with everything.

    >>> partners(torch.eye(2), torch.tensor([[0.0, 2.0], [3.0, 4.0]]))
    tensor([0.6000, 1.0000])
    """
    # BEGIN SOLUTION
    cosines = normalize(W, dim=1) @ normalize(V, dim=1).T  # rows others
    return cosines[linear_sum_assignment(-cosines)]
    # END SOLUTION


def sanity_suite(
    x: Float[Tensor, "tokens d_in"],
    f: Float[Tensor, "tokens d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    other: Float[Tensor, "d_sae d_in"],
    noise: Float[Tensor, "d_sae d_in"],
) -> tuple[float, float, float]:
    """(explained, null, shared) of a dictionary W_dec with latents f on x; `other` is W_dec of a second seed.

    explained: explained(x, f, W_dec).
    null: the same for random directions, the rows of `noise` scaled to length 1. Their pre-activations are
    h = (x − mean of x over tokens) · directions [tokens, d_sae]. As many entries of h as f has entries > 0, the largest
    in the whole table, are the null's latents (all positive, for far fewer than half of f are on); the others are 0.
    Row i of its decoder is direction i, as long as row i of W_dec.
    shared: share of the rows of W_dec whose partner in `other` has a cosine ≥ 0.9.

    >>> x = torch.tensor([[3.0, 0.0], [0.0, 3.0], [0.0, 0.0], [0.0, 0.0]])
    >>> other, noise = torch.tensor([[0.0, 1.0], [1.0, 1.0]]), torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    >>> [round(value, 2) for value in sanity_suite(x, x, torch.eye(2), other, noise)]
    [1.0, 0.75, 0.5]
    """
    # BEGIN SOLUTION
    directions = normalize(noise, dim=1)
    h = (x - x.mean(dim=0)) @ directions.T
    threshold = h.flatten().topk(int((f > 0).sum())).values[-1]
    null = explained(x, h * (h >= threshold), directions * W_dec.norm(dim=1, keepdim=True))
    shared = (partners(W_dec, other) >= 0.9).float().mean().item()
    return explained(x, f, W_dec), null, shared
    # END SOLUTION


# %%
check(sanity_suite, explained, partners)

# %% [markdown] hint=1
# What does the null have in common with the dictionary, and what not? Make a list of two columns. Then: which numbers
# of `f` does the null need? In `explained`, over what do the means run, and over what the sums?

# %% [markdown] hint=2
# The null needs from `f` only *how many* entries are on; `h.flatten().topk(n)` finds the n largest of the whole table,
# its last value is the threshold. `linear_sum_assignment(M)` returns row numbers and column numbers for the *smallest*
# sum, the rows in order; indexing a matrix with both gives the chosen entries.

# %% [markdown] hint=3
# `cosines = normalize(W, dim=1) @ normalize(V, dim=1).T`, then `cosines[linear_sum_assignment(-cosines)]`. The null is
# `explained(x, h * (h >= threshold), directions * W_dec.norm(dim=1, keepdim=True))`, and `shared` is the mean of
# `partners(W_dec, other) >= 0.9` as a float. Where nothing is on, `explained` divides 0 by 0: guard the division.


# %%
# Both judged, with the MCC that you could not know (of both runs), beside the MCC of random directions.
def recovery(*dictionaries: Float[Tensor, "d_sae d_in"]) -> float:
    cosines = [(normalize(W, dim=1) @ truth.T).abs() for W in dictionaries]  # MCC leaves out the sign
    return sum(M[linear_sum_assignment(-M)].mean().item() for M in cosines) / len(cosines)


noise = torch.randn(200, 32, generator=torch.Generator().manual_seed(7))
by_chance = recovery(noise)
table = {name: [] for name in ("explained", "null", "shared", "MCC")}
for name, (sae, again) in runs.items():
    numbers = [*sanity_suite(x, sae.encode(x), sae.W_dec, again.W_dec, noise), recovery(sae.W_dec, again.W_dec)]
    print(f"{name:10}", "   ".join(f"{what} {number:.2f}" for what, number in zip(table, numbers)))
    for column, number in zip(table.values(), numbers):
        column.append(number)
print(f"MCC of random directions {by_chance:.2f}")
got, expected = torch.tensor([*table["explained"], *table["MCC"], by_chance]), [0.97, 0.83, 0.585, 0.68, 0.476]
assert (got - torch.tensor(expected)).abs().max() < 0.02, got  # a second seed moves them by about 0.01
title, axes = "What explains more has found less", {"x_title": "dictionary", "y_title": "share, or MCC"}
plots.bars(table, list(runs), title=title, guides={"MCC by chance": by_chance}, **axes)

# %% [markdown]
# The L1 dictionary explains 0.97 of the variance, BatchTopK 0.83; yet BatchTopK has found more: an MCC of 0.67 against
# 0.58, where random directions have 0.47. With the truth hidden, explained variance alone would have made you choose
# the wrong one. The null warns you: with as many latents on as L1 has, random directions explain 0.80 already, while
# BatchTopK's null is at 0.44. And so does the second seed: it found one in a hundred of the L1 latents again, and a
# third of the others, few enough to be modest about those too.
#
# What this does **not** show. It is no race between L1 and BatchTopK: the two run at very different L0, which is what
# the null is for. And to pass is necessary, not sufficient: an error that all runs share, like the hedging above,
# is stable and beats any null. Nor is a latent that only one seed found wrong for that: it may be a rare feature.


# %% misconception="sanity_suite"
def null_with_any_number_on(x, f, W_dec, other, noise):
    "The null has every positive latent on, many more than yours: an L0 that isn't matched decides the comparison."
    directions = normalize(noise, dim=1)
    h = ((x - x.mean(dim=0)) @ directions.T).relu()
    score, _, shared = sanity_suite(x, f, W_dec, other, noise)
    return score, explained(x, h, directions * W_dec.norm(dim=1, keepdim=True)), shared


# %% misconception="sanity_suite"
def as_many_on_every_token(x, f, W_dec, other, noise):
    "The null has the same number on at every token. Yours need not: keep the largest entries of the whole table."
    directions, k = normalize(noise, dim=1), max(1, round(float((f > 0).sum() / len(f))))
    h = (x - x.mean(dim=0)) @ directions.T
    h = h * (h >= h.topk(k, dim=1).values[:, -1:])
    score, _, shared = sanity_suite(x, f, W_dec, other, noise)
    return score, explained(x, h, directions * W_dec.norm(dim=1, keepdim=True)), shared


# %% misconception="sanity_suite"
def null_on_other_tokens(x, f, W_dec, other, noise):
    "The null was scored on part of the tokens only. Scores of different data can't be compared: give it the same ones."
    half = len(x) // 2
    null = sanity_suite(x[:half], f[:half], W_dec, other, noise)[1]
    score, _, shared = sanity_suite(x, f, W_dec, other, noise)
    return score, null, shared


# %% misconception="sanity_suite"
def no_null(x, f, W_dec, other, noise):
    "Your null scores 0, as if random directions explained nothing. They explain a good deal: measure it."
    score, _, shared = sanity_suite(x, f, W_dec, other, noise)
    return score, 0.0, shared


# %% misconception="sanity_suite"
def null_with_your_latents(x, f, W_dec, other, noise):
    "The null's rows are random, but its latents are yours. A dictionary that knows nothing has latents of its own."
    score, _, shared = sanity_suite(x, f, W_dec, other, noise)
    return score, explained(x, f, normalize(noise, dim=1) * W_dec.norm(dim=1, keepdim=True)), shared


# %% misconception="sanity_suite"
def null_is_your_dictionary_shuffled(x, f, W_dec, other, noise):
    "Your own rows in another order are no null: they are the same dictionary. Take the directions of `noise`."
    score, _, shared = sanity_suite(x, f, W_dec, other, noise)
    return score, sanity_suite(x, f, W_dec, other, W_dec.roll(1, dims=0))[1], shared


# %% misconception="sanity_suite"
def norms_not_matched(x, f, W_dec, other, noise):
    "The null's rows aren't as long as yours. Give row i of the null the length of row i of W_dec, in its decoder only."
    score, _, shared = sanity_suite(x, f, W_dec, other, noise)
    return score, sanity_suite(x, f, normalize(W_dec, dim=1), other, noise)[1], shared


# %% misconception="sanity_suite"
def null_keeps_the_mean(x, f, W_dec, other, noise):
    "The mean of x is still in the null's pre-activations, so what all tokens share decides which latents are on."
    directions = normalize(noise, dim=1)
    h = x @ directions.T
    h = h * (h >= h.flatten().topk(int((f > 0).sum())).values[-1])
    score, _, shared = sanity_suite(x, f, W_dec, other, noise)
    return score, explained(x, h, directions * W_dec.norm(dim=1, keepdim=True)), shared


# %% misconception="sanity_suite"
def mean_cosine_for_the_share(x, f, W_dec, other, noise):
    "The mean cosine came back. A latent is shared or not: the share of partners with a cosine of 0.9 or more."
    score, null, _ = sanity_suite(x, f, W_dec, other, noise)
    return score, null, float(partners(W_dec, other).mean())


# %% misconception="sanity_suite" part="explained"
def variance_about_zero(x, f, W_dec):
    "The means are still in. Then predicting the mean of x seems to explain a lot: subtract it, from x and from r."
    r = f @ W_dec
    return float((x * r).sum() ** 2 / (x.square().sum() * r.square().sum()).clamp_min(1e-12))


# %% misconception="sanity_suite" part="explained"
def no_gain_granted(x, f, W_dec):
    "The reconstruction was judged at the size it came in. Grant it the best gain, or shrinkage looks like ignorance."
    left = x - f @ W_dec
    return 1 - float((left - left.mean(dim=0)).square().sum() / (x - x.mean(dim=0)).square().sum())


# %% misconception="sanity_suite" part="explained"
def a_share_for_every_dimension(x, f, W_dec):
    "Every dimension had a gain and a share of its own, and these were averaged. Sum over dimensions before dividing."
    r = f @ W_dec
    x, r = x - x.mean(dim=0), r - r.mean(dim=0)
    return float(((x * r).sum(dim=0) ** 2 / (x.square().sum(dim=0) * r.square().sum(dim=0)).clamp_min(1e-12)).mean())


# %% misconception="sanity_suite" part="explained"
def correlation_for_its_square(x, f, W_dec):
    "This is the correlation of x and r. The share of variance is its square."
    return explained(x, f, W_dec) ** 0.5


# %% misconception="sanity_suite" part="explained"
def nan_where_nothing_is_on(x, f, W_dec):
    "With no latent on, 0 is divided by 0. Nothing is explained then: return 0."
    return explained(x, f, W_dec) if (f > 0).any() else float("nan")


# %% misconception="sanity_suite" part="partners"
def nearest_row_for_each(W, V):
    "Each row took its nearest one, so several can share a partner, and one good row makes many look stable."
    return (normalize(W, dim=1) @ normalize(V, dim=1).T).amax(dim=1)


# %% misconception="sanity_suite" part="partners"
def closest_pair_first(W, V):
    "The closest pair was taken first, then the next. A row may be left with nobody: maximise the whole sum."
    cosines = normalize(W, dim=1) @ normalize(V, dim=1).T
    left, found = cosines.clone(), cosines[:, 0].clone()
    for _ in range(len(W)):
        row, column = divmod(int(left.argmax()), len(V))
        found[row] = cosines[row, column]
        left[row], left[:, column] = -2.0, -2.0
    return found


# %% misconception="sanity_suite" part="partners"
def sign_of_the_cosine_lost(W, V):
    "A row that points the opposite way passes for the same latent. It isn't: a latent is never negative. Keep it."
    cosines = (normalize(W, dim=1) @ normalize(V, dim=1).T).abs()
    return cosines[linear_sum_assignment(-cosines)]


# %% misconception="sanity_suite" part="partners"
def products_for_cosines(W, V):
    "Products aren't cosines: rows of another length than 1 get a partner because they are long."
    products = W @ V.T
    return products[linear_sum_assignment(-products)]


# %% misconception="sanity_suite" part="partners"
def in_the_order_of_the_other(W, V):
    "The cosines are there, but in the order of V's rows: entry i belongs to row i of W."
    cosines = normalize(W, dim=1) @ normalize(V, dim=1).T
    rows, columns = linear_sum_assignment(-cosines)
    return cosines[rows, columns][torch.as_tensor(columns).argsort()]


# %% misconception="sanity_suite" part="partners"
def pairs_as_unlike_as_can_be(W, V):
    "`linear_sum_assignment` looks for the smallest sum, and you gave it the cosines. Give it minus the cosines."
    cosines = normalize(W, dim=1) @ normalize(V, dim=1).T
    return cosines[linear_sum_assignment(cosines)]


# %% alternative="sanity_suite"
def sorted_by_hand(x, f, W_dec, other, noise):
    unit = noise / noise.norm(dim=1, keepdim=True)
    h = (x @ unit.T - x.mean(dim=0) @ unit.T).flatten()
    keep = h.argsort(descending=True)[: int(torch.count_nonzero(f))]
    latents = torch.zeros_like(h).index_copy(0, keep, h[keep]).reshape(len(x), len(noise))
    rows = torch.stack([row * length for row, length in zip(unit, W_dec.norm(dim=1))])
    shared = [float(c) >= 0.9 for c in partners(W_dec, other)]
    return [explained(x, f, W_dec), explained(x, latents, rows), sum(shared) / len(shared)]


# %% alternative="sanity_suite"
def in_float64(x, f, W_dec, other, noise):
    x, f, W_dec, other, noise = (t.double() for t in (x, f, W_dec, other, noise))
    h = (x - x.mean(dim=0)) @ (noise / noise.square().sum(dim=1, keepdim=True).sqrt()).T
    n = int((f > 0).sum())
    h = torch.where(h > h.flatten().sort().values[-n - 1], h, 0.0)
    null = explained(x, h, normalize(noise, dim=1) * W_dec.norm(dim=1)[:, None])
    return explained(x, f, W_dec), null, (partners(W_dec, other) > 0.9).double().mean()


# %% alternative="sanity_suite" part="explained"
def one_minus_what_is_left(x, f, W_dec):
    x, r = x.double(), f.double() @ W_dec.double()
    gain = ((x - x.mean(dim=0)) * r).sum() / (r - r.mean(dim=0)).square().sum().clamp_min(1e-300)
    left = x - gain * r
    return 1 - (left - left.mean(dim=0)).square().sum() / (x - x.mean(dim=0)).square().sum()


# %% alternative="sanity_suite" part="explained"
def correlation_of_flat_vectors(x, f, W_dec):
    x, r = (x - x.mean(dim=0)).flatten(), (f @ W_dec - (f @ W_dec).mean(dim=0)).flatten()
    return torch.cosine_similarity(x, r, dim=0).square()


# %% alternative="sanity_suite" part="partners"
def by_distance(W, V):
    W, V = normalize(W.double(), dim=1).to(W.dtype), normalize(V.double(), dim=1).to(V.dtype)
    columns, rows = linear_sum_assignment(torch.cdist(V, W).square().numpy())
    return torch.stack([W[i] @ V[columns[list(rows).index(i)]] for i in range(len(W))])


# %% alternative="sanity_suite" part="partners"
def maximise(W, V):
    cosines = torch.cosine_similarity(W[:, None], V[None], dim=2)
    rows, columns = linear_sum_assignment(cosines.tolist(), maximize=True)
    return cosines.gather(1, torch.as_tensor(columns)[:, None])[:, 0]
