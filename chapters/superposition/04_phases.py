# %% [markdown]
# # Phases: which feature gets the dimension, and which ones share it
#
# So far you have looked at what a trained model did. Now you say beforehand what it will do, and then see whether it
# obeys. Two things are left to turn: how much a feature matters, and which features come together. In both cases three
# lines of algebra tell you where the geometry jumps.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict, reference

toy = reference("superposition")  # the exercises of earlier sections, solved


class Fresh:
    """The batches that `toy.train` asks for: `steps` of them, each made by draw() when its turn comes."""

    def __init__(self, steps, draw):
        self.steps, self.draw = steps, draw

    def __len__(self):
        return self.steps

    def __iter__(self):
        return (self.draw() for _ in range(self.steps))


# %% [markdown]
# ## When does a feature lose its place?
#
# Take two features and one hidden dimension. The first has importance 1, the second importance $I$. There is room for
# one of them, or, with the ReLU's help, for both back to back. You hold $I$ fixed and make the features denser, from
# hardly ever on to always on. What becomes of the weaker one? And can it be saved by making it more important?
# ([Elhage et al. 2022](https://transformer-circuits.pub/2022/toy_model/index.html), "Superposition as a Phase Change".)

# %%
weaker = predict(
    "Two features in one dimension get denser and denser. What happens to the shorter of the two trained weights?",
    ...,
    among=["it fades out", "it vanishes at once"],
)
one_start = predict(
    "A model is trained from one random start. How often does it end in the arrangement of the lowest loss? "
    "(Settings in which two arrangements cost nearly the same don't count.)",
    ...,
    "%",
)

# %% [markdown]
# Put the three candidates on the table and ask what each costs. A feature is on with probability $p$, and its magnitude
# is uniform on $[0, 1]$.
#
# **One feature is dropped.** The other one is reconstructed exactly. Of the dropped one the model sees nothing, so all
# it can do is answer with one constant, its bias, whatever comes in. The best constant is the mean, and what is left is
# the variance, $E[x^2] - E[x]^2 = p/3 - (p/2)^2$.
#
# **Back to back**, $W = [1, -1]$ and $b = 0$. Then $h = x_1 - x_2$, and the model answers
# $\hat x = (\mathrm{ReLU}(x_1 - x_2),\ \mathrm{ReLU}(x_2 - x_1))$. If one feature is on alone, both answers are exact:
# the ReLU wipes away the shadow on the other. If both are on, say with $x_1 > x_2$, the first comes back too small by
# $x_2$, the second not at all, too small by $x_2$ again. So both err by $\min(x_1, x_2)$. For two uniform magnitudes
# the minimum has the density $2(1 - t)$, so the mean of its square is $\int_0^1 2(1-t)\,t^2\,dt = 1/6$, and a collision
# happens with probability $p^2$.
#
# | number | what becomes of the two | error on feature 1 | error on feature 2 |
# |---|---|---|---|
# | 0 | the second is dropped, $W = [1, 0]$ | 0 | $p/3 - p^2/4$ |
# | 1 | the first is dropped, $W = [0, 1]$ | $p/3 - p^2/4$ | 0 |
# | 2 | back to back, $W = [1, -1]$ | $p^2/6$ | $p^2/6$ |
#
# To compare candidates, weight each feature's error with its importance and add the two. (`weighted_loss` divides by
# the two features, so it is half of this; the comparison doesn't change.) With $I = 1$ you can do the ends in your
# head. Always on ($p = 1$): dropping one costs $1/12$, the pair $2/6$: drop one. On one time in ten: dropping costs
# $.031$, the pair $.0033$: share.
#
# Then you need eyes for trained models: `observed_phase` gets several models of the same setting, trained from
# different starts, and says which of the three they found. Starts differ in luck, so the one with the lowest weighted
# loss decides for all. In its row of weights, $w$, a feature counts as *stored* if $|w_i|$ is more than half of the
# larger one.


