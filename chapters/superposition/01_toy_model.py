# %% [markdown]
# # A toy model of superposition

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict

# %% [markdown]
# Can a model keep five things in two numbers?
#
# Five unknowns, two equations: it should not be possible. Yet a language model whose residual stream has a few hundred
# numbers seems to know far more than a few hundred things. In this chapter you build the smallest model that does the
# impossible ([Elhage et al. 2022](https://transformer-circuits.pub/2022/toy_model/index.html), *Toy Models of
# Superposition*), and find out what it pays for it.
#
# **At the end of this section** you will be able to make data whose features are sparse, and say exactly what "sparse"
# means there. You will have written the two-line model that squeezes features through too few dimensions and reads them
# out again, and the price of its mistakes, for many copies of it at once. And you will see that it beats every linear
# model.
#
# **How to work.** You fill in the functions that end in `raise NotImplementedError`. The cell below each of them holds
# `check(fn)`, which tells you at once how you did. Every line of its report is a fact about the subject that your
# function was tried on; the first that doesn't hold is spelled out:
#
# ```
# ✗ superposition/weighted_loss: 6 of 10 checks pass.
#   ✓ a perfect reconstruction costs nothing
#   ✗ one mistake is shared over the batch and the features
#   …
#     Called    weighted_loss(<1×3×5 tensor>, <1×3×5 tensor>, tensor([[1., 1., 1., 1., 1.]]))
#     Expected  tensor(0.1444)
#     Got       tensor(0.7219)
#     Look at: What is averaged? Both the rows of the batch and the features are, neither is summed.
# ```
#
# Where your mistake is one that others have made before you, the report also says which. Stuck? `hint(fn)` gives a
# nudge, and more at each call. Two rules hold everywhere. **Results keep the dtype of the tensors you are given**:
# float64 in, float64 out, random numbers included. And **arguments are never changed**: work on a copy. A loop is as
# good an answer as an `einsum`.
#
# **Guess first.** Before some results a cell asks what you expect: `predict("…?", ...)`. Put your guess in place of the
# dots. Nothing is graded, and a guess that fails teaches more than one that holds. When the result is there, it is
# shown beside your guess; `saelab status` lists them all.
#
# | letter | in the code | what it is |
# |---|---|---|
# | | `inst` | instances: copies of the model trained side by side, each with weights of its own |
# | $B$ | `batch` | rows of data that an instance sees at once |
# | $n$ | `feats` | *features*: properties of the data, here simply the entries of $x$ |
# | $m$ | `hidden` | hidden numbers that the model has to keep them in; it gets interesting when $m < n$ |
# | $p$, $S$ | `p` | probability that a feature is on, that is, not zero; papers mostly quote the sparsity $S = 1 - p$ |
# | $I$ | `importance` | what a mistake in a feature costs |
# | $W$, $b$ | `W`, `b` | weights `[inst, hidden, feats]`, bias `[inst, feats]`; column $W_i$ belongs to feature $i$ |

# %% [markdown]
# ## What does a sparse feature look like?
#
# Most things that could be true of a sentence are not. It mentions no castle, isn't in French, quotes no law. The toy
# keeps just this: a feature is nearly always off, and when it is on, it is on by some amount. How often do two of them
# get in each other's way?

# %%
crowded = predict(
    "Five features, each on in one row out of twenty. Of the rows where anything is on, what share has two or more on?",
    ...,
    "%",
)

# %% [markdown]
# Every entry of $x$ is drawn independently of every other, over instances, rows and features alike:
#
# $$x_i = \begin{cases} u_i & \text{with probability } p_i\\ 0 & \text{otherwise}\end{cases}\qquad u_i\sim U[0,1]$$
#
# The magnitude $u_i$ is independent of the coin that switched the feature on: when a rare feature is there, it is as
# large as a common one. Three cases to hold on to:
#
# | $p_i$ | what you see | mean of $x_i$ |
# |---|---|---|
# | 0 | nothing, ever | 0 |
# | 1/20 | nothing, except in one row out of twenty, where it is 1/2 on average | 1/40 |
# | 1 | dense data: on in every row | 1/2 |


