# %% [markdown]
# # Superposition and memorisation
#
# All models of this chapter got fresh examples at every step, so there was nothing to learn but the features. Real
# models see a finite pile of text, and they can repeat some of it word for word. If the toy model gets only five
# examples, again and again, what will it put into its two dimensions: features, or the examples? And how could you tell
# from the weights? This capstone takes most of what you built in the chapter: sparse batches, the model and its loss,
# training many instances at once, and dimensionality.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, lab, models, plots, predict, reference

toy = reference("superposition")  # the exercises of earlier sections, solved


class Samples:
    """Batches for `toy.train`: `batch` examples per step for each instance, out of training sets [inst, T, feats].

    A set of at most `batch` examples is shown whole at every step (its examples repeated in turn); from a larger one
    examples are drawn at random. The sets' instances follow each other in the order of the list.
    """

    def __init__(self, sets: list[Tensor], batch: int, steps: int):
        self.sets, self.batch, self.steps = sets, batch, steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self):
        for _ in range(self.steps):
            yield torch.cat([X[:, self._which(X.shape[1])] for X in self.sets])

    def _which(self, T: int) -> Tensor:
        return torch.arange(self.batch) % T if self.batch >= T else torch.randint(0, T, (self.batch,))


# %% [markdown]
# ## How much room does each example get?
#
# The experiment is that of
# [Henighan et al. 2023](https://transformer-circuits.pub/2023/toy-double-descent/index.html) ("Superposition,
# Memorization, and Double Descent"). Draw $T$ examples $x_1 \dots x_T$ once, scale each to length one, and train the
# ReLU model on these and no others. The scaling makes examples comparable: no example is worth more of the model's room
# than another, and the loss of a model that outputs zero is exactly 1, with any number of features. An example in which
# no feature is on has no direction to be scaled along; it is drawn again, until none is left.
#
# Inside the model, example $t$ is the hidden vector $h_t = W x_t$, a point in the same plane as the columns $W_i$ of
# the features. So you can ask of it what you asked of a feature. Walk along its direction $\hat h_t$: which vectors
# cast a shadow there? Only this time the neighbours are the *other examples*:
#
# $$D_i = \frac{\lVert W_i\rVert^2}{\sum_j (\hat W_i\cdot W_j)^2}\qquad
# D^{\text{data}}_t = \frac{\lVert h_t\rVert^2}{\sum_s (\hat h_t\cdot h_s)^2}$$
#
# It is one formula, applied to two sets of vectors that lie in the same plane. Work some cases out in your head:
#
# | training set | $D^{\text{data}}$ |
# |---|---|
# | one example that the model sees at all | 1 |
# | two examples, stored back to back | 1/2 each |
# | five examples, stored a fifth of a turn apart | 2/5 each |
# | an example stored twice as long as another in the same direction | 4/5 and 1/5 |
# | one example that is in the set three times, and no other | 1/3 each |
# | an example with dropped features only, $h_t = 0$ | 0, by convention |
#
# Which of the two sets of vectors will be spread evenly over the plane when there are five examples? And what becomes
# of fresh examples when there are fifty?

# %%
even = predict(
    "80 features, two dimensions, five training examples. Which get more equal shares of the plane?",
    ...,
    among=["the features", "the examples"],
)
at_fifty = predict(
    "Fifty training examples. How does the loss on fresh examples compare with 1, the loss of outputting zero?",
    ...,
    among=["well below 1", "about 1", "well above 1"],
)

# %% [markdown]
# You write the experiment's three instruments: the training set, the two losses (on these examples, and on fresh ones),
# and the two dimensionalities. Each works on many instances at once, and none lets them mix.


