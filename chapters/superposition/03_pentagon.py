# %% [markdown]
# # Pentagons and plateaus
#
# This section asks two questions of a trained model: which shape did its features take, and how many of them got a
# place? First you look at a plane, where you can see everything; then at ten dimensions, where you need a number that
# sees for you.

# %% setup=1
import sys

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from saelab import check, hint, plots, predict, reference

toy = reference("superposition")  # the exercises of earlier sections, solved


class Batches(Dataset):
    """`steps` batches of sparse features, each made when it is asked for; `batches[t]` is the same every time."""

    def __init__(self, steps: int, batch: int, p: Float[Tensor, "inst feats"], first: int = 0, progress: bool = False):
        self.steps, self.batch, self.p, self.first = steps, batch, p, first
        bar = {"mininterval": 1, "leave": False, "file": sys.stdout}  # a notebook shows stderr in red
        self.bar = tqdm(total=steps, unit="step", disable=not progress, **bar)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, t: int) -> Float[Tensor, "inst batch feats"]:
        if not 0 <= t < self.steps:
            self.bar.close()
            raise IndexError(t)  # this is what ends `for x in batches`
        self.bar.update(t + 1 - self.bar.n)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.first + t)
            return toy.generate_batch(len(self.p), self.batch, self.p)


# %% [markdown]
# ## Which shape do five features take in a plane?
#
# Five features, equally important, and a hidden space of two dimensions. The model could keep two features and forget
# three. It could lay two pairs back to back and forget one. Or it could squeeze in all five, on the corners of a
# pentagon. Which is it when features are on three times in ten? And once in ten? Twelve models will be trained at
# each of these, from different starts.

# %%
at_03 = predict("Twelve runs, features on three times in ten: how many end in a pentagon?", ..., "runs")
at_01 = predict("Twelve runs, features on once in ten: how many end in a pentagon?", ..., "runs")

# %% [markdown]
# You have the data, the model and the loss; the loop is missing. One run is an anecdote, so train many at once: `W` is
# `[inst, hidden, feats]`, and as the loss is a *sum* over instances, each has the gradient that it would have alone.
# Adam gives every single number in `W` and `b` its own step,
#
# $$\Delta_t = -\text{lr}_t\,\frac{\bar g_t}{\sqrt{\bar s_t}+\epsilon},\qquad \text{lr}_t = \text{lr}\,(1 - t/T)$$
#
# for $t = 0, 1, \dots, T-1$, with $\bar g_t$ the running mean of its gradients and $\bar s_t$ that of their squares.
# (Most texts write $\hat m_t$ and $\hat v_t$; here $m$ is the number of hidden dimensions.) On an even slope the
# fraction is $\pm1$, however steep it is. So four steps are $1, \frac34, \frac12, \frac14$ of `lr` long, $2\frac12$ of
# `lr` together. The last step is the shortest, but it is a step.
#
# Then: *is* it a pentagon? With 72 runs you don't want to squint, so write down what your eye does. It sees five arrows
# equally long, and 72° from each to its neighbour. Try that on these:
#
# | the five columns of `W` | lengths | from neighbour to neighbour | pentagon? |
# |---|---|---|---|
# | corners of a pentagon, turned, columns shuffled | equal | 72° five times | yes |
# | the same, with one arrow turned round | equal | 36°, 36°, 72°, 144°, 72° | no |
# | two pairs back to back, one feature dropped | 1, 1, 1, 1, 0 | the dropped one has no angle | no |
#
# Dimensionalities would not do: in the second row $D_i = 2/5$ for every feature, and in every row $\sum_i D_i = 2$.