# %% exercise="phase" points=3 minutes=30 difficulty=3 importance=4
def phase(importance: float, p: float) -> int:
    """The cheapest of three ways to keep two features in one dimension, by the expected weighted loss.

    The features are on with probability p, independently, with U[0, 1] magnitudes; the first has importance 1,
    the second `importance`. 0: the second is dropped, 1: the first is dropped, 2: both are stored back to back.
    Of ways that tie, take any: no check stands on a boundary.
    See Elhage et al. 2022, "Superposition as a Phase Change".

    >>> phase(0.5, 0.1), phase(0.5, 0.9), phase(2.0, 0.9)
    (2, 0, 1)
    """
    # BEGIN SOLUTION
    dropped = p / 3 - p**2 / 4  # the variance of a feature
    collision = p**2 / 6  # E[min(x1, x2)²]
    losses = [importance * dropped, dropped, (1 + importance) * collision]
    return losses.index(min(losses))
    # END SOLUTION


def observed_phase(
    W: Float[Tensor, "inst hidden feats"],
    b: Float[Tensor, "inst feats"],
    x: Float[Tensor, "inst batch feats"],
    importance: Float[Tensor, "inst feats"],
) -> int:
    """What trained models with hidden = 1 and feats = 2 did, numbered as in `phase`.

    An instance is one start. The one with the lowest weighted loss on its batch x (mean over batch and features,
    reconstruction ReLU(WᵀWx + b)) decides for all. Of its weights w = W[best, 0] those with |w_i| > max|w| / 2 are
    stored. 2: both are stored, with opposite signs. Otherwise (same sign, or only one stored) the feature
    with the larger |w| has the dimension. 0: that is the first; 1: that is the second. Of starts or sizes that
    tie, take any.

    >>> W = torch.tensor([[[1.0, -0.9]], [[1.0, 0.9]]])  # two starts
    >>> x = torch.tensor([[0.5, 0.0], [0.0, 0.5]]).repeat(2, 1, 1)  # never both on
    >>> observed_phase(W, torch.zeros(2, 2), x, torch.ones(2, 2))
    2
    """
    # BEGIN SOLUTION
    error = (x - toy.forward(x, W, b)) ** 2
    losses = (importance[:, None, :] * error).mean(dim=(1, 2))  # inst
    w = W[losses.argmin(), 0]  # feats
    size = w.abs()
    if size.min() > size.max() / 2 and w[0] * w[1] < 0:
        return 2
    return int(size.argmax())
    # END SOLUTION


# %%
check(phase, observed_phase)

# %% [markdown] hint=1
# For `phase`: on which of the two features does each candidate err, and which importance does that error carry? For
# `observed_phase`: how many losses do you need, one for everything or one per start?

# %% [markdown] hint=2
# Write the three expected losses into a list in the order of the table; the answer is the place of the smallest. For
# the trained models, average the squared error over batch and features but keep the instance axis.

# %% [markdown] hint=3
# `losses = [I * d, d, (1 + I) * c]` with `d = p/3 - p²/4` and `c = p²/6`: at which place is the smallest? Then:
# `losses.argmin()` picks the start, `w = W[best, 0]`, and a pair needs `w.abs().min() > w.abs().max() / 2`. What else
# does it need, and what do you return when it is none?

# %%
# A map: 10 importances × 12 densities, 10 starts each: 1,200 small models, trained side by side in about 10 s.
importances = torch.logspace(-1, 1, 10)
densities = torch.logspace(-1.5, 0, 12)
starts = 10  # what does the map look like with 1?

torch.manual_seed(0)
cells = torch.cartesian_prod(importances, densities)  # cell (importance, p)
importance = torch.stack([torch.ones(len(cells)), cells[:, 0]], dim=1)  # cell feats
importance = importance.repeat_interleave(starts, dim=0)  # inst feats


def draw(batch):
    """A batch for every cell, the same for all its starts."""
    p = cells[:, 1:].expand(-1, 2)
    return toy.generate_batch(len(cells), batch, p).repeat_interleave(starts, dim=0)


start = 0.5 * torch.randn(len(importance), 1, 2), torch.zeros(len(importance), 2)
W, b = toy.train(*start, Fresh(800, lambda: draw(128)), importance, 0.03)
held_out = draw(4096)


