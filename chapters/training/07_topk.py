# %% [markdown]
# # Counting instead of paying
#
# An L1 penalty makes latents rare by making them expensive, and every latent pays, the needed ones too. Why not just
# choose how many you want? In this section you do, first for each token and then for a whole batch. Both ways have a
# price: latents that are never chosen, and a rule that holds in training and has to be replaced afterwards.
#
# **At the end of this section** you will be able to write TopK and BatchTopK dictionaries, to give dead latents
# something to learn from, and to replace a choice within a batch by a threshold.

# %% setup=1
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize
from torch.testing import assert_close

from saelab import check, hint, plots, predict
from saelab.sae import BatchTopKSAE, TopKSAE, calibrate, train


def sparse_batch(truth: Float[Tensor, "feats d_in"], p: Float[Tensor, "#batch"], batch: int) -> Tensor:
    """x [batch, d_in], sums of features: each is on with the probability of its row, between 0.5 and 1.5 strong."""
    on = torch.rand(batch, len(truth)) < p[:, None]
    return (on * (0.5 + torch.rand(batch, len(truth)))) @ truth


# %% [markdown]
# ## The k largest, and what becomes of the others
#
# [Makhzani & Frey 2013](https://arxiv.org/abs/1312.5663) ("k-Sparse Autoencoders") and, for language models, [Gao et
# al. 2024](https://arxiv.org/abs/2406.04093) ("Scaling and evaluating sparse autoencoders") drop the penalty. Of each
# row of pre-activations $h$ the $k$ largest stay, the rest become 0:
#
# $$f = \operatorname{ReLU}(\operatorname{TopK}(h)),\qquad h = (x - b_\text{dec})\,W_\text{enc} + b_\text{enc},\qquad
# \hat x = f\,W_\text{dec} + b_\text{dec}$$
#
# There is no λ to tune and no shrinkage: nothing pulls at the latents that stay. **With $k=3$, how many latents are on
# in a row where only two entries of $h$ are positive?**
#
# | a row of $h$ | $k$ | $f$ |
# |---|---|---|
# | 3, −1, 2, 1 | 2 | 3, 0, 2, 0 |
# | 3, −1, −4, 2 | 3 | 3, 0, 0, 2: the third largest is −1, and ReLU has the last word |
# | 3, −1, 2, 1 | 9 | 3, 0, 2, 1: no more than there are |
# | 2, 1, 1, 1 | 2 | 2 and *one* of the three 1s, whichever: $k$ is $k$ |
#
# Now the price. A latent that is not among the $k$ largest gets no gradient, however positive its $h$. One that is
# never among them has only luck to hope for: the others, or $b_\text{dec}$, may move and let it in. Gao et al. give the
# dead latents a task of their own, an *auxiliary* loss with a `k` of its own (*AuxK*): *explain what the live ones left
# over.* With $e = x - \hat x$, and $\hat e$ made by dead latents alone, the `k_aux` largest of each row, through ReLU
# as ever,
#
# $$\mathcal L = \lVert x - \hat x\rVert^2 + \alpha\,\lVert e - \hat e\rVert^2,\qquad
# \hat e = \operatorname{ReLU}(\operatorname{TopK}_{k_\text{aux}}(h_\text{dead}))\,W_\text{dec, dead}$$
#
# with $\alpha = 1/32$ and `k_aux` about half of d_in. (They divide both terms by a variance; here, as everywhere in
# this chapter, $\lVert\cdot\rVert^2$ is summed over d_in and averaged over the batch.) Two details decide whether it
# works. There is **no $b_\text{dec}$** in $\hat e$: it is in $\hat x$ already, so $e$ has no mean left to explain. And
# **$e$ is held fixed**: it is a target. Otherwise the second term would also ask the live ones to leave errors that the
# dead can explain. Everything in $\hat e$ has its gradient, $h$ included.


# %% exercise="topk_loss" points=3 minutes=25 difficulty=3 importance=5
def keep_top(h: Float[Tensor, "batch d_sae"], k: int) -> Float[Tensor, "batch d_sae"]:
    """ReLU of the k largest entries (not: largest in size) of each row, 0 elsewhere; k ≥ d_sae keeps all (Gao et al.).

    Gradients flow through what is kept. Of several equal entries at the edge only as many are kept as there is room
    for, no matter which.

    >>> keep_top(torch.tensor([[3.0, -1.0, 2.0, 1.0], [3.0, -1.0, -4.0, -2.0]]), 2)
    tensor([[3., 0., 2., 0.],
            [3., 0., 0., 0.]])
    """
    # BEGIN SOLUTION
    values, indices = h.topk(min(k, h.shape[1]), dim=1)
    return torch.zeros_like(h).scatter(1, indices, values.relu())
    # END SOLUTION