# %% exercise="train" points=4 minutes=35 difficulty=3 importance=5
def train(
    W: Float[Tensor, "inst hidden feats"],
    b: Float[Tensor, "inst feats"],
    batches: Float[Tensor, "steps inst batch feats"],
    importance: Float[Tensor, "inst feats"],
    lr: float,
) -> tuple[Float[Tensor, "inst hidden feats"], Float[Tensor, "inst feats"]]:
    """Train all instances at once from the start W, b; returns the trained W and b, detached (requires_grad False).

    One step of Adam (torch.optim.Adam, its defaults besides lr) for each batch, in order; step t = 0, 1, … of T uses
    the learning rate lr·(1 − t/T). The loss is toy.weighted_loss(x, toy.forward(x, W, b), importance). The W and b
    that were passed in stay as they are. `batches` is a tensor, a list of tensors or a `Batches`: len(batches) is T,
    at least 1, and `for x in batches` or batches[t] gives x [inst, batch, feats].

    >>> start = torch.full((1, 1, 1), 0.5), torch.zeros(1, 1)
    >>> train(*start, torch.ones(1, 1, 1, 1), torch.ones(1, 1), 0.1)  # a single step: every number moves by lr
    (tensor([[[0.6000]]]), tensor([[0.1000]]))
    """
    # BEGIN SOLUTION
    W, b = W.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()
    adam = torch.optim.Adam([W, b], lr=lr)
    for t, x in enumerate(batches):
        adam.param_groups[0]["lr"] = lr * (1 - t / len(batches))
        loss = toy.weighted_loss(x, toy.forward(x, W, b), importance)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return W.detach(), b.detach()
    # END SOLUTION


def is_pentagon(W: Float[Tensor, "2 5"], tol: float = 0.1) -> bool:
    """Are the five columns of W the corners of a regular pentagon about the origin, in any order?

    True if every length differs from the mean length by at most tol · mean length, and every angle between
    neighbours (going round, all five of them) from 2π/5 by at most tol · 2π/5. False if a column is shorter than 1e-6
    (it has no direction) or anything in W is NaN or infinite.

    >>> turn = torch.arange(5) * 2 * torch.pi / 5
    >>> is_pentagon(torch.stack([turn.cos(), turn.sin()]))
    True
    """
    # BEGIN SOLUTION
    lengths = W.norm(dim=0)
    if not W.isfinite().all() or lengths.min() < 1e-6:
        return False
    angles = torch.atan2(W[1], W[0]).sort().values
    gaps = torch.diff(angles, append=angles[:1] + 2 * torch.pi)  # the last one goes round past ±π
    away = torch.stack([lengths / lengths.mean() - 1, gaps / (2 * torch.pi / 5) - 1])
    return bool((away.abs() <= tol).all())
    # END SOLUTION


# %%
check(train, is_pentagon)

# %% [markdown] hint=1
# What has to live on from step to step, and what has to be forgotten? Adam's running means must survive, so where do
# you make the optimiser? `backward()` *adds* to `.grad`, so what comes before it? And the pentagon: which two facts
# about five arrows does your eye use, and does it care which arrow is column 0?

# %% [markdown] hint=2
# Copies that can be trained are `W.detach().clone().requires_grad_()`. The rate of a step goes into
# `adam.param_groups[0]["lr"]`, before `adam.step()`. For the angles take `torch.atan2(W[1], W[0])` and sort them. Five
# arrows have five gaps, but sorted angles have only four differences: where is the fifth?

# %% [markdown] hint=3
# The loop: set the rate to `lr * (1 - t / len(batches))`, compute the loss, then three calls remain; in which order? At
# the end return both, detached. The pentagon: after rejecting short columns and NaN, the gaps are
# `torch.diff(angles, append=angles[:1] + 2 * torch.pi)`. Ten numbers have to be close to 1: which ten?

# %%
# Twelve runs at each of six probabilities, in one training of 72 instances: about 15 seconds.
levels = [0.03, 0.05, 0.1, 0.2, 0.3, 1.0]
runs = 12
seed = 0  # another seed changes the counts in the middle

p = torch.tensor(levels).repeat_interleave(runs)[:, None].expand(-1, 5)
torch.manual_seed(seed)
start = 0.4 * torch.randn(len(p), 2, 5), torch.zeros(len(p), 5)
W, b = train(*start, Batches(3000, 256, p, progress=True), torch.ones(len(p), 5), 0.007)

# %%
pentagons = torch.tensor([is_pentagon(w) for w in W]).view(-1, runs)  # level run
D = torch.stack([toy.dimensionality(w) for w in W]).view(-1, runs, 5)  # level run feats
x = toy.generate_batch(len(p), 20_000, p)
error = (x - toy.forward(x, W, b)).square().mean(dim=(1, 2))
variance = (p / 3 - p**2 / 4)[:, 0]
missed = (error / variance).view(-1, runs)  # 1: always output the mean

