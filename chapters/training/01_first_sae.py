# %% [markdown]
# # A first sparse autoencoder

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, lab, plots, predict, reference
from saelab.sae import StandardSAE, train

toy = reference("superposition")  # the exercises of chapter 1, solved

# %% [markdown]
# In chapter 1 (section 7) you read 64 features out of 32 numbers. You could, because you knew the direction of each:
# they were the columns of $W$. A real model keeps its directions to itself. You see its activations $x$. You are given
# neither $W$ nor a list of features, nor even their number. **What do you still know?** Guess before you read on.
#
# One thing: few features are on at a time. So look for a *dictionary*: a list of directions of which a few, with
# positive strengths, add up to each activation. A *sparse autoencoder* (SAE) learns one by gradient descent. An encoder
# guesses which directions are on and how strongly. A decoder adds them up. A penalty keeps them few
# ([Bricken et al. 2023](https://transformer-circuits.pub/2023/monosemantic-features), "Towards Monosemanticity"). Are
# its directions the model's features? This chapter keeps asking.
#
# **At the end of this section** you will be able to write an SAE, and twelve at once; to write its loss, and to say why
# it matters what is summed there and what is averaged; and to catch the loss cheating, and stop it.
#
# **How this chapter works.** You train dictionaries where the truth is known: on a toy, and on the *pocket model*, a
# small transformer that has read a language whose every property is on record (the next section shows it to you). Most
# lines of the recipe you will break once, to see what they are for. In section 13 you get a training diary in which
# twenty of them are broken. `check(fn)` tells you how you did and `hint(fn)` nudges you. Two rules hold everywhere:
# results keep the dtype of what you are given (float64 in, float64 out), and arguments are never changed.
#
# | letter | in the code | what it is |
# |---|---|---|
# | $x$, $\hat x$ | `x`, `x_hat` | activations `[batch, d_in]`, one row per token; what the SAE makes of them |
# | $h$, $f$ | `h`, `f` | pre-activations and *latents* `[batch, d_sae]`: how strongly each direction is on |
# | $W_\text{enc}$, $b_\text{enc}$ | `W_enc`, `b_enc` | encoder `[d_in, d_sae]`, one *column* per latent; its bias |
# | $W_\text{dec}$, $b_\text{dec}$ | `W_dec`, `b_dec` | decoder `[d_sae, d_in]`, one *row* per latent; its bias |
# | $L_0$ | `l0` | the number of latents that are on in a row, averaged over rows |
# | $\lambda$, $B$ | `lam`, `batch` | what a latent's strength costs; the number of rows seen at once |
# | | `comp` | *components*: places in a model, each with an SAE of its own, all trained side by side |
#
# One change of habit. Chapter 1 wrote $Wx$: features were *columns* of $W$, examples were columns too. From here on an
# example is a *row* and stands on the left, $xW$, as it does in PyTorch. So the decoder's *rows* are the directions: a
# decoder that had found the features of chapter 1 would be $W_\text{dec} = W^\top$.
#
# A *feature* is a property of the data. A *latent* is a direction of a dictionary. They are two things until you have
# shown that they are one.

# %% [markdown]
# ## How does an SAE see an activation?
#
# $$h = (x - b_\text{dec})W_\text{enc} + b_\text{enc},\; f = \mathrm{ReLU}(h),\; \hat x = fW_\text{dec} + b_\text{dec}$$
#
# Two matrices, a cut at 0, and $b_\text{dec}$: subtracted on the way in, added on the way out. **Guess what it's for**,
# with this at hand: after the pocket model's last layer, activations lie about 89 from their mean, and the mean lies 39
# from zero. What all tokens have in common need not keep a latent busy on each of them. The bias holds it once, and the
# encoder sees the rest.
#
# | work these out in your head | $f$ | $\hat x$ |
# |---|---|---|
# | $x = b_\text{dec}$ | $\mathrm{ReLU}(b_\text{enc})$ | |
# | only latent $i$ is on, by $a$ | | $b_\text{dec}$ plus $a$ times row $i$ of $W_\text{dec}$ |
# | `W_dec = cat([I, -I])`, `W_enc = W_dec.T`, $b_\text{enc}=0$ | $\pm(x-b_\text{dec})$, cut at 0 | $x$, exactly |
#
# Write it for many places at once: `x` is `[…, comp, d_in]`, component $c$ has its own `W_enc[c]`, `b_enc[c]`,
# `W_dec[c]`, `b_dec[c]`, and nothing to do with the others. Any number of axes may stand before these two, possibly
# none.