# %%
def seen(first, last):
    """The phase of every cell, judged by the starts first … last - 1."""
    phases = []
    for k in range(0, len(W), starts):
        r = slice(k + first, k + last)
        phases.append(observed_phase(W[r], b[r], held_out[r], importance[r]))
    return torch.tensor(phases)


def boundary(i):
    """The p at which two of the three losses are equal: above it one of the two features is dropped."""
    return torch.where(i <= 1, 2 * i / (1 + 2.5 * i), 4 / (5 + 2 * i))


computed = torch.tensor([phase(i, p) for i, p in cells.tolist()])
trained = seen(0, starts)
clear = (cells[:, 1] - boundary(cells[:, 0])).abs() > 0.15
as_computed = (trained == computed)[clear]
singles = torch.stack([seen(k, k + 1) == computed for k in range(starts)])  # start cell
print(f"away from the line, best of {starts} starts: {as_computed.float().mean():.0%} as computed")
print(f"away from the line, a single start: about {singles[:, clear].float().mean():.1f} of the cells as computed")
# ±.15 in p: near the line the candidates' losses are so close that a bias or a longer arrow decides.
if starts >= 10:
    assert as_computed.all(), "a trained cell away from the line is not what the closed form says"

errors = importance[:, None] * (held_out - toy.forward(held_out, W, b)) ** 2
lowest = errors.mean(dim=(1, 2)).view(-1, starts).argmin(dim=1)  # cell
arrows = W[:, 0].abs().view(-1, starts, 2)[torch.arange(len(cells)), lowest]  # cell feats
ratio = arrows.amin(dim=1) / arrows.amax(dim=1)
halfway = ((ratio > 0.2) & (ratio < 0.6)).float().mean()
print(f"the shorter arrow has 0.2 to 0.6 of the longer one's length in {halfway:.0%} of the cells")
weaker.came_out("it fades out" if halfway > 0.05 else "it vanishes at once")
one_start.came_out(100 * singles[:, clear].float().mean(), within=10)

line = torch.logspace(-1, 1, 200)
names = ["second dropped", "first dropped", "back to back"]
plots.phase_map(
    trained.reshape(len(importances), len(densities)),
    importances,
    densities,
    names,
    title="What the trained models did, and where two of the computed losses are equal",
    boundary=(line, boundary(line)),
)

# %% [markdown]
# The line is your `phase` solved for $p$: two losses are equal at $p^* = 2I/(1 + 2.5\,I)$ for $I \le 1$, and at
# $4/(5 + 2I)$ for $I \ge 1$, the same with the roles exchanged. Nothing fades out: in every cell of our map the shorter
# arrow had more than three quarters of the longer one's length, or less than a tenth. And importance saves a feature
# only up to a point: at $I = 1$, where the line is highest, the pair breaks up at $p^* = 4/7$ all the same. Make the
# second feature *more* important than that, and it is the first one that must go.
#
# What the best of ten starts hides: far from the line, too, one start in five ends somewhere else, nearly always where
# sharing would be best. There, of the starts whose two weights happened to have the same sign, six in ten failed; of
# those with opposite signs, one in a hundred. To change sides, an arrow must pass through length zero, and a dropped
# feature with the right bias is a resting point: nothing pulls. A map made from one start per cell shows islands of
# luck.
#
# Are the three candidates all there is? No. Training may shrink the arrows and raise the biases, so the pair survives a
# little beyond the line. At $I = .9$ and $p = .6$ we found the weights $[-.91, .82]$ and biases $[.18, .24]$ with the
# loss $.093$ (added up over the two features, as in the table), where dropping costs $.099$ and the candidate pair
# $.114$. The line is where *these three* tie, and the map agrees with it to about $\pm .15$ in $p$.
#
# **Choose a place on the map**, near the line or beyond its edges. What will the best of ten starts have done there?
# You may compute before you predict.

# %%
i_own, p_own = 0.5, 0.5  # importance of the second feature, and how often the features are on
place = predict(f"Importance {i_own:g}, p = {p_own:g}: what did the best of ten starts do?", ..., among=names)