for k, level in enumerate(levels):
    found = pentagons[k]
    told = f"p = {level:<4}  {found.sum():>2} of {runs} are pentagons; variance left unexplained"
    if found.any():
        told += f" by pentagons {missed[k, found].mean():.2f}"
    if not found.all():
        told += f" by the others {missed[k, ~found].mean():.2f}"
    print(told)
print(f"ΣD in all {len(p)} runs: from {D.sum(dim=-1).min():.2f} to {D.sum(dim=-1).max():.2f}")

# The ends hold for any start, but for one run in a hundred or so that is a pentagon at 0.3. The middle does not.
counts = pentagons.sum(dim=1).tolist()
assert counts[:2] == [runs, runs], counts
assert runs > counts[2] > counts[3] > 0, counts
assert counts[4] <= 1 and counts[5] == 0, counts
assert (D[pentagons] - 0.4).abs().max() < 0.02  # noise of the last batches leaves the corners about 1% uneven
assert (D.sum(dim=-1) - 2).abs().max() < 1e-3  # the rank, to rounding
at_03.came_out(counts[levels.index(0.3)], within=2)
at_01.came_out(counts[levels.index(0.1)], within=2)
groups = [f"p = {level}" for level in levels]
title = "Dimensionality of five features in a plane, twelve runs each"
plots.dimensionality_strip(D.flatten(1), groups, title=title, guides={"1/2": 1 / 2, "2/5": 2 / 5})

# %%
# A film of three runs from one start: many short trainings, each going on where the last one stopped.
steps = [0, 5, 10, 20, 30, 40, 50, 60, 80, 100, 115, 130, 160, 200, 250, 300, 400, 600]
few_p = torch.tensor([0.03, 0.3, 1.0])[:, None].expand(-1, 5)
torch.manual_seed(1)
now = 0.4 * torch.randn(1, 2, 5).expand(3, -1, -1), torch.zeros(3, 5)
frames = [now[0]]
for begin, end in zip(steps, steps[1:]):
    now = train(*now, Batches(end - begin, 256, few_p, first=begin), torch.ones(3, 5), 0.02)
    frames.append(now[0])
titles = ["p = 0.03", "p = 0.3", "p = 1"]
plots.arrows(torch.stack(frames), titles=titles, steps=steps, title="One start, three kinds of data: press play")

# %% [markdown]
# At $p \le 0.05$ every run ends in a pentagon, with $D_i = 0.40$ for each feature. At $p=0.3$ you see two pairs back to
# back and one feature that got nothing, or a pair beside one long arrow that faces two short ones. Where features are
# always on there is no shape at all: the model keeps *some* plane of the five-dimensional data, any is about as good.
#
# Now the middle. At $p=0.1$ some runs missed the pentagon, though it is much the better shape: it leaves 0.17 of the
# variance unexplained, the others 0.24. They got *stuck*; the count says as much about the starts as about the data.
# Eleven sets of starts gave 6 to 11 of 12, nine on average. At $p=0.2$ the best pairs are as good as a pentagon, and 0
# to 6 of 12 were pentagons. At $p=0.3$ there was one in 132 runs, and it was worse than the pairs.
#
# One number here proves nothing: $\sum_i D_i = 2.00$ in all 72 runs, even in the dense ones that store no single
# feature. It says that both dimensions are in use, no more. And a plane with equal, independent features is the
# friendliest case there is: with unequal importance or with correlations the regular shapes bend, or break.
#
# **Bend it yourself.** Make one feature more or less important than the other four, and say how many of twelve runs
# still end in what `is_pentagon` calls a pentagon.

# %%
first = 2.0  # importance of feature 0, from 0.1 to 10; the others have 1
bent = predict(f"Feature 0 has importance {first:g}, p = 0.05: how many of twelve runs end in a pentagon?", ..., "runs")

# %%
unequal = torch.ones(12, 5)
unequal[:, 0] = first
rare = torch.full((12, 5), 0.05)
torch.manual_seed(0)
W_bent, _ = train(0.4 * torch.randn(12, 2, 5), torch.zeros(12, 5), Batches(1500, 256, rare), unequal, 0.015)
lengths = W_bent.norm(dim=1).sort(descending=True).values
print("lengths of the arrows, on average, from the longest:", ", ".join(f"{a:.2f}" for a in lengths.mean(dim=0)))
bent.came_out(sum(is_pentagon(w) for w in W_bent), within=2)