# %% exercise="encode" points=3 minutes=20 difficulty=2 importance=5
def encode(
    x: Float[Tensor, "*batch comp d_in"],
    W_enc: Float[Tensor, "comp d_in d_sae"],
    b_enc: Float[Tensor, "comp d_sae"],
    b_dec: Float[Tensor, "comp d_in"],
) -> Float[Tensor, "*batch comp d_sae"]:
    """Latents ReLU((x − b_dec) W_enc + b_enc), each component by its own weights (Bricken et al. 2023).

    x has any number of axes before the last two, possibly none. Gradients flow back to all four arguments.

    >>> encode(torch.tensor([[2.5]]), torch.tensor([[[1.0, -1.0]]]), torch.zeros(1, 2), torch.ones(1, 1))  # one row
    tensor([[1.5000, 0.0000]])
    """
    # BEGIN SOLUTION
    h = torch.einsum("...ci,cij->...cj", x - b_dec, W_enc) + b_enc
    return torch.relu(h)
    # END SOLUTION


def decode(
    f: Float[Tensor, "*batch comp d_sae"], W_dec: Float[Tensor, "comp d_sae d_in"], b_dec: Float[Tensor, "comp d_in"]
) -> Float[Tensor, "*batch comp d_in"]:
    """Reconstructions f W_dec + b_dec, each component by its own weights; f has axes as x has above.

    >>> decode(torch.tensor([[1.5, 0.0]]), torch.tensor([[[1.0], [-1.0]]]), torch.ones(1, 1))
    tensor([[2.5000]])
    """
    # BEGIN SOLUTION
    return torch.einsum("...cj,cji->...ci", f, W_dec) + b_dec
    # END SOLUTION


# %%
check(encode, decode)

# %% [markdown] hint=1
# Do one component first: which two axes does the matrix product join? Then: which axis do `x`, `W_enc` and the result
# all have, and what must *not* happen along it?

# %% [markdown] hint=2
# In `torch.einsum` an axis named in both factors *and* the result is carried along, one missing in the result is
# summed, and `...` stands for any number of axes. `x` ends in `comp d_in`, as `b_dec` does: axes line up from the
# right.

# %% [markdown] hint=3
# `torch.einsum("...ci,cij->...cj", x - b_dec, W_enc)` multiplies each component by its own matrix. Two steps of the
# equation are still missing. The decoder's product has the same pattern with $i$ and $j$ exchanged.

# %% [markdown]
# Now twelve places of the pocket model. A transformer carries one vector per token from layer to layer: the *residual
# stream*. In each layer, attention adds to it what it has gathered from earlier tokens, and then an MLP adds what it
# computes from the token's own vector. A *site* (or *hook point*) is a named place where such a vector can be read:
# `blocks.1.hook_attn_out` and `blocks.1.hook_mlp_out` are what the two parts of layer 1 add,
# `blocks.1.hook_resid_post` is the stream after both. Three sites in each of four layers make twelve.
#
# Here is somebody's encoder for all twelve. It ran without complaint. **Find the bug before you run the cell.**


# %%
def somebodys_encode(x, W_enc, b_enc, b_dec):
    x = x.transpose(0, 1)  # comp batch d_in
    return torch.relu(torch.bmm(x - b_dec, W_enc) + b_enc).transpose(0, 1)


rows = 12  # try 11, or 1

here = lab("pocket")
places = [f"blocks.{layer}.hook_{what}" for layer in range(4) for what in ("attn_out", "mlp_out", "resid_post")]
tokens = here.tokens(4, 128)
acts = [here.activations(place, tokens)[:, 1:].flatten(0, 1) for place in places]  # the first token left out
acts = torch.stack(acts, dim=1)  # batch comp d_in

b_dec = acts.mean(dim=0)
from_mean = (acts[:, -1] - b_dec[-1]).norm(dim=1).mean()
print(f"after the last layer: {from_mean:.0f} from the mean, which is {b_dec[-1].norm():.0f} from zero")
assert abs(from_mean - 89) < 2 and abs(b_dec[-1].norm() - 39) < 2