# %% exercise="memorisation" points=4 minutes=50 difficulty=4 importance=4
def training_set(n_inst: int, T: int, p: Float[Tensor, "#inst feats"]) -> Float[Tensor, "n_inst T feats"]:
    """T examples for each instance: sparse as in `toy.generate_batch`, none of them empty, each of length one.

    Feature i of instance k is on with probability p[k, i] (p[0, i] if p has one row), with a magnitude from U[0, 1] of
    its own. An example with no feature on is drawn again as a whole, until every example has at least one
    (no row of p is all 0).
    Then each example is divided by its Euclidean length. Random numbers come from torch's global generator, afresh at
    every call.

    >>> training_set(1, 2, torch.tensor([[0.0, 1.0, 0.0]])).round(decimals=3)  # a single feature, always on
    tensor([[[0., 1., 0.],
             [0., 1., 0.]]])
    """
    # BEGIN SOLUTION
    X = toy.generate_batch(n_inst, T, p)
    while (empty := (X == 0).all(dim=-1, keepdim=True)).any():
        X = torch.where(empty, toy.generate_batch(n_inst, T, p), X)
    return X / X.norm(dim=-1, keepdim=True)
    # END SOLUTION


def train_and_test_loss(
    W: Float[Tensor, "inst hidden feats"],
    b: Float[Tensor, "inst feats"],
    X: Float[Tensor, "inst T feats"],
    p: Float[Tensor, "#inst feats"],
    n_test: int,
) -> tuple[Float[Tensor, "inst"], Float[Tensor, "inst"]]:
    """Each instance's loss on its own training examples X, and on n_test fresh ones drawn like them.

    The loss of an instance is its squared error ‖x − x̂‖², summed over features and averaged over examples, with
    x̂ = ReLU(WᵀWx + b) as in `toy.forward`. The fresh examples come from `training_set`, with the same p.

    >>> W, b, X = torch.zeros(1, 2, 3), torch.zeros(1, 3), torch.eye(3)[None]
    >>> train_and_test_loss(W, b, X, torch.tensor([[0.0, 1.0, 0.0]]), 4)  # it outputs zero, the examples have length 1
    (tensor([1.]), tensor([1.]))
    """
    # BEGIN SOLUTION
    fresh = training_set(len(W), n_test, p)
    train, test = ((toy.forward(x, W, b) - x).pow(2).sum(dim=-1).mean(dim=-1) for x in (X, fresh))
    return train, test
    # END SOLUTION


def memorisation(
    W: Float[Tensor, "inst hidden feats"], X: Float[Tensor, "inst T feats"]
) -> tuple[Float[Tensor, "inst feats"], Float[Tensor, "inst T"]]:
    """How much of a hidden dimension each feature gets, and how much each example does, in every instance by itself.

    The first is the dimensionality of the columns of W, the second that of the hidden vectors h_t = W x_t among each
    other; 0 for a zero vector. An example that is in X several times counts each time. The instances share nothing.
    Henighan et al. 2023 define the second.

    >>> W = torch.tensor([[[1.0, -1.0]]])  # an antipodal pair of features in one dimension,
    >>> memorisation(W, torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]]))  # three examples in the same one
    (tensor([[0.5000, 0.5000]]), tensor([[0.3333, 0.3333, 0.3333]]))
    """
    # BEGIN SOLUTION
    hidden = W @ X.transpose(1, 2)  # inst hidden T
    features, examples = (torch.stack([toy.dimensionality(w) for w in vectors]) for vectors in (W, hidden))
    return features, examples
    # END SOLUTION


# %%
check(memorisation, training_set, train_and_test_loss)

# %% [markdown] hint=1
# You have all the pieces: which earlier exercises draw sparse examples, rebuild them, and give the dimensionality of
# the columns of one matrix? And which matrix has the hidden vectors of the examples as its *columns*?

# %% [markdown] hint=2
# `toy.dimensionality` takes one matrix [hidden, feats], so ask it once for each instance and stack the answers. The
# examples lie on the rows of `X`, and it wants columns: `W @ X.transpose(1, 2)`. For empty examples, a mask and
# `torch.where` inside a `while` replace them without touching the others.