def topk_loss(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "d_in d_sae"],
    b_enc: Float[Tensor, "d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    b_dec: Float[Tensor, "d_in"],
    dead: Bool[Tensor, "d_sae"],
    k: int,
    k_aux: int,
    aux: float,
) -> Float[Tensor, ""]:
    """|x − x_hat|² + aux · |e − e_hat|², each summed over d_in and averaged over the batch (Gao et al. 2024).

    x_hat comes from the k largest of all latents, whether marked dead or not; e = x − x_hat without its gradient;
    e_hat from the k_aux largest of the dead ones (all of them if there are fewer), without b_dec. Where no latent is
    dead there is no second term.

    >>> x, W, zero = torch.tensor([[3.0, 2.0]]), torch.eye(2), torch.zeros(2)  # x_hat = (3, 0), e = (0, 2)
    >>> topk_loss(x, W, zero, W, zero, torch.tensor([True, False]), 1, 1, 0.1)  # e_hat = (3, 0): 4 + 0.1 · 13
    tensor(5.3000)
    """
    # BEGIN SOLUTION
    h = (x - b_dec) @ W_enc + b_enc
    x_hat = keep_top(h, k) @ W_dec + b_dec
    loss = (x - x_hat).square().sum(dim=1).mean()
    if not dead.any():
        return loss
    e = (x - x_hat).detach()
    e_hat = keep_top(h[:, dead], k_aux) @ W_dec[dead]
    return loss + aux * (e - e_hat).square().sum(dim=1).mean()
    # END SOLUTION


# %%
check(topk_loss, keep_top)

# %% [markdown] hint=1
# `h.topk(k, dim=1)` gives values and where they stood. How do you put them back into a row of zeros? And for the second
# term: which columns of `h`, and which rows of `W_dec`, belong to the dead?

# %% [markdown] hint=2
# `torch.zeros_like(h).scatter(1, indices, values.relu())` puts them back, with gradients. For the second term pick the
# columns `h[:, dead]` first, then take their largest: the other way round the live ones take the places.

# %% [markdown] hint=3
# `e = (x - x_hat).detach()` and `e_hat = keep_top(h[:, dead], k_aux) @ W_dec[dead]`. Both terms have the same form,
# `(…).square().sum(dim=1).mean()`; the second is there only `if dead.any()`. What is left is to add them up.

# %%
# The package's own TopK dictionary has the same loss, to rounding, and the same gradients.
torch.manual_seed(0)
sae, x, dead = TopKSAE(d_in=12, d_sae=30, k=4), torch.randn(50, 12), torch.rand(30) < 0.4
weights = [sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec]
for marked in (dead, torch.zeros_like(dead)):
    ours, theirs = topk_loss(x, *weights, marked, 4, 6, 1 / 32), sae.loss(x, dead=marked).total
    assert_close(ours, theirs)
    assert_close(torch.autograd.grad(ours, weights), torch.autograd.grad(theirs, weights), atol=1e-5, rtol=1e-4)

# %%
guess_auxk = predict("160 latents, 400 steps without AuxK: what share of the latents is dead (0 to 1)?", ...)

# %%
# Three runs from one start: 160 latents for 128 features, W_enc and W_dec drawn independently of each other.
k = 3  # about 2.6 features are on per row
k_aux = 24
alphas = {"no AuxK": 0.0, "α = 1/32": 1 / 32, "α = 1/4": 1 / 4}

torch.manual_seed(0)
truth = normalize(torch.randn(128, 48), dim=1)
p = torch.tensor([0.02])
W_enc_start = torch.randn(48, 160) / 48**0.5
W_dec_start = normalize(torch.randn(160, 48), dim=1)