torch.manual_seed(0)
W_enc = torch.randn(12, 128, 256)
b_enc = torch.zeros(12, 256)
right = encode(acts[:rows], W_enc, b_enc, b_dec)
wrong = somebodys_encode(acts[:rows], W_enc, b_enc, b_dec)
difference = (wrong - right).norm(dim=2) / (wrong.norm(dim=2) + right.norm(dim=2))  # batch comp

plots.heat_map(
    difference,
    title="How far are somebody's latents from yours? 0 is the same",
    x="component",
    x_labels=[place.replace("blocks.", "").replace("hook_", "") for place in places],
    y="row",
    unit="difference",
)

# %%
# A dictionary that has never seen data: 128 axes, and the same axes turned round.
axes = torch.cat([torch.eye(128), -torch.eye(128)])  # d_sae d_in
W_dec = axes.expand(12, -1, -1)
f = encode(acts, W_dec.mT, b_enc, b_dec)
x_hat = decode(f, W_dec, b_dec)
l0 = (f > 0).sum(dim=2).float().mean()
print(f"largest error {(x_hat - acts).abs().max():.0e}, latents on: {l0:.0f} of 256")
torch.testing.assert_close(x_hat, acts, atol=1e-3, rtol=1e-4)  # exact, but for rounding


# %% [markdown]
# The bug: after `transpose`, rows stand where components stood, so `b_dec` `[comp, d_in]` meets `[batch, d_in]`. Row 3
# of *every* component got the bias of component 3, and only on the diagonal is that the right one. Eleven rows PyTorch
# would have refused; twelve it broadcasts. `b_dec[:, None]` repairs it. The habit that finds it: try sizes that are all
# different *and* sizes that are all equal.
#
# The second cell is a warning. An SAE can reconstruct twelve places of a model *perfectly* and have learnt nothing,
# with half of its latents on at every token. A small error does **not** show that anything was found. Ask for sparsity
# too.


# %% misconception="encode"
def b_dec_is_not_taken_off(x, W_enc, b_enc, b_dec):
    "x goes into the encoder as it is. Subtract b_dec first: the latents describe what is left then."
    return encode(x, W_enc, b_enc, torch.zeros_like(b_dec))


# %% misconception="encode"
def bias_along_the_rows(x, W_enc, b_enc, b_dec):
    "b_dec met the rows instead of the components: with as many rows as components that even runs. Try b_dec[:, None]."
    return torch.relu(torch.bmm(x.transpose(0, 1) - b_dec, W_enc) + b_enc).transpose(0, 1)


# %% misconception="encode"
def components_leak(x, W_enc, b_enc, b_dec):
    "Every component sees the sum over all components. Give `comp` one letter, the same in x, W_enc and the result."
    return torch.relu(torch.einsum("...ki,cij->...cj", x - b_dec, W_enc) + b_enc)


# %% misconception="encode"
def b_dec_is_added(x, W_enc, b_enc, b_dec):
    "b_dec is added to x on the way in. It is subtracted there, and added on the way out."
    return encode(x, W_enc, b_enc, -b_dec)


# %% misconception="encode"
def no_bias_of_its_own(x, W_enc, b_enc, b_dec):
    "b_enc has no effect. It is added before the ReLU: each latent needs a threshold of its own."
    return encode(x, W_enc, torch.zeros_like(b_enc), b_dec)


# %% misconception="encode"
def nothing_is_cut(x, W_enc, b_enc, b_dec):
    "These are the pre-activations h: the ReLU is missing, and latents come out negative."
    return torch.einsum("...ci,cij->...cj", x - b_dec, W_enc) + b_enc


# %% misconception="encode"
def bias_after_the_relu(x, W_enc, b_enc, b_dec):
    "b_enc was added after the ReLU, so it can't switch a latent off, and latents come out negative."
    return encode(x, W_enc, torch.zeros_like(b_enc), b_dec) + b_enc


# %% misconception="encode"
def b_dec_learns_from_the_way_out_only(x, W_enc, b_enc, b_dec):
    "The values are right, but b_dec gets no gradient here. It works on the way in, and has to learn from that."
    return encode(x, W_enc, b_enc, b_dec.detach())


# %% misconception="encode" part="decode"
def forgets_to_put_b_dec_back(f, W_dec, b_dec):
    "What was subtracted on the way in has to be added again: with no latent on, the reconstruction is b_dec."
    return decode(f, W_dec, torch.zeros_like(b_dec))


