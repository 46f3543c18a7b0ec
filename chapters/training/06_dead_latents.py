# %% [markdown]
# # Dead latents
#
# You asked for a dictionary of 160 directions, and pay for 160. How many of them are ever on? In this section you meet
# latents that never are, see why training doesn't help them, and bring them back, first blindly and then with a hint
# from the loss.
#
# **At the end of this section** you will be able to tell dead latents from rare ones, to restart them without
# disturbing the others, and to say what a restart does not repair.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, plots, predict

State = list[Tensor]  # W_enc, b_enc, W_dec, b_dec, each [3, …]: the value, and Adam's two running means m and v of it


def sparse_batch(truth: Float[Tensor, "feats d_in"], p: Float[Tensor, "feats"], batch: int) -> Tensor:
    """x [batch, d_in], sums of features: each is on with its own probability, and then between 0.5 and 1.5 strong."""
    on = torch.rand(batch, len(p)) < p
    return (on * (0.5 + torch.rand(batch, len(p)))) @ truth


def run(state: State, truth: Tensor, p: Tensor, first: int, steps: int, lr: float) -> tuple[State, Tensor, list[float]]:
    """Train an L1 dictionary (λ = 0.3) from step `first` on: the new state, f of the last 100 steps, all errors."""
    state, window, errors = [s.clone() for s in state], [], []
    for t in range(first, first + steps):
        x = sparse_batch(truth, p, 256)
        W_enc, b_enc, W_dec, b_dec = now = [s[0].clone().requires_grad_() for s in state]
        f = ((x - b_dec) @ W_enc + b_enc).relu()
        error = (x - f @ W_dec - b_dec).square().sum(dim=1).mean()
        for (value, m, v), grad in zip(state, torch.autograd.grad(error + 0.3 * f.sum(dim=1).mean(), now)):
            m.lerp_(grad, 0.1)
            v.lerp_(grad.square(), 0.001)
            value -= lr * m / (1 - 0.9 ** (t + 1)) / ((v / (1 - 0.999 ** (t + 1))).sqrt() + 1e-8)
        state[2][0] = normalize(state[2][0], dim=1)
        window.append(f.detach())
        errors.append(error.item())
    return state, torch.stack(window[-100:]), errors


def found(state: State, truth: Tensor, f: Tensor) -> int:
    """Number of features with a live latent whose decoder has a cosine above 0.9 with them."""
    live = (f > 0).flatten(0, -2).any(dim=0)
    return int(((state[2][0][live] @ truth.T).amax(dim=0) > 0.9).sum())


# %% [markdown]
# Here is a dictionary to look at: 128 features in 64 dimensions, 160 latents, an L1 penalty. Somebody wanted sparse
# latents from the first step on, and started the encoder biases anywhere between −3 and 0.

# %%
guess_dead = predict("How many of the 160 latents are off on all rows of the last 100 steps?", ..., "latents")

# %%
lowest_bias = -3.0

torch.manual_seed(0)
truth = normalize(torch.randn(128, 64), dim=1)  # feats d_in
p = torch.logspace(-2.0, -2.3, 128)  # features are on in 1% to 0.5% of the rows
W = normalize(torch.randn(160, 64), dim=1)
values = [W.T, lowest_bias * torch.rand(160), W, torch.zeros(64)]
fresh_start = [torch.stack([v, 0 * v, 0 * v]) for v in values]  # value, m, v
state, f, _ = run(fresh_start, truth, p, first=0, steps=300, lr=0.003)

n_rows = f[..., 0].numel()
n_dead = int((~(f > 0).any(dim=(0, 1))).sum())
print(f"On in none of the last {n_rows} rows: {n_dead} of 160 latents.")
print(f"Features found: {found(state, truth, f)} of 128.")
guess_dead.came_out(n_dead)

