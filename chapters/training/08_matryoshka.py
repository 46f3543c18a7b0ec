# %% [markdown]
# # Dictionaries inside dictionaries
#
# Some features only ever come with another one: whatever is a dog is an animal. This section looks at what a sparsity
# penalty makes of such pairs, and at a loss that asks the first latents of a dictionary to do without the others.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots

# %% [markdown]
# ## Who gets to say "animal"?
#
# Two features at right angles, each of strength 1: a parent ("animal") and its child ("dog"), which is never on alone.
# A dictionary with two latents has room for both. **Guess before you read on: with an L1 penalty, will it learn the
# two features? What would it pay for a dog, and is there a cheaper way to say the same?**
#
# | dictionary | says "dog" with | L1 for a dog | for another animal |
# |---|---|---|---|
# | rows *parent*, *child* | both latents, 1 each | $2\lambda$ | $\lambda$ |
# | rows *parent*, *(parent + child)*$/\sqrt2$ | the second latent alone, $\sqrt2$ | $1.41\lambda$ | $\lambda$ |
#
# The second reconstructs as well and is sparser. Its first latent now means "animal, but no dog": the child's latent
# has *absorbed* the parent. A larger dictionary has room for more such children, and so for more holes in its general
# latents (Chanin et al. 2024, "A is for Absorption: Studying Feature Splitting and Absorption in Sparse Autoencoders").
#
# A *Matryoshka* dictionary makes holes expensive (Bussmann et al. 2025, "Learning Multi-Level Features with Matryoshka
# Sparse Autoencoders"). Choose prefixes $m_1<m_2<\dots<m_n=d_\text{sae}$. For every one of them the first $m$ latents,
# on their own, have to reconstruct $x$:
#
# $$\hat x_m = \sum_{i<m} f_i\,W_{\text{dec},i} + b_\text{dec},\qquad
# \text{loss} = \sum_{m\,\in\,\text{prefixes}}\lVert x-\hat x_m\rVert^2$$
#
# with latents counted from 0, the error summed over $d_\text{in}$ and averaged over the batch, as always. There are no
# weights: it is a sum over prefixes, the whole dictionary being the last one. All share one encoder, one decoder and
# one bias. The penalty (or the $k$ of BatchTopK, which is what the paper uses) is taken once, from the whole $f$, and
# isn't part of this loss. With $x = f = (3, 4)$, `W_dec` the identity and no bias:
#
# | prefixes | reconstructions | loss |
# |---|---|---|
# | [2] | (3, 4) | 0: the plain squared error |
# | [1, 2] | (3, 0), (3, 4) | 16 + 0 |
#
# If the parent's latent has a hole where there is a dog, a prefix with the parent alone misses all of the animal there.


# %% exercise="matryoshka_loss" points=3 minutes=20 difficulty=2 importance=4
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
# A prefix of the dictionary is a slice: the first $m$ columns of `f` meet the first $m$ rows of `W_dec`. For each
# $m$ it is the plain squared error from there on.

# %% [markdown] hint=3
# For each `m` in `prefixes`: `x_hat = f[:, :m] @ W_dec[:m] + b_dec`; add `(x - x_hat).square().sum(dim=1).mean()` to
# the loss. No weights, and no division at the end.

# %%
# The course's own Matryoshka dictionary chooses latents by BatchTopK. Its loss is yours, with nothing dead for AuxK.
from saelab.sae import Loss, MatryoshkaSAE, StandardSAE, train

torch.manual_seed(0)
sae, x = MatryoshkaSAE(8, 20, k=3, prefixes=[2, 5, 20]), torch.randn(64, 8)
sae.b_dec.data += torch.randn(8)
its = sae.loss(x)
loss = matryoshka_loss(x, its.f, sae.W_dec, sae.b_dec, sae.prefixes)
torch.testing.assert_close(loss, its.total)
numbers = list(sae.parameters())
of_ours = torch.autograd.grad(loss, numbers, retain_graph=True)
torch.testing.assert_close(of_ours, torch.autograd.grad(its.total, numbers))

# %%
# Two families of features at right angles: parents on with probability 0.3; given its parent, one of three children,
# with 0.2 each. Both dictionaries start near the truth (latents 0 and 1 the parents) and have the same L1 penalty.
lam, truth = 0.2, torch.linalg.qr(torch.randn(8, 8)).Q  # rows: parents A and B, three children of A, three of B
start = torch.nn.functional.normalize(truth + 0.1 * torch.randn(8, 8), dim=1)


def sample(n):
    parents, dice = torch.rand(n, 2) < 0.3, torch.rand(n, 2, 1)
    children = (dice >= torch.tensor([0, 0.2, 0.4])) & (dice < torch.tensor([0.2, 0.4, 0.6])) & parents[:, :, None]
    on = torch.cat([parents, children.flatten(1)], dim=1)
    return on, on * (1 + 0.1 * torch.randn(n, 8)) @ truth


class NestedSAE(StandardSAE):
    prefixes = [8]

    def loss(self, x, *_, **__):
        f = self.encode(x)
        error = matryoshka_loss(x, f, self.W_dec, self.b_dec, self.prefixes)
        return Loss({"mse": error, "l1": lam * f.sum(dim=1).mean()}, f, self.decode(f))