# %%
importance_own = torch.tensor([1.0, i_own]).expand(10, 2)
p_pair = torch.full((1, 2), p_own)
torch.manual_seed(0)
start = 0.5 * torch.randn(10, 1, 2), torch.zeros(10, 2)
own = Fresh(800, lambda: toy.generate_batch(1, 128, p_pair).expand(10, -1, -1))
W_own, b_own = toy.train(*start, own, importance_own, 0.03)
x = toy.generate_batch(1, 20_000, p_pair).expand(10, -1, -1)
print("the ten starts:", [[round(number, 2) for number in w] for w in W_own[:, 0].tolist()])
place.came_out(names[observed_phase(W_own, b_own, x, importance_own)])


# %% misconception="phase"
def forgets_the_bias_of_a_dropped_feature(importance, p):
    """A dropped feature costs its variance, not E[x²] = p/3: the bias answers with the mean, which saves (p/2)²."""
    return min((importance * p / 3, 0), (p / 3, 1), ((1 + importance) * p**2 / 6, 2))[1]


# %% misconception="phase"
def pays_for_a_collision_whenever_one_is_on(importance, p):
    """The pair errs only when both features are on at once: probability p², not p. Alone, each comes back exactly."""
    return min((importance * (p / 3 - p**2 / 4), 0), (p / 3 - p**2 / 4, 1), ((1 + importance) * p / 6, 2))[1]


# %% misconception="phase"
def only_the_second_errs_in_a_collision(importance, p):
    """The pair pays for the second feature only. A collision hurts both: the larger comes back too small by exactly
    what the smaller one loses."""
    return min((importance * (p / 3 - p**2 / 4), 0), (p / 3 - p**2 / 4, 1), (importance * p**2 / 6, 2))[1]


# %% misconception="phase"
def only_the_first_errs_in_a_collision(importance, p):
    """The pair pays for the first feature only. A collision hurts both: the larger comes back too small by exactly
    what the smaller one loses, and the second's error is weighted by I."""
    return min((importance * (p / 3 - p**2 / 4), 0), (p / 3 - p**2 / 4, 1), (p**2 / 6, 2))[1]


# %% misconception="phase"
def no_importance_in_the_pair(importance, p):
    """In the pair, too, an error on the second feature is weighted by I: the loss is (1 + I) p²/6, not 2 p²/6."""
    return min((importance * (p / 3 - p**2 / 4), 0), (p / 3 - p**2 / 4, 1), (2 * p**2 / 6, 2))[1]


# %% misconception="phase"
def drops_the_more_important(importance, p):
    """0 and 1 are exchanged, or the first got the importance. 0: the second is dropped, and that cost is times I."""
    return min((p / 3 - p**2 / 4, 0), (importance * (p / 3 - p**2 / 4), 1), ((1 + importance) * p**2 / 6, 2))[1]


# %% misconception="phase"
def one_boundary_for_every_importance(importance, p):
    """p* = 2I/(1 + 2.5I): there the pair ties with dropping the *second*. If I > 1, the first is cheaper to drop."""
    return 2 if p < 2 * importance / (1 + 2.5 * importance) else int(importance > 1)


# %% misconception="phase" part="observed_phase"
def trusts_the_first_start(W, b, x, importance):
    """Only the first start was looked at. Some starts get stuck: let the one with the lowest loss decide."""
    return observed_phase(W[:1], b[:1], x[:1], importance[:1])


# %% misconception="phase" part="observed_phase"
def averages_the_starts(W, b, x, importance):
    """Weights of different starts were averaged. [1, -1] and [-1, 1] are the same solution, and their mean is none."""
    return observed_phase(W.mean(dim=0, keepdim=True), b[:1], x[:1], importance[:1])


# %% misconception="phase" part="observed_phase"
def chooses_by_the_unweighted_error(W, b, x, importance):
    """The best start was chosen by the plain squared error. The models were trained on the importance-weighted one."""
    return observed_phase(W, b, x, torch.ones_like(importance))


# %% misconception="phase" part="observed_phase"
def forgets_the_bias_in_the_loss(W, b, x, importance):
    """The bias is missing from the reconstruction. It is what makes a dropped feature cheap."""
    return observed_phase(W, torch.zeros_like(b), x, importance)