# %% [markdown]
# ## How do you wake a dead latent?
#
# Seven latents in ten are dead, and nine features in ten have no latent. **Before you read on: why does training not
# put the one to use for the other? What is the gradient of a dead latent's encoder column, its bias, its decoder row?**
#
# All three are zero. Where $h_i < 0$, ReLU has slope 0, so nothing reaches $W_\text{enc}$ and $b_i$; and the decoder
# row is multiplied by $f_i = 0$. As long as the latent is off on every row of the data, no gradient reaches it. Only
# luck can wake it: $b_\text{dec}$ belongs to all latents, it moves, and may carry a row over the edge. A latent that is
# off for now is a bet on rare inputs. One that is off on *all* rows of a long window is *dead*, and it takes surgery.
# The operation of [Bricken et al. 2023](https://transformer-circuits.pub/2023/monosemantic-features) ("Towards
# Monosemanticity", appendix) gives it a new direction $d_i$:
#
# $$W_{\text{dec},i} = \hat d_i,\qquad W_{\text{enc},\cdot i} = 0.2\,\bar n\,\hat d_i,\qquad b_i = 0,\qquad
# \bar n = \operatorname{mean}_{j\text{ live}} \lVert W_{\text{enc},\cdot j}\rVert$$
#
# Why only a fifth of the usual length? A hundred new latents at full length would all add to reconstructions on which
# the live latents had settled. A short one adds little at first, and grows where it is of use.
#
# And one thing is easily forgotten: Adam keeps two running means for every number, $m$ of its gradients and $v$ of
# their squares. They belong to the weights that were there before. So each parameter comes here as a stack `[3, …]` of
# value, $m$ and $v$, and the second and third are set to 0 where the first is replaced. Nowhere else.
#
# Which direction? *Any* will do, and a random one is the simple answer. A better one asks where the dictionary is bad:
# take many inputs with losses $\ell_r = \lVert x_r - \hat x_r\rVert^2$, draw one with probability
#
# $$P_r = \frac{\ell_r^2}{\sum_s \ell_s^2}$$
#
# and point the latent at it: $d = x_r - b_\text{dec}$, since that is what our encoder sees. (Bricken et al. write "the
# input vector".) So that your draw can be compared with ours, you get the random number: for $0\le u<1$, take the first
# row at which the cumulative probability $P_0 + \dots + P_r$ *exceeds* $u$. Mind the end: in floating point the sum of
# all probabilities may be a rounding below 1, and $u$ may lie above it.
#
# | losses of two rows | $P$ | $u$ | row |
# |---|---|---|---|
# | 1 and 1 | 1/2, 1/2 | 0.2 | 0 |
# | 1 and 3 | 1/10, 9/10 | 0.2 | 1; with $P \propto \ell$ it would be 0 |
# | 0 and 3 | 0, 1 | 0.2 | 1: what is explained already is never drawn |


# %% exercise="resample" points=4 minutes=30 difficulty=3 importance=4
def resample(
    W_enc: Float[Tensor, "3 d_in d_sae"],
    b_enc: Float[Tensor, "3 d_sae"],
    W_dec: Float[Tensor, "3 d_sae d_in"],
    b_dec: Float[Tensor, "3 d_in"],
    f: Float[Tensor, "steps batch d_sae"],
    fresh: Float[Tensor, "d_sae d_in"],
) -> tuple[
    Float[Tensor, "3 d_in d_sae"], Float[Tensor, "3 d_sae"], Float[Tensor, "3 d_sae d_in"], Float[Tensor, "3 d_in"]
]:
    """New W_enc, b_enc, W_dec, b_dec in which dead latents start again (Bricken et al. 2023, appendix).

    Index 0 of a stack is the value, 1 and 2 are Adam's m and v of it. Latent i is dead if f (≥ 0) is 0 for it on every
    row of every step. A dead latent gets the direction d = fresh[i] / |fresh[i]|: decoder row d, encoder column
    0.2 · n · d with n the mean length of the live latents' encoder columns, bias 0, and m = v = 0 for all of these.
    Everything else comes back as it was. There is at least one live latent, possibly no dead one; no row of fresh is 0.

    >>> f = torch.tensor([[[1.0, 0.0]]])  # one step, one row: latent 1 is dead
    >>> fresh = torch.tensor([[9.0, 9.0], [3.0, 4.0]])
    >>> resample(torch.ones(3, 2, 2), torch.ones(3, 2), torch.ones(3, 2, 2), torch.ones(3, 2), f, fresh)[2][:, 1]
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000],
            [0.0000, 0.0000]])
    """
    # BEGIN SOLUTION
    dead = (f == 0).all(dim=1).all(dim=0)  # d_sae
    d = fresh[dead] / fresh[dead].norm(dim=1, keepdim=True)  # dead d_in
    length = 0.2 * W_enc[0, :, ~dead].norm(dim=0).mean()
    W_enc, b_enc, W_dec = W_enc.clone(), b_enc.clone(), W_dec.clone()
    W_enc[..., dead], b_enc[..., dead], W_dec[:, dead] = 0.0, 0.0, 0.0  # value, m and v
    W_enc[0, :, dead], W_dec[0, dead] = length * d.T, d
    return W_enc, b_enc, W_dec, b_dec.clone()
    # END SOLUTION


