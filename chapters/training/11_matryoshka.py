# %% [markdown]
# # Dictionaries inside dictionaries
#
# Sparsity makes a general latent leave its place to special ones: absorption. This section looks at a loss under which
# that doesn't pay, because it asks the first latents of a dictionary to manage without the others, and at its price.
#
# **At the end of this section** you will be able to write the loss of a Matryoshka dictionary, and to say what it
# mends, what it costs, and what it puts in the place of absorption.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict

# %% [markdown]
# ## Which latent detects the animal?
#
# In the last section a latent for lions took the animal along and left the animal's latent off: $\sqrt2\lambda$ is less
# than $2\lambda$, and nothing in the loss asks who does the work. A larger dictionary has room for more children, and
# so for more holes in its general latents. **Before you read on: what could a loss ask of the parent's latent, so that
# a hole in it costs more than it saves?** It can't name that latent, for it knows neither parents nor children.
#
# But general features are worth most where there is little room. A *Matryoshka* dictionary makes room scarce (Bussmann
# et al. 2025, [Learning Multi-Level Features with Matryoshka Sparse Autoencoders](https://arxiv.org/abs/2503.17547)).
# Choose prefixes $m_1<m_2<\dots<m_n=d_\text{sae}$. For each of them the first $m$ latents, on their own, have to
# reconstruct $x$:
#
# $$\hat x_m = \sum_{i<m} f_i\,W_{\text{dec},i} + b_\text{dec},\qquad
# \text{loss} = \sum_{m\,\in\,\text{prefixes}}\lVert x-\hat x_m\rVert^2$$
#
# Latents are counted from 0. As always, the error is summed over $d_\text{in}$ and averaged over the batch. There are
# no weights: the loss is a sum over prefixes, and the whole dictionary is the last one. All of them share one encoder,
# one decoder and one bias. The penalty (or the $k$ of BatchTopK, which the paper uses) is computed once, from the whole
# $f$, and isn't part of this loss. With $x = f = (3, 4)$, `W_dec` the identity and no bias:
#
# | prefixes | reconstructions | loss |
# |---|---|---|
# | [2] | (3, 4) | 0: the plain squared error |
# | [1, 2] | (3, 0), (3, 4) | 16 + 0 |
#
# If the parent's latent has a hole where there is a lion, a prefix that holds only the parent misses the whole animal.