# %% alternative="encode"
def one_component_at_a_time(x, W_enc, b_enc, b_dec):
    each = [(x[..., c, :] - b_dec[c]) @ W_enc[c] + b_enc[c] for c in range(len(W_enc))]
    return torch.stack(each, dim=-2).clamp(min=0)


# %% alternative="encode"
def biases_folded_into_one(x, W_enc, b_enc, b_dec):
    W, bias = W_enc.double(), b_enc.double() - (b_dec.double()[:, None] @ W_enc.double())[:, 0]
    h = (x.double()[..., None, :] @ W)[..., 0, :] + bias
    return torch.where(h > 0, h, 0.0).to(x.dtype)


# %% [markdown]
# ## What does it cost to be on?
#
# It would be honest to count the latents that are on. But a count has no slope to go down. So charge for their
# strength:
#
# $$L = \frac1B\sum_{b}\Big(\sum_k (x_{bk}-\hat x_{bk})^2 + \lambda\sum_i f_{bi}\Big)$$
#
# A *sum* over dimensions, a *sum* over latents, a *mean* over rows. Is that a matter of taste? **What happens if the
# penalty is a mean over latents**, as in `f.mean()`, and you make the dictionary wider? Below you write your guess
# down.
#
# Take a lone feature, $x = a\,d$ along one unit row $d$ of the decoder. Being on by $f$ costs $(a-f)^2 + \lambda f$.
# The slope of that is 0 at $f = a - \lambda/2$. So $\lambda$ is measured in the units of the activations: it is twice
# what a latent gives up, and for $a<\lambda/2$ it doesn't pay to be on. How many others lie about unused should not
# matter.
#
# | case | $L$ |
# |---|---|
# | $B=1$, $x=(1,0)$, $\hat x=(\frac12,0)$, $f=(\frac12,0,0)$, $\lambda=0.2$ | $\frac14+\frac1{10}$ |
# | the same row twice | the same |
# | the same row, and 1,000 more latents, all off | the same |


# %% exercise="sae_loss" points=1 minutes=5 difficulty=2 importance=5
def sae_loss(
    x: Float[Tensor, "batch d_in"], f: Float[Tensor, "batch d_sae"], x_hat: Float[Tensor, "batch d_in"], lam: float
) -> Float[Tensor, ""]:
    """Squared error plus lam times the latents' strength: sums over d_in and d_sae, a mean over the batch.

    f is never negative. Gradients flow back to f and x_hat. (Bricken et al. 2023)

    >>> sae_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.0, 0.0]]), torch.tensor([[0.5, 0.0]]), 0.2)
    tensor(0.3500)
    """
    # BEGIN SOLUTION
    error = (x - x_hat).square().sum(dim=1)  # batch
    return (error + lam * f.sum(dim=1)).mean()
    # END SOLUTION


# %%
check(sae_loss)

# %% [markdown] hint=1
# What does one row cost? Write that first, one number per row. Which of the axes is left?

# %% [markdown] hint=2
# `x` is `[batch, d_in]`, `f` is `[batch, d_sae]`: sum each over its last axis. `f.mean()` and `mse_loss` don't do that.

# %% [markdown] hint=3
# `(x - x_hat).square().sum(dim=1)` is one number per row, and so is `f.sum(dim=1)`. What is left: λ, and the mean.

# %%
# Yours beside the course's own SAE, which later sections train: the same latents, reconstruction, loss and gradient?
torch.manual_seed(0)
theirs = StandardSAE(d_in=16, d_sae=48, l1=0.3)
for parameter in theirs.parameters():
    torch.nn.init.normal_(parameter)
x = torch.randn(20, 16)
expected = theirs.loss(x)

W_enc, W_dec, b_enc, b_dec = (parameter[None] for parameter in theirs.parameters())  # one component
f = encode(x[:, None], W_enc, b_enc, b_dec)
x_hat = decode(f, W_dec, b_dec)
loss = sae_loss(x, f[:, 0], x_hat[:, 0], 0.3)

parameters = list(theirs.parameters())
yours = torch.autograd.grad(loss, parameters)
same = torch.autograd.grad(expected.total, parameters)
torch.testing.assert_close([f[:, 0], loss, *yours], [expected.f, expected.total, *same], atol=0.1, rtol=1e-4)
print(f"loss {loss:.0f} and {expected.total:.0f}")