# %% misconception="train"
def constant_learning_rate(W, b, batches, importance, lr):
    "The learning rate stays the same. Step t of T should use lr·(1 − t/T): short late steps let the run settle."
    W, b = W.clone().requires_grad_(), b.clone().requires_grad_()
    adam = torch.optim.Adam([W, b], lr=lr)
    for x in batches:
        adam.zero_grad()
        toy.weighted_loss(x, toy.forward(x, W, b), importance).backward()
        adam.step()
    return W.detach(), b.detach()


# %% misconception="train"
def rate_falls_before_the_step(W, b, batches, importance, lr):
    "The rate is one step ahead: the first step is already shortened, the last one has length 0. Count from t = 0."
    W, b = W.clone().requires_grad_(), b.clone().requires_grad_()
    adam = torch.optim.Adam([W, b], lr=lr)
    for t, x in enumerate(batches, 1):
        adam.param_groups[0]["lr"] = lr * (1 - t / len(batches))
        adam.zero_grad()
        toy.weighted_loss(x, toy.forward(x, W, b), importance).backward()
        adam.step()
    return W.detach(), b.detach()


# %% misconception="train"
def gradients_pile_up(W, b, batches, importance, lr):
    "Each gradient is added to those of all batches before: `backward()` adds to `.grad`, so clear it at every step."
    W, b = W.clone().requires_grad_(), b.clone().requires_grad_()
    adam = torch.optim.Adam([W, b], lr=lr)
    for t, x in enumerate(batches):
        adam.param_groups[0]["lr"] = lr * (1 - t / len(batches))
        toy.weighted_loss(x, toy.forward(x, W, b), importance).backward()
        adam.step()
    return W.detach(), b.detach()


# %% misconception="train"
def new_optimiser_at_every_step(W, b, batches, importance, lr):
    "Adam is made anew for every batch, so its running means never get running. Make it once, before the loop."
    for t, x in enumerate(batches):
        W, b = train(W, b, [x], importance, lr * (1 - t / len(batches)))
    return W, b


# %% misconception="train"
def weights_decay(W, b, batches, importance, lr):
    "Weights shrink at every step even where the data say nothing. Adam has no weight decay by default, AdamW has."
    W, b = W.clone().requires_grad_(), b.clone().requires_grad_()
    adam = torch.optim.AdamW([W, b], lr=lr)
    for t, x in enumerate(batches):
        adam.param_groups[0]["lr"] = lr * (1 - t / len(batches))
        adam.zero_grad()
        toy.weighted_loss(x, toy.forward(x, W, b), importance).backward()
        adam.step()
    return W.detach(), b.detach()


# %% misconception="train"
def bias_is_not_trained(W, b, batches, importance, lr):
    "The bias comes back as it went in. Give the optimiser both: a negative bias is what cuts interference off."
    return train(W, b, batches, importance, lr)[0], b.clone()


# %% misconception="train"
def importance_is_ignored(W, b, batches, importance, lr):
    "All features pull equally: `importance` has to go into the loss, so that a feature of importance 0 pulls nothing."
    return train(W, b, batches, torch.ones_like(importance), lr)


# %% misconception="train"
def same_batch_every_step(W, b, batches, importance, lr):
    "Every step learns from the first batch. Take batch t in step t, or the model learns a few examples by heart."
    return train(W, b, [batches[0]] * len(batches), importance, lr)


# %% misconception="train" part="is_pentagon"
def dimensionalities_add_up_to_two(W, tol=0.1):
    "ΣD = 2 for any five columns that span the plane. It says that two dimensions are in use, nothing about the shape."
    return abs(float(toy.dimensionality(W).sum()) - 2) <= tol * 2


# %% misconception="train" part="is_pentagon"
def every_dimensionality_is_two_fifths(W, tol=0.1):
    "D = 2/5 for every feature also holds with arrows turned round, which is no pentagon: measure lengths and angles."
    return bool(((toy.dimensionality(W) / 0.4 - 1).abs() <= tol).all())


