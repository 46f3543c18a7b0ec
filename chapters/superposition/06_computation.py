# %% [markdown]
# # Computing in superposition

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict, reference  # noqa: F401

toy = reference("superposition")  # the exercises of earlier sections, solved

# %% [markdown]
# ## Can ten neurons compute ten absolute values?
#
# So far your models only *stored* features: squeeze them into a few dimensions, read them out again. A network must
# also do something with them, and it does it in neurons. So give a layer of neurons the simplest job that no linear
# map can do: taking absolute values
# ([Elhage et al. 2022](https://transformer-circuits.pub/2022/toy_model/index.html), "Computation in Superposition").
# One feature needs two neurons for it, because a ReLU sees one side only:
#
# $$|x| = \mathrm{ReLU}(x) + \mathrm{ReLU}(-x)$$
#
# Ten features would need twenty neurons. You have ten. Will the model do five features perfectly and leave five alone,
# or do all ten badly? And does it matter how often a feature is on? Let us count a feature as computed if its error is
# less than three quarters of what it costs to answer with the average of $|x|$; one neuron, one side, brings it to
# half.

# %%
dense = predict("Ten neurons, ten features, always on: how many absolute values are computed?", ..., "values")
rare = predict("Ten neurons, ten features, on one time in fifty: how many absolute values are computed?", ..., "values")

# %% [markdown]
# The model has one hidden layer, and this time the hidden layer has a ReLU of its own:
#
# $$h = \mathrm{ReLU}(W_1 x), \qquad y = \mathrm{ReLU}(W_2 h + b)$$
#
# $W_1$ says which features each neuron reads, $W_2$ what the neuron is used for. They are not each other's transpose
# any more. The hidden layer has no bias: where no feature is on, every neuron is off. That is on purpose. We want to
# count which features a neuron works for, and a neuron with a bias of its own fires for *every* feature, and even when
# none is on.
#
# The data are those of the first section with one change: when a feature is on, its value is drawn evenly from
# $[-1, 1]$. The loss is the squared error against $|x|$, weighted by importance. You have written both before, so
# both are given here. What is new is the model, and a way to look into it.
#
# Three cases to work out in your head, all with one feature and $b=0$:
#
# | $W_1$ | $W_2$ | $y$ at $x=-0.5$ | at $x=0.5$ |
# |---|---|---|---|
# | $(1)$ | $(1)$ | 0 | 0.5: one neuron, one side |
# | $(1, -1)$ | $(1, 1)$ | 0.5 | 0.5: two neurons make $\lvert x\rvert$ |
# | $(2, -2)$ | $(\frac12, \frac12)$ | 0.5 | 0.5: the gain of a neuron is free |
#
# **And how many features does a neuron read?** Row $j$ of $W_1$ holds a neuron's weights. Counting those that are not
# zero won't do: after training none is exactly zero, and a weight of 0.01 beside one of 1 is not half of what the
# neuron does. You want a number that is 1 when one feature has all the weight, $n$ when $n$ features have equal parts,
# and something in between when a second feature is weak. The *participation ratio* does it:
#
# $$N_j = \frac{\big(\sum_i W_{1,ji}^2\big)^2}{\sum_i W_{1,ji}^4}$$
#
# | a neuron's weights | $N_j$ |
# |---|---|
# | $(0, -3, 0)$ | 1 |
# | $(1, -1, 0)$ | 2 |
# | $(1, \frac12, 0)$ | $(1\frac14)^2/1\frac1{16} = 1.47$ |
# | all zero: it reads none | 0, by convention |
#
# Write the model's `forward` and this count. Every instance has weights of its own, as before: axis 0 of everything
# in the model. The count gets the $W_1$ of one instance.