# %% [markdown] hint=3
# `empty = (X == 0).all(dim=-1, keepdim=True)`; while `empty.any()`, take a new batch where it is true. What is left to
# do at the end? One loss is `(toy.forward(x, W, b) - x).pow(2).sum(-1).mean(-1)`: for which two `x`, and how many fresh
# ones? One dimensionality is `torch.stack([toy.dimensionality(w) for w in vectors])`: for which two sets of vectors?

# %%
# The experiment: 80 features, each on in 3% of the examples, two hidden dimensions, three seeds for each T.
# About 15 seconds.
from tqdm import tqdm

SIZES = [5, 10, 20, 50, 100, 300, 1000, 10000]  # T
SEEDS = 3
STEPS = 4000
FEATS = 80

torch.manual_seed(0)
p = torch.full((1, FEATS), 0.03)
sets = [training_set(SEEDS, T, p) for T in SIZES]
n_inst = len(SIZES) * SEEDS
start = 0.1 * torch.randn(n_inst, 2, FEATS), torch.zeros(n_inst, FEATS)
samples = tqdm(Samples(sets, 100, STEPS), mininterval=1)
W, b = toy.train(*start, samples, torch.ones(n_inst, FEATS), 0.01)
W, b = W.split(SEEDS), b.split(SEEDS)  # for each T: [seed, 2, FEATS] and [seed, FEATS]

# %%
losses, D_features, D_examples = [], [], []
for k, X in enumerate(sets):
    losses.append(train_and_test_loss(W[k], b[k], X, p, 5000))
    features, examples = memorisation(W[k], X)
    D_features.append(features)  # seed FEATS
    D_examples.append(examples)  # seed T

for T, (train, test) in zip(SIZES, losses):
    fresh = f"{test.median():.1f}" if test.median() < 1.2 else "above 1.2"
    print(f"T = {T:5}: loss on the training set {train.median():.1f}, on fresh examples {fresh} (medians)")
test_at = {T: test.median() for T, (_, test) in zip(SIZES, losses)}
assert test_at[50] > 1.2 and test_at[10000] < 1  # eight runs of this kind gave 2 to 16, and 0.9
at_fifty.came_out("well above 1" if test_at[50] > 1.2 else "about 1" if test_at[50] > 0.8 else "well below 1")

# %%
# T = 5, all seeds: how even is the room that the examples get, and how far apart do they lie?
hidden = W[0] @ sets[0].transpose(1, 2)  # seed 2 T
angle = torch.atan2(hidden[:, 1], hidden[:, 0]).sort(dim=1).values.rad2deg()  # seed T
gaps = torch.cat([angle[:, 1:], angle[:, :1] + 360], dim=1) - angle
print(f"gaps between neighbouring examples {gaps.min():.0f} to {gaps.max():.0f} degrees")
print(f"dimensionality: examples {D_examples[0].mean():.2f} on average, features {D_features[0].mean():.3f}")
# Memorised examples need no perfect pentagon, only thresholds that tell them apart; other runs gave gaps of 66 to 76
assert gaps.min() > 50 and gaps.max() < 95
assert abs(D_examples[0].mean() - 0.4) < 0.01  # exactly 2/5 if the five vectors favour no direction
uneven_features, uneven_examples = (D[0].std() / D[0].mean() for D in (D_features, D_examples))
even.came_out("the examples" if uneven_examples < uneven_features else "the features")

# %%
# Now look: the same plane, once with the features in it, once with the examples (each panel has its own scale)
shown = (0, 3, 7)  # places in SIZES
vectors, titles = [], []
for k in shown:
    vectors.append(W[k][0])
    titles.append(f"T = {SIZES[k]}, features")
for k in shown:
    vectors.append((W[k][0] @ sets[k][0].T)[:, :40])
    titles.append(f"T = {SIZES[k]}, examples")
panels = torch.zeros(len(vectors), 2, FEATS)
for panel, some in zip(panels, vectors):
    panel[:, : some.shape[1]] = some / some.norm(dim=0).max()
plots.arrows(panels, titles=titles, title="Above the features, below the first 40 examples at most")

