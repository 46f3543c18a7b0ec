# %% [markdown]
# # Gates
#
# The same trouble as with jumps, and two other ways out: ask in two questions which latents are on and how strongly, or
# bend the penalty until it nearly counts.
#
# **At the end of this section** you will be able to write a Gated dictionary and an annealed penalty, and to say for
# each loss of this chapter what it takes from a latent that is on.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict

# %% [markdown]
# ## Which latents are on, and how strongly?
#
# An L1 penalty decides which latents are on, which you want, and pulls down all that are on, which you don't. A lone
# feature comes out too small by $\lambda/(2(1-q))$, the law of exercise 2.7. (The share of samples in which it is on is
# called $q$ here; $p$ will be an exponent.) A smaller $\lambda$ shrinks less, and lets more in. **How could a penalty
# do the first without the second?**
#
# *Gated* dictionaries ask two questions with one set of directions
# ([Rajamanoharan et al. 2024a](https://arxiv.org/abs/2404.16014), "Improving Dictionary Learning with Gated Sparse
# Autoencoders"):
#
# $$\pi = (x-b_\text{dec})W_\text{enc} + b_\text{gate},\qquad
# m = (x-b_\text{dec})\,W_\text{enc}\,e^{r_\text{mag}} + b_\text{mag},\qquad f = 1[\pi>0]\cdot\text{ReLU}(m)$$
#
# Column $i$ of the magnitudes' weights is column $i$ of `W_enc` times $e^{r_i}$, a number that can't turn a direction
# round and is 1 at $r_i=0$. Only $\text{gate}=\text{ReLU}(\pi)$ is penalised. But $1[\pi>0]$ has no gradient: the
# reconstruction can't tell the gate when to open, and the penalty alone would close it for good. So the gate has to
# reconstruct $x$ as well, shrunken as it is. It does so through a decoder that this term may use but not change.
# (Written $\text{sg}$, *stop gradient*: in PyTorch `.detach()`. Otherwise the decoder would have to suit the shrunken
# values too.)
#
# $$\text{loss} = \lVert x - (f W_\text{dec}+b_\text{dec})\rVert^2 + \lambda\sum_i\text{gate}_i
#    + \lVert x - (\text{gate}\;\text{sg}(W_\text{dec}) + \text{sg}(b_\text{dec}))\rVert^2$$
#
# The other way keeps the plain dictionary and bends the penalty: $\sum_i f_i^p$, where $p$ is *annealed*: it falls in
# training from 1 (that is L1) in the direction of 0 (that would be a count) ([Karvonen et al.
# 2024](https://arxiv.org/abs/2408.00113), "Measuring Progress in Dictionary Learning for Language Model
# Interpretability with Board Game Models"). The pull on a latent is $p f^{p-1}$: at $p=\frac12$ it is $\frac14$ at
# $f=4$, $\frac12$ at 1, 5 at 0.01, and infinite at 0. Infinity times the 0 behind a closed gate is NaN, and one NaN
# ends a training. So, by convention, **a latent at 0 costs nothing and gets gradient 0**, at every $p$, also at 1.


# %% exercise="gated_loss" points=4 minutes=35 difficulty=3 importance=3
def gated_loss(
    x: Float[Tensor, "batch d_in"],
    f: Float[Tensor, "batch d_sae"],
    gate: Float[Tensor, "batch d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    b_dec: Float[Tensor, "d_in"],
    lam: float,
) -> Float[Tensor, ""]:
    """The loss of the text, of f and gate = ReLU(π); ‖·‖² and Σ are sums over a sample, averaged over the batch.

    The last term sends gradients to the gate only, none to W_dec and b_dec (Rajamanoharan et al. 2024, Gated).

    >>> x, W_dec = torch.tensor([[2.0, 0.0]]), torch.eye(2)
    >>> gated_loss(x, torch.tensor([[2.0, 0.0]]), torch.tensor([[1.5, 0.0]]), W_dec, torch.zeros(2), 0.1)  # .15 + .25
    tensor(0.4000)
    """
    # BEGIN SOLUTION
    x_hat = f @ W_dec + b_dec
    by_gate = gate @ W_dec.detach() + b_dec.detach()
    error = (x - x_hat).square() + (x - by_gate).square()  # batch d_in
    return (error.sum(dim=1) + lam * gate.sum(dim=1)).mean()
    # END SOLUTION


def gated_encode(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "d_in d_sae"],
    b_gate: Float[Tensor, "d_sae"],
    r_mag: Float[Tensor, "d_sae"],
    b_mag: Float[Tensor, "d_sae"],
    b_dec: Float[Tensor, "d_in"],
) -> tuple[Float[Tensor, "batch d_sae"], Float[Tensor, "batch d_sae"]]:
    """f = 1[π > 0] · ReLU(m) and gate = ReLU(π), with π and m as in the text.

    >>> one, zero = torch.ones(1, 1), torch.zeros(1)
    >>> gated_encode(3 * one, one, zero - 2, (2 * one[0]).log(), zero, zero)  # π = 3 − 2 and m = 3 · 2
    (tensor([[6.]]), tensor([[1.]]))
    """
    # BEGIN SOLUTION
    h = (x - b_dec) @ W_enc  # one matrix product serves both paths
    gate = (h + b_gate).relu()
    return (gate > 0) * (h * r_mag.exp() + b_mag).relu(), gate
    # END SOLUTION