def trained(W_enc: Tensor, aux: float) -> tuple[list[float], int, Tensor]:
    """After 400 steps: the share of dead latents at each step, the number of features found, the last error."""
    torch.manual_seed(1)
    start = W_enc, torch.zeros(160), W_dec_start, torch.zeros(48)
    W_enc, b_enc, W_dec, b_dec = weights = [value.clone().requires_grad_() for value in start]
    adam = torch.optim.Adam(weights, lr=0.005)
    silent = torch.zeros(160)  # batches since a latent was on
    shares = []
    for _ in range(400):
        x = sparse_batch(truth, p, 256)
        dead = silent >= 30
        loss = topk_loss(x, *weights, dead, k, k_aux, aux)
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            W_dec /= W_dec.norm(dim=1, keepdim=True)
            f = keep_top((x - b_dec) @ W_enc + b_enc, k)
            silent = torch.where((f > 0).any(dim=0), 0.0, silent + 1)
            error = (x - f @ W_dec - b_dec).square().sum(dim=1).mean()
        shares.append(float(dead.float().mean()))
    return shares, int(((W_dec[~dead] @ truth.T).amax(dim=0) > 0.9).sum()), error


share_dead, found = {}, {}
for name, aux in alphas.items():
    share_dead[name], found[name], error = trained(W_enc_start, aux)
    print(f"{name:9} dead {share_dead[name][-1]:.2f}   features found {found[name]:3d} of 128   error {error:.2f}")
# In five starts: 0.26 to 0.45 of the dead, and 32 to 53 features more.
assert share_dead["α = 1/4"][-1] < 0.7 * share_dead["no AuxK"][-1], share_dead
assert found["α = 1/4"] > found["no AuxK"] + 12, found
plots.line(
    torch.arange(400),
    share_dead,
    title="How many latents are dead?",
    x_title="step",
    y_title="share of latents that are dead",
)

# %%
guess_auxk.came_out(share_dead["no AuxK"][-1], within=0.08)


# %% [markdown]
# Without AuxK three latents in ten are dead, and missed: 44 features have no latent. With it the dead come back and
# find work, the faster the larger α: at 1/4 a dozen features are left. (Another start gave 0.42, 0.22 and 0.11 dead,
# and 56, 77 and 109 features.)
#
# **An experiment of your own.** These runs begin with an encoder that has nothing to do with the decoder. Start it as
# the decoder's transpose, as Gao et al. do, and choose an α.

# %%
my_aux = 0.0  # no AuxK; 1 / 4 is the largest above

guess_tied = predict(f"Tied start, α = {my_aux:g}: how many of the 128 features are found?", ..., "features")

# %%
tied_shares, tied_found, _ = trained(W_dec_start.T, my_aux)
print(f"dead at the end: {tied_shares[-1]:.2f}")
guess_tied.came_out(tied_found, within=8)

# %% [markdown]
# Is AuxK needed, then? Less than it seems: it was their start that the runs above suffered from. From a tied one a
# fifth is dead whatever α is, and 117 features are found without AuxK, 117 with $\alpha=1/32$ and all 128 with
# $\alpha=1/4$. So few dead latents are not a goal in themselves: the features are there, and the dead have no work
# left. Nor does AuxK wake every latent. One whose $h$ is negative on every row gets nothing through its ReLU, from this
# loss as from any other.


# %% misconception="topk_loss" part="keep_top"
def negatives_kept(h, k):
    "The k largest may be negative where few are positive, and they were kept. ReLU comes after TopK."
    return h * (keep_top(h - h.min() + 1, k) > 0)


# %% misconception="topk_loss" part="keep_top"
def largest_in_size(h, k):
    "The k largest in *size* were chosen, so that strongly negative entries take places and are cut to 0 afterwards."
    return h.relu() * (keep_top(h.abs(), k) > 0)


# %% misconception="topk_loss" part="keep_top"
def over_the_whole_batch(h, k):
    "The k·batch largest of the whole batch were kept. Here every row has k places of its own."
    return batch_topk(h, k)


# %% misconception="topk_loss" part="keep_top"
def all_at_the_edge_stay(h, k):
    "Every entry that equals the k-th largest was kept, so a row with equal entries has more than k on. Keep by place."
    return torch.where(h >= h.topk(min(k, h.shape[1]), dim=1).values[:, -1:], h, 0.0).relu()


# %% misconception="topk_loss" part="keep_top"
def none_at_the_edge_stays(h, k):
    "Only entries above the next largest were kept, so a row with equal entries has fewer than k on. Keep by place."
    edge = h.sort(dim=1, descending=True).values[:, min(k, h.shape[1] - 1), None]
    return torch.where((h > edge) | (h.shape[1] <= k), h, 0.0).relu()