# %% [markdown]
# With five examples the model stored five *examples*: they make the pentagon, and the features lie about as they must
# for it. With ten thousand it's the other way round: five of the features make the pentagon, the others are all but
# dropped, and the examples fall where their features put them. With fifty, neither picture has a shape.

# %%
# And how the room is shared, in one instance of each size
kept, groups = [], []
for k in (0, 1, 3, 5, 7):
    kept.append(D_features[k][0])
    groups.append(f"T = {SIZES[k]}, features")
    kept.append(D_examples[k][0][:200])
    groups.append(f"T = {SIZES[k]}, examples")
plots.dimensionality_strip(kept, groups, title="What gets the two dimensions?", guides={"2/5": 2 / 5}, x_title="")

# %%
train = torch.stack([on_training for on_training, _ in losses])  # T seed
test = torch.stack([on_fresh for _, on_fresh in losses])  # T seed
medians, ranges = {}, {}
for name, loss in {"training set": train.clamp_min(0.01), "fresh examples": test}.items():  # 0 is not on a log axis
    medians[name] = loss.median(dim=1).values
    ranges[name] = (loss.amin(dim=1), loss.amax(dim=1))
plots.line(
    torch.tensor(SIZES),
    medians,
    bands=ranges,
    title="Loss over the size of the training set: median and range of three seeds",
    x_title="examples in the training set, T",
    y_title="loss (below 0.01 drawn there)",
    guides={"outputs zero": 1.0},
    log_x=True,
    log_y=True,
    markers=True,
)

# %% [markdown]
# The same two dimensions hold five examples or five features. On a small set the cheapest way to a loss of zero is a
# lookup table, written in superposition: the model sees one example at a time, so examples can lie as close as the
# thresholds allow. On a large set no table fits, and what pays are the features that the examples have in common.
#
# In between both fail, and the loss on fresh examples shows it: with fifty examples it is several times the loss of a
# model that outputs zero, with five and with ten thousand it stays just below. That is the peak of *double descent*.
# The model tells fifty examples apart by long columns and sharp thresholds, and a fresh example runs into them. How
# high the peak is differs from seed to seed, by a factor of ten and more (look at the band), and in a trial of ours it
# was lower when the weights decayed; where it lies depends on the features, their density and the training. None of it
# is graded.
#
# Some care is due. *The averages are empty*: 0.40 for five examples and 0.025 for eighty features are just 2/5 and
# 2/80, what you get for dividing two dimensions by the number of vectors. Only the spread of the dots tells what is
# stored. *One doesn't exclude the other*: at T = 5 some features reach a third of a dimension too, those that occur in
# a single example. *An example can be a feature*: in a set where every example had one feature only, the two
# dimensionalities would count the same vectors. And Henighan et al. worked with 10,000 features and far longer
# training: that the two ends look like theirs doesn't make the curves between them theirs.
#
# **How many can it learn by heart?** Choose a number of examples and predict what loss is left on them.

# %%
T_own = 8  # training examples, from 2 to 200
left = predict(f"{T_own} training examples, two dimensions: what is the loss on these examples after training?", ...)

# %%
torch.manual_seed(1)
X = training_set(SEEDS, T_own, p)
start = 0.1 * torch.randn(SEEDS, 2, FEATS), torch.zeros(SEEDS, FEATS)
W_own, b_own = toy.train(*start, Samples([X], 100, 2000), torch.ones(SEEDS, FEATS), 0.02)
train, test = train_and_test_loss(W_own, b_own, X, p, 5000)
print("on the training set", [f"{loss:.2f}" for loss in train], "on fresh examples", [f"{loss:.1f}" for loss in test])
left.came_out(train.median(), within=0.1)


# %% misconception="memorisation" part="training_set"
def leaves_the_lengths(n_inst, T, p):
    "The examples aren't of length one. Divide each by the square root of its own sum of squares."
    X = toy.generate_batch(n_inst, T, p)
    while (empty := (X == 0).all(dim=-1, keepdim=True)).any():
        X = torch.where(empty, toy.generate_batch(n_inst, T, p), X)
    return X