def annealed_penalty(f: Float[Tensor, "batch d_sae"], p: float) -> Float[Tensor, ""]:
    """Σᵢ fᵢ^p over the latents that are on (f ≥ 0, 0 < p ≤ 1), averaged over the batch; gradient 0 where f = 0.

    >>> annealed_penalty(torch.tensor([[0.0, 4.0], [9.0, 0.0]]), 0.5)
    tensor(2.5000)
    """
    # BEGIN SOLUTION
    return f[f > 0].pow(p).sum() / len(f)
    # END SOLUTION


# %%
check(gated_loss, gated_encode, annealed_penalty)

# %% [markdown] hint=1
# There are two reconstructions. Which latents and which decoder does each use, and what may each of them change? As for
# $f^p$: what is its derivative at 0, and what does `torch.where` do with an infinite gradient times 0?

# %% [markdown] hint=2
# Both paths start from `h = (x - b_dec) @ W_enc`. Scaling the columns of `W_enc` is scaling those of `h`. In the last
# term, `.detach()` belongs on `W_dec` *and* `b_dec`, not on the gate. Raise only what is positive to a power.

# %% [markdown] hint=3
# `gate = (h + b_gate).relu()`, and `(h * r_mag.exp() + b_mag).relu()` is the magnitude; combine them. The
# reconstructions are `f @ W_dec + b_dec` and `gate @ W_dec.detach() + b_dec.detach()`; both errors, squared and summed
# over `dim=1`, and `lam * gate.sum(dim=1)` are one number per row. And `f[f > 0].pow(p)` is what the penalty adds up;
# what does it divide by?

# %%
# The same loss and gradients as the course's own class?
from saelab.sae import GatedSAE, JumpReLUSAE

torch.manual_seed(0)
sae = GatedSAE(8, 20, l1=0.3)
x = torch.randn(64, 8)
for parameter in (sae.b_gate, sae.b_mag, sae.r_mag, sae.b_dec):
    parameter.data += 0.3 * torch.randn_like(parameter)
f, gate = gated_encode(x, sae.W_enc, sae.b_gate, sae.r_mag, sae.b_mag, sae.b_dec)
loss = gated_loss(x, f, gate, sae.W_dec, sae.b_dec, 0.3)
expected = sae.loss(x).total

parameters = list(sae.parameters())
torch.testing.assert_close(loss, expected)
torch.testing.assert_close(torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters))

# %%
guess_annealed = predict(
    "From features of which strength does the annealed penalty take more?",
    ...,
    among=["weak ones", "strong ones", "the same from all"],
)

# %%
# Eight features at right angles, each on in a tenth of the samples with a strength of 1 to 2, and a little noise. Every
# dictionary starts at the truth. What becomes of the strengths? The course's classes have your losses.
from saelab.sae import Loss, StandardSAE, train

lam = 0.3
q = 0.1  # share of samples in which a feature is on
last_p = 0.2
steps = 600

truth = torch.linalg.qr(torch.randn(8, 8)).Q


def sample(n: int) -> tuple[Tensor, Tensor]:
    """Strengths a [n, 8] and activations x [n, 8]."""
    a = (torch.rand(n, 8) < q) * (1 + torch.rand(n, 8))
    return a, a @ truth + 0.02 * torch.randn(n, 8)


class AnnealedSAE(StandardSAE):
    p = 1.0
    last_p = last_p

    def loss(self, x, *_, **__):
        f = self.encode(x)
        x_hat = self.decode(f)
        self.p -= (1 - self.last_p) / steps
        error = (x - x_hat).square().sum(dim=1).mean()
        return Loss({"mse": error, "penalty": lam * annealed_penalty(f, self.p)}, f, x_hat)