# %% misconception="topk_loss"
def dead_ones_explain_x(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux):
    "The dead latents were asked to explain x, which the live ones do already. Their task is the error x − x_hat."
    h = (x - b_dec) @ W_enc + b_enc
    e, e_hat = x - keep_top(h, k) @ W_dec - b_dec, keep_top(h[:, dead], k_aux) @ W_dec[dead]
    return e.square().sum(1).mean() + dead.any() * aux * (x - e_hat).square().sum(1).mean()


# %% misconception="topk_loss"
def the_living_explain_too(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux):
    "The second term uses all latents, and live ones take the places. Only the dead may explain the error."
    return topk_loss(x, W_enc, b_enc, W_dec, b_dec, dead | dead.any(), k, k_aux, aux)


# %% misconception="topk_loss"
def chosen_before_the_living_are_gone(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux):
    "The k_aux largest were chosen among all latents, and only the dead of these kept. First the dead, then TopK."
    h = (x - b_dec) @ W_enc + b_enc
    e, e_hat = x - keep_top(h, k) @ W_dec - b_dec, (keep_top(h, k_aux) * dead) @ W_dec
    return e.square().sum(1).mean() + dead.any() * aux * (e.detach() - e_hat).square().sum(1).mean()


# %% misconception="topk_loss"
def target_not_held_fixed(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux):
    "Values are right, a gradient is not. Look at e: it is a target, so detach it, and nothing else."
    h = (x - b_dec) @ W_enc + b_enc
    e, e_hat = x - keep_top(h, k) @ W_dec - b_dec, keep_top(h[:, dead], k_aux) @ W_dec[dead]
    return e.square().sum(1).mean() + dead.any() * aux * (e - e_hat).square().sum(1).mean()


# %% misconception="topk_loss"
def decoder_bias_twice(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux):
    "b_dec was added to e_hat. It is in x_hat already, and so no longer in the error."
    h = (x - b_dec) @ W_enc + b_enc
    e, e_hat = x - keep_top(h, k) @ W_dec - b_dec, keep_top(h[:, dead], k_aux) @ W_dec[dead] + b_dec
    return e.square().sum(1).mean() + dead.any() * aux * (e.detach() - e_hat).square().sum(1).mean()


# %% misconception="topk_loss"
def charged_when_none_is_dead(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux):
    "With no latent dead, e_hat is 0 and the second term charges the error again. Leave the term out then."
    loss = topk_loss(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux)
    return loss if dead.any() else loss + aux * loss.detach()


# %% misconception="topk_loss"
def k_for_k_aux(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux):
    "The second term keeps k latents per row. It has a number of its own, k_aux."
    return topk_loss(x, W_enc, b_enc, W_dec, b_dec, dead, k, k, aux)


# %% alternative="topk_loss"
def one_row_at_a_time(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux):
    losses = [topk_loss(row[None], W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux) for row in x]
    return torch.stack(losses).mean()


# %% alternative="topk_loss"
def with_dead_ones_masked_in(x, W_enc, b_enc, W_dec, b_dec, dead, k, k_aux, aux):
    h = torch.addmm(b_enc.double(), (x - b_dec).double(), W_enc.double())
    error = x.double() - keep_top(h, k) @ W_dec.double() - b_dec.double()
    of_dead = keep_top(h.masked_fill(~dead, -1e9), min(k_aux, int(dead.sum()))) @ W_dec.double()
    second = (error.detach() - of_dead).norm(dim=1).square().mean() if bool(dead.any()) else 0.0
    return (error.pow(2).mean(dim=0).sum() + aux * second).to(x.dtype)


# %% alternative="topk_loss" part="keep_top"
def by_rank(h, k):
    rank = h.argsort(dim=1, descending=True).argsort(dim=1)
    return h.clamp_min(0.0) * (rank < k)