# %% exercise="generate_batch" points=2 minutes=15 difficulty=2 importance=4
def generate_batch(n_inst: int, batch: int, p: Float[Tensor, "#inst feats"]) -> Float[Tensor, "n_inst batch feats"]:
    """Sparse data: each entry is on with its probability p and then U[0, 1]; an entry that is off is exactly 0.

    `p` has one row per instance, or a single row that all instances share. Every entry is independent of all
    others (instances, rows, features), and how large it is of whether it is on. Each call draws anew from torch's
    global random numbers. (Elhage et al. 2022, "Demonstrating Superposition")

    >>> x = generate_batch(2, 3, torch.tensor([[0.0, 1.0]]))
    >>> (x[1] > 0).tolist()  # the first feature is never on, the second always
    [[False, True], [False, True], [False, True]]
    """
    # BEGIN SOLUTION
    shape = (n_inst, batch, p.shape[-1])
    on = torch.rand(shape, dtype=p.dtype) < p[:, None, :]  # an instance's p serves all rows of its batch
    return torch.where(on, torch.rand(shape, dtype=p.dtype), 0.0)
    # END SOLUTION


# %%
check(generate_batch)

# %% [markdown] hint=1
# Whether an entry is on, and how large it is: how many random numbers does a batch need?

# %% [markdown] hint=2
# A number from U[0, 1] is below $p$ with probability $p$. Compare one such number for every entry with `p`. Which of
# the three axes does `p` lack, and how do you give it one?

# %% [markdown] hint=3
# `on = torch.rand(shape, dtype=p.dtype) < p[:, None, :]` with `shape = (n_inst, batch, p.shape[-1])`; a single row of
# `p` broadcasts over the instances by itself. The magnitudes are a second draw of that shape. Where are they kept, and
# what stands everywhere else?

# %%
# Each line is a row of data, each column a feature. From which p on would you call this sparse?
densities = [0.5, 0.1, 0.02]  # one picture per density: try others
feats = 30

torch.manual_seed(0)
p = torch.tensor(densities)[:, None].repeat(1, feats)
x = generate_batch(len(densities), 24, p)
for density, on in zip(densities, (x > 0).sum(dim=2).float().mean(dim=1)):
    print(f"p = {density:<4}  features on in a row: {on:.1f}, expected: {density * feats:.1f}")
titles = [f"p = {density:g}, S = {1 - density:g}" for density in densities]
plots.heat_map(x, title=f"{feats} features", x="feature", y="row of data", unit="x", titles=titles)

# %%
# Five features, each on in one row out of twenty
x = generate_batch(1, 200_000, torch.full((1, 5), 1 / 20))
number_on = (x > 0).sum(dim=2)
share = (number_on >= 2).sum() / (number_on >= 1).sum()
crowded.came_out(100 * share)

# %% [markdown]
# Where does this number come from? Five features with $p = 1/20$ leave a row empty with probability $.95^5 = .77$ and
# put exactly one on with $5\cdot .05\cdot .95^4 = .20$; only 2 % of the rows have two or more. **Where anything happens
# at all, nine times in ten it is a single feature.** With $p = 1/2$ it is one time in six. Keep this in mind: a model
# that gets confused only when two features are on at once has little to fear from sparse data.
#
# Real data are not like this. There, features come in families (castles and kings), some are a thousand times rarer
# than others, and you are not given the list. Families return in exercise 1.10; the missing list is why there are
# sparse autoencoders.


# %% misconception="generate_batch"
def probability_taken_for_sparsity(n_inst, batch, p):
    "Features are on with probability 1 − p, as if p were the sparsity S. A number from U[0, 1] is below p that often."
    return generate_batch(n_inst, batch, 1 - p)


# %% misconception="generate_batch"
def half_the_probability(n_inst, batch, p):
    "Features are on half as often as they should be. Is a number from U[0, 1] compared with p itself?"
    return generate_batch(n_inst, batch, p / 2)


# %% misconception="generate_batch"
def one_mask_for_all_rows(n_inst, batch, p):
    "In an instance every row has the same features on. Each row of the batch needs coins of its own."
    on = torch.rand(n_inst, 1, p.shape[-1], dtype=p.dtype) < p[:, None]
    return torch.where(on, torch.rand(n_inst, batch, p.shape[-1], dtype=p.dtype), 0.0)