# %% misconception="train" part="is_pentagon"
def arrows_without_heads(W, tol=0.1):
    "Angles are taken modulo π, as of lines, so an arrow turned round looks the same. Use the whole turn, with atan2."
    angles = (torch.atan2(W[1], W[0]) % torch.pi).sort().values
    gaps = torch.diff(angles, append=angles[:1] + torch.pi)
    away = torch.cat([W.norm(dim=0) / W.norm(dim=0).mean() - 1, gaps / (torch.pi / 5) - 1])
    return bool((away.abs() <= tol).all())


# %% misconception="train" part="is_pentagon"
def columns_taken_in_order(W, tol=0.1):
    "Angles are measured from column to column. Neighbours are decided by angle: sort the angles first."
    angles = torch.atan2(W[1], W[0])
    gaps = (angles.roll(-1) - angles) % (2 * torch.pi)
    away = torch.cat([W.norm(dim=0) / W.norm(dim=0).mean() - 1, gaps / (2 * torch.pi / 5) - 1])
    return bool((away.abs() <= tol).all())


# %% misconception="train" part="is_pentagon"
def fifth_gap_is_left_out(W, tol=0.1):
    "Only four of the five angles are looked at. The fifth goes from the last arrow past ±π round to the first."
    gaps = torch.atan2(W[1], W[0]).sort().values.diff()
    away = torch.cat([W.norm(dim=0) / W.norm(dim=0).mean() - 1, gaps / (2 * torch.pi / 5) - 1])
    return bool((away.abs() <= tol).all())


# %% misconception="train" part="is_pentagon"
def lengths_do_not_matter(W, tol=0.1):
    "Only the angles are looked at: with one arrow twice as long it is no regular pentagon any more."
    return is_pentagon(W / W.norm(dim=0).clamp_min(1e-12), tol)


# %% misconception="train" part="is_pentagon"
def nan_is_a_pentagon(W, tol=0.1):
    "NaN slips through: `NaN > tol` is false. Ask whether all are within tol, not whether none is beyond it."
    lengths, angles = W.norm(dim=0), torch.atan2(W[1], W[0]).sort().values
    gaps = torch.diff(angles, append=angles[:1] + 2 * torch.pi)
    away = torch.cat([lengths / lengths.mean() - 1, gaps / (2 * torch.pi / 5) - 1])
    return not bool((away.abs() > tol).any())