# %% [markdown]
# ## Must every token have the same number?
#
# A full stop and a surname in the middle of a sentence both got $k$ latents. **Which of them has too many, which too
# few, and what does TopK do with the places too many?** BatchTopK ([Bussmann et al.
# 2024](https://arxiv.org/abs/2412.06410), "BatchTopK Sparse Autoencoders") shares one budget: of all `batch · d_sae`
# entries of $h$ keep the $k\cdot$batch largest. The average is $k$, and each row takes what it needs.
#
# | $h$, two rows | $k$ | TopK | BatchTopK |
# |---|---|---|---|
# | 5, 4, 3 and 2, 1, −1 | 1 | 5, 0, 0 and 2, 0, 0 | 5, 4, 0 and 0, 0, 0 |
# | 5, 4, 3 and 2, 1, −1 | 2 | 5, 4, 0 and 2, 1, 0 | 5, 4, 3 and 2, 0, 0 |
# | 5, −1, −2 and −3, −4, −5 | 2 | 5, 0, 0 and 0, 0, 0 | the same: three of the four places stay empty |
#
# There is a catch, as in batch normalisation: what a row gets depends on its neighbours. In training that is harmless.
# Afterwards it means that the same token has other latents in another batch. So for use the batch is replaced by one
# number, a threshold $\theta$ below which nothing counts:
#
# $$f = h\cdot 1[h > \theta],\qquad
# \theta = \operatorname*{mean}_{\text{batches}}\ \min\{f_{ri} : f_{ri} > 0\}$$
#
# the smallest latent that BatchTopK lets through, averaged over some batches. What is above $\theta$ stays as it is;
# nothing is subtracted.


# %% exercise="batch_topk" points=3 minutes=20 difficulty=2 importance=4
def batch_topk(h: Float[Tensor, "batch d_sae"], k: int, theta: float | None = None) -> Float[Tensor, "batch d_sae"]:
    """BatchTopK of the pre-activations h: by their rank in the batch (theta None), or by a threshold (Bussmann et al.).

    Without theta: ReLU of the k · batch largest entries of the whole of h, 0 elsewhere; of all entries if there are
    not more. Of several equal entries at the edge only as many are kept as there is room for, no matter which. With a
    theta ≥ 0: h where h > theta, 0 elsewhere; k plays no part. Gradients flow through what is kept.

    >>> h = torch.tensor([[5.0, 4.0, 3.0], [2.0, 1.0, -1.0]])
    >>> batch_topk(h, 1)
    tensor([[5., 4., 0.],
            [0., 0., 0.]])
    >>> batch_topk(h, 1, 2.0)
    tensor([[5., 4., 3.],
            [0., 0., 0.]])
    """
    # BEGIN SOLUTION
    if theta is not None:
        return torch.where(h > theta, h, 0.0)
    flat = h.flatten()
    values, indices = flat.topk(min(k * len(h), len(flat)))
    return torch.zeros_like(flat).scatter(0, indices, values.relu()).view_as(h)
    # END SOLUTION


def inference_threshold(h: Float[Tensor, "batches batch d_sae"], k: int) -> float:
    """theta: the smallest positive entry of batch_topk(h[j], k), averaged over the batches j (Bussmann et al. 2024).

    Every batch has a positive entry.

    >>> h = torch.tensor([[[5.0, 4.0], [2.0, 1.0]], [[3.0, -1.0], [1.0, -2.0]]])
    >>> inference_threshold(h, 1)  # 4 and 1 just get in
    2.5
    """
    # BEGIN SOLUTION
    kept = [batch_topk(batch, k) for batch in h]
    return torch.stack([f[f > 0].min() for f in kept]).mean().item()
    # END SOLUTION


# %%
check(batch_topk, inference_threshold)

# %% [markdown] hint=1
# `topk` works along one axis. What shape must `h` have so that one `topk` sees the whole batch, and how do you get back
# afterwards? And what does the smallest *kept* latent have to be compared with, so that the zeros don't win?

# %% [markdown] hint=2
# `flat = h.flatten()`; keep `min(k * len(h), len(flat))` of it; scatter into zeros and `.view_as(h)`. For the threshold
# take `f[f > 0].min()` of each batch. And ask `theta is not None`: 0.0 is a threshold too.

# %% [markdown] hint=3
# `if theta is not None:` one `torch.where`; else as in `keep_top`, on `flat` and along dim 0. For the threshold,
# `kept = [batch_topk(batch, k) for batch in h]`, and each has a smallest positive entry. What is left is their mean.

# %%
# Rows differ now: some have half a feature on average, some five. A BatchTopK dictionary, trained by the package.
torch.manual_seed(0)


