# %% [markdown]
# # Absorption: a latent with holes
#
# A dictionary can reconstruct its activations almost perfectly, with few latents on, each of which looks clean on
# every example that you read. And still its latent for "mammal" can be off on every lion. This section trains such a
# dictionary in a second, and then measures what happened.

# %% setup=1
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saelab import check, hint, plots, predict  # noqa: F401
from saelab.sae import SAE, BatchTopKSAE, StandardSAE, train

P_PARENT, P_CHILD = 0.3, 0.2  # how often the parent is on, and how often the child is where its parent is


def family(rows: int, seed: int, others: int = 0) -> Float[Tensor, "rows feats"]:
    """Features: a parent, its child (which needs the parent), both of size 1, and independent others.

    The others are on with probability 3.64 / others, so that on average four features are on, and have sizes between
    0.2 and 1.2.
    """
    generator = torch.Generator().manual_seed(seed)
    u = torch.rand(rows, 2 + 2 * others, generator=generator)
    parent = u[:, 0] < P_PARENT
    child = parent & (u[:, 1] < P_CHILD)
    on = u[:, 2 : 2 + others] < 3.64 / max(others, 1)
    rest = on * (0.2 + u[:, 2 + others :])
    return torch.cat([parent[:, None], child[:, None], rest], dim=1)


@torch.no_grad()
def start_near(sae: SAE, truth: Float[Tensor, "d_sae d_in"], seed: int, noise: float = 0.1) -> None:
    """Put the rows of W_dec near the true directions, and W_enc at its transpose."""
    rows = truth + noise * torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed))
    sae.W_dec.copy_(torch.nn.functional.normalize(rows, dim=1))
    sae.W_enc.copy_(sae.W_dec.T)


# %% [markdown]
# ## Where did the parent go?
#
# Take two features in a plane, at right angles. The *parent*, along the first axis, says that there is an animal. It is
# on in three tokens of ten. The *child*, along the second, says that it is a lion. It is on in a fifth of the parent's
# tokens and in no others. So $x$ is $(0,0)$, or $(1,0)$, or $(1,1)$ for a lion. We give an SAE with an L1 penalty two
# latents and, as a present, start it near the right answer: decoder rows near $(1,0)$ and $(0,1)$. Does it stay there?

# %%
guess_lions = predict("After training with L1: on what share of the lions is the parent's latent on (0 to 1)?", ...)

# %% [markdown]
# Add it up. The right dictionary writes a lion as parent plus child, both latents at about 1, and pays $2\lambda$. But
# there is another way to write the same three points. Let the second row be $(1,1)/\sqrt2$. Then a lion is *one*
# latent, at $\sqrt2$, and the parent's latent can stay off.
#
# | token | the truth pays | the other way pays |
# |---|---|---|
# | neither | 0 | 0 |
# | the parent alone | $\lambda$ | $\lambda$ |
# | parent and child | $2\lambda$ | $\sqrt2\,\lambda$ |
#
# The error is the same and the price is lower, so the penalty *prefers* the second dictionary. Its parent's latent now
# detects "an animal, but no lion". That there is an animal at all is written by the lion's latent, which has
# **absorbed** the parent (Chanin et al. 2024, [A is for Absorption: Studying Feature Splitting and Absorption in Sparse
# Autoencoders](https://arxiv.org/abs/2409.14507)).
#
# For this the parent's encoder has to give 1 at $(1,0)$ and nothing at $(1,1)$, so it points along $(1,-1)$, against
# the child. Suppose encoder and decoder are tied, $W_{enc}=W_{dec}^\top$: then it can't do that while its decoder row
# is $(1,0)$. Does tying help? Here are three trainings.


# %%
L1 = 0.1  # the penalty λ
STEPS = 600


class TiedSAE(StandardSAE):
    """The same with one matrix: h = (x − b_dec) W_decᵀ + b_enc."""

    def hidden(self, x: Tensor) -> Tensor:
        return (x - self.b_dec) @ self.W_dec.T + self.b_enc


def trained(sae: SAE, near: bool, seed: int) -> SAE:
    if near:
        start_near(sae, torch.eye(2), seed)
    train(sae, lambda step: family(512, 10_000 * seed + step), STEPS, lr=1e-2, normalise=False, progress=False)
    return sae.requires_grad_(False)