# %% [markdown]
# Now a toy: 32 features in 16 dimensions. You train SAEs of four widths, from 32 to 256, once with your penalty and
# once with a mean over latents, and add up the strengths of all latents in a row, $\sum_i f_i$.

# %%
guess_width = predict(
    "Penalty averaged over latents: from width 32 to 256, by what factor does the sum of all strengths grow?",
    ...,
    "times",
)

# %%
# Each feature is on in one row of twenty.
lam = 0.3
widths = [32, 64, 128, 256]

torch.manual_seed(0)
p = torch.full((1, 32), 0.05)
truth = torch.nn.functional.normalize(torch.randn(32, 16), dim=1)  # feats d_in
batches = toy.generate_batch(400, 128, p) @ truth
fresh = toy.generate_batch(1, 10_000, p)[0] @ truth


def trained(sae: StandardSAE) -> StandardSAE:
    train(sae, batches.__getitem__, 400, lr=0.01, normalise=False, progress=False)  # you write this loop in 2.6
    return sae


# A mean over latents is a sum divided by the width. λ' = 32 λ makes the two penalties equal at width 32.
penalties = {
    "λ · sum over latents": [lam for _ in widths],
    "λ' · mean over latents": [lam * 32 / width for width in widths],
}
saes, strength = {}, {}
for name, prices in penalties.items():
    saes[name] = [trained(StandardSAE(16, width, price)) for width, price in zip(widths, prices)]
    latents = [sae.encode(fresh).detach() for sae in saes[name]]
    strength[name] = torch.stack([f.sum(dim=1).mean() for f in latents])
    print(f"{name}: L0", *(f"{(f > 0).sum(dim=1).float().mean():.1f}" for f in latents))

summed, averaged = strength.values()
assert summed.max() < 1.2 * summed.min() and averaged[3] > 1.7 * averaged[0]  # measured: 1.02 and 2.4
plots.line(
    widths,
    strength,
    title="Strength of all latents together, over the width of the dictionary",
    x_title="d_sae",
    y_title="Σf in a row",
    guides={"the features": 0.8},
    log_x=True,
    markers=True,
)

# %%
guess_width.came_out(averaged[-1] / averaged[0])

# %% [markdown]
# The two agree at width 32, by the choice of $\lambda'$. Summed, the strength of all latents in a row doesn't depend on
# how wide the dictionary is. It stays below the features' own 0.8; the difference is what $\lambda$ takes (the law is
# exercise 2.7). Averaged, it more than doubles: at width 256 a latent pays an eighth. In the code nothing changed but
# `d_sae`.
#
# What this does **not** show: that a sum keeps $L_0$ fixed. More latents are *on* in the wider dictionary, summed or
# not, because several share the work of one. $\lambda$ fixes a price, not an $L_0$. Nor does it show whether the batch
# has to be averaged. If *both* terms are summed over it, Adam divides the common factor out. Sum only *one*, and
# $\lambda$ depends on the batch size.
#
# **An experiment of your own.** Choose a price λ for a dictionary of width 64, and say what you expect before you run
# it. In this toy 1.6 features are on in a row.

# %%
my_lam = 0.05  # anything from 0 to 2

guess_l0 = predict(f"Width 64, λ = {my_lam:g}: how many latents are on in a row?", ..., "latents")

# %%
mine = trained(StandardSAE(16, 64, my_lam)).encode(fresh)
guess_l0.came_out((mine > 0).sum(dim=1).float().mean())

# %% [markdown]
# **Where does training start?** So far: random unit rows in the decoder, and the encoder their transpose, so that each
# latent reads what it writes. Would zeros do, in one of the two matrices or in the other?

# %%
guess_zeros = predict(
    "Zeros at the start of which matrix end all learning?",
    ...,
    among=["only the decoder", "only the encoder", "each of them", "neither"],
)

# %%
learned = {}
starts = {"nothing": [], "the decoder": ["W_dec"], "the encoder": ["W_enc"]}
for what, zeroed in starts.items():
    sae = StandardSAE(16, 64, lam)
    for name in zeroed:
        getattr(sae, name).data.zero_()
    f = trained(sae).encode(fresh).detach()
    l0 = (f > 0).sum(dim=1).float().mean()
    loss = sae.loss(fresh).total.item()
    print(f"start with {what} at zero: loss {loss:.3f}, L0 {l0:.1f}")
    learned[what] = bool(l0 > 0)
    assert l0 == 0 if what == "the encoder" else loss < 0.26