def tokens(batch: int) -> tuple[Tensor, Tensor]:
    """x [batch, d_in], and how busy each row is: the number of features to expect."""
    busy = torch.linspace(0.5, 5.0, 10)[torch.randint(10, (batch,))]
    return sparse_batch(truth, busy / 128, batch), busy


sae = BatchTopKSAE(d_in=48, d_sae=160, k=k)
train(sae, lambda step: tokens(256)[0], steps=400, lr=0.005, progress=False)
x, busy = tokens(16384)
h = sae.hidden(x).detach()
theta = inference_threshold(h[:8192].view(32, 256, 160), k)
pooled = calibrate(sae, x[:8192])  # the package's way: k · rows of all entries are above it
assert abs(theta / pooled - 1) < 0.05  # two quantiles of the same tail

h, busy = h[8192:], busy[8192:]  # rows that the threshold has not seen
kept = {
    "TopK": keep_top(h, k),
    "BatchTopK": torch.cat([batch_topk(rows, k) for rows in h.split(256)]),
    "in use, h > θ": batch_topk(h, k, theta),
    "in use, pooled θ": batch_topk(h, k, pooled),
}
n_on = {name: (f > 0).sum(dim=1) for name, f in kept.items()}
for name, n in n_on.items():
    l0 = n.float().mean()
    print(f"{name:17} L0 {l0:.2f}")
    assert abs(l0 / k - 1) < 0.05  # all of them spend what was budgeted

# %%
guess_calm = predict(
    "k = 3. A batch of the calmest rows alone, with half a feature to expect: how many latents per row?", ..., "latents"
)

# %%
# The calmest rows in a batch of their own; and a text of the busiest rows, under the threshold made for all.
levels = busy.unique()
calm = h[busy == levels[0]]
crowded = h[busy == levels[-1]]
calm_l0 = (batch_topk(calm, k) > 0).sum() / len(calm)
crowded_l0 = (batch_topk(crowded, k, theta) > 0).sum() / len(crowded)
print(f"rows of {levels[0]} features in a batch of their own: L0 {calm_l0:.2f}")
print(f"rows of {levels[-1]} features under θ: L0 {crowded_l0:.2f}")
assert abs(calm_l0 - k) < 0.1 and 1.6 * k < crowded_l0 < 2.2 * k
guess_calm.came_out(calm_l0)

# %%
curves = {}
for name in ("TopK", "BatchTopK", "in use, h > θ"):
    curves[name] = torch.stack([n_on[name][busy == level].float().mean() for level in levels])
plots.line(
    levels,
    curves,
    title="Which rows get how many latents?",
    x_title="features to expect in the row",
    y_title="L0 of such rows",
    markers=True,
)

# %%
shares = {name: torch.bincount(n_on[name].clamp_max(10), minlength=11) / len(h) for name in curves}
plots.bars(
    shares,
    [*range(10), "10+"],
    title="How many latents does a token have?",
    x_title="latents on",
    y_title="share of tokens",
)


# %% [markdown]
# All spend the same, three latents per row; look at which rows get them. TopK gives three to rows that expect half a
# feature. BatchTopK gives those half a latent, and nearly six to the busiest. The threshold, on rows that it has never
# seen, does almost the same: that is what makes the replacement admissible. And it is necessary: in a batch of similar
# rows the calmest get three latents again. No other row needs the places, so noise takes them.
#
# The package sets its threshold in another way (`calibrate`): it pools many rows and takes the entry after the
# $k\cdot$rows largest, so that exactly $k$ are on in the average row. The mean of the smallest is nearly the same
# number. (Of a single batch it would leave out one latent, the smallest itself: $h > \theta$ is strict.)
#
# Does $\theta$ hold on *other* data? On a text of crowded rows alone, L0 in use is nearly twice $k$. Whether that is
# right (more features, more latents) or wrong (more noise), no L0 can tell. And a row of five features got five latents
# or so; whether they are the right ones is for the section on metrics.


# %% misconception="batch_topk"
def k_for_every_row(h, k, theta=None):
    "Every row got k latents: this is TopK. The budget of k · batch is shared by the whole batch."
    return keep_top(h, k) if theta is None else torch.where(h > theta, h, 0.0)