# %% misconception="generate_batch"
def always_float32(n_inst, batch, p):
    "The batch is float32 whatever p is. `torch.rand` draws float32 unless you ask for another dtype: that of p here."
    return generate_batch(n_inst, batch, p.float())


# %% misconception="generate_batch"
def one_mask_for_all_instances(n_inst, batch, p):
    "All instances compare the same random numbers with p, so their features go on together. Draw for each instance."
    on = torch.rand(batch, p.shape[-1], dtype=p.dtype) < p[:, None]
    return torch.where(on, torch.rand(n_inst, batch, p.shape[-1], dtype=p.dtype), 0.0)


# %% misconception="generate_batch"
def the_coin_is_the_magnitude(n_inst, batch, p):
    """How large a feature is depends on how rare it is: what is on is never larger than p. Draw the magnitudes anew,
    whatever number was compared with p."""
    coin = torch.rand(n_inst, batch, p.shape[-1], dtype=p.dtype)
    return torch.where(coin < p[:, None], coin, 0.0)


# %% misconception="generate_batch"
def one_magnitude_for_a_row(n_inst, batch, p):
    "All features of a row have the same magnitude. The magnitudes need a feature axis of their own."
    return (generate_batch(n_inst, batch, p) > 0) * torch.rand(n_inst, batch, 1, dtype=p.dtype)


# %% misconception="generate_batch"
def the_first_row_of_p_for_everyone(n_inst, batch, p):
    "Every instance uses the same row of p. Each has one of its own, so that a single run can try many sparsities."
    return generate_batch(n_inst, batch, p[:1])


# %% misconception="generate_batch"
def the_same_batch_at_every_call(n_inst, batch, p):
    "Every call returns the same batch, and the model would only ever see that one. Is a seed set inside?"
    torch.manual_seed(0)
    return generate_batch(n_inst, batch, p)


# %% alternative="generate_batch"
def bernoulli_times_uniform(n_inst, batch, p):
    on = p.unsqueeze(1).expand(n_inst, batch, -1).bernoulli()
    return on * torch.rand_like(on)


# %% alternative="generate_batch"
def stretches_the_coin(n_inst, batch, p):
    coin = torch.rand(n_inst, batch, p.shape[-1], dtype=p.dtype)  # given that it is below p, coin / p is U[0, 1]
    return torch.where(coin < p[:, None], coin / p[:, None], 0.0)


# %% [markdown]
# ## How do you read five features out of two numbers?
#
# Squeezing is easy, any matrix does it: $h = Wx$ has $m$ numbers instead of $n$. Feature $i$ adds $x_i$ times its
# column $W_i$ to $h$. Reading out is the question. For each feature the toy measures how much of $h$ lies along the
# feature's own column, shifts this by a bias and cuts off what is negative
# ([Elhage et al. 2022](https://transformer-circuits.pub/2022/toy_model/index.html), "Demonstrating Superposition"):
#
# $$\hat x = \mathrm{ReLU}(W^\top W x + b),\qquad \hat x_i = \mathrm{ReLU}\Big(\sum_j (W_i\cdot W_j)\,x_j + b_i\Big)$$
#
# The same $W$ serves on the way in and on the way out: the weights are *tied*. The term $j=i$ is the feature itself,
# all others are *interference*: what the readout of feature $i$ picks up from features that are not at a right angle to
# it. All this happens for `inst` models side by side, each with its own $W$, $b$ and rows of data. Now guess, before
# the table tells: **what is the ReLU good for, if the features were never negative to begin with?**
#
# | with $b=0$ | $W^\top W x$ for $x = (a, 0)$ | after the ReLU |
# |---|---|---|
# | two features at a right angle, unit length | $(a, 0)$ | $(a, 0)$ |
# | two features back to back, $W = (1, -1)$ | $(a, -a)$ | $(a, 0)$: it cut the interference away |
# | two features in the same direction, $W = (1, 1)$ | $(a, a)$ | $(a, a)$: nothing can be done |