# %% misconception="memorisation" part="training_set"
def keeps_or_repairs_empty_examples(n_inst, T, p):
    """Examples with no feature on were kept (as zeros or NaN), drawn again only once, or given a feature. Draw the
    whole example again, until none is empty: then examples with a single feature aren't too common either."""
    X = toy.generate_batch(n_inst, T, p)
    return X / X.norm(dim=-1, keepdim=True).clamp_min(1e-8)


# %% misconception="memorisation" part="training_set"
def one_set_for_all(n_inst, T, p):
    "All instances got the same examples. Then several seeds are one seed: draw a training set for each."
    return training_set(1, T, p[:1]).repeat(n_inst, 1, 1) if len(p) == 1 else training_set(n_inst, T, p)


# %% misconception="memorisation" part="training_set"
def the_first_set_for_all(n_inst, T, p):
    """All instances got the same examples, drawn with the first row of p. Draw a training set for each of them, with
    row k of p for instance k."""
    return training_set(1, T, p[:1]).repeat(n_inst, 1, 1)


# %% misconception="memorisation" part="training_set"
def one_density_for_all(n_inst, T, p):
    "Every instance was drawn with the probabilities of the first row of p. Row k belongs to instance k."
    return training_set(n_inst, T, p[:1])


# %% misconception="memorisation" part="training_set"
def fills_empty_examples_with_copies(n_inst, T, p):
    """There are copies among the examples: it looks as if an empty one became a copy of another. Draw it again."""
    X = toy.generate_batch(n_inst, T, p)
    while (X == 0).all(dim=-1).all(dim=-1).any():
        X = toy.generate_batch(n_inst, T, p)
    for examples in X:
        empty = (examples == 0).all(dim=-1)
        others = examples[~empty]
        examples[empty] = others[torch.randint(0, len(others), (int(empty.sum()),))]
    return X / X.norm(dim=-1, keepdim=True)


# %% misconception="memorisation" part="training_set"
def the_same_set_at_every_call(n_inst, T, p):
    """Every call returns the same examples, so "fresh" test examples are the training examples again. Is a seed set
    inside?"""
    torch.manual_seed(0)
    return training_set(n_inst, T, p)


# %% misconception="memorisation" part="train_and_test_loss"
def the_same_test_at_every_call(W, b, X, p, n_test):
    "Every call tests on the same examples. Is a seed set inside? Fresh means fresh at every call."
    torch.manual_seed(0)
    return train_and_test_loss(W, b, X, p, n_test)


# %% misconception="memorisation" part="train_and_test_loss"
def as_many_as_in_the_training_set(W, b, X, p, n_test):
    "The number of test examples doesn't depend on n_test. Draw n_test of them for each instance."
    return train_and_test_loss(W, b, X, p, X.shape[1])


# %% misconception="memorisation" part="train_and_test_loss"
def tests_without_the_bias(W, b, X, p, n_test):
    "The test loss is that of a model without b. Rebuild the fresh examples as the others: with W and with b."
    return train_and_test_loss(W, b, X, p, n_test)[0], train_and_test_loss(W, 0 * b, X, p, n_test)[1]


# %% misconception="memorisation" part="train_and_test_loss"
def tests_on_the_training_set(W, b, X, p, n_test):
    "The test examples are training examples. A model that memorised looks perfect then: draw fresh ones."
    X_test = X[:, torch.randint(0, X.shape[1], (n_test,))]
    train, test = ((toy.forward(x, W, b) - x).pow(2).sum(dim=-1).mean(dim=-1) for x in (X, X_test))
    return train, test


# %% misconception="memorisation" part="train_and_test_loss"
def tests_on_other_data(W, b, X, p, n_test):
    "The test examples have another length than the training examples. Draw them in the same way: `training_set`."
    X_test = toy.generate_batch(len(W), n_test, p)
    train, test = ((toy.forward(x, W, b) - x).pow(2).sum(dim=-1).mean(dim=-1) for x in (X, X_test))
    return train, test