# %% misconception="batch_topk"
def negatives_pass(h, k, theta=None):
    "Negative entries were kept where positive ones were too few. ReLU comes after the choice."
    return batch_topk(h, k, theta) if theta is not None else h * (batch_topk(h - h.min() + 1, k) > 0)


# %% misconception="batch_topk"
def all_at_the_edge_get_in(h, k, theta=None):
    "Everything that equals the smallest kept entry was kept: where tokens repeat, more than k · batch. Keep by place."
    kept = h.flatten().topk(min(k * len(h), h.numel())).values
    return torch.where(h >= kept[-1] if theta is None else h > theta, h, 0.0).relu()


# %% misconception="batch_topk"
def the_batch_decides_in_use_too(h, k, theta=None):
    "With a theta the batch still decided. In use a row must get the same latents whatever rows are beside it."
    f = batch_topk(h, k)
    return f if theta is None else torch.where(f > theta, f, 0.0)


# %% misconception="batch_topk"
def theta_is_subtracted(h, k, theta=None):
    "theta was subtracted from what is left. It only decides: what is above it keeps its value."
    return batch_topk(h, k) if theta is None else (h - theta).relu()


# %% misconception="batch_topk"
def at_the_threshold_is_on(h, k, theta=None):
    "An entry equal to theta was kept. The rule is h > theta; with theta = 0, or a repeated value, it matters."
    return batch_topk(h, k) if theta is None else torch.where(h >= theta, h, 0.0)


# %% misconception="batch_topk"
def zero_is_no_threshold(h, k, theta=None):
    "theta = 0.0 was taken for no theta. `if theta:` is false for 0; ask `theta is not None`."
    return batch_topk(h, k, theta if theta else None)


# %% misconception="batch_topk" part="inference_threshold"
def mean_of_the_largest(h, k):
    "This averages each batch's largest latent, so almost nothing would pass. Take the smallest one that is kept."
    return float(sum(batch_topk(batch, k).max() for batch in h) / len(h))


# %% misconception="batch_topk" part="inference_threshold"
def zeros_are_the_smallest(h, k):
    "The smallest entry of f is 0, one of those that were not kept. Take the smallest *positive* one."
    return float(sum(batch_topk(batch, k).min() for batch in h) / len(h))


# %% misconception="batch_topk" part="inference_threshold"
def smallest_of_all_batches(h, k):
    "This is the smallest latent of all batches, so a single odd batch decides. Average the batches' smallest ones."
    return float(min(f[f > 0].min() for f in (batch_topk(batch, k) for batch in h)))


# %% misconception="batch_topk" part="inference_threshold"
def all_batches_as_one(h, k):
    "All batches were joined and ranked as one. Take the smallest kept latent of each batch, then their mean."
    f = batch_topk(h.flatten(0, 1), k)
    return float(f[f > 0].min())


# %% misconception="batch_topk" part="inference_threshold"
def smallest_of_each_row(h, k):
    "The smallest was taken for every row and averaged over rows. Take one number per batch: rows share the budget."
    f = torch.cat([batch_topk(batch, k) for batch in h])
    smallest = torch.where(f > 0, f, torch.inf).amin(dim=1)
    return float(smallest[smallest.isfinite()].mean())


# %% alternative="batch_topk"
def by_place_in_the_order(h, k, theta=None):
    place = h.detach().flatten().argsort(descending=True).argsort().view_as(h)
    return h * (h > theta) if theta is not None else h.relu() * (place < k * len(h))


# %% alternative="batch_topk"
def with_a_mask(h, k, theta=None):
    if theta is None:
        keep = torch.zeros(h.numel(), dtype=torch.bool)
        keep[h.detach().double().flatten().argsort(descending=True)[: k * h.size(0)]] = True
        return h.clamp(min=0) * keep.reshape(h.shape)
    return h.masked_fill(h <= theta, 0.0)


# %% alternative="batch_topk" part="inference_threshold"
def one_batch_after_the_other(h, k):
    ranked = [sorted(batch.flatten().tolist())[-k * len(batch) :] for batch in h]
    return sum(min(value for value in values if value > 0) for values in ranked) / len(h)


# %% alternative="batch_topk" part="inference_threshold"
def without_a_loop(h, k):
    flat = h.double().flatten(1)
    kept = flat.topk(min(k * h.shape[1], flat.shape[1]), dim=1).values
    return torch.where(kept > 0, kept, torch.inf).amin(dim=1).mean()