kinds = {
    "Standard": StandardSAE(8, 8, lam),
    "p-annealed": AnnealedSAE(8, 8),
    "Gated": GatedSAE(8, 8, lam),
    "JumpReLU": JumpReLUSAE(8, 8, lam, bandwidth=0.4, threshold=0.3),
}
a, x = sample(20_000)


def what_is_lost(sae: StandardSAE) -> Tensor:
    """Mean of a − f after training, for weak, middling and strong features [3]."""
    sae.W_enc.data = truth.T.clone()
    sae.W_dec.data = truth.clone()
    train(sae, lambda step: sample(256)[1], steps, lr=0.01, normalise=False, progress=False)
    away = (a - sae.encode(x)).detach()
    thirds = [(a > low) & (a < low + 1 / 3) for low in (1, 4 / 3, 5 / 3)]
    return torch.stack([away[third].mean() for third in thirds])


lost = {}
for name, sae in kinds.items():
    lost[name] = what_is_lost(sae)
    print(f"{name:<10} lost on average {lost[name].mean().abs():.2f}")

law = lam / (2 * (1 - q))
assert (lost["Standard"] / law - 1).abs().max() < 0.02  # measured in six runs: below 0.4%
assert max(lost[name].abs().max() for name in ("Gated", "JumpReLU")) < 0.01
assert 0.01 < lost["p-annealed"].mean() < 0.07
plots.bars(
    lost,
    ["1 to 1.33", "1.33 to 1.67", "1.67 to 2"],
    title="What does each loss take from a feature?",
    x_title="true strength a",
    y_title="mean of a − f",
    guides={"the law for L1": law},
)

# %%
weak, _, strong = lost["p-annealed"]
alike = abs(weak - strong) < 0.1 * weak
guess_annealed.came_out("the same from all" if alike else "weak ones" if weak > strong else "strong ones")

# %% [markdown]
# **An experiment of your own.** Choose where the exponent ends. At 1 it is L1 all the way, with a loss of 0.17 per
# feature; what is it at your $p$?

# %%
my_last_p = 0.5  # above 0, up to 1

guess_lost = predict(f"Exponent falling from 1 to {my_last_p:g}: how much is lost on average, a − f?", ...)

# %%
mine = AnnealedSAE(8, 8)
mine.last_p = my_last_p
guess_lost.came_out(what_is_lost(mine).mean())


# %% [markdown]
# The standard dictionary loses $\lambda/(2(1-q))=0.17$ everywhere. The annealed penalty ends at $p=0.2$ with a pull of
# $\lambda p f^{p-1}$, a fifth of L1's at $f=1$ and less above: small strengths lose more than large ones. The two
# others have nothing that pulls on a latent that is on.
#
# Which of the four is better? This cell can't tell. λ means another thing in each loss, so equal λ is no fair
# comparison; set curves of error against $L_0$ side by side. And each dictionary started at the truth, so nothing was
# searched for. Besides, a Gated latent *is* a JumpReLU one, $m$ with a threshold of $b_\text{mag}-e^{r}\,b_\text{gate}$
# (where that isn't negative): the two differ in how they are trained, hardly in what they can express.


# %% misconception="gated_loss"
def gate_teaches_the_decoder(x, f, gate, W_dec, b_dec, lam):
    "The last term changes W_dec and b_dec, which then fit the gate's shrunken values. Detach both of them there."
    error = (x - f @ W_dec - b_dec).square() + (x - gate @ W_dec - b_dec).square()
    return (error.sum(dim=1) + lam * gate.sum(dim=1)).mean()


# %% misconception="gated_loss"
def gate_learns_from_the_penalty_alone(x, f, gate, W_dec, b_dec, lam):
    "The last term doesn't reach the gate, only the penalty does, and closes it. Detach the decoder, not the gate."
    frozen = gated_loss(x, f, gate.detach(), W_dec, b_dec, lam)
    return frozen + lam * (gate - gate.detach()).sum(dim=1).mean()


# %% misconception="gated_loss"
def penalty_on_the_magnitudes(x, f, gate, W_dec, b_dec, lam):
    "The penalty is on f, so f shrinks again. Penalise the gate: the magnitude must cost nothing."
    return gated_loss(x, f, gate, W_dec, b_dec, 0.0) + lam * f.sum(dim=1).mean()