plane = {
    "L1, near the truth": trained(StandardSAE(2, 2, l1=L1), near=True, seed=0),
    "tied, near the truth": trained(TiedSAE(2, 2, l1=L1), near=True, seed=0),
    "tied, start at random": trained(TiedSAE(2, 2, l1=L1, seed=2), near=False, seed=2),
}
some = family(20_000, seed=-1)
lions = some[some[:, 1] == 1]
on_lions = {}
for name, sae in plane.items():
    on_lions[name] = (sae.encode(lions) > 0).float().mean(dim=0)
    rows = "  ".join(f"({a:+.2f}, {b:+.2f})" for a, b in sae.W_dec)
    print(f"{name:22} decoder rows {rows}   on in … of the lions: {on_lions[name][0]:.2f}, {on_lions[name][1]:.2f}")

panels = {"the truth": torch.eye(2)}
panels["L1: decoder rows"] = plane["L1, near the truth"].W_dec
panels["L1: encoder columns"] = plane["L1, near the truth"].W_enc.T
panels["tied"] = plane["tied, near the truth"].W_dec
panels["tied, start at random"] = plane["tied, start at random"].W_dec
plots.arrows(
    torch.stack([rows.T for rows in panels.values()]),
    titles=list(panels),
    title="Arrows 0 and 1: the latents that started at the parent and at the child, or anywhere",
)

# %%
guess_lions.came_out(on_lions["L1, near the truth"][0], within=0.1)

# %%
# What the text says of these settings.
absorbing, tied, anywhere = plane.values()
assert on_lions["L1, near the truth"][0] < 0.05 and (absorbing.W_dec[1] - 0.5**0.5).abs().max() < 0.03  # off by λ/8
assert on_lions["tied, near the truth"].min() > 0.95 and tied.W_dec[1, 1] > 0.97
assert anywhere.W_dec[0, 0] > 0.9 and on_lions["tied, start at random"][0] > 0.95  # the parent's latent
assert on_lions["tied, start at random"][1] < 0.05  # no latent for the child

# %% [markdown]
# The L1 dictionary walked away from the truth. Its second row is $(0.70, 0.71)$, and the first latent is on in no lion
# at all. Its encoder column points away from the child, as we worked out. Tied, the dictionary stayed near the truth.
#
# But that is no theorem about tying. From a random start the tied dictionary ended with a parent's latent that leans
# over, row $(0.97, 0.25)$, on in all lions, and with no latent for the child: its other latent points the other way and
# is off in all lions. Nothing is absorbed there, because no child was found that could absorb.
#
# ## How much is absorbed?
#
# With the true directions in hand you see absorption. In a real model you have tokens, labels and latents, so you need
# a number. A tempting one is the share of lions on which the parent's latent is off. **What else could switch it
# off?** A bad latent, a threshold set too high, a token that is an odd example. Then the parent is *lost*, and nothing
# has absorbed it. Absorption says more: another latent carried the parent's direction. This is the definition that the
# whole course uses. A child token is *absorbed* if
#
# 1. the parent's own latent is off there, $f_i = 0$, **and**
# 2. some other latent $j$ is on there whose decoder row has $\cos(W_{dec,j}, d) > c$ with the parent's direction $d$.
#
# The rate is *absorbed child tokens / child tokens*. It takes the cosine and not the product, since the length of a row
# says nothing about where it points. And the cosine has to be positive: a latent that is on and points away from the
# parent removes it.
#
# Which latent is the parent's own, and what is $d$? Both are *chosen by looking*, and what was chosen by looking at
# some tokens looks better on these than it is. So choose on one half, `fit`, and count on the other.
#
# For the latent, mind which tokens are in view when you choose. Leave the child tokens out, and a latent that is off on
# every lion looks perfect, even if another one detects all animals but a few. Then you find absorption wherever a
# latent happens to cover the parent alone. So the parent's latent is the best detector over *all* fit tokens.
#
# For $d$, mind which tokens are in the means. The mean of lions minus the mean of non-animals points along $(1,1)$, and
# a latent that just detects lions would have a cosine of 0.7 with that "parent". The tokens that tell the parent from
# the rest without telling the child are those with the parent *alone*.
#
# | token, with $c = 0.3$ and $d=(1,0)$ | parent's latent | others that are on | absorbed? |
# |---|---|---|---|
# | lion | on | row $(0.7, 0.7)$ | no |
# | lion | off | row $(0.7, 0.7)$ | yes |
# | lion | off | rows $(0.7, 0.7)$ and $(1, 0)$ | yes: one token |
# | lion | off | row $(0,1)$ | no: a miss |
# | lion | off | row $(-0.7, 0.7)$ | no: a miss |
# | animal, no lion | off | row $(0.7, 0.7)$ | not asked |