# %% exercise="forward" points=2 minutes=15 difficulty=2 importance=5
def forward(
    x: Float[Tensor, "inst batch feats"], W: Float[Tensor, "inst hidden feats"], b: Float[Tensor, "inst feats"]
) -> Float[Tensor, "inst batch feats"]:
    """ReLU(WᵀW x + b) for each row of x, by the W and b of its instance (Elhage et al. 2022, "Demonstrating
    Superposition").

    >>> back_to_back = torch.tensor([[[1.0, -1.0]]])  # one instance, one hidden number, two features
    >>> forward(torch.tensor([[[0.5, 0.0]]]), back_to_back, torch.zeros(1, 2))
    tensor([[[0.5000, 0.0000]]])
    """
    # BEGIN SOLUTION
    h = x @ W.transpose(1, 2)  # inst batch hidden
    return torch.relu(h @ W + b[:, None, :])
    # END SOLUTION


# %%
check(forward)

# %% [markdown] hint=1
# The equation has $x$ as a column, your data has it as rows. What does $Wx$ become when $x$ is a row?

# %% [markdown] hint=2
# `@` multiplies the last two axes and carries the instances along. The way in is `[batch, feats] @ [feats, hidden]`,
# the way out `[batch, hidden] @ [hidden, feats]`: one of the two is `W` as it is. And which axis does `b` lack?

# %% [markdown] hint=3
# `h = x @ W.transpose(1, 2)` is the way in, `[inst, batch, hidden]`. The bias gets its missing axis as `b[:, None, :]`.
# What is left is the way out, and the order of bias and ReLU.

# %%
# Place five features by hand, on the corners of a pentagon. Which of them will be mistaken for which?
angle = torch.arange(5) * 2 * torch.pi / 5
pentagon = torch.stack([angle.cos(), angle.sin()])  # hidden feats
plots.arrows(pentagon, title="Five features, two dimensions")

# %%
# Switch one feature on at a time (one line each), and see what comes out of all five.
one_on = torch.eye(5)[None]  # inst=1, five rows with one feature on
no_bias = torch.zeros(1, 5)
c = angle[1].cos()  # cos 72°: what comes out of a neighbour
longer = pentagon[None] / (1 - c).sqrt()
bias = torch.full((1, 5), float(-c / (1 - c)))
steps = {
    "WᵀWx": (pentagon.T @ pentagon)[None],
    "and a ReLU": forward(one_on, pentagon[None], no_bias),
    "and a bias of −0.31": forward(one_on, pentagon[None], no_bias - c),
    "and longer arrows": forward(one_on, longer, bias),
}
labels = {"x": "feature that comes out", "y": "feature that is on", "unit": "x̂", "titles": list(steps)}
plots.heat_map(torch.cat(list(steps.values())), title="One feature is on at a time", **labels)

# %%
# Two inputs of your choice: which features are on, and by how much?
by_half = torch.tensor([0.5, 0.0, 0.0, 0.0, 0.0])
two_at_once = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0])
for x_row in (by_half, two_at_once):
    out = forward(x_row[None, None], longer, bias)[0, 0]
    print(f"in {x_row.tolist()}  out {[round(number, 2) for number in out.tolist()]}")

# %% [markdown]
# Each panel takes one step. The linear readout gives every feature four echoes, two of $\cos 72° = .31$ and two of
# $\cos 144° = -.81$. The ReLU removes the large ones, since they are negative. That is what it is good for, and why the
# far side of the circle is a fine place for another feature. A bias of $-.31$ removes the other two, but the right
# answer becomes .31 too small; longer arrows (and a bias to match, $-.45$) make up for it. Five features come out of
# two numbers without a mistake.
#
# Without a mistake on *these five inputs*. The printed lines show two others. Feature 0 on by half comes out as .28,
# since the bias subtracts as much from small values as from large ones. And when 0 and 2 are on at once, both are lost,
# and feature 1, which was off, comes out as .45. Whether the bargain pays depends on how often such rows come up, and
# you know that number: at $p=1/20$, one in ten of those where anything is on.


# %% misconception="forward"
def no_relu(x, W, b):
    "The ReLU is missing: without it the model is linear, and interference below zero stays in the answer."
    return x @ W.mT @ W + b[:, None]