(on, x), by_situation, recall = sample(20_000), [], []
only_A = on[:, 0] & ~on[:, 1]
situations = [only_A & ~on[:, 2:].any(dim=1), *(only_A & on[:, child] for child in (2, 3, 4))]
for name, prefixes in {"Standard": [8], "Matryoshka": [2, 8]}.items():
    sae = NestedSAE(8, 8)
    sae.W_enc.data, sae.W_dec.data, sae.prefixes = start.T.clone(), start.clone(), prefixes
    sae.b_dec.data += 1e-6  # not 0: `train` would begin at the mean of the data
    train(sae, lambda t: sample(256)[1], 600, lr=0.01, normalise=False, progress=False)
    f, x_hat = sae.encode(x).detach(), sae(x).detach()
    by_situation.append(torch.stack([f[rows][:, [0, 2, 3, 4]].mean(dim=0) for rows in situations], dim=1))
    with_child = only_A & on[:, 2:5].any(dim=1)
    recall.append((f[with_child, 0] > 0.2).float().mean())
    unexplained = (x - x_hat).square().sum() / (x - x.mean(dim=0)).square().sum()
    print(f"{name:<10}  A's latent is on with a child: {recall[-1]:.0%}; variance unexplained {unexplained:.3f}")

cosines = sae.W_dec.detach() @ truth.T  # of the Matryoshka dictionary
print(f"Matryoshka's row A: cosine {cosines[0, 0]:.2f} with A, {cosines[0, 2:5].mean():.2f} with each of A's children")
assert recall[0] < 0.25 and recall[1] > 0.95, recall  # measured in six runs: 0.10 to 0.13, and 1.00
assert cosines[0, 0] > 0.9 and (cosines[0, 2:5] - 0.155).abs().max() < 0.06, cosines[0]
plots.heat_map(
    torch.stack(by_situation),
    titles=["Standard", "Matryoshka, prefixes 2 and 8"],
    title="An L1 penalty cuts holes into the parent's latent; a prefix fills them",
    x="what is on",
    y="latent of",
    unit="mean f",
    x_labels=["A alone", "A, child 1", "A, child 2", "A, child 3"],
    y_labels=["A", "child 1", "child 2", "child 3"],
)

# %% [markdown]
# Left: the standard dictionary started at the truth and left it. Latent A is on where A is alone, and nearly silent as
# soon as a child says "A" along with itself. Right: A says A, whatever else is on, and the children's latents are about
# 0.77, the child alone. It is dearer: more L1, and more than twice the variance is left unexplained.
#
# Look closer, and the right one isn't the truth either. Its row A has a cosine of 0.15 with each child: on its own, a
# prefix does best with "A and a little of whatever tends to come with it", and the children's rows lean away to make up
# for it. The lower levels *hedge*; section 11 comes back to this.
#
# What this does **not** show: that it works when you don't know the answer. The prefix had as many latents as there
# are parents, and both dictionaries began beside the truth. From random rows, one run in three had both parents in its
# first two latents. And a hierarchy of two levels, with children that exclude each other, is a tidy one.


# %% misconception="matryoshka_loss"
def blocks_on_their_own(x, f, W_dec, b_dec, prefixes):
    "Each block of latents reconstructs x alone. A prefix starts at latent 0: the second doll contains the first."
    edges = zip([0, *prefixes], prefixes)
    return sum((x - f[:, a:b] @ W_dec[a:b] - b_dec).square().sum(dim=1).mean() for a, b in edges)


# %% misconception="matryoshka_loss"
def bias_with_every_block(x, f, W_dec, b_dec, prefixes):
    "b_dec is added again with every block, so the n-th reconstruction has it n times. They all share one bias."
    shifted = [x - n * b_dec for n in range(len(prefixes))]
    return sum(matryoshka_loss(y, f[:, :m], W_dec[:m], b_dec, [m]) for y, m in zip(shifted, prefixes))


# %% misconception="matryoshka_loss"
def bias_only_in_the_whole(x, f, W_dec, b_dec, prefixes):
    "Only the last reconstruction has b_dec. Every prefix has to do on its own, and the bias belongs to each of them."
    *inner, _ = prefixes
    without = [(x - f[:, :m] @ W_dec[:m]).square().sum(dim=1).mean() for m in inner]
    return sum(without) + matryoshka_loss(x, f, W_dec, b_dec, prefixes[-1:])


# %% misconception="matryoshka_loss"
def last_prefix_is_missing(x, f, W_dec, b_dec, prefixes):
    "The whole dictionary isn't in the loss, so nobody trains the last block. The last prefix, d_sae, counts as well."
    return matryoshka_loss(x, f, W_dec, b_dec, prefixes[:-1]) + 0 * f.sum()


# %% misconception="matryoshka_loss"
def counted_from_the_end(x, f, W_dec, b_dec, prefixes):
    "The *last* m latents were taken: `[-m:]` counts from the end. A prefix is `[:m]`."
    return sum((x - f[:, -m:] @ W_dec[-m:] - b_dec).square().sum(dim=1).mean() for m in prefixes)


# %% misconception="matryoshka_loss"
def mean_over_the_prefixes(x, f, W_dec, b_dec, prefixes):
    "The errors are averaged over the prefixes. Here they are summed, so one more prefix takes nothing from others."
    return matryoshka_loss(x, f, W_dec, b_dec, prefixes) / len(prefixes)


# %% misconception="matryoshka_loss"
def errors_after_the_sum(x, f, W_dec, b_dec, prefixes):
    "The reconstructions were added up before the error was taken. Each prefix has its own error: square, then add."
    total = sum(x - f[:, :m] @ W_dec[:m] - b_dec for m in prefixes)
    return total.square().sum(dim=1).mean()


# %% misconception="matryoshka_loss"
def earlier_blocks_are_detached(x, f, W_dec, b_dec, prefixes):
    "What the earlier blocks give is detached, so they never hear of the larger prefixes. Gradients flow through all."
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