# %% exercise="absorption_rate" points=4 minutes=35 difficulty=3 importance=4
def find_parent(
    x: Float[Tensor, "tokens d_in"],
    f: Float[Tensor, "tokens d_sae"],
    parent: Bool[Tensor, "tokens"],
    child: Bool[Tensor, "tokens"],
) -> tuple[int, Float[Tensor, "d_in"]]:
    """The parent's own latent and the parent's direction, judged by the tokens given.

    The latent: of all the one whose being on (f > 0) has the highest F1 with `parent`, over all these tokens.
    F1 = 2 · hits / (tokens where it is on + parent tokens), hits being tokens where it is on and the parent is too.
    The direction: the mean of x over tokens with the parent but not the child, minus the mean of x over tokens
    without the parent, scaled to length 1.

    >>> x = torch.tensor([[0.0, 1.0], [3.0, 1.0], [3.0, 1.0], [3.0, 5.0]])
    >>> f = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.2, 0.0], [1.0, 0.2, 0.0], [1.0, 0.2, 9.0]])
    >>> find_parent(x, f, torch.tensor([False, True, True, True]), torch.tensor([False, False, False, True]))
    (1, tensor([1., 0.]))
    """
    # BEGIN SOLUTION
    on = (f > 0).to(x.dtype)
    hits = parent.to(x.dtype) @ on  # d_sae
    f1 = 2 * hits / (on.sum(dim=0) + parent.sum())
    direction = x[parent & ~child].mean(dim=0) - x[~parent].mean(dim=0)
    return int(f1.argmax()), direction / direction.norm()
    # END SOLUTION