# %% misconception="memorisation" part="train_and_test_loss"
def averages_over_features(W, b, X, p, n_test):
    "The squared error is averaged over features. Sum over them, so that outputting zero costs 1, and average examples."
    X_test = training_set(len(W), n_test, p)
    train, test = ((toy.forward(x, W, b) - x).pow(2).mean(dim=(1, 2)) for x in (X, X_test))
    return train, test


# %% misconception="memorisation" part="train_and_test_loss"
def averages_over_instances(W, b, X, p, n_test):
    "The losses of all instances are averaged. Each is a seed of its own: return one number for each."
    X_test = training_set(len(W), n_test, p)
    train, test = ((toy.forward(x, W, b) - x).pow(2).sum(dim=-1).mean().expand(len(W)) for x in (X, X_test))
    return train, test


# %% misconception="memorisation"
def features_crowd_the_examples(W, X):
    "The columns of W crowd the examples here. The neighbours of an example are the other examples' hidden vectors."
    hidden = W @ X.transpose(1, 2)
    directions = hidden / hidden.norm(dim=1, keepdim=True).clamp_min(1e-8)
    shadows = (directions.transpose(1, 2) @ W).pow(2).sum(dim=2).clamp_min(1e-12)
    return memorisation(W, X)[0], hidden.pow(2).sum(dim=1) / shadows


# %% misconception="memorisation"
def examples_in_their_own_space(W, X):
    "This is the dimensionality of the examples x themselves. The model's dimensions are shared by h = W x."
    return memorisation(W, X)[0], torch.stack([toy.dimensionality(x.T) for x in X])


# %% misconception="memorisation"
def reconstructions_for_hidden_vectors(W, X):
    "WᵀW x is back among the features. The room that's shared is the hidden plane: stop at W x."
    rebuilt = W.transpose(1, 2) @ W @ X.transpose(1, 2)
    return memorisation(W, X)[0], torch.stack([toy.dimensionality(r) for r in rebuilt])


# %% misconception="memorisation"
def unit_hidden_vectors(W, X):
    "The hidden vectors were made unit vectors first. The examples have length one, their hidden vectors needn't."
    hidden = W @ X.transpose(1, 2)
    hidden = hidden / hidden.norm(dim=1, keepdim=True).clamp_min(1e-8)
    return memorisation(W, X)[0], torch.stack([toy.dimensionality(h) for h in hidden])


# %% misconception="memorisation"
def both_normalised(W, X):
    "Both vectors of each shadow are unit vectors. Only the direction you walk along is: a long neighbour crowds more."
    hidden = W @ X.transpose(1, 2)
    directions = hidden / hidden.norm(dim=1, keepdim=True).clamp_min(1e-8)
    shadows = (directions.transpose(1, 2) @ directions).pow(2).sum(dim=2)
    return memorisation(W, X)[0], hidden.pow(2).sum(dim=1) / shadows.clamp_min(1e-12)


# %% misconception="memorisation"
def equal_examples_count_once(W, X):
    "Examples that are there several times were merged. Each counts: three in one direction have a third each."
    result = []
    for w, x in zip(W, X):
        different, which = x.unique(dim=0, return_inverse=True)
        result.append(toy.dimensionality(w @ different.T)[which])
    return memorisation(W, X)[0], torch.stack(result)


# %% misconception="memorisation"
def instances_crowd_each_other(W, X):
    "The examples of all instances were thrown together. Models don't share a plane: take the instances one by one."
    hidden = W @ X.transpose(1, 2)
    together = hidden.transpose(0, 1).flatten(1)  # hidden (inst T)
    return memorisation(W, X)[0], toy.dimensionality(together).view(len(W), -1)


# %% misconception="memorisation"
def one_seed_for_all(W, X):
    "Every instance was answered with the weights of the first. Each has its own W."
    return memorisation(W[:1].expand_as(W), X)


# %% misconception="memorisation"
def averaged_over_seeds(W, X):
    "The dimensionalities were averaged over instances. Feature 3 of one seed isn't feature 3 of another: keep them."
    return tuple(d.mean(dim=0, keepdim=True).expand_as(d) for d in memorisation(W, X))