# %% misconception="gated_loss"
def no_bias_in_the_last_term(x, f, gate, W_dec, b_dec, lam):
    "The gate's reconstruction has no b_dec, though π is made of x − b_dec: add it (detached) there too."
    error = (x - f @ W_dec - b_dec).square() + (x - gate @ W_dec.detach()).square()
    return (error.sum(dim=1) + lam * gate.sum(dim=1)).mean()


# %% misconception="gated_loss" part="gated_encode"
def scale_is_not_an_exponential(x, W_enc, b_gate, r_mag, b_mag, b_dec):
    "The scale is 1 + r instead of exp(r). They agree near r = 0 only, and 1 + r can turn a direction round."
    h = (x - b_dec) @ W_enc
    return (h + b_gate > 0) * (h * (1 + r_mag) + b_mag).relu(), (h + b_gate).relu()


# %% misconception="gated_loss" part="gated_encode"
def the_bias_is_scaled_too(x, W_enc, b_gate, r_mag, b_mag, b_dec):
    "b_mag was multiplied by exp(r). Only the weights are scaled; the bias is added afterwards."
    return gated_encode(x, W_enc, b_gate, r_mag, b_mag * r_mag.exp(), b_dec)


# %% misconception="gated_loss" part="gated_encode"
def magnitudes_pass_a_closed_gate(x, W_enc, b_gate, r_mag, b_mag, b_dec):
    "f is ReLU(m), whether the gate is open or not. Where π is 0 or less the latent is off."
    return ((x - b_dec) @ W_enc * r_mag.exp() + b_mag).relu(), gated_encode(x, W_enc, b_gate, r_mag, b_mag, b_dec)[1]


# %% misconception="gated_loss" part="gated_encode"
def strength_of_the_gate_counts(x, W_enc, b_gate, r_mag, b_mag, b_dec):
    "f was multiplied by ReLU(π) itself, so it shrinks with the gate. The gate is a yes or a no: 1[π > 0]."
    f, gate = gated_encode(x, W_enc, b_gate, r_mag, b_mag, b_dec)
    return f * gate, gate


# %% misconception="gated_loss" part="annealed_penalty"
def infinite_at_zero(f, p):
    "The value is right, but the gradient at f = 0 is infinite (at p = 1 it is 1). It should be 0: leave zeros out."
    return f.pow(p).sum() / len(f)


# %% misconception="gated_loss" part="annealed_penalty"
def not_a_number_at_zero(f, p):
    "The value is right, but the gradient at f = 0 is NaN: 0 times an infinite slope. Hide the zeros before the power."
    return torch.where(f > 0, f**p, 0.0).sum() / len(f)


# %% misconception="gated_loss" part="annealed_penalty"
def zeros_cost_something(f, p):
    "A small number was added to every f, so each latent at 0 costs ε^p: a thousandth to the power 0.2 is 0.25."
    return (f + 1e-3).pow(p).sum() / len(f)


# %% misconception="gated_loss" part="annealed_penalty"
def a_number_when_all_is_off(f, p):
    "With no latent on, the result has no history, so `backward` would fail. Return a tensor that comes from f."
    return annealed_penalty(f, p) if (f > 0).any() else torch.zeros((), dtype=f.dtype)


# %% alternative="gated_loss"
def terms_apart(x, f, gate, W_dec, b_dec, lam):
    frozen = torch.einsum("bi,ij->bj", gate, W_dec.clone().detach()) + b_dec.data
    errors = [(x_i - each).norm() ** 2 for x_hat in (f @ W_dec + b_dec, frozen) for x_i, each in zip(x, x_hat)]
    return sum(errors) / len(x) + lam * gate.mean(dim=0).sum()


# %% alternative="gated_loss" part="gated_encode"
def two_sets_of_weights(x, W_enc, b_gate, r_mag, b_mag, b_dec):
    pi = torch.einsum("bi,ij->bj", x - b_dec, W_enc) + b_gate
    m = torch.einsum("bi,ij->bj", x - b_dec, W_enc * torch.exp(r_mag)[None]) + b_mag
    return torch.where(pi > 0, m.clamp_min(0), 0.0), torch.where(pi > 0, pi, 0.0)


# %% alternative="gated_loss" part="annealed_penalty"
def ones_where_it_is_off(f, p):
    on = f > 0
    return ((p * torch.where(on, f, 1.0).log()).exp() * on).sum(dim=1).mean()