# %% misconception="phase" part="observed_phase"
def calls_the_same_sign_a_pair(W, b, x, importance):
    """Two long weights of the same sign are no pair: the ReLU can't tell those features apart. Look at the signs."""
    best = (importance[:, None] * (x - toy.forward(x, W, b)) ** 2).mean(dim=(1, 2)).argmin()
    size = W[best, 0].abs()
    return 2 if size.min() > size.max() / 2 else int(size.argmax())


# %% misconception="phase" part="observed_phase"
def stored_means_longer_than_a_half(W, b, x, importance):
    """The threshold is half of the *larger weight*, not 0.5: what counts is how the two compare."""
    best = (importance[:, None] * (x - toy.forward(x, W, b)) ** 2).mean(dim=(1, 2)).argmin()
    w = W[best, 0]
    return 2 if w.abs().min() > 0.5 and w[0] * w[1] < 0 else int(w.abs().argmax())


# %% alternative="phase"
def by_solving_for_the_boundary(importance, p):
    line = 2 * importance / (1 + 2.5 * importance) if importance < 1 else 4 / (5 + 2 * importance)
    return 2 if p < line else int(importance > 1)


# %% alternative="phase" part="observed_phase"
def one_start_at_a_time(W, b, x, importance):
    best, best_loss = None, float("inf")
    for k in range(len(W)):
        x_hat = torch.relu(x[k].double() @ W[k].T.double() @ W[k].double() + b[k].double())
        loss = float((importance[k] * (x[k] - x_hat) ** 2).sum() / x[k].numel())
        if loss < best_loss:
            best, best_loss = k, loss
    first, second = W[best, 0].tolist()
    larger, smaller = max(abs(first), abs(second)), min(abs(first), abs(second))
    return 2 if first * second < 0 and smaller > 0.5 * larger else [abs(first), abs(second)].index(larger)


# %% [markdown]
# ## What if features come in company?
#
# Until now every feature flipped its own coin. In text they don't: *Paris* brings *France* along, and a word that is a
# verb here is not a noun. Take four features in two pairs, and two hidden dimensions. Where do the two arrows of a pair
# point if they always come together? And if they never do?

# %%
ways = ["side by side", "at right angles", "back to back"]
together = predict("Two features are on once in ten rows, always together. Their arrows lie …", ..., among=ways)
apart = predict("Two features are each on once in ten rows, never together. Their arrows lie …", ..., among=ways)

# %% [markdown]
# To find out you need such data. Features $2k$ and $2k + 1$ are pair $k$, and each of the two is on with probability
# $p_k$ as ever, so that nothing but the company differs. Of a *correlated* pair both are on or both are off. Of an
# *anticorrelated* pair at most one is on:
#
# | of pair $k$ | both on | only the first | only the second | neither |
# |---|---|---|---|---|
# | correlated | $p$ | 0 | 0 | $1 - p$ |
# | independent | $p^2$ | $p(1 - p)$ | $p(1 - p)$ | $(1 - p)^2$ |
# | anticorrelated | 0 | $p$ | $p$ | $1 - 2p$ |
#
# Read the rows: in each, "both" and "only the first" add up to $p$. The last row is impossible for $p > 1/2$: two
# features that are each on more than half of the time must meet. Magnitudes are uniform on $[0, 1]$ and independent for
# every feature, also within a pair, and the pairs are independent of each other.


# %% exercise="generate_correlated" points=3 minutes=20 difficulty=2 importance=3
def generate_correlated(
    n_inst: int, batch: int, p: Float[Tensor, "#inst pairs"]
) -> Float[Tensor, "n_inst batch feats"]:
    """Data with feats = 2·pairs features, where features 2k and 2k+1 are both on (probability p[·, k]) or both off.

    p has one row per instance, or one row for all. Magnitudes are U[0, 1], one for every feature; everything is
    drawn afresh from torch's global random numbers, for every instance and every row, in the dtype of p.

    >>> x = generate_correlated(1, 1000, torch.tensor([[0.3, 0.8]]))
    >>> x.shape, bool(((x[..., 0] > 0) == (x[..., 1] > 0)).all())
    (torch.Size([1, 1000, 4]), True)
    """
    # BEGIN SOLUTION
    shape = (n_inst, batch, p.shape[-1], 2)
    on = torch.rand(shape[:3], dtype=p.dtype) < p[:, None, :]  # one coin per pair
    return (torch.rand(shape, dtype=p.dtype) * on[..., None]).flatten(start_dim=2)
    # END SOLUTION