# %% exercise="AbsModel" points=3 minutes=25 difficulty=2 importance=3
class AbsModel(torch.nn.Module):
    """One hidden layer of ReLU neurons that should give |x|: y = ReLU(W2 ReLU(W1 x) + b).

    (Elhage et al. 2022, "Computation in Superposition")

    >>> pair = AbsModel(torch.tensor([[[2.0], [-2.0]]]), torch.tensor([[[0.5, 0.5]]]), torch.zeros(1, 1))
    >>> pair(torch.tensor([[[-0.5], [0.25]]])).flatten().tolist()  # one instance, two samples, one feature
    [0.5, 0.25]
    """

    def __init__(
        self,
        W1: Float[Tensor, "inst hidden feats"],
        W2: Float[Tensor, "inst feats hidden"],
        b: Float[Tensor, "inst feats"],
    ):
        super().__init__()
        self.W1 = torch.nn.Parameter(W1.detach().clone())
        self.W2 = torch.nn.Parameter(W2.detach().clone())
        self.b = torch.nn.Parameter(b.detach().clone())

    def forward(self, x: Float[Tensor, "inst batch feats"]) -> Float[Tensor, "inst batch feats"]:
        """y = ReLU(W2 h + b) with h = ReLU(W1 x); the hidden layer has no bias."""
        # BEGIN SOLUTION
        h = torch.relu(x @ self.W1.transpose(1, 2))  # inst batch hidden
        return torch.relu(h @ self.W2.transpose(1, 2) + self.b[:, None, :])
        # END SOLUTION

    def loss(self, x: Float[Tensor, "inst batch feats"], importance: Float[Tensor, "inst feats"]) -> Float[Tensor, ""]:
        """Importance-weighted squared error of self(x) against |x|: mean over batch and features, sum over inst."""
        return toy.weighted_loss(x.abs(), self(x), importance)


def features_per_neuron(W1: Float[Tensor, "hidden feats"]) -> Float[Tensor, "hidden"]:
    """How many features share a neuron's squared weights: 1 when one has all, n when n have equal parts.

    For each neuron it is (Σ_i w_i²)² / Σ_i w_i⁴ over its row of W1; 0 for a neuron that has no weights.

    >>> features_per_neuron(torch.tensor([[0.0, -3.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]))
    tensor([1., 2., 0.])
    """
    # BEGIN SOLUTION
    squares = W1.square()
    total = squares.sum(dim=1)  # hidden
    shares = squares / total.where(total > 0, 1.0)[:, None]  # of a neuron's squared weights; they sum to 1
    return torch.where(total > 0, 1 / shares.square().sum(dim=1), 0.0)
    # END SOLUTION


# %%
check(AbsModel, features_per_neuron)

# %% [markdown] hint=1
# `forward`: which axis do `x` and `W1` share, and which one must the product sum over? The count: what would happen to
# $N_j$ if you multiplied a whole row by 10? And if the row is all zeros?

# %% [markdown] hint=2
# With the instances in front, `@` multiplies matrix by matrix, one per instance. `x` is `[inst, batch, feats]`, `W1` is
# `[inst, hidden, feats]`: swap the last two axes of one of them. `b` lacks the batch axis. For the count, both sums run
# over the features, `dim=1`, and $0/0$ needs a guard.

# %% [markdown] hint=3
# `h = torch.relu(x @ self.W1.transpose(1, 2))` gives the hidden layer, `[inst, batch, hidden]`; the output layer has
# the same form, with one term more. For the count, `total = W1.square().sum(dim=1)` is the inner sum of the numerator;
# where it is 0 the answer is 0.

# %% [markdown]
# ## What does a neuron work for?
#
# Train it: ten features, ten neurons, each feature 0.8 times as important as the one before. There are three settings
# of $p$ and eight models for each, from different starts, all of them side by side on the instance axis. ($W_2$ starts
# without negative weights, so that no output is dead before training has begun.)

# %%
n = 10  # features
m = 10  # neurons
starts = 8  # models per setting
probabilities = [1.0, 0.1, 0.02]
importance = 0.8 ** torch.arange(n)


def draw(batch: int, p: Float[Tensor, "inst feats"]) -> Float[Tensor, "inst batch feats"]:
    """Sparse data whose values are uniform in [-1, 1]: a magnitude, and a fair coin for its sign."""
    magnitudes = toy.generate_batch(len(p), batch, p)
    signs = torch.randint(0, 2, magnitudes.shape) * 2 - 1
    return magnitudes * signs