# %% misconception="forward"
def relu_on_the_hidden_numbers(x, W, b):
    "A second ReLU cuts the hidden numbers. They are coordinates and may be negative; only the output is cut."
    return torch.relu(torch.relu(x @ W.mT) @ W + b[:, None])


# %% misconception="forward"
def forgets_the_bias(x, W, b):
    "The bias is not used: it has to be added before the ReLU."
    return torch.relu(x @ W.mT @ W)


# %% misconception="forward"
def bias_before_the_squeeze(x, W, b):
    "The bias was added to x on the way in. It belongs to the way out: W maps to the hidden numbers first, then back."
    return torch.relu((x + b[:, None]) @ W.mT @ W)


# %% misconception="forward"
def bias_after_the_relu(x, W, b):
    "The bias was added after the ReLU, so it can't cut any interference, and outputs can be negative."
    return torch.relu(x @ W.mT @ W) + b[:, None]


# %% misconception="forward"
def untied(x, W, b):
    "The readout inverts W (pinv). The toy is tied: it reads h out along the columns of W itself."
    return torch.relu(x @ W.mT @ torch.linalg.pinv(W).mT + b[:, None])


# %% misconception="forward"
def columns_for_rows(x, W, b):
    "That is W Wᵀ x, which runs only where W is square. The columns of W belong to features: W first, then Wᵀ."
    return torch.relu(x @ W @ W.mT + b[:, None])


# %% misconception="forward"
def one_W_for_all_instances(x, W, b):
    "All instances use the W of the first. Keep the instance axis: @ carries it along."
    return torch.relu(x @ W[0].T @ W[0] + b[:, None])


# %% misconception="forward"
def one_use_is_cut_off(x, W, b):
    "The values are right, the gradient is not: something is detached on the way, W perhaps in one of its two uses."
    return torch.relu(x @ W.detach().mT @ W + b[:, None])


# %% alternative="forward"
def as_the_equation_stands(x, W, b):
    rows = [W[k].T @ (W[k] @ x[k, r]) + b[k] for k in range(len(x)) for r in range(x.shape[1])]
    return torch.stack(rows).clamp(min=0).reshape(x.shape)


# %% alternative="forward"
def through_the_gram_matrix(x, W, b):
    gram = torch.einsum("khi,khj->kij", W.double(), W.double())
    out = torch.baddbmm(b.double()[:, None], x.double(), gram)
    return torch.where(out > 0, out, 0.0).to(x.dtype)


# %% [markdown]
# ## What does a mistake cost?
#
# Not all features matter equally. For the next word it matters more whether a sentence is in French than whether it
# mentions a castle. So each feature gets an importance $I_i$, the price of its squared error. The weights are those of
# [Elhage et al. 2022](https://transformer-circuits.pub/2022/toy_model/index.html) ("Demonstrating Superposition"); they
# sum over data and features, while this course averages over them, so that losses of models of different sizes can be
# compared:
#
# $$L = \sum_{\text{inst}}\ \frac{1}{B\,n}\sum_{\text{batch}}\sum_{i} I_i\,(x_i - \hat x_i)^2$$
#
# A mean over batch and features, and then a **sum** over the instances. Why not one mean over everything? Think of the
# gradient of the first model when others are trained beside it.

# %%
beside = predict(
    "Four models are trained side by side, on the mean of their losses. How many times as long is the gradient of the "
    "first model as when it is trained alone?",
    ...,
)

# %% [markdown]
# In your head: one row of two features, $I = (1, \tfrac12)$ and $x = (1, 2)$, of which nothing comes out, costs
# $(1\cdot 1^2 + \tfrac12\cdot 2^2)/2 = 1.5$. Two such rows cost the same; two such instances cost 3.