def generate_anticorrelated(
    n_inst: int, batch: int, p: Float[Tensor, "#inst pairs"]
) -> Float[Tensor, "n_inst batch feats"]:
    """The same, but features 2k and 2k+1 are never on in the same row; each is still on with probability p[·, k].

    Raises ValueError with a sentence that says why, if any p is above 1/2.

    >>> x = generate_anticorrelated(1, 1000, torch.tensor([[0.3, 0.5]]))
    >>> x.shape, bool((x[..., 0] * x[..., 1] == 0).all())
    (torch.Size([1, 1000, 4]), True)
    """
    # BEGIN SOLUTION
    if (p > 0.5).any():
        raise ValueError("Features that never meet can each be on half of the time at most: p must be ≤ 1/2.")
    coin = torch.rand(n_inst, batch, p.shape[-1], dtype=p.dtype)
    on = torch.stack([coin < p[:, None, :], coin >= 1 - p[:, None, :]], dim=-1)  # the two ends of one coin
    return (torch.rand(on.shape, dtype=p.dtype) * on).flatten(start_dim=2)
    # END SOLUTION


# %%
check(generate_correlated, generate_anticorrelated)

# %% [markdown] hint=1
# How many coins does a correlated pair need in a row? And an anticorrelated one? Is there one number between 0 and 1
# whose value can say "first", "second" or "neither"?

# %% [markdown] hint=2
# Draw one uniform number per pair, shape `(n_inst, batch, pairs)`. Cut $[0, 1]$ into pieces: a piece of length $p$ for
# the first, another of length $p$ for the second. An axis of length 2 at the end, flattened into the one before it,
# puts the features $2k$ and $2k + 1$ side by side.

# %% [markdown] hint=3
# Correlated: `on = torch.rand(n_inst, batch, pairs, dtype=p.dtype) < p[:, None]` is one coin per pair; magnitudes need
# an axis of length 2 more, and `on[..., None]` serves both. Anticorrelated: with `coin < p[:, None]` for the first
# feature, which piece of the same length, without overlap, is left for the second?

# %% [markdown]
# Before you train, compute once more. The models have two dimensions for four features, so there are two axes with two
# ends each. **Partners back to back** collide whenever both are on. Anticorrelated partners never are, so their loss is
# 0; correlated ones collide in every row in which they are on, at $p/6$ per feature. Then it is better for a feature to
# lie **at right angles** to its partner and back to back with a feature of the other pair, which it meets by chance:
# $p^2/6$.
#
# For partners that always come together there is a third way, **side by side**: one axis for the whole pair, both
# weights $1/\sqrt 2$, and the answer for both is the mean of the two. Each is then wrong by $(x_1 - x_2)/2$, whose mean
# square is $1/24$, whenever the pair is on: $p/24$. And $p^2/6 < p/24$ if $p < 1/4$: another boundary.

# %%
# Seven worlds of correlated pairs and one of anticorrelated ones, 24 starts in each (about 5 s).
correlated_ps = [0.1, 0.15, 0.2, 0.3, 0.35, 0.4, 0.45]
anticorrelated_p = 0.1
starts = 24

torch.manual_seed(1)
ps = torch.tensor([*correlated_ps, anticorrelated_p])
worlds = len(ps)
p = ps[:, None].expand(-1, 2)  # world pairs


def draw_worlds(batch):
    together = generate_correlated(worlds - 1, batch, p[:-1])
    apart = generate_anticorrelated(1, batch, p[-1:])
    return torch.cat([together, apart]).repeat_interleave(starts, dim=0)


inst = worlds * starts
start = 0.5 * torch.randn(inst, 2, 4), torch.zeros(inst, 4)
W, b = toy.train(*start, Fresh(1000, lambda: draw_worlds(128)), torch.ones(inst, 4), 0.03)