def train(p: Float[Tensor, "inst feats"], steps: int = 2000, lr: float = 0.01) -> AbsModel:
    W1 = torch.randn(len(p), m, n) / n**0.5
    W2 = torch.randn(len(p), n, m).abs() / m**0.5
    model = AbsModel(W1, W2, torch.zeros(len(p), n))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min(1, 2 * (1 - step / steps))  # constant, then down to zero
        optimizer.zero_grad()
        loss = model.loss(draw(128, p), importance / p)  # / p: rare features make small losses
        loss.backward()
        optimizer.step()
    return model.requires_grad_(False)


torch.manual_seed(0)
p = torch.tensor(probabilities).repeat_interleave(starts)[:, None].expand(-1, n)
model = train(p)

# %% [markdown]
# Training gets stuck here more often than it did for storing. So of the eight starts we look at the one with the
# lowest loss, and say what the worst one got. Each loss is given as a share of the *variance* of $|x|$: a model that
# knows only the averages has 1, a perfect one 0. The yardstick is the plan you may have guessed: a pair of neurons
# for each of the five most important features, and the averages for the others.

# %%
x = draw(10_000, p)
errors = ((model(x) - x.abs()) ** 2).mean(dim=1)  # inst feats
spread = x.abs().var(dim=1)  # inst feats
left_over = ((errors @ importance) / (spread @ importance)).view(-1, starts)  # p start
five_pairs = float(importance[m // 2 :].sum() / importance.sum())
best = [starts * k + int(left_over[k].argmin()) for k in range(len(probabilities))]

computed = (errors < 0.75 * spread).sum(dim=1)[best]  # p; one side of a feature is worth 0.5
for k, prob in enumerate(probabilities):
    features = features_per_neuron(model.W1[best[k]])
    print(f"p = {prob:<4}  left over: best {left_over[k].min():.2f}, worst {left_over[k].max():.2f}", end="   ")
    print(f"(five pairs: {five_pairs:.2f})   computed: {computed[k]} of {n}", end="   ")
    print(f"features per neuron: {features.mean():.1f}, at most {features.max():.1f}")

# Dense: the best start is five pairs. Within 10 %, since pairs for the sixth feature and not the fifth cost only 7 %.
assert abs(left_over[0].min() / five_pairs - 1) < 0.1, left_over[0]
assert left_over[2].min() < 0.9 * five_pairs, left_over[2]  # sparse: superposition does better
dense.came_out(computed[0], within=1)
rare.came_out(computed[2], within=1)

# %%
rows = model.W1[best[0]]  # a neuron's gain is free, so show each row at length 1
plots.stacks(rows / rows.norm(dim=1, keepdim=True), title="p = 1: the features that each of the ten neurons reads")

# %%
rows = model.W1[best[2]]
plots.stacks(rows / rows.norm(dim=1, keepdim=True), title="p = 0.02: the features that each of the ten neurons reads")

# %% [markdown]
# With every feature always on, the plan is exactly what you find: ten neurons, five features, one neuron for the
# positive side of each and one for the negative (hatched). The other five outputs are a constant, the average of
# $|x|$.
#
# With features on one time in fifty, a neuron reads two or three features, one's positive side and another's negative
# side. Far more than five features are computed, at least on one side, and the loss is less than half that of the five
# clean pairs. The more important a feature, the more nearly it has neurons to itself: look for 0, then for 9. So
# superposition is not only a way to store. You can calculate in it, and a neuron that looks like a muddle of
# unrelated features is what the better solution is made of.
#
# **What happens in between?** Choose how often a feature is on, and predict how much a neuron reads.

# %%
p_own = 0.3  # from 0.02 to 1
reads = predict(
    f"Features are on with probability {p_own:g}. How many features does a neuron of the best start read, on average?",
    ...,
    "features",
)

# %%
torch.manual_seed(0)
own = train(torch.full((starts, n), p_own), steps=1000, lr=0.02)
x_own = draw(10_000, torch.full((starts, n), p_own))
lowest = (((own(x_own) - x_own.abs()) ** 2).mean(dim=1) @ importance).argmin()
counts = features_per_neuron(own.W1[lowest])
print("features per neuron:", ", ".join(f"{count:.1f}" for count in counts.sort().values))
reads.came_out(counts.mean(), within=0.3)

# %% [markdown]
# ## Why are single neurons worth looking at here?
#
# In the first sections you never asked what coordinate 1 of the hidden space meant, and rightly: turn that space by
# any rotation $Q$, $W \to QW$, and $W^\top W$ stays the same, so the model does too. Nothing prefers one set of axes.
# Here, turn $W_1 \to QW_1$ and $W_2 \to W_2Q^\top$. The product $W_2 W_1$ stays the same again. Will the loss?

# %%
turned = predict(
    "The ten neuron axes of the |x| model are rotated. Does its loss stay the same?",
    ...,
    among=["it stays the same", "it falls", "it grows"],
)

# %%
k = best[0]  # the dense model; try best[2] too
x0 = x[k : k + 1]
W1, W2, b = model.W1[k : k + 1], model.W2[k : k + 1], model.b[k : k + 1]
W = torch.randn(1, m, n)  # a storing model
rotated = torch.linalg.qr(torch.randn(m, m)).Q
shuffled = torch.eye(m)[torch.randperm(m)]

changes, losses = {}, {}
for name, turn in [("as trained", torch.eye(m)), ("axes shuffled", shuffled), ("axes rotated", rotated)]:
    losses[name] = loss = AbsModel(turn @ W1, W2 @ turn.T, b).loss(x0, importance[None]).item()
    changes[name] = (toy.forward(x0, turn @ W, b) - toy.forward(x0, W, b)).abs().max()
    print(f"{name:<13}  |x| model: loss {loss:.3f}   storing model: largest change of an output {changes[name]:.3f}")
assert max(changes.values()) < 1e-3  # rounding: the storing model has no preferred axes
factor = losses["axes rotated"] / losses["as trained"]
turned.came_out("it grows" if factor > 1.01 else "it falls" if factor < 0.99 else "it stays the same")

# %% [markdown]
# Shuffling the neurons changes nothing, rotating them ruins the model: $\mathrm{ReLU}(Qz) \ne Q\,\mathrm{ReLU}(z)$. A
# ReLU looks at one coordinate at a time, and that singles the coordinates out. The basis is *privileged*: what a
# single neuron does is a question with an answer. It need not be a simple one, as the second picture shows. A
# privileged basis makes neurons meaningful, not monosemantic. (The storing model has a ReLU as well, but on the
# output, where it singles out the features' own axes and says nothing about the hidden ones.)
#
# Keep three limits in mind. The pictures and the count show $W_1$, what a neuron *reads*. What it is used for is in
# $W_2$, and a neuron may well read a feature in order to *cancel* an error it would make elsewhere. They show the best
# of eight starts each, and at small $p$ no two starts agree. And these neurons have no bias. A neuron that has one
# fires when no feature is on, looks used by every feature, and fools any count that goes by what neurons *do*: in a
# real model, subtract what a neuron does on nothing before you count.


# %% misconception="AbsModel"
class NoReluInTheHiddenLayer(AbsModel):
    """The hidden layer has lost its ReLU, so W2 W1 is one linear map and no linear map folds -x onto x."""

    def forward(self, x):
        return torch.relu(x @ self.W1.mT @ self.W2.mT + self.b[:, None])


# %% misconception="AbsModel"
class NoReluAtTheOutput(AbsModel):
    """The output has lost its ReLU. The ReLU is what cuts away small interference once b is a little negative."""

    def forward(self, x):
        return torch.relu(x @ self.W1.mT) @ self.W2.mT + self.b[:, None]


# %% misconception="AbsModel"
class BiasInTheHiddenLayer(AbsModel):
    """The bias acts before the hidden ReLU. Then neurons fire when nothing is on, and look used by every feature.
    b belongs to the outputs: one number per feature, added after W2."""

    def forward(self, x):
        return torch.relu(torch.relu((x + self.b[:, None]) @ self.W1.mT) @ self.W2.mT)


# %% misconception="AbsModel"
class BiasAfterTheLastRelu(AbsModel):
    """The bias is added after the output ReLU. A negative bias should turn a weak output off, not make it negative."""

    def forward(self, x):
        return torch.relu(torch.relu(x @ self.W1.mT) @ self.W2.mT) + self.b[:, None]


# %% misconception="AbsModel"
class AbsoluteValueOfTheInput(AbsModel):
    """`forward` takes the absolute value of x itself, so there is nothing left for the neurons to compute.
    Feed them x with its sign; |x| is only the target of the loss."""

    def forward(self, x):
        return super().forward(x.abs())


# %% misconception="AbsModel"
class FirstInstanceForAll(AbsModel):
    """Every instance runs with the first one's weights. Keep the instance axis: swap only the last two axes."""

    def forward(self, x):
        return torch.relu(torch.relu(x @ self.W1[0].T) @ self.W2[0].T + self.b[0])


# %% misconception="AbsModel"
class CutOffFromItsWeights(AbsModel):
    """The weights are used through `.data` or `.detach()`, so no gradient reaches them and training changes nothing."""

    def forward(self, x):
        W1, W2 = self.W1.detach(), self.W2.detach()
        return torch.relu(torch.relu(x @ W1.mT) @ W2.mT + self.b[:, None])


# %% misconception="AbsModel" part="features_per_neuron"
def shares_of_the_size(W1):
    """The weights enter by their size, not by their squares: a weak second feature counts for too much then."""
    size = W1.abs()
    total = size.sum(dim=1)
    return torch.where(total > 0, total.square() / size.square().sum(dim=1).clamp_min(1e-20), 0.0)


# %% misconception="AbsModel" part="features_per_neuron"
def counts_weights_that_are_not_zero(W1):
    """Every weight that is not exactly zero counts as a whole feature. After training that is all of them."""
    return (W1 != 0).sum(dim=1).to(W1.dtype)


# %% misconception="AbsModel" part="features_per_neuron"
def numerator_is_not_squared(W1):
    """The count depends on a neuron's gain: multiply a row by 2 and it becomes a quarter. The numerator is the *square*
    of the sum of squares."""
    return W1.square().sum(dim=1) / W1.pow(4).sum(dim=1).clamp_min(1e-20)


# %% misconception="AbsModel" part="features_per_neuron"
def neurons_per_feature(W1):
    """This is one number per feature: how many neurons read it. Here one number per neuron is wanted: sum over
    features, along a row."""
    squares = W1.square()
    return squares.sum(dim=0).square() / squares.square().sum(dim=0).clamp_min(1e-20)


# %% misconception="AbsModel" part="features_per_neuron"
def a_neuron_without_weights_is_nan(W1):
    """A row of zeros gives 0/0, which is NaN. By convention such a neuron reads no feature: 0."""
    return W1.square().sum(dim=1).square() / W1.pow(4).sum(dim=1)


# %% alternative="AbsModel"
class WithEinsum(AbsModel):
    def forward(self, x):
        h = torch.einsum("ihf,ibf->ibh", self.W1, x).clamp_min(0)
        return (torch.einsum("ifh,ibh->ibf", self.W2, h) + self.b.unsqueeze(1)).clamp_min(0)


# %% alternative="AbsModel"
class OneInstanceAtATime(AbsModel):
    def forward(self, x):
        outputs = []
        for xi, W1, W2, b in zip(x, self.W1, self.W2, self.b, strict=True):
            hidden = torch.nn.functional.linear(xi, W1).relu()
            outputs.append(torch.nn.functional.linear(hidden, W2, b).relu())
        return torch.stack(outputs)


# %% alternative="AbsModel" part="features_per_neuron"
def neuron_by_neuron(W1):
    counts = []
    for row in W1.double():
        fourth = sum(float(w) ** 4 for w in row)
        counts.append(sum(float(w) ** 2 for w in row) ** 2 / fourth if fourth else 0.0)
    return torch.tensor(counts, dtype=W1.dtype)


# %% alternative="AbsModel" part="features_per_neuron"
def as_the_equation_stands(W1):
    return (W1.square().sum(dim=1).square() / W1.pow(4).sum(dim=1)).nan_to_num(0.0)