# %% misconception="memorisation"
def a_zero_vector_is_nan(W, X):
    "A dropped feature, or an example made of such only, has no direction: 0/0. Its dimensionality is 0, by convention."
    result = []
    for vectors in (W, W @ X.transpose(1, 2)):
        directions = vectors / vectors.norm(dim=1, keepdim=True)
        result.append(vectors.pow(2).sum(dim=1) / (directions.transpose(1, 2) @ vectors).pow(2).sum(dim=2))
    return tuple(result)


# %% alternative="memorisation" part="training_set"
def replaces_rows(n_inst, T, p):
    X = toy.generate_batch(n_inst, T, p)
    rows, densities = X.flatten(0, 1), p.expand(n_inst, -1).repeat_interleave(T, dim=0)
    while len(todo := (rows.sum(dim=1) == 0).nonzero().flatten()):
        rows[todo] = toy.generate_batch(len(todo), 1, densities[todo])[:, 0]
    return torch.nn.functional.normalize(rows, dim=1).view(n_inst, T, -1)


# %% alternative="memorisation" part="train_and_test_loss"
def one_instance_at_a_time(W, b, X, p, n_test):
    fresh, losses = training_set(W.shape[0], n_test, p), ([], [])
    for k in range(W.shape[0]):
        for x, into in ((X[k], losses[0]), (fresh[k], losses[1])):
            into.append(((torch.relu(x @ W[k].T @ W[k] + b[k]) - x) ** 2).sum() / len(x))
    return torch.stack(losses[0]), torch.stack(losses[1])


# %% alternative="memorisation"
def through_gram_matrices(W, X):
    # D = G_ii² / Σ_j G_ij², so no direction is ever divided by a length
    result = []
    for vectors in (W.double(), (W @ X.mT).double()):
        gram = vectors.mT @ vectors
        result.append((gram.diagonal(dim1=1, dim2=2) ** 2 / gram.square().sum(-1)).nan_to_num(0.0).to(W.dtype))
    return result


# %% alternative="memorisation"
def in_loops(W, X):
    def shares(vectors):  # a list of hidden vectors
        return [
            0.0 if v.norm() == 0 else (v @ v / sum((v / v.norm() @ u) ** 2 for u in vectors)).item() for v in vectors
        ]

    features = [shares(list(w.T)) for w in W]
    examples = [shares([w @ x for x in xs]) for w, xs in zip(W, X)]
    return torch.tensor(features, dtype=W.dtype), torch.tensor(examples, dtype=W.dtype)


# %% [markdown]
# ## What transfers to real models, and what doesn't
#
# You've reached the end of the chapter. What of it may you expect to meet in a language model?
#
# **What transfers is the idea, and the instruments.** That models hold more features than dimensions is the working
# hypothesis behind all dictionaries of the next chapter, and what they find is the best support for it: in a
# layer of 512 neurons thousands of latents that can be given a name
# ([Bricken et al. 2023](https://transformer-circuits.pub/2023/monosemantic-features/index.html), "Towards
# Monosemanticity"). In the early layers of language models single neurons serve many unrelated features, which sparse
# combinations of neurons tell apart ([Gurnee et al. 2023](https://arxiv.org/abs/2305.01610), "Finding Neurons in a
# Haystack"). Some features need more than one dimension
# ([Engels et al. 2024](https://arxiv.org/abs/2405.14860)). Real models memorise as well: text that stood in a single
# training document was extracted from GPT-2 word for word ([Carlini et al. 2021](https://arxiv.org/abs/2012.07805),
# "Extracting Training Data from Large Language Models"). Overlaps, dimensionality, the comparison with random vectors,
# fresh data: all can be measured anywhere.
#
# **What doesn't transfer are the shapes and the numbers.** The pentagon, the plateau at one half and the phase diagram
# belong to features that are independent, equally distributed and *known*. In a real model features differ in frequency
# and importance by orders of magnitude, they occur together, and the directions of some related ones lie in clusters
# (those that Engels et al. started from). You are not given the features: a direction found by a dictionary is a guess
# about one. Real layers compute, ours mostly stored. And whether a large model keeps a memorised text in the way in
# which ours kept five examples isn't known.
#
# So measure, and put a *null* beside what you measure: the same number for vectors that have nothing to do with the
# model, here random ones. Try it on the small language model that ships with the course (you meet it in chapter 2; it
# has 128 dimensions and was trained on sentences made from templates).