# %% alternative="train"
def adam_by_hand(W, b, batches, importance, lr):
    numbers = [W.detach().clone(), b.detach().clone()]
    first, second = [[torch.zeros_like(n) for n in numbers] for _ in range(2)]
    for t in range(len(batches)):
        leaves = [n.clone().requires_grad_() for n in numbers]
        loss = toy.weighted_loss(batches[t], toy.forward(batches[t], *leaves), importance)
        for n, g, m, v in zip(numbers, torch.autograd.grad(loss, leaves), first, second):
            m.lerp_(g, 0.1)
            v.lerp_(g * g, 0.001)
            size = (v / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8
            n -= lr * (len(batches) - t) / len(batches) * m / (1 - 0.9 ** (t + 1)) / size
    return numbers[0], numbers[1]


# %% alternative="train"
def with_a_scheduler(W, b, batches, importance, lr):
    W, b = torch.nn.Parameter(W.clone()), torch.nn.Parameter(b.clone())
    adam = torch.optim.Adam([W, b], lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(adam, lambda t: 1 - t / len(batches))
    for x in batches:
        adam.zero_grad()
        error = torch.relu((x @ W.mT) @ W + b.unsqueeze(1)) - x
        ((error**2 * importance.unsqueeze(1)).sum() / x[0].numel()).backward()
        adam.step()
        schedule.step()
    return W.data, b.data


# %% alternative="train" part="is_pentagon"
def turned_back_in_the_complex_plane(W, tol=0.1):
    z = torch.complex(W[0], W[1])[torch.complex(W[0], W[1]).angle().argsort()]
    if not bool(z.isfinite().all()) or z.abs().min() < 1e-6:
        return False
    gaps = (z.roll(-1) / z).angle() % (2 * torch.pi)
    away = max((gaps * 2.5 / torch.pi - 1).abs().max(), (z.abs() - z.abs().mean()).abs().max() / z.abs().mean())
    return away.item() <= tol


# %% [markdown]
# ## How many features does a dimension hold?
#
# Now take a hundred features in ten dimensions, which no picture will show you. As features get rarer, does the number
# that the model stores grow smoothly, or in jumps?

# %%
stored = predict(
    "A hundred features in ten dimensions, each on once in three examples: how many get a column longer than 1/2?",
    ...,
    "features",
)

# %% [markdown]
# To count them without deciding which ones are "in", use their lengths. A feature that the model has learned has a
# column of length about 1 (it should come out as large as it went in), a dropped one has length 0. So the squared
# Frobenius norm $\lVert W\rVert_F^2 = \sum_i\lVert W_i\rVert^2$ is about the number of learned features, and
#
# $$y = \frac{m}{\lVert W\rVert_F^2}$$
#
# is the number of *dimensions per feature*: $m$ hidden dimensions over the features that share them
# ([Elhage et al. 2022](https://transformer-circuits.pub/2022/toy_model/index.html), "The Geometry of Superposition").
# It is plotted over $x = 1/(1-S) = 1/p$: a feature of sparsity $S$ is on with probability $p = 1-S$, which is once in
# $x$ examples. Three cases, with $m = 10$ and $n = 100$:
#
# | the model stores … | $\lVert W\rVert_F^2$ | $y$ |
# |---|---|---|
# | ten features, one on each axis | 10 | 1 |
# | ten pairs back to back | 20 | 1/2 |
# | all hundred, each of length 1 | 100 | 1/10 |


# %% exercise="dimensions_per_feature" points=1 minutes=10 difficulty=1 importance=3
def dimensions_per_feature(
    W: Float[Tensor, "inst hidden feats"], p: Float[Tensor, "inst"]
) -> tuple[Float[Tensor, "inst"], Float[Tensor, "inst"]]:
    """x = 1/p = 1/(1 − S) and y = m/‖W‖_F² of each instance (Elhage et al. 2022, "The Geometry of Superposition").

    m is the number of hidden dimensions, p the probability that a feature of the instance is on.

    >>> dimensions_per_feature(torch.tensor([[[1.0, -1.0, 0.0]]]), torch.tensor([0.25]))  # a pair shares one dimension
    (tensor([4.]), tensor([0.5000]))
    """
    # BEGIN SOLUTION
    learned = W.square().sum(dim=(1, 2))  # inst: about the number of features that have a place
    return 1 / p, W.shape[1] / learned
    # END SOLUTION


# %%
check(dimensions_per_feature)

# %% [markdown] hint=1
# The axes of `W` are instance, hidden dimension, feature. Which are gone in $\lVert W\rVert_F^2$, and which stays?

# %% [markdown] hint=2
# $\lVert W\rVert_F^2$ is the sum of the squares of *all* entries of one instance's matrix: no root, no singular values.
# And $m$ is the number of hidden dimensions, not of features.

# %% [markdown] hint=3
# `W.square().sum(dim=(1, 2))` has one number per instance. Two quotients come back, $x$ first: what stands over what?

# %%
# Eleven sparsities, one instance each: 100 equally important features in 10 dimensions.
rarity = torch.tensor([1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 30, 100])  # 1/(1-S)
feats = 100
hidden = 10

p = (1 / rarity)[:, None].expand(-1, feats)
torch.manual_seed(0)
start = 0.1 * torch.randn(len(p), hidden, feats), torch.zeros(len(p), feats)
W, b = train(*start, Batches(1500, 128, p, progress=True), torch.ones(len(p), feats), 0.01)

x, y = dimensions_per_feature(W, p[:, 0])
lengths = W.norm(dim=1)  # inst feats
for k in range(len(p)):
    longer = (lengths[k] > 0.5).sum()
    longest = lengths[k].topk(2 * hidden).values.mean()
    print(f"1/(1-S) = {x[k]:<5.1f} m/|W|² = {y[k]:.2f}   {longer:>2} columns longer than 1/2", end=", ")
    print(f"the {2 * hidden} longest have {longest:.1f} on average")
stored.came_out((lengths[rarity == 3] > 0.5).sum(), within=4)

# Six sets of starts and batches moved y by up to 0.02 at these x, other rates and run lengths by up to 0.03.
for rare, expected, tolerance in [(1, 1, 0.03), (3, 0.5, 0.03), (5, 0.35, 0.03), (10, 0.23, 0.02), (100, 0.08, 0.015)]:
    assert (y[rarity == rare] - expected).abs() < tolerance, (rare, y)
axes = {"x_title": "1/(1−S)", "y_title": "dimensions per feature", "log_x": True, "markers": True}
title = "A hundred features in ten dimensions: dimensions per feature"
plots.line(x, {"m/‖W‖²": y}, title=title, guides={"1": 1.0, "1/2": 0.5}, **axes)

# %%
# Behind the average: every dot is a feature.
shown = {}
for i in (0, 1, 4, 6, 8, 9, 10):
    shown[f"1/(1−S) = {rarity[i]:g}"] = toy.dimensionality(W[i])
title = "Dimensionality of a hundred features in ten dimensions"
plots.dimensionality_strip(list(shown.values()), list(shown), title=title, guides={"1/2": 1 / 2, "2/5": 2 / 5})

# %% [markdown]
# In jumps, at first. The curve falls from 1 to about 1/2 between $x = 1$ and $2.5$, rests there a while, and then goes
# down for good, over 0.37, 0.23 and 0.08 at 5, 10 and 100. At $x = 3$ twenty columns are long, eighty are gone: ten
# dimensions, ten pairs back to back. A pair is a good bargain, because ReLU cuts off what one leaves on the other. So
# the model keeps to pairs for some time although features get rarer, until shares of 2/5 and less come.
#
# Don't trust $y$ at the two ends. At $x = 1$ the curve says one dimension per feature, but no feature there has one:
# hardly a column is longer than 1/2. The model keeps ten *directions* of the data, and $\lVert W\rVert_F^2 \approx 10$
# counts those. At the other end 0.08 would be 125 features, where there are 100: the columns have grown longer than 1
# to make up for a negative bias. So $y$ counts features only where lengths are about 1. And it is an average: whether
# all features have half a dimension, or a few have a whole one and the rest nothing, only the strip can tell.


# %% misconception="dimensions_per_feature"
def length_without_the_square(W, p):
    "‖W‖_F is the root of the sum of squares; here its square is wanted: ten features of length 1 should count as ten."
    return 1 / p, W.shape[1] / W.norm(dim=(1, 2))


# %% misconception="dimensions_per_feature"
def largest_singular_value(W, p):
    "This is the spectral norm, the stretch in one direction. The Frobenius norm adds up the squares of all entries."
    return 1 / p, W.shape[1] / torch.linalg.matrix_norm(W, ord=2) ** 2


# %% misconception="dimensions_per_feature"
def counts_dropped_features_too(W, p):
    "This divides by all n features. Features that the model dropped share no dimension: count by the squared lengths."
    return 1 / p, torch.full_like(p, W.shape[1] / W.shape[2])


# %% misconception="dimensions_per_feature"
def features_per_dimension(W, p):
    "This is features per dimension, upside down: a pair that shares one dimension should give 1/2, not 2."
    return 1 / p, W.square().sum(dim=(1, 2)) / W.shape[1]


# %% misconception="dimensions_per_feature"
def takes_p_for_the_sparsity(W, p):
    "x is 1/(1−S), and p is already 1−S: it is the probability to be on. Dense features (p = 1) belong at x = 1."
    return 1 / (1 - p), W.shape[1] / W.square().sum(dim=(1, 2))


# %% misconception="dimensions_per_feature"
def all_instances_in_one_norm(W, p):
    "The norm runs over all instances together, so each model is charged with the features of all of them."
    return 1 / p, torch.full_like(p, W.shape[1]) / W.square().sum()


# %% alternative="dimensions_per_feature"
def one_model_at_a_time(W, p):
    y = [w.shape[0] / (w * w).sum() for w in W]
    return p.reciprocal(), torch.stack(y)


# %% alternative="dimensions_per_feature"
def trace_of_the_gram_matrix(W, p):
    gram = W.double().mT @ W.double()
    return p**-1, (W.size(1) / gram.diagonal(dim1=1, dim2=2).sum(dim=1)).to(W.dtype)