# %% exercise="weighted_loss" points=1 minutes=10 difficulty=1 importance=4
def weighted_loss(
    x: Float[Tensor, "inst batch feats"],
    x_hat: Float[Tensor, "inst batch feats"],
    importance: Float[Tensor, "inst feats"],
) -> Float[Tensor, ""]:
    """Importance-weighted squared error I (x − x̂)²: mean over batch and features, sum over instances.

    There is no other division, neither by the importances nor by the instances. The weighting is that of Elhage et al.
    2022, "Demonstrating Superposition"; the mean is this course's.

    >>> x = torch.tensor([[[1.0, 2.0]]])  # one instance, one row, two features
    >>> weighted_loss(x, torch.zeros(1, 1, 2), importance=torch.tensor([[1.0, 0.5]]))
    tensor(1.5000)
    """
    # BEGIN SOLUTION
    cost = importance[:, None, :] * (x - x_hat) ** 2  # inst batch feats
    return cost.mean(dim=(1, 2)).sum()
    # END SOLUTION


# %%
check(weighted_loss)

# %% [markdown] hint=1
# Write the shape of $(x-\hat x)^2$ above the shape of `importance`. Which axis is missing?

# %% [markdown] hint=2
# There are two reductions with different names. First get one number per instance; what is left then?

# %% [markdown] hint=3
# `importance[:, None, :] * (x - x_hat) ** 2` has the shape `[inst, batch, feats]`. Which of its axes does the mean
# take, and which one is left for the sum?

# %%
# Some untrained models. How long is the gradient of each, alone and beside the others?
n_inst = 4

torch.manual_seed(0)
x = generate_batch(n_inst, 256, torch.full((1, 5), 0.05))
W = torch.randn(n_inst, 2, 5)
b = torch.zeros(n_inst, 5)
importance = torch.ones(n_inst, 5)


def gradient_lengths(k, factor=1.0):
    """Length of the gradient of W for each of the instances k, when they are trained together."""
    leaf = W[k].clone().requires_grad_()
    loss = factor * weighted_loss(x[k], forward(x[k], leaf, b[k]), importance[k])
    loss.backward()
    return leaf.grad.norm(dim=(1, 2))


every_one = list(range(n_inst))
lengths = {
    "alone": torch.cat([gradient_lengths([k]) for k in every_one]),
    "together, summed": gradient_lengths(every_one),
    "together, averaged": gradient_lengths(every_one, factor=1 / n_inst),
}
assert torch.allclose(lengths["alone"], lengths["together, summed"])
beside.came_out(lengths["together, averaged"][0] / lengths["alone"][0])
plots.bars(lengths, every_one, title="Gradients of four models", x_title="instance", y_title="|∂L/∂W|")

# %% [markdown]
# The first two series are the same, the third is a quarter of them. The weights of one instance occur in one term of
# the sum only, so each gets exactly the gradient that it would get alone; a mean over $k$ instances divides it by $k$.
# With the sum a number that you read off one instance (a phase boundary, a dimensionality) doesn't depend on how many
# others you trained beside it.
#
# Would a mean have done harm? Not much: Adam divides a gradient by its own recent size, so a constant factor of a
# quarter all but cancels. You would notice it elsewhere: losses shrink as instances are added, weight decay becomes
# stronger in comparison, and plain gradient descent slows down.


# %% misconception="weighted_loss"
def averages_the_instances_too(x, x_hat, importance):
    "The instances are averaged as well, so each one's gradient shrinks with their number. Their losses are summed."
    return (importance[:, None] * (x - x_hat) ** 2).mean()


# %% misconception="weighted_loss"
def importance_squared(x, x_hat, importance):
    "Importance was multiplied into the error before squaring, so it enters squared. It multiplies the squared error."
    return (importance[:, None] * (x - x_hat)).pow(2).mean(dim=(1, 2)).sum()


# %% misconception="weighted_loss"
def importance_along_the_batch(x, x_hat, importance):
    "importance [inst, feats] was lined up with the axes batch and feats. Insert the one that it lacks, in the middle."
    return (importance * (x - x_hat) ** 2).mean(dim=(1, 2)).sum()


# %% misconception="weighted_loss"
def sums_over_features(x, x_hat, importance):
    "Features are summed: the loss then grows with n. Here the mean runs over the batch and the features."
    return (importance[:, None] * (x - x_hat) ** 2).sum(dim=2).mean(dim=1).sum()