# %%
spread = predict(
    "Compared with random directions, how evenly are those spread in which the neurons of one layer write?",
    ...,
    among=["more evenly", "about as evenly", "less evenly"],
)

# %%
# Directions in which one MLP of the model writes, and the embeddings of its words, beside random directions
layer = 1
model = lab("pocket").model
W_out = model.blocks[layer].mlp.W_out.detach()  # neurons d_model
W_E = model.W_E.detach()  # words d_model
number, d_model = W_out.shape

torch.manual_seed(0)
sets = {
    "random": torch.randn(number, d_model),
    f"W_out of layer {layer}": W_out,
    f"W_E, {number} words": W_E[torch.randperm(len(W_E))[:number]],
}


def describe(sets):
    """Coherence, dimensions in use and dimensionality of each set of directions, with and without its mean."""
    in_use = {}
    for name, rows in sets.items():
        for what, vectors in ((name, rows), (f"{name}, minus the mean", rows - rows.mean(dim=0))):
            unit = torch.nn.functional.normalize(vectors, dim=1)
            in_use[what] = len(unit) ** 2 / (unit @ unit.T).pow(2).sum().item()  # dimensions, were they used evenly
            low, middle, high = toy.dimensionality(vectors.T).quantile(torch.tensor([0.05, 0.5, 0.95])).tolist()
            print(f"{what:32s} coherence {toy.coherence(vectors.T):.2f}", end="   ")
            print(f"dimensions in use {in_use[what]:3.0f}", end="   ")
            print(f"dimensionality {middle:.2f} (90% between {low:.2f} and {high:.2f})")
    return in_use


print(f"The Welch bound for {number} directions in {d_model} dimensions is {toy.welch(number, d_model):.3f}")
in_use = describe(sets)
relative = in_use[f"W_out of layer {layer}"] / in_use["random"]
spread.came_out("less evenly" if relative < 0.9 else "more evenly" if relative > 1.1 else "about as evenly")
if layer == 1:
    assert in_use["W_out of layer 1"] < 0.75 * in_use["random"]
    assert in_use["W_E, 512 words"] < in_use["W_E, 512 words, minus the mean"] < 0.5 * in_use["random"]

# %% [markdown]
# Less evenly. Random directions use 102 of the 128 dimensions, the neurons' outputs 63. The words use 24, and 40 when
# their common mean is subtracted; that is why each set is shown with and without it. A feature that shares a crowded
# direction also gets less of a dimension: 0.12 and 0.07 in the middle, where random vectors get 0.20. The coherence
# near 1 tells least: it takes no more than one pair of near copies.
#
# Does that prove superposition? No. These are the directions of *neurons* and *words*; the features are what you don't
# have yet. Nor does it say anything about large models, whose text is not made from templates. How to get at features
# is the subject of the next chapter.
#
# With a connection to a model hub you can put the same questions to gpt2-small, at 3,072 directions in 768 dimensions.
# Its null: no pair much above 0.2, some 615 dimensions in use, and a dimensionality near 0.2 for all.

# %%
gpt2 = models.from_hub("gpt2")
if gpt2 is not None:
    W_out = gpt2.transformer.h[6].mlp.c_proj.weight.detach()  # neurons d_model
    W_E = gpt2.transformer.wte.weight.detach()  # tokens d_model
    torch.manual_seed(0)
    describe({"random": torch.randn(3072, 768), "W_out of layer 6": W_out, "W_E": W_E[torch.randperm(50257)[:3072]]})