def resample_by_loss(
    x: Float[Tensor, "rows d_in"],
    x_hat: Float[Tensor, "rows d_in"],
    b_dec: Float[Tensor, "d_in"],
    u: Float[Tensor, "draws"],
) -> Float[Tensor, "draws d_in"]:
    """Unit directions (x_r − b_dec) / |x_r − b_dec|, one for each u, with row r drawn by its squared loss.

    The loss of a row is |x_r − x_hat_r|², summed over d_in; its probability is proportional to the square of that. For
    0 ≤ u < 1 row r is the first at which the cumulative probability exceeds u. A row without a loss is never drawn,
    however close u is to 1. Some row has a loss, and no row of x is b_dec.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> resample_by_loss(x, torch.zeros(2, 2), torch.zeros(2), torch.tensor([0.05, 0.5]))  # P = 1/17, 16/17
    tensor([[1., 0.],
            [0., 1.]])
    """
    # BEGIN SOLUTION
    weight = (x - x_hat).square().sum(dim=1) ** 2  # rows
    upto = weight.cumsum(dim=0)
    upto = upto / upto[-1]  # by its own last entry: the last is then 1 exactly, and u stays below it
    r = torch.searchsorted(upto, u, right=True)
    d = x[r] - b_dec
    return d / d.norm(dim=1, keepdim=True)
    # END SOLUTION


# %%
check(resample, resample_by_loss)

# %% [markdown] hint=1
# Which axes of `f` have to be gone before you can say "dead"? Must a latent be off on *some* row or on *all* of them?
# Then go through what belongs to one latent: a column, a number, a row, each three deep. What belongs to no latent?

# %% [markdown] hint=2
# Clone first, then write into the clones: `W_enc[..., dead] = 0.0` reaches value, $m$ and $v$ at once. The lengths of
# the encoder columns are `W_enc[0].norm(dim=0)`; only the live ones count. For the draw: square the losses, `cumsum`,
# and divide by the last of these sums, so that the end is exactly 1. Then, for each $u$, how many entries are *not*
# above it?

# %% [markdown] hint=3
# `dead = (f == 0).all(dim=1).all(dim=0)`, `d = normalize(fresh[dead], dim=1)`. After zeroing, `W_dec[0, dead] = d`;
# what goes into `W_enc[0, :, dead]`? The row of each draw is `r = torch.searchsorted(upto, u, right=True)`. One line is
# left.

# %%
# Four ways to go on for another 300 steps, at a lower rate.
lr = 0.001
loudness = 5  # the fourth: encoder columns this many times as long as they should be

torch.manual_seed(1)
W_enc, b_enc, W_dec, b_dec = (stack[0] for stack in state)
x = sparse_batch(truth, p, 4096)
x_hat = ((x - b_dec) @ W_enc + b_enc).relu() @ W_dec + b_dec
random_directions = torch.randn(160, 64)
bad_rows = resample_by_loss(x, x_hat, b_dec, torch.rand(160))

loud = resample(*state, f, bad_rows)
dead = (f == 0).all(dim=1).all(dim=0)
loud[0][0, :, dead] *= loudness
starts = {
    "left alone": state,
    "random": resample(*state, f, random_directions),
    "by loss²": resample(*state, f, bad_rows),
    "by loss², loud": loud,
}

before = found(state, truth, f)
latents, n_found, first_error = {}, {}, {}
for how, begin in starts.items():
    torch.manual_seed(2)
    after, latents[how], errors = run(begin, truth, p, first=300, steps=300, lr=lr)
    n_dead = int((~(latents[how] > 0).any(dim=(0, 1))).sum())
    n_found[how], first_error[how] = found(after, truth, latents[how]), errors[0]
    print(f"{how:14}  dead {n_dead:3d}   features found {n_found[how]:3d} of 128", end="")
    print(f"   first error {errors[0]:4.1f}   last errors {sum(errors[-50:]) / 50:.2f}")
    # With four other seeds: left alone 105 to 122 dead; resampled at most 1, and 37 to 73 more features than before.
    assert how == "left alone" or n_dead < 8, (how, n_dead)
assert min(n_found["random"], n_found["by loss²"]) > before + 20 and n_found["by loss²"] > n_found["random"]
assert first_error["by loss², loud"] > 5 * first_error["by loss²"] and n_found["by loss²"] > n_found["by loss², loud"]