ended = [what for what in ("the decoder", "the encoder") if not learned[what]]
guess_zeros.came_out({0: "neither", 2: "each of them"}.get(len(ended)) or f"only {ended[0]}")


# %% [markdown]
# Zeros in the *decoder* cost little. In the first step $\hat x$ doesn't depend on $f$, so no error reaches the encoder.
# But the decoder itself has a gradient, and from the second step on both learn. Zeros in the *encoder* are the end:
# then $h=0$ on every row, ReLU has slope 0 there, and neither matrix ever gets a gradient. (`torch.empty` hands you
# whatever lay in that memory; that may be zeros.)


# %% misconception="sae_loss"
def mean_over_the_latents(x, f, x_hat, lam):
    "The penalty is a mean over latents, so λ shrinks as the dictionary widens. Sum over latents, average over rows."
    return (x - x_hat).square().sum(dim=1).mean() + lam * f.mean()


# %% misconception="sae_loss"
def mean_over_the_dimensions(x, f, x_hat, lam):
    "The squared error is a mean over d_in too, so λ weighs d_in times as much. Sum over dimensions."
    return torch.nn.functional.mse_loss(x_hat, x) + lam * f.sum(dim=1).mean()


# %% misconception="sae_loss"
def means_in_both_terms(x, f, x_hat, lam):
    "Both terms are means over everything. Sum over d_in and over latents, and average over rows only."
    return (x - x_hat).square().mean() + lam * f.mean()


# %% misconception="sae_loss"
def sums_over_the_batch(x, f, x_hat, lam):
    "Both terms are summed over the batch, so the loss grows with its size. Average over rows."
    return (x - x_hat).square().sum() + lam * f.sum()


# %% misconception="sae_loss"
def counts_the_latents(x, f, x_hat, lam):
    "The latents that are on were counted. A count has no slope, so nothing asks for sparsity: charge their strength."
    return ((x - x_hat).square().sum(dim=1) + lam * (f > 0).sum(dim=1)).mean()


# %% misconception="sae_loss"
def half_the_squared_error(x, f, x_hat, lam):
    "There is a ½ before the squared error. Here there is none; with it, λ counts twice."
    return ((x - x_hat).square().sum(dim=1) / 2 + lam * f.sum(dim=1)).mean()


# %% alternative="sae_loss"
def row_by_row(x, f, x_hat, lam):
    rows = [((a - b) ** 2).sum() + lam * c.abs().sum() for a, b, c in zip(x, x_hat, f)]
    return sum(rows) / len(rows)


# %% alternative="sae_loss"
def everything_then_divided(x, f, x_hat, lam):
    return ((torch.dist(x.double(), x_hat.double()) ** 2 + f.double().sum() * lam) / x.shape[0]).to(x.dtype)


# %% [markdown]
# ## How can the loss fall while nothing gets sparser?
#
# Take a trained SAE. Multiply its decoder's rows by 10, divide `W_enc` and `b_enc` by 10. **What becomes of $\hat x$,
# of the latents that are on, of the loss?**
#
# Latents come out a tenth as strong, and each is written ten times as strongly. That is the same $\hat x$, with the
# same latents on, for a tenth of the penalty. The dictionary is no better, and gradient descent finds the trick by
# itself. So **renormalise**: bring each row $w_i$ of $W_\text{dec}$ back to norm 1 after each step. Then $f_i$ counts
# *unit* vectors.
#
# Alone, that is clumsy. Part of the gradient pushed *along* the row, and it stays in Adam's running means although it
# is undone at once. Worse, Adam gives each *coordinate* its own step, and so turns rows that were only pushed along:
# its first step from $(0.6, 0.8)$ moves both coordinates by the same amount. So **project** first: keep of each row's
# gradient only what is at right angles to the row, and let Adam see nothing else,
#
# $$g_i \;\leftarrow\; g_i - (g_i\cdot\hat w_i)\,\hat w_i,\qquad \hat w_i = w_i/\lVert w_i\rVert$$
#
# | row $w_i$ | gradient $g_i$ | projected |
# |---|---|---|
# | $(1, 0)$, or $(2, 0)$: only the direction counts | $(3, 4)$ | $(0, 4)$ |
# | $(0.6, 0.8)$ | $(3, 4)$, along it | $(0, 0)$ |