# %% exercise="matryoshka_loss" points=2 minutes=10 difficulty=2 importance=4
def matryoshka_loss(
    x: Float[Tensor, "batch d_in"],
    f: Float[Tensor, "batch d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    b_dec: Float[Tensor, "d_in"],
    prefixes: list[int],
) -> Float[Tensor, ""]:
    """Squared error (sum over d_in, mean over batch) of the first m latents, summed over all m in prefixes.

    prefixes increase, from 1 or more to d_sae. Every reconstruction has all latents before m and b_dec once; gradients
    flow through all of them (Bussmann et al. 2025).

    >>> x = torch.tensor([[3.0, 4.0]])
    >>> matryoshka_loss(x, x, torch.eye(2), torch.zeros(2), [1, 2])
    tensor(16.)
    """
    # BEGIN SOLUTION
    loss = x.new_zeros(())
    for m in prefixes:
        x_hat = f[:, :m] @ W_dec[:m] + b_dec
        loss = loss + (x - x_hat).square().sum(dim=1).mean()
    return loss
    # END SOLUTION


# %%
check(matryoshka_loss)

# %% [markdown] hint=1
# Which latents belong to the second prefix: those from $m_1$ to $m_2$, or all up to $m_2$? And how often does each
# $\hat x_m$ contain the bias?

# %% [markdown] hint=2
# A prefix of the dictionary is a slice: the first $m$ columns of `f` meet the first $m$ rows of `W_dec`. For each $m$,
# the rest is the plain squared error.

# %% [markdown] hint=3
# For each `m` in `prefixes`, `x_hat = f[:, :m] @ W_dec[:m] + b_dec`, and one term of the loss is
# `(x - x_hat).square().sum(dim=1).mean()`. How do the terms come together, with which weights?

# %%
# The course's own Matryoshka dictionary chooses latents by BatchTopK. Without dead latents its loss is yours.
from saelab.sae import Loss, MatryoshkaSAE, StandardSAE, train

torch.manual_seed(0)
sae = MatryoshkaSAE(8, 20, k=3, prefixes=[2, 5, 20])
sae.b_dec.data += torch.randn(8)
x = torch.randn(64, 8)
its = sae.loss(x)
loss = matryoshka_loss(x, its.f, sae.W_dec, sae.b_dec, sae.prefixes)
torch.testing.assert_close(loss, its.total)
parameters = list(sae.parameters())
ours = torch.autograd.grad(loss, parameters, retain_graph=True)
torch.testing.assert_close(ours, torch.autograd.grad(its.total, parameters))

# %% [markdown]
# Now two families of features at right angles. Each parent is on with probability 0.3. Where it is on, so is one of its
# three children, with probability 0.2 each (and none with 0.4). Both dictionaries start near the truth, with latents 0
# and 1 at the parents, and both have the same L1 penalty. What will latent 0 do where one of its children is on? And
# what does a dictionary pay for having no holes?

# %%
guess_hole = predict(
    "Standard dictionary: on what share of the samples with A and a child is A's latent on (0 to 1)?", ...
)
guess_price = predict(
    "How many times the standard dictionary's unexplained variance does the Matryoshka one leave?", ..., "times"
)

# %%
LAM = 0.2  # the penalty
PREFIXES = {"Standard": [8], "Matryoshka": [2, 8]}  # try [3, 8], or [1, 2, 4, 8]
STEPS = 600

truth = torch.linalg.qr(torch.randn(8, 8)).Q  # rows: parents A and B, three children of A, three of B
start = torch.nn.functional.normalize(truth + 0.1 * torch.randn(8, 8), dim=1)


def sample(n):
    """Which of the 8 features are on [n, 8], and the activations x [n, 8]."""
    parents = torch.rand(n, 2) < 0.3
    dice = torch.rand(n, 2, 1)  # one per family, so at most one child
    from_, to = torch.tensor([0, 0.2, 0.4]), torch.tensor([0.2, 0.4, 0.6])
    children = (dice >= from_) & (dice < to) & parents[:, :, None]
    on = torch.cat([parents, children.flatten(1)], dim=1)
    return on, on * (1 + 0.1 * torch.randn(n, 8)) @ truth


class NestedSAE(StandardSAE):
    """An L1 dictionary with your loss."""

    prefixes = [8]

    def loss(self, x, *_, **__):
        f = self.encode(x)
        error = matryoshka_loss(x, f, self.W_dec, self.b_dec, self.prefixes)
        return Loss({"mse": error, "l1": LAM * f.sum(dim=1).mean()}, f, self.decode(f))


on, x = sample(20_000)
only_A = on[:, 0] & ~on[:, 1]
situations = {"A alone": only_A & ~on[:, 2:].any(dim=1)}
for child in (1, 2, 3):
    situations[f"A, child {child}"] = only_A & on[:, 1 + child]
with_child = only_A & on[:, 2:5].any(dim=1)


def trained_with(prefixes: list[int]) -> NestedSAE:
    sae = NestedSAE(8, 8)
    sae.prefixes = prefixes
    sae.W_enc.data = start.T.clone()
    sae.W_dec.data = start.clone()
    sae.b_dec.data += 1e-6  # not 0: `train` would begin at the mean of the data
    train(sae, lambda step: sample(256)[1], STEPS, lr=0.01, normalise=False, progress=False)
    return sae.requires_grad_(False)


trained, tables, recall, unexplained = {}, [], {}, {}
for name, prefixes in PREFIXES.items():
    sae = trained[name] = trained_with(prefixes)
    f, x_hat = sae.encode(x), sae(x)
    means = [f[rows].mean(dim=0)[[0, 2, 3, 4]] for rows in situations.values()]
    tables.append(torch.stack(means, dim=1))
    recall[name] = (f[with_child, 0] > 0.2).float().mean().item()
    unexplained[name] = ((x - x_hat).square().sum() / (x - x.mean(dim=0)).square().sum()).item()
    print(f"{name:<10}  A's latent is on with a child: {recall[name]:.0%}; FVU {unexplained[name]:.3f}")
plots.heat_map(
    torch.stack(tables),
    titles=[f"{name}, prefixes {prefixes}" for name, prefixes in PREFIXES.items()],
    title="Mean f of four latents in four situations",
    x="what is on",
    y="latent of",
    unit="mean f",
    x_labels=list(situations),
    y_labels=["A", "child 1", "child 2", "child 3"],
)

# %%
guess_hole.came_out(recall["Standard"], within=0.1)

# %%
guess_price.came_out(unexplained["Matryoshka"] / unexplained["Standard"])

# %%
# What the text says of these settings.
cosines = trained["Matryoshka"].W_dec @ truth.T
print(f"Matryoshka's row A: cosine {cosines[0, 0]:.2f} with A, {cosines[0, 2:5].mean():.2f} with each of A's children")
assert recall["Standard"] < 0.25 and recall["Matryoshka"] > 0.95, recall
assert unexplained["Matryoshka"] > 2 * unexplained["Standard"], unexplained
assert cosines[0, 0] > 0.9 and (cosines[0, 2:5] - 0.155).abs().max() < 0.06, cosines[0]
own = tables[1].diagonal()[1:]  # the children's latents, each at its own child
assert (own - 0.77).abs().max() < 0.1, own

# %% [markdown]
# On the left is the standard dictionary, which started at the truth and left it. Latent A is on where A is alone, and
# nearly off as soon as one of its children is there, whose latent writes A along with itself. On the right, latent A is
# on wherever A is, and the children's latents, at about 0.77, write the child alone. This costs more: more L1, and more
# than twice the variance is left unexplained.
#
# Look closer, and the right one isn't the truth either. Its row A has a cosine of 0.15 with each child. On its own, a
# prefix does best with "A and a little of whatever tends to come with it", and the children's rows lean away to make up
# for it. The lower levels *hedge*; section 12 comes back to this.
#
# And here you knew the answer: the prefix had as many latents as there are parents, and both dictionaries began beside
# the truth. From random rows, with `b_dec` at the mean of the data, six of twelve runs had both parents in their first
# two latents; in the others one of the two pointed the opposite way. Nor does this say anything about hierarchies with
# more levels, or with children that can be on together.
#
# **An experiment of your own.** Latents 0 and 1 start at the parents, 2 to 4 at A's children, 5 to 7 at B's. Choose the
# prefixes: is latent 0 on wherever A is?

# %%
my_prefixes = [5, 8]  # growing, and the last one is 8

guess_prefixes = predict(
    f"Prefixes {my_prefixes}: on what share of the samples with A and a child is A's latent on (0 to 1)?", ...
)

# %%
f = trained_with(my_prefixes).encode(x)
guess_prefixes.came_out((f[with_child, 0] > 0.2).float().mean(), within=0.1)


# %% misconception="matryoshka_loss"
def blocks_on_their_own(x, f, W_dec, b_dec, prefixes):
    "Each block of latents reconstructs x alone. A prefix starts at latent 0, so a long one contains all shorter ones."
    edges = zip([0, *prefixes], prefixes)
    return sum((x - f[:, a:b] @ W_dec[a:b] - b_dec).square().sum(dim=1).mean() for a, b in edges)


# %% misconception="matryoshka_loss"
def bias_with_every_block(x, f, W_dec, b_dec, prefixes):
    "b_dec is added again with every block, so the n-th reconstruction has it n times. They all share one bias."
    shifted = [x - n * b_dec for n in range(len(prefixes))]
    return sum(matryoshka_loss(y, f[:, :m], W_dec[:m], b_dec, [m]) for y, m in zip(shifted, prefixes))


# %% misconception="matryoshka_loss"
def bias_only_in_the_whole(x, f, W_dec, b_dec, prefixes):
    "Only the last reconstruction has b_dec. Every prefix reconstructs x on its own, and each has the bias."
    *inner, _ = prefixes
    without = [(x - f[:, :m] @ W_dec[:m]).square().sum(dim=1).mean() for m in inner]
    return sum(without) + matryoshka_loss(x, f, W_dec, b_dec, prefixes[-1:])


# %% misconception="matryoshka_loss"
def last_prefix_is_missing(x, f, W_dec, b_dec, prefixes):
    "The last prefix isn't in the loss, so nothing trains the last block. The whole dictionary, d_sae, counts as well."
    return matryoshka_loss(x, f, W_dec, b_dec, prefixes[:-1]) + 0 * f.sum()


# %% misconception="matryoshka_loss"
def last_prefix_is_missing_and_the_sum_a_number(x, f, W_dec, b_dec, prefixes):
    "The last prefix isn't in the loss. Where there is only one prefix, the sum is even the number 0, not a tensor."
    return sum((x - f[:, :m] @ W_dec[:m] - b_dec).square().sum(dim=1).mean() for m in prefixes[:-1])


# %% misconception="matryoshka_loss"
def mean_over_everything(x, f, W_dec, b_dec, prefixes):
    "The squared error is averaged over d_in too. Sum over d_in, and take the mean over the batch only."
    return matryoshka_loss(x, f, W_dec, b_dec, prefixes) / x.shape[1]


# %% misconception="matryoshka_loss"
def summed_over_the_batch(x, f, W_dec, b_dec, prefixes):
    "The errors of the batch are summed, so a larger batch has a larger loss. Take the mean over the batch."
    return matryoshka_loss(x, f, W_dec, b_dec, prefixes) * len(x)


# %% misconception="matryoshka_loss"
def one_latent_too_many(x, f, W_dec, b_dec, prefixes):
    "Each prefix has one latent too many: `[:m + 1]` holds m + 1 of them. Counted from 0, the first m are `[:m]`."
    return sum((x - f[:, : m + 1] @ W_dec[: m + 1] - b_dec).square().sum(dim=1).mean() for m in prefixes)


# %% misconception="matryoshka_loss"
def no_bias_at_all(x, f, W_dec, b_dec, prefixes):
    "b_dec is in no reconstruction. Each of them has it, once."
    return matryoshka_loss(x, f, W_dec, 0 * b_dec, prefixes)


# %% misconception="matryoshka_loss"
def counted_from_the_end(x, f, W_dec, b_dec, prefixes):
    "The *last* m latents were taken: `[-m:]` counts from the end. A prefix is `[:m]`."
    return sum((x - f[:, -m:] @ W_dec[-m:] - b_dec).square().sum(dim=1).mean() for m in prefixes)


# %% misconception="matryoshka_loss"
def mean_over_the_prefixes(x, f, W_dec, b_dec, prefixes):
    "The errors are averaged over the prefixes. Sum them, so that one more prefix leaves the others' weight as it is."
    return matryoshka_loss(x, f, W_dec, b_dec, prefixes) / len(prefixes)


# %% misconception="matryoshka_loss"
def errors_after_the_sum(x, f, W_dec, b_dec, prefixes):
    "The reconstructions were added up before the error was taken. Each prefix has its own error: square, then add."
    total = sum(x - f[:, :m] @ W_dec[:m] - b_dec for m in prefixes)
    return total.square().sum(dim=1).mean()


# %% misconception="matryoshka_loss"
def earlier_blocks_are_detached(x, f, W_dec, b_dec, prefixes):
    "The earlier blocks are detached in the larger prefixes, so only one prefix trains each latent. Detach nothing."
    loss, x_hat = 0.0, b_dec
    for a, b in zip([0, *prefixes], prefixes):
        x_hat = x_hat + f[:, a:b] @ W_dec[a:b]
        loss, x_hat = loss + (x - x_hat).square().sum(dim=1).mean(), x_hat.detach()
    return loss


# %% alternative="matryoshka_loss"
def block_by_block(x, f, W_dec, b_dec, prefixes):
    left, errors = x - b_dec, []
    for a, b in zip([0, *prefixes], prefixes):
        left = left - torch.einsum("bi,ij->bj", f[:, a:b], W_dec[a:b])
        errors.append(left.norm(dim=1) ** 2)
    return torch.stack(errors).mean(dim=1).sum()


# %% alternative="matryoshka_loss"
def all_prefixes_at_once(x, f, W_dec, b_dec, prefixes):
    kept = (torch.arange(f.shape[1]) < torch.tensor(prefixes)[:, None]).to(f)  # prefix d_sae
    x_hat = (f * kept[:, None]).double() @ W_dec.double() + b_dec.double()  # prefix batch d_in
    return ((x_hat - x.double()) ** 2).sum().to(x.dtype) / len(x)


# %% alternative="matryoshka_loss"
def latent_by_latent(x, f, W_dec, b_dec, prefixes):
    x_hat, loss = b_dec.repeat(len(x), 1), []
    for i in range(f.shape[1]):
        x_hat = x_hat + f[:, i, None] * W_dec[i]
        loss += [(x - x_hat).pow(2).mean() * x.shape[1]] * prefixes.count(i + 1)
    return sum(loss)