# %%
# How often is each latent on? Features of this data are on in 0.5% to 1% of the rows: log10 from −2.3 to −2.
edges = torch.arange(-4.5, -0.5, 0.5)
names = ["never", *(f"{low:.1f} to {low + 0.5:.1f}" for low in edges.tolist())]


def counted(f: Tensor) -> Tensor:
    often = (f > 0).float().mean(dim=(0, 1)).log10()  # of a dead latent: −inf, the first place
    return torch.bincount(torch.bucketize(often, edges), minlength=len(names))


too_often = int(((latents["by loss²"] > 0).float().mean(dim=(0, 1)) > 0.01).sum())
print(f"after, by loss²: {too_often} of 160 latents are on in more than 1% of the rows")
assert too_often > 140
plots.bars(
    {"before": counted(f), "after, by loss²": counted(latents["by loss²"])},
    names,
    title="How often is a latent on?",
    x_title="log10 of the share of rows on which a latent is on",
    y_title="latents",
)

# %% [markdown]
# And without the illness: the same dictionary with biases that start at 0, trained for all 600 steps.

# %%
guess_healthy = predict(
    "Biases that start at 0: will it find more features than the patient resampled by loss², or fewer?",
    ...,
    among=["more", "as many", "fewer"],
)

# %%
torch.manual_seed(1)
healthy = [torch.stack([v, 0 * v, 0 * v]) for v in (W.T, torch.zeros(160), W, torch.zeros(64))]
healthy, f_healthy, _ = run(healthy, truth, p, first=0, steps=300, lr=0.003)
healthy, f_healthy, _ = run(healthy, truth, p, first=300, steps=300, lr=lr)
n_dead = int((~(f_healthy > 0).any(dim=(0, 1))).sum())
n = found(healthy, truth, f_healthy)
print(f"Started at 0: {n_dead} dead, {n} of 128 features found.")
assert n_dead < 8 and n < n_found["by loss²"]
patient = n_found["by loss²"]
guess_healthy.came_out("as many" if abs(n - patient) < 6 else "more" if n > patient else "fewer")


# %% [markdown]
# Before, seven latents in ten stood in the place called "never"; afterwards just one does. Directions drawn by loss²
# find twice as many features here as random ones (with other seeds one and a half times as many): an input that is
# explained badly contains, as a rule, a feature that has no latent yet. Left alone, nearly all of the dead stay dead:
# of 114 there are 109 left. And the fifth matters: with encoder columns of full length, the first error after the
# operation is 7 instead of 0.4, and 45 features are found instead of 87.
#
# *Alive is not right.* Nearly all latents are now on in more than 1% of the rows, more often than any feature. Most
# still respond to mixtures, and a third of the features is missing. *Prevention is easier.* This dictionary was ill
# from birth: start its biases at 0, and no latent dies in 600 steps. (It finds 55 features, fewer than the patient: a
# latent can be alive and learn little.) In large models latents die in spite of all care: of large steps, of a mean
# that `b_dec` has not learned yet, or late in a long run.
#
# And *Adam does not forget completely*. Its step count belongs to the whole tensor. So the correction for a short
# history is gone, and a number whose $m$ and $v$ were cleared takes a first step of up to
# $0.1\,g / \sqrt{0.001\,g^2} \approx 3.2$ times the learning rate late in a run; here, at step 300, it is 1.6 times.
# That is one reason for the lower rate above, and why others warm the rate up again after resampling.
#
# **An experiment of your own.** A fifth of the usual length found 87 features, the full length 45. Choose another
# length for the new encoder columns.

# %%
my_length = 0.05  # in units of the usual length; anything above 0

guess_length = predict(f"Columns of {my_length:g} times the usual length: how many of 128 features?", ..., "features")

# %%
mine = resample(*state, f, bad_rows)
mine[0][0, :, dead] *= my_length / 0.2
torch.manual_seed(2)
after, f_mine, _ = run(mine, truth, p, first=300, steps=300, lr=lr)
guess_length.came_out(found(after, truth, f_mine), within=8)