# %% exercise="project_gradient" points=4 minutes=25 difficulty=3 importance=4
def project_gradient(
    W_dec: Float[Tensor, "*comp d_sae d_in"], grad: Float[Tensor, "*comp d_sae d_in"]
) -> Float[Tensor, "*comp d_sae d_in"]:
    """Each row of grad without its part along the same row of W_dec (Bricken et al. 2023).

    Rows of W_dec have lengths between 0.01 and 1000. There may be axes before the last two, with a decoder for each.

    >>> project_gradient(torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[0., 4.]])
    """
    # BEGIN SOLUTION
    directions = renormalise(W_dec)
    return grad - (grad * directions).sum(dim=-1, keepdim=True) * directions
    # END SOLUTION


def renormalise(W_dec: Float[Tensor, "*comp d_sae d_in"]) -> Float[Tensor, "*comp d_sae d_in"]:
    """Each row (last axis) at norm 1, its direction kept; a row of zeros has no direction and stays as it is.

    Rows have lengths between 0.01 and 1000, or 0.

    >>> renormalise(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    """
    # BEGIN SOLUTION
    return W_dec / W_dec.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    # END SOLUTION


def decoder_steps(
    W_dec: Float[Tensor, "d_sae d_in"], grads: Float[Tensor, "steps d_sae d_in"], lr: float
) -> Float[Tensor, "d_sae d_in"]:
    """W_dec, its rows of norm 1, after one step for each of the gradients in order; detached.

    A step: project the gradient at W_dec as it is by then; a step of Adam (one torch.optim.Adam for all steps, its
    defaults besides lr), which gets the projected gradient and nothing else; renormalise.

    >>> decoder_steps(torch.tensor([[0.6, 0.8]]), torch.tensor([[[1.0, 1.0]]]), 0.2)  # to (0.4, 1), then norm 1
    tensor([[0.3714, 0.9285]])
    """
    # BEGIN SOLUTION
    W = W_dec.detach().clone().requires_grad_()
    adam = torch.optim.Adam([W], lr=lr)
    for grad in grads:
        W.grad = project_gradient(W.detach(), grad)
        adam.step()
        W.data = renormalise(W.data)
    return W.detach()
    # END SOLUTION


# %%
check(project_gradient, renormalise, decoder_steps)

# %% [markdown] hint=1
# How much of $(3, 4)$ points along $(2, 0)$, and what is left without it? Which axis of `W_dec` is a row's own?

# %% [markdown] hint=2
# `(grad * directions).sum(dim=-1, keepdim=True)` is one number per row, if `directions` are unit rows. Dividing by a
# norm of 0 gives NaN; dividing by something tiny instead doesn't. And the optimiser has to outlive a step.

# %% [markdown] hint=3
# The unit rows are `W_dec / W_dec.norm(dim=-1, keepdim=True).clamp_min(1e-12)`; subtract that number times them from
# `grad`. A step begins with `W.grad = project_gradient(W.detach(), grad)`. Which two things follow, in which order?

# %%
# Three copies of the SAE of width 64 train on: with your constraint, with renormalising alone, with free rows.
kinds = ["projected", "renormalised", "free"]
lr = 0.01

sae = saes["λ · sum over latents"][1]
params = [torch.stack([w.detach()] * 3).requires_grad_() for w in sae.parameters()]
W_enc, W_dec, b_enc, b_dec = params
adam = torch.optim.Adam(params, lr=lr)
losses, l0s, norms = [], [], []
for x in batches:
    f = encode(x[:, None].expand(-1, 3, -1), W_enc, b_enc, b_dec)  # batch comp d_sae
    x_hat = decode(f, W_dec, b_dec)
    loss = torch.stack([sae_loss(x, f[:, c], x_hat[:, c], lam) for c in range(3)])
    adam.zero_grad()
    loss.sum().backward()
    W_dec.grad[0] = project_gradient(W_dec.data[0], W_dec.grad[0])
    adam.step()
    W_dec.data[:2] = renormalise(W_dec.data[:2])
    losses.append(loss.detach())
    l0s.append((f > 0).sum(dim=2).float().mean(dim=0))
    norms.append(W_dec.detach().norm(dim=2).mean(dim=1))