def absorption_rate(
    x: Float[Tensor, "tokens d_in"],
    f: Float[Tensor, "tokens d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    parent: Bool[Tensor, "tokens"],
    child: Bool[Tensor, "tokens"],
    fit: Bool[Tensor, "tokens"],
    cosine: float,
) -> float:
    """Share of the child tokens outside `fit` on which the parent is absorbed; NaN if there is no such token.

    The parent's latent and direction come from `find_parent` on all tokens in `fit`, and from these only. A token is
    absorbed if the parent's latent is off on it (f = 0) and at least one other latent is on (f > 0) whose row of W_dec
    has a cosine > `cosine` with the parent's direction; `cosine` is 0 or more. Latents are never negative, rows of
    W_dec may have any length but 0, and a child token is always a parent token too.

    Simpler than the metric of Chanin et al. 2024, "A is for Absorption", which uses ablations too.

    >>> x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]).repeat(2, 1)
    >>> f = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.4]]).repeat(2, 1)
    >>> W_dec, child = torch.tensor([[1.0, 0.0], [0.7, 0.7]]), x[:, 1] > 0
    >>> absorption_rate(x, f, W_dec, x[:, 0] > 0, child, torch.arange(8) < 4, 0.3)
    1.0
    """
    # BEGIN SOLUTION
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    cosines = W_dec @ direction / W_dec.norm(dim=1)  # d_sae
    on = f[child & ~fit] > 0  # scored tokens, d_sae; where the main latent is off, it is no absorber either
    absorbed = ~on[:, main] & on[:, cosines > cosine].any(dim=1)
    return absorbed.float().mean().item()  # the mean of nothing is NaN
    # END SOLUTION


# %%
check(absorption_rate, find_parent)

# %% [markdown] hint=1
# There are three groups of tokens: without the parent, with the parent alone, with both. For each of these four things
# say which groups it looks at, and in which half: the parent's latent, the parent's direction, what you count, and what
# you divide by.

# %% [markdown] hint=2
# F1 for all latents at once: `hits` is a product of the labels with `f > 0`, and "tokens where it is on" is a sum over
# `dim=0`. In `absorption_rate`, hand `find_parent` everything indexed with `[fit]`, then look only at rows
# `child & ~fit`. Which latents could be an absorber doesn't depend on the token; whether one of them is on does.

# %% [markdown] hint=3
# `main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])`, then
# `cosines = W_dec @ direction / W_dec.norm(dim=1)` and `on = f[child & ~fit] > 0`, whose rows are the tokens you score.
# Which columns of `on` can be absorbers? Two conditions per row, one of them an `any`, and then a mean: the mean of
# nothing is NaN by itself.

# %% [markdown]
# Not a penalty but a number: BatchTopK with 20 latents on 20 features in 20 dimensions, of which 4 are on on average.
# It gets four latents per token, and then two.

# %%
guess_k4 = predict("k = 4: in how many of 4 runs is the parent absorbed on over nine lions in ten?", ..., "runs")
guess_k2 = predict("k = 2: in how many of 4 runs is the parent absorbed on over nine lions in ten?", ..., "runs")

# %%
KS = [4, 2]  # latents on per token
SEEDS = [0, 1, 2, 3]
COSINE = 0.3  # c

test = family(6000, seed=-2, others=18)
fit = torch.arange(6000) < 3000
parent, child = test[:, 0] > 0, test[:, 1] > 0
rates, recalls, f1s = {}, {}, {}


def trained_with(k: int, seed: int) -> BatchTopKSAE:
    sae = BatchTopKSAE(20, 20, k, seed=seed)
    batches = lambda step: family(256, 10_000 * seed + step, others=18)  # noqa: E731
    train(sae, batches, 600, lr=1e-2, normalise=False, progress=False)
    return sae.requires_grad_(False)


for k in KS:
    for seed in SEEDS:
        sae = trained_with(k, seed)
        f = sae.encode(test)
        rates[k, seed] = absorption_rate(test, f, sae.W_dec, parent, child, fit, COSINE)
        main, _ = find_parent(test[fit], f[fit], parent[fit], child[fit])
        on = f[~fit, main] > 0
        recalls[k, seed] = on[child[~fit]].float().mean().item()
        f1s[k, seed] = 2 * (on & parent[~fit]).sum().item() / (on.sum() + parent[~fit].sum()).item()
        nearest = sae.W_dec[:, 1].max()  # the largest cosine of a row with the child's true direction
        print(f"k={k}, seed {seed}: absorbed {rates[k, seed]:.2f}", end="   ")
        print(f"on at {recalls[k, seed]:.2f} of the child tokens, F1 {f1s[k, seed]:.2f}", end="   ")
        print(f"cosine of the row nearest to the child {nearest:.2f}")
plots.bars(
    {"parent's latent is on": list(recalls.values()), "absorbed": list(rates.values())},
    [f"k={k}, seed {seed}" for k, seed in rates],
    title="What happens on the child tokens",
    x_title="BatchTopK dictionary",
    y_title="share of child tokens",
    stacked=True,
)

# %%
guess_k4.came_out(sum(rates[4, seed] > 0.9 for seed in SEEDS), within=0)

# %%
guess_k2.came_out(sum(rates[2, seed] > 0.9 for seed in SEEDS), within=1)

# %%
# What the text says of these settings.
holes = [key for key, rate in rates.items() if rate > 0.9]
assert max(rates[4, seed] for seed in range(4)) < 0.05 and len(holes) >= 2
assert all(recalls[key] < 0.05 and f1s[key] > 0.85 for key in holes)

# %% [markdown]
# At the true L0, $k=4$, nothing is absorbed: a second latent on a lion is within the budget. Allow two latents, and in
# some runs the parent's latent is off on *every* lion. You would not see it in its examples, which are all true
# animals, and its F1 is still 0.88. So a sparsity below that of the data pushes towards absorption as a penalty does.
# Which runs give way is up to the start: of eight that we tried, four did with $k=2$ and none with $k=4$.
#
# Three limits of this number. A rate of 0 is no clean bill of health: where the row nearest to the child has a cosine
# of 0.3 there is no latent for lions at all, and a child that wasn't found can't absorb. So read the rate beside a
# score for the child. Nor is every miss innocent: a parent spread thinly over ten latents, each below $c$, counts as
# lost. And *partial* absorption, where the parent's latent is on but too weak, isn't counted, neither here nor by
# Chanin et al. (2024).
#
# One cure is to make the first latents of a dictionary reconstruct on their own: the next section.
#
# **An experiment of your own.** Between two and four lies three. Choose $k$ and the starts, and predict.

# %%
my_k = 3  # 1 to 6
my_seeds = [10, 11, 12, 13]

guess_absorbed = predict(
    f"k = {my_k}, starts {my_seeds}: in how many runs are over nine lions in ten absorbed?", ..., "runs"
)

# %%
absorbed = []
for seed in my_seeds:
    sae = trained_with(my_k, seed)
    absorbed.append(absorption_rate(test, sae.encode(test), sae.W_dec, parent, child, fit, COSINE))
print("absorbed:", *(f"{rate:.2f}" for rate in absorbed))
guess_absorbed.came_out(sum(rate > 0.9 for rate in absorbed), within=1)


# %% misconception="absorption_rate"
def misses_without_an_absorber(x, f, W_dec, parent, child, fit, cosine):
    "Every child token where the parent's latent is off counted. With no other latent along the parent it is a miss."
    main, _ = find_parent(x[fit], f[fit], parent[fit], child[fit])
    return (f[child & ~fit, main] <= 0).float().mean().item()


# %% misconception="absorption_rate"
def any_latent_absorbs(x, f, W_dec, parent, child, fit, cosine):
    "Any latent that was on counted as an absorber. Only one whose decoder row points along the parent's direction is."
    main, _ = find_parent(x[fit], f[fit], parent[fit], child[fit])
    on = f[child & ~fit] > 0
    return (~on[:, main] & on.any(dim=1)).float().mean().item()


# %% misconception="absorption_rate"
def an_absorber_is_on_somewhere(x, f, W_dec, parent, child, fit, cosine):
    "An absorber that is on at any child token served for all of them. It must be on at that very token."
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    on = f[child & ~fit] > 0
    there = (on[:, W_dec @ direction / W_dec.norm(dim=1) > cosine] & ~on[:, main, None]).any()
    return (~on[:, main] & there).float().mean().item()


# %% misconception="absorption_rate"
def parent_tokens_below(x, f, W_dec, parent, child, fit, cosine):
    "You divided by the parent tokens. Only child tokens can be absorbed, so they are what the share is a share of."
    rate = absorption_rate(x, f, W_dec, parent, child, fit, cosine)
    return rate * float((child & ~fit).sum() / (parent & ~fit).sum())


# %% misconception="absorption_rate"
def share_of_the_misses(x, f, W_dec, parent, child, fit, cosine):
    "You divided by the tokens where the parent's latent is off. Divide by all child tokens on the scoring half."
    main, _ = find_parent(x[fit], f[fit], parent[fit], child[fit])
    misses = (f[child & ~fit, main] <= 0).float().mean().item()
    return absorption_rate(x, f, W_dec, parent, child, fit, cosine) / misses if misses else 0.0


# %% misconception="absorption_rate"
def chosen_on_all_tokens(x, f, W_dec, parent, child, fit, cosine):
    "The scored tokens had a say in the choice of the latent or the direction. Choose both on the `fit` half only."
    main, direction = find_parent(x, f, parent, child)
    on = f[child & ~fit] > 0
    along = W_dec @ direction / W_dec.norm(dim=1) > cosine
    return (~on[:, main] & on[:, along].any(dim=1)).float().mean().item()


# %% misconception="absorption_rate"
def scored_on_the_fit_half_too(x, f, W_dec, parent, child, fit, cosine):
    "Tokens that helped to choose the latent were scored as well. Count and divide on the other half only."
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    on = f[child] > 0
    along = W_dec @ direction / W_dec.norm(dim=1) > cosine
    return (~on[:, main] & on[:, along].any(dim=1)).float().mean().item()


# %% misconception="absorption_rate"
def chosen_without_the_children(x, f, W_dec, parent, child, fit, cosine):
    "Child tokens were left out when the latent was chosen. One that is off on every child then looks perfect."
    alone = fit & ~child
    main, direction = find_parent(x[alone], f[alone], parent[alone], child[alone])
    on = f[child & ~fit] > 0
    along = W_dec @ direction / W_dec.norm(dim=1) > cosine
    return (~on[:, main] & on[:, along].any(dim=1)).float().mean().item()


# %% misconception="absorption_rate"
def absorbers_counted(x, f, W_dec, parent, child, fit, cosine):
    "The absorbers were counted, so a token with two of them counts twice, and a rate can exceed 1. Count tokens."
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    on = f[child & ~fit] > 0
    absorbers = on[:, W_dec @ direction / W_dec.norm(dim=1) > cosine].sum(dim=1)
    return (~on[:, main] * absorbers).float().mean().item()


# %% misconception="absorption_rate"
def on_or_off_not_asked(x, f, W_dec, parent, child, fit, cosine):
    "Whether the parent's latent is off was not asked. Where it is on, nothing is absorbed, whatever else is on."
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    along = W_dec @ direction / W_dec.norm(dim=1) > cosine
    return (f[child & ~fit][:, along] > 0).any(dim=1).float().mean().item()


# %% misconception="absorption_rate"
def halves_exchanged(x, f, W_dec, parent, child, fit, cosine):
    "The halves are exchanged: the tokens in `fit` choose, the others are scored."
    return absorption_rate(x, f, W_dec, parent, child, ~fit, cosine)


# %% misconception="absorption_rate"
def product_for_cosine(x, f, W_dec, parent, child, fit, cosine):
    "The product with the direction was compared. A long row then counts as near: divide by the row's length."
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    on = f[child & ~fit] > 0
    return (~on[:, main] & on[:, W_dec @ direction > cosine].any(dim=1)).float().mean().item()


# %% misconception="absorption_rate"
def sign_of_the_cosine_lost(x, f, W_dec, parent, child, fit, cosine):
    "A row that points against the parent's direction counted too. It removes the parent instead of carrying it."
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    on = f[child & ~fit] > 0
    along = (W_dec @ direction / W_dec.norm(dim=1)).abs() > cosine
    return (~on[:, main] & on[:, along].any(dim=1)).float().mean().item()


# %% misconception="absorption_rate"
def zero_where_nothing_can_be_counted(x, f, W_dec, parent, child, fit, cosine):
    "With no child token to score the rate came out as 0. Nothing is known then: 0/0 is NaN."
    rate = absorption_rate(x, f, W_dec, parent, child, fit, cosine)
    return 0.0 if rate != rate else rate


# %% misconception="absorption_rate" part="find_parent"
def direction_from_the_child_tokens(x, f, parent, child):
    "The mean over the child's tokens was used, so the direction is half the child's. Use tokens with the parent alone."
    direction = x[child].mean(dim=0) - x[~parent].mean(dim=0)
    return find_parent(x, f, parent, child)[0], direction / direction.norm()


# %% misconception="absorption_rate" part="find_parent"
def direction_from_all_parent_tokens(x, f, parent, child):
    "Child tokens are in the parent's mean and tilt the direction towards the child. Use tokens with the parent alone."
    direction = x[parent].mean(dim=0) - x[~parent].mean(dim=0)
    return find_parent(x, f, parent, child)[0], direction / direction.norm()


# %% misconception="absorption_rate" part="find_parent"
def direction_from_the_mean_of_everything(x, f, parent, child):
    "You subtracted a mean in which tokens of the parent are, of all or of all others. Take those without the parent."
    direction = x[parent & ~child].mean(dim=0) - x.mean(dim=0)
    return find_parent(x, f, parent, child)[0], direction / direction.norm()


# %% misconception="absorption_rate" part="find_parent"
def nothing_is_subtracted(x, f, parent, child):
    "What all tokens share is still in the direction. Subtract the mean of the tokens without the parent."
    direction = x[parent & ~child].mean(dim=0)
    return find_parent(x, f, parent, child)[0], direction / direction.norm()


# %% misconception="absorption_rate" part="find_parent"
def direction_of_any_length(x, f, parent, child):
    "The direction has the length of the step. Scale it to length 1."
    return find_parent(x, f, parent, child)[0], x[parent & ~child].mean(dim=0) - x[~parent].mean(dim=0)


# %% misconception="absorption_rate" part="find_parent"
def latent_by_recall(x, f, parent, child):
    "The latent that is on at most parent tokens was chosen, and one that is always on wins that. Take the best F1."
    return int((f > 0)[parent].sum(dim=0).argmax()), find_parent(x, f, parent, child)[1]


# %% misconception="absorption_rate" part="find_parent"
def latent_by_precision(x, f, parent, child):
    "The latent with the purest tokens was chosen, and one that is on only once wins that. Take the best F1."
    on = (f > 0).to(x.dtype)
    precision = parent.to(x.dtype) @ on / on.sum(dim=0).clamp_min(1)
    return int(precision.argmax()), find_parent(x, f, parent, child)[1]


# %% misconception="absorption_rate" part="find_parent"
def latent_by_strength(x, f, parent, child):
    "The latent that is strongest on the parent's tokens was chosen. Strength is no F1: ask only whether it is on."
    return int(f[parent].mean(dim=0).argmax()), find_parent(x, f, parent, child)[1]


# %% misconception="absorption_rate" part="find_parent"
def judged_on_the_parent_alone(x, f, parent, child):
    "Child tokens counted as tokens without the parent. They are parent tokens, and the latent has to be on there too."
    on, alone = (f > 0).to(x.dtype), (parent & ~child).to(x.dtype)
    f1 = 2 * (alone @ on) / (on.sum(dim=0) + alone.sum())
    return int(f1.argmax()), find_parent(x, f, parent, child)[1]


# %% alternative="absorption_rate"
def one_token_at_a_time(x, f, W_dec, parent, child, fit, cosine):
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    absorbed = asked = 0
    for t in range(len(x)):
        if fit[t] or not child[t]:
            continue
        asked += 1
        if f[t, main] == 0:
            others = [j for j in range(len(W_dec)) if j != main and f[t, j] > 0]
            absorbed += any(torch.cosine_similarity(W_dec[j], direction, dim=0) > cosine for j in others)
    return absorbed / asked if asked else float("nan")


# %% alternative="absorption_rate"
def with_masks_over_all_tokens(x, f, W_dec, parent, child, fit, cosine):
    main, direction = find_parent(x[fit], f[fit], parent[fit], child[fit])
    carriers = (W_dec.double() @ direction.double() > cosine * W_dec.double().norm(dim=1)).double()
    carried = (f > 0).double() @ carriers > 0
    scored = child.logical_and(fit.logical_not())
    return torch.where(f[:, main] > 0, False, carried)[scored].double().mean()


# %% alternative="absorption_rate" part="find_parent"
def by_counting(x, f, parent, child):
    scores = []
    for j in range(f.shape[1]):
        hits = int(((f[:, j] > 0) & parent).sum())
        wrong, missed = int(((f[:, j] > 0) & ~parent).sum()), int(((f[:, j] <= 0) & parent).sum())
        scores.append(2 * hits / (2 * hits + wrong + missed))
    alone = parent.logical_and(child.logical_not())
    direction = x.double()[alone].sum(dim=0) / alone.sum() - x.double()[~parent].sum(dim=0) / (~parent).sum()
    return scores.index(max(scores)), torch.nn.functional.normalize(direction, dim=0).to(x.dtype)


# %% alternative="absorption_rate" part="find_parent"
def from_precision_and_recall(x, f, parent, child):
    on, weight = f.gt(0).double(), parent.double()
    hits = (on * weight[:, None]).sum(dim=0)
    precision, recall = hits / on.sum(dim=0).clamp_min(1), hits / weight.sum()
    f1 = torch.nan_to_num(2 * precision * recall / (precision + recall))
    difference = torch.mean(x[parent ^ child], dim=0) - torch.mean(x[parent.logical_not()], dim=0)
    return f1.argmax(), difference / torch.linalg.vector_norm(difference)