x = draw_worlds(16384)
losses = (x - toy.forward(x, W, b)).pow(2).mean(dim=(1, 2)).reshape(worlds, starts)
best = losses.argmin(dim=1)  # world
W_best = W.reshape(worlds, starts, 2, 4)[torch.arange(worlds), best]  # world hidden feats
partners = torch.cosine_similarity(W_best[..., 0::2], W_best[..., 1::2], dim=1)  # world pairs

# %%
for k in range(worlds):
    loss, prob = losses[k, best[k]], ps[k]
    if k == worlds - 1:
        kind, cosine, expected = "anticorrelated", -1, torch.tensor(0.0)  # back to back
    elif prob < 1 / 4:
        kind, cosine, expected = "correlated", 0, prob**2 / 6  # at right angles
    else:
        kind, cosine, expected = "correlated", 1, prob / 24  # side by side
    found = partners[k].mean().round()
    print(f"{kind}, p = {prob:.2f}: loss {loss:.3f}, computed {expected:.3f}; cosine of partners {found:.0f}")
    # On 16,384 rows the loss has a standard error of 10 % (at p = .1) or less, and trained arrows are a little bent.
    assert abs(loss - expected) < 0.5 * expected + 1e-4, f"p = {prob:.2f}: {loss:.4f}, computed {expected:.4f}"
    assert (partners[k] - cosine).abs().max() < 0.2, f"p = {prob:.2f}: cosines {partners[k]}, expected {cosine}"

way = {1: "side by side", 0: "at right angles", -1: "back to back"}
together.came_out(way[int(partners[0].mean().round())])
apart.came_out(way[int(partners[-1].mean().round())])

shown = [0, 5, 7]  # worlds
titles = ["correlated, p = 0.1", "correlated, p = 0.4", "anticorrelated, p = 0.1"]
plots.arrows(W_best[shown], titles=titles, title="Features 0 and 1 are a pair, and so are 2 and 3")

# %% [markdown]
# Company decides where a feature lies. Partners that never meet share an axis at no cost at all. Partners that always
# meet keep out of each other's way while they are rare, and fall onto one arrow when they are frequent. That arrow no
# longer stands for either feature but for their sum: the ordinary principal component, found by a model with a ReLU
# ([Elhage et al. 2022](https://transformer-circuits.pub/2022/toy_model/index.html), "The Geometry of Superposition", on
# correlated and anticorrelated features).
#
# Training doesn't find these places from any start. Anticorrelated partners ended back to back in 44 of 96 starts (four
# seeds of the cell above); the others lay at right angles, paired with a feature of the other pair for $p^2/6$, and
# couldn't leave. What you can rely on is the other side: of as many starts with correlated pairs at $p = .1$ none put
# partners back to back, since that would cost them something every time. And two pairs in a plane is the smallest case
# there is: with more pairs than axes, not all of them can have the place that suits them best.


# %% misconception="generate_correlated"
def flips_a_coin_for_each_feature(n_inst, batch, p):
    """Each feature flips its own coin, so partners are together only by chance. A pair needs one coin for both."""
    return toy.generate_batch(n_inst, batch, p.repeat_interleave(2, dim=-1)).to(p.dtype)


# %% misconception="generate_correlated"
def partners_share_a_magnitude(n_inst, batch, p):
    """The magnitudes of partners are correlated. Partners are on together, but each has a magnitude of its own."""
    return toy.generate_batch(n_inst, batch, p).repeat_interleave(2, dim=-1).to(p.dtype)


# %% misconception="generate_correlated"
def pairs_lie_far_apart(n_inst, batch, p):
    """Feature k is paired with feature k + pairs. Partners should be neighbours on the last axis, 2k and 2k + 1."""
    x = generate_correlated(n_inst, batch, p)
    return torch.cat([x[..., 0::2], x[..., 1::2]], dim=-1)


# %% misconception="generate_correlated"
def all_pairs_share_one_coin(n_inst, batch, p):
    """One coin decides for all pairs of a row, so different pairs are on together. Every pair needs a coin of its
    own."""
    on = torch.rand(n_inst, batch, 1) < p[:, None, :]
    return (torch.rand(n_inst, batch, p.shape[-1], 2, dtype=p.dtype) * on[..., None]).flatten(2)