def smooth(log: list) -> torch.Tensor:
    return torch.stack(log).unflatten(0, (-1, 20)).mean(dim=1)  # the mean of each 20 steps: [20, kinds]


loss, l0, norm = smooth(losses), smooth(l0s), smooth(norms)
for c, kind in enumerate(kinds):
    print(f"{kind:<13} at the end: loss {loss[-1, c]:.3f}, L0 {l0[-1, c]:.1f}, mean norm of a row {norm[-1, c]:.1f}")
assert loss[-1, 2] < 0.7 * loss[-1, 0] and l0[-1, 2] > l0[-1, 0]  # measured: 0.48 and 1.46
assert l0[2, 2] < l0[2, 0]  # steps 40 to 59

curves = {"loss, projected": loss[:, 0], "loss, free": loss[:, 2], "norm of a row, free": norm[:, 2]}
curves |= {"L0, projected": l0[:, 0], "L0, free": l0[:, 2]}
title = "The same dictionary trained on, its rows held at norm 1 or free"
plots.line(20 * torch.arange(20), curves, title=title, x_title="step", y_title="", log_y=True)


# %% [markdown]
# Set free, the loss halves while the rows grow to 2.3. The latents that are on first become fewer, then more: 2.6 at
# the end, where your constraint leaves 1.8 (of the features, 1.6 are on). Why more? A latent that is written with norm
# $n$ pays $\lambda/n$ for each unit of $\hat x$. Long rows are a lower $\lambda$, and a lower $\lambda$ lets more
# latents in. By the loss alone you would have picked the cheat. Projecting, beside renormalising alone, takes another
# 2% off the loss here.
#
# One can also charge $\sum_i f_i\lVert w_i\rVert$, which no stretching makes cheaper
# ([Conerly et al. 2024](https://transformer-circuits.pub/2024/april-update/index.html#training-saes), "Update on how we
# train SAEs"). Neither constraint shows that the rows are the toy's features. Section 3 asks them.


# %% misconception="project_gradient"
def takes_it_off_the_columns(W_dec, grad):
    "The part along each *column* was removed. A direction of the dictionary is a row: sum over the last axis."
    return project_gradient(W_dec.mT, grad.mT).mT


# %% misconception="project_gradient"
def right_for_unit_rows_only(W_dec, grad):
    "W_dec was used as if its rows had norm 1. Only their direction counts: rows of norm 2 lose too much."
    return grad - (grad * W_dec).sum(dim=-1, keepdim=True) * W_dec


# %% misconception="project_gradient" part="renormalise"
def one_norm_for_all_rows(W_dec):
    "The whole matrix was divided by one norm. Each row has its own: dim=-1, keepdim=True."
    return W_dec / W_dec.norm()


# %% misconception="project_gradient" part="decoder_steps"
def renormalises_only(W_dec, grads, lr):
    "Adam gets the whole gradient, so a push along a row turns it and stays in Adam's memory. Project before the step."
    adam = torch.optim.Adam([W := W_dec.clone().requires_grad_()], lr=lr)
    for W.grad in grads:
        adam.step()
        W.data = renormalise(W.data)
    return W.detach()


# %% misconception="project_gradient" part="decoder_steps"
def projects_adams_step(W_dec, grads, lr):
    "Adam's *step* was projected: by then the push along the row is in its running means. Project the gradient, before."
    adam = torch.optim.Adam([W := W_dec.clone().requires_grad_()], lr=lr)
    for W.grad in grads:
        before = W.detach().clone()
        adam.step()
        W.data = renormalise(before + project_gradient(before, W.detach() - before))
    return W.detach()


# %% alternative="project_gradient"
def by_autograd(W_dec, grad):
    with torch.enable_grad():
        W = W_dec.detach().clone().requires_grad_()
        through = torch.autograd.grad((torch.nn.functional.normalize(W, dim=-1) * grad).sum(), W)[0]
    return through * W_dec.norm(dim=-1, keepdim=True)


# %% alternative="project_gradient" part="renormalise"
def by_the_library(W_dec):
    return torch.nn.functional.normalize(W_dec.double(), dim=-1).to(W_dec.dtype)