# %% misconception="resample"
def dead_if_off_once(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "Latents that are off on *some* rows were restarted. Nearly all are: dead means off on all rows of all steps."
    return resample(W_enc, b_enc, W_dec, b_dec, f.amin(dim=(0, 1), keepdim=True), fresh)


# %% misconception="resample"
def looks_at_the_last_step_only(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "Only the last step decides which are dead. A rare feature may well miss one batch: look at the whole window."
    return resample(W_enc, b_enc, W_dec, b_dec, f[-1:], fresh)


# %% misconception="resample"
def keeps_adams_memory(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "m and v of the dead latents are still there: means over the gradients of weights that no longer exist. Clear them."
    new = resample(W_enc, b_enc, W_dec, b_dec, f, fresh)
    return tuple(torch.cat([after[:1], before[1:]]) for after, before in zip(new, (W_enc, b_enc, W_dec, b_dec)))


# %% misconception="resample"
def starts_adam_all_over(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "m and v are cleared for all latents, as by a new optimiser. The live ones lose their means: clear the dead only."
    new = resample(W_enc, b_enc, W_dec, b_dec, f, fresh)
    return tuple(torch.cat([stack[:1], 0 * stack[1:]]) for stack in new[:3]) + (new[3],)


# %% misconception="resample"
def full_voice(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "The new encoder columns have length 1. They should be a fifth as long as those of the live latents are on average."
    new, dead = resample(W_enc, b_enc, W_dec, b_dec, f, fresh), (f == 0).all(dim=1).all(dim=0)
    new[0][0, :, dead] = new[2][0, dead].T
    return new


# %% misconception="resample"
def as_loud_as_the_others(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "The new encoder columns are as long as those of the live latents are on average. The factor 0.2 is missing."
    new, dead = resample(W_enc, b_enc, W_dec, b_dec, f, fresh), (f == 0).all(dim=1).all(dim=0)
    new[0][0, :, dead] = 5 * new[0][0, :, dead]
    return new


# %% misconception="resample"
def a_fifth_of_nothing_in_particular(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "The new encoder columns have length 0.2, whatever the scale of the others. Multiply by the live ones' mean length."
    new, dead = resample(W_enc, b_enc, W_dec, b_dec, f, fresh), (f == 0).all(dim=1).all(dim=0)
    new[0][0, :, dead] = 0.2 * new[2][0, dead].T
    return new


# %% misconception="resample"
def the_dead_count_in_the_mean(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "The mean length of the encoder columns runs over the dead as well. Only those of live latents are to be averaged."
    new, dead = resample(W_enc, b_enc, W_dec, b_dec, f, fresh), (f == 0).all(dim=1).all(dim=0)
    new[0][0, :, dead] = 0.2 * W_enc[0].norm(dim=0).mean() * new[2][0, dead].T
    return new


# %% misconception="resample"
def keeps_the_bias(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "The bias of a dead latent stays. It is what kept the latent off: set it to 0."
    new = resample(W_enc, b_enc, W_dec, b_dec, f, fresh)
    return new[0], torch.cat([b_enc[:1], new[1][1:]]), new[2], new[3]


# %% misconception="resample"
def clobbers_b_dec(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "b_dec was set to 0 along with the biases of the dead. It belongs to all latents together: leave it as it is."
    return *resample(W_enc, b_enc, W_dec, b_dec, f, fresh)[:3], torch.zeros_like(b_dec)


# %% misconception="resample"
def hands_directions_out_in_order(W_enc, b_enc, W_dec, b_dec, f, fresh):
    "The first rows of `fresh` went to the dead, in order. Row i is for latent i; those of live latents are not used."
    order, dead = fresh.clone(), (f == 0).all(dim=1).all(dim=0)
    order[dead] = fresh[: int(dead.sum())]
    return resample(W_enc, b_enc, W_dec, b_dec, f, order)


# %% misconception="resample" part="resample_by_loss"
def every_row_alike(x, x_hat, b_dec, u):
    "All rows are drawn with the same probability. Draw where the dictionary is bad: by the square of the loss."
    return normalize(x[(u * len(x)).long()] - b_dec, dim=1)


# %% misconception="resample" part="resample_by_loss"
def loss_for_its_square(x, x_hat, b_dec, u):
    "Probabilities are proportional to the loss. The squared error *is* the loss; it has to be squared once more."
    upto = (x - x_hat).square().sum(dim=1).cumsum(dim=0)
    r = torch.searchsorted(upto / upto[-1], u, right=True)
    return normalize(x[r] - b_dec, dim=1)


# %% misconception="resample" part="resample_by_loss"
def length_of_the_error(x, x_hat, b_dec, u):
    "Probabilities are proportional to the length of the error. They go with the square of the loss: its fourth power."
    upto = (x - x_hat).norm(dim=1).cumsum(dim=0)
    return normalize(x[torch.searchsorted(upto / upto[-1], u, right=True)] - b_dec, dim=1)


# %% misconception="resample" part="resample_by_loss"
def an_end_below_one(x, x_hat, b_dec, u):
    "Near u = 1 a row without a loss was drawn: rounding ends the sums just below 1. Divide them by their own last one."
    weight = (x - x_hat).square().sum(dim=1) ** 2
    r = torch.searchsorted(weight.cumsum(dim=0) / weight.sum(), u, right=True).clamp_max(len(x) - 1)
    return normalize(x[r] - b_dec, dim=1)


# %% misconception="resample" part="resample_by_loss"
def always_the_worst_row(x, x_hat, b_dec, u):
    "Every draw is the row of the largest loss, so that all new latents point the same way. Draw by u."
    r = (x - x_hat).square().sum(dim=1).argmax()
    return normalize(x[r] - b_dec, dim=0).expand(len(u), -1)


# %% misconception="resample" part="resample_by_loss"
def the_input_as_it_came(x, x_hat, b_dec, u):
    "b_dec was not subtracted. The encoder sees x − b_dec, so that is where the latent has to point."
    return resample_by_loss(x, x_hat, 0 * b_dec, u)


# %% misconception="resample" part="resample_by_loss"
def points_at_the_error(x, x_hat, b_dec, u):
    "This points at the error x − x_hat of the row. A fine idea too, but here the direction is x − b_dec."
    upto = ((x - x_hat).square().sum(dim=1) ** 2).cumsum(dim=0)
    r = torch.searchsorted(upto / upto[-1], u, right=True)
    return normalize(x[r] - x_hat[r], dim=1)


# %% misconception="resample" part="resample_by_loss"
def of_any_length(x, x_hat, b_dec, u):
    "The directions are not unit vectors: divide each by its own length."
    upto = ((x - x_hat).square().sum(dim=1) ** 2).cumsum(dim=0)
    r = torch.searchsorted(upto / upto[-1], u, right=True)
    return x[r] - b_dec


# %% alternative="resample"
def one_latent_at_a_time(W_enc, b_enc, W_dec, b_dec, f, fresh):
    new = [stack.detach().clone() for stack in (W_enc, b_enc, W_dec, b_dec)]
    live = [i for i in range(f.shape[2]) if bool((f[:, :, i] > 0).any())]
    usual = sum(float(W_enc[0, :, i].norm()) for i in live) / len(live)
    for i in set(range(f.shape[2])) - set(live):
        for stack in new[:3]:
            (stack.select(2, i) if stack is new[0] else stack[:, i]).zero_()
        new[2][0, i] = fresh[i] / fresh[i].norm()
        new[0][0, :, i] = usual / 5 * new[2][0, i]
    return tuple(new)


# %% alternative="resample"
def by_masks_in_float64(W_enc, b_enc, W_dec, b_dec, f, fresh):
    live = (f.double().flatten(0, 1).amax(dim=0) > 0).to(f.dtype)
    d = normalize(fresh.double(), dim=1)
    size = (W_enc[0].double().pow(2).sum(dim=0).sqrt() * live).sum() / live.sum() / 5
    add = (1 - live)[:, None] * d
    first = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)[:, None, None]
    W_enc_new, W_dec_new = W_enc * live + first * size * add.T, W_dec * live[:, None] + first * add
    return W_enc_new.to(W_enc.dtype), b_enc * live, W_dec_new.to(W_dec.dtype), b_dec


# %% alternative="resample" part="resample_by_loss"
def walks_along_the_rows(x, x_hat, b_dec, u):
    squares = [float(((a - b) ** 2).sum()) ** 2 for a, b in zip(x, x_hat)]
    chosen = []
    for number in u.tolist():
        r, upto = 0, squares[0]
        while upto <= number * sum(squares) and r < len(x) - 1:
            r, upto = r + 1, upto + squares[r + 1]
        chosen.append((x[r] - b_dec) / (x[r] - b_dec).norm())
    return torch.stack(chosen)


# %% alternative="resample" part="resample_by_loss"
def counts_the_sums_not_above_u(x, x_hat, b_dec, u):
    share = normalize((x - x_hat).double().norm(dim=1) ** 4, p=1, dim=0)
    r = (share.cumsum(dim=0)[None, :-1] <= u[:, None]).sum(dim=1)
    return normalize(x - b_dec, dim=1)[r]