# %% misconception="generate_correlated"
def one_mask_for_all_instances(n_inst, batch, p):
    """Instances repeat each other: which features are on, or how much. Draw everything for every instance."""
    on = torch.rand(batch, p.shape[-1]) < p[:, None, :]
    return (torch.rand(n_inst, batch, p.shape[-1], 2, dtype=p.dtype) * on[..., None]).flatten(2)


# %% misconception="generate_correlated"
def first_row_of_p_for_everyone(n_inst, batch, p):
    """Instances share one row of p. Where p has a row per instance, each instance has probabilities of its own."""
    return generate_correlated(n_inst, batch, p[:1])


# %% misconception="generate_correlated" part="generate_anticorrelated"
def halves_the_probability(n_inst, batch, p):
    """Each is on with less than p: choosing one of two, or switching one off when both are on, takes some away."""
    x = generate_anticorrelated(n_inst, batch, p)
    return x * (torch.rand(n_inst, batch, p.shape[-1]) < 0.5).repeat_interleave(2, dim=-1)


# %% misconception="generate_correlated" part="generate_anticorrelated"
def lets_them_meet(n_inst, batch, p):
    """Partners are sometimes on in the same row. Two independent coins don't exclude that."""
    one, other = [generate_anticorrelated(n_inst, batch, p) for _ in range(2)]
    return torch.where(torch.arange(one.shape[-1]) % 2 == 0, one, other)


# %% misconception="generate_correlated" part="generate_anticorrelated"
def always_exactly_one(n_inst, batch, p):
    """One of the two is always on. Both should be off with probability 1 - 2p."""
    generate_anticorrelated(n_inst, batch, p)  # refuses p > 1/2
    return generate_anticorrelated(n_inst, batch, torch.full_like(p, 0.5))


# %% misconception="generate_correlated" part="generate_anticorrelated"
def takes_any_probability(n_inst, batch, p):
    """A p above 1/2 is accepted, but two features that are each on so often must meet. Raise a ValueError."""
    return generate_anticorrelated(n_inst, batch, p.clamp(max=0.5))


# %% misconception="generate_correlated" part="generate_anticorrelated"
def raises_without_a_reason(n_inst, batch, p):
    """The ValueError has nothing to say. Give it a sentence: what is wrong with a p above 1/2?"""
    if (p > 0.5).any():
        raise ValueError
    return generate_anticorrelated(n_inst, batch, p)


# %% misconception="generate_correlated"
def float32_whatever_p_is(n_inst, batch, p):
    """Correlated data are float32 whatever p is. `torch.rand` draws float32 unless you ask for p's dtype."""
    return generate_correlated(n_inst, batch, p.float())


# %% misconception="generate_correlated" part="generate_anticorrelated"
def excluding_float32_whatever_p_is(n_inst, batch, p):
    """Anticorrelated data are float32 whatever p is. `torch.rand` draws float32 unless you ask for p's dtype."""
    return generate_anticorrelated(n_inst, batch, p.float())


# %% alternative="generate_correlated"
def pair_by_pair(n_inst, batch, p):
    x = torch.zeros(n_inst, batch, 2 * p.shape[-1], dtype=p.dtype)
    for i in range(n_inst):
        for k, prob in enumerate(p[i % len(p)].tolist()):
            on = torch.rand(batch) < prob
            for feature in (2 * k, 2 * k + 1):
                x[i, on, feature] = torch.rand(int(on.sum()), dtype=p.dtype)
    return x


# %% alternative="generate_correlated" part="generate_anticorrelated"
def first_whether_then_which(n_inst, batch, p):
    if p.max() > 0.5:
        raise ValueError(f"p = {p.max():.2f} is above 1/2: the two features would have to meet.")
    some = torch.rand(n_inst, batch, p.shape[-1]) < 2 * p[:, None, :]
    which = torch.randint(0, 2, some.shape)
    on = torch.stack([some & (which == 0), some & (which == 1)], dim=3).reshape(n_inst, batch, -1)
    return torch.where(on, torch.rand(on.shape, dtype=p.dtype), 0.0)