# %% misconception="weighted_loss"
def one_price_list_for_all(x, x_hat, importance):
    "All instances are charged with the importances of the first. Each has a row of its own."
    return (importance[0] * (x - x_hat) ** 2).mean(dim=(1, 2)).sum()


# %% misconception="weighted_loss"
def nothing_to_learn_from(x, x_hat, importance):
    "The value is right, but the result is cut off from x̂ (detach, item, no_grad): no gradient reaches the model."
    return (importance[:, None] * (x - x_hat.detach()) ** 2).mean(dim=(1, 2)).sum()


# %% alternative="weighted_loss"
def one_instance_at_a_time(x, x_hat, importance):
    root = importance.sqrt()
    return sum(torch.nn.functional.mse_loss(x_hat[k] * root[k], x[k] * root[k]) for k in range(len(x)))


# %% alternative="weighted_loss"
def as_one_contraction(x, x_hat, importance):
    error = (x_hat - x).double()
    return (torch.einsum("kbi,kbi,ki->", error, error, importance.double()) / x[0].numel()).to(x.dtype)


# %% [markdown]
# ## Does it pay?
#
# Data, model, loss: you have all it takes to train a model. How good must it get to impress you? A linear model of this
# shape can keep two of five features and guess the mean of the other three. Its error is then their variance, and
# exercise 1.4 will show that no linear model does better:
#
# $$L_\text{linear} = \frac{n-m}{n}\,\mathrm{Var}(x_i) = \frac{3}{5}\left(\frac p3 - \frac{p^2}4\right)$$
#
# The toy has no more than two numbers either. How low will it get? Choose how often a feature is on, write down what
# you expect, and run. The text below is about $p = 0.05$; come back with another $p$ afterwards, rarer or denser.

# %%
p = 0.05  # how often a feature is on, from 0.01 to 1
ends_at = predict(
    f"Features are on with probability {p:g}. Where does the loss of the model with a ReLU end, in percent of the loss "
    "of the best linear model?",
    ...,
    "%",
)

# %%
steps = 200
lr = 0.03

importance = torch.ones(1, 5)
best_linear = 3 / 5 * (p / 3 - p**2 / 4)


def linear(x, W, b):
    return x @ W.mT @ W + b[:, None]


losses, finals = {}, {}
for name, model in {"linear": linear, "with a ReLU": forward}.items():
    torch.manual_seed(0)  # both start alike and see the same data
    W = (0.5 * torch.randn(1, 2, 5)).requires_grad_()
    b = torch.zeros(1, 5, requires_grad=True)
    optimizer = torch.optim.Adam([W, b], lr)
    losses[name] = torch.zeros(steps)
    for step in range(steps):
        x = generate_batch(1, 1024, torch.full((1, 5), p))
        loss = weighted_loss(x, model(x, W, b), importance)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses[name][step] = loss.detach()
    x = generate_batch(1, 100_000, torch.full((1, 5), p))  # fresh data, enough of it for two digits
    finals[name] = weighted_loss(x, model(x, W, b), importance).item()
    share = finals[name] / best_linear
    print(f"{name:11s} loss {finals[name]:.4f} = {share:.1f} of the best linear one; mean bias {b.mean():.2f}")

if p == 0.05:
    assert finals["with a ReLU"] < 0.3 * best_linear  # 18 other seeds and learning rates ended at .18 to .21
ends_at.came_out(100 * finals["with a ReLU"] / best_linear, within=10)
axes = {"x_title": "step", "y_title": "loss", "guides": {"best linear": best_linear}, "log_y": True}
plots.line(torch.arange(steps), losses, title="Five features, two hidden numbers", **axes)

# %% [markdown]
# The linear model arrives at its bound and stays. With the ReLU, the same two numbers get to a fifth of it: this model
# keeps *more than two* features, and superposition is the name for that. Its bias ends at $-.25$, not at the $-.45$
# with which you removed every echo by hand: it puts up with some interference, and gets features that are on by half
# more nearly right.
#
# The curve doesn't tell how. You haven't looked at a single arrow of the trained model: it may have found your
# pentagon, or dropped a feature and shared the room among the rest. Nor does a single curve tell what sparsity has to
# do with it. Set `p` to 1: is the gap still there? The next sections are about what happens in between, and why.
