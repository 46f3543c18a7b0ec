# %% [markdown]
# # Is it any good?
#
# You can train many kinds of dictionary by now, and each has a loss that falls. Which would you keep? Here you score
# them by what they reconstruct, by the truth about the text, and by what the model can still do with them, always
# beside nulls that *should* do badly: random directions, and a dictionary of a model that never learned anything.

# %% setup=1
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from saelab import check, hint, lab, plots, sae, scores

# %% [markdown]
# Two are trained here, with BatchTopK at $k=12$: on the pocket model, and on its twin with random weights. The text
# they are scored on is new to both. Position 0 is BOS and no text: `mask` leaves it out.

# %%
SITE = "blocks.1.hook_resid_post"
here = lab("pocket")
text = here.world.sample(80, 128, seed=1)
tokens = torch.from_numpy(text.tokens)
mask = torch.ones_like(tokens, dtype=torch.bool)
mask[:, 0] = False
torch.manual_seed(0)
dictionaries, acts, curves = {}, {}, {}
for name, each in {"pocket model": here, "random weights": here.control("random_weights")}.items():
    x = torch.cat([each.activations(SITE, rows)[:, 1:].flatten(0, 1) for rows in here.tokens(320, 128).split(64)])
    batches = x[torch.randint(len(x), (400, 1024))]
    dictionaries[name], acts[name] = sae.BatchTopKSAE(128, 768, k=12), each.activations(SITE, tokens)
    history = sae.train(dictionaries[name], batches.__getitem__, 400)
    curves[name] = history["fvu"]
    dictionaries[name].requires_grad_(False)
    if each is here:
        dictionaries["random directions"] = scores.random_dictionary(x, 12, 768)
        acts["random directions"] = acts[name]
title = "A falling loss does not tell a model that learned from one that did not"
plots.line(history.steps, curves, title=title, x_title="training step", y_title="FVU of a batch", log_y=True)

# %% [markdown]
# ## Which numbers tell you?
#
# Three questions, one function each. **Does it reconstruct, and sparsely?** Let $t$ run over the tokens that count, and
# let $\mu$ be the mean of $x_t$ over them. The *fraction of variance unexplained* is one ratio of two sums,
#
# $$\text{FVU} = \frac{\sum_t\lVert x_t-\hat x_t\rVert^2}{\sum_t\lVert x_t-\mu\rVert^2}$$
#
# A latent is *on* where $f>0$. $L_0$ is the mean number of latents on at a token, a latent's *frequency* the fraction
# of tokens at which it is on, and a latent that is on nowhere is *dead*. **Guess:** all dimensions have the same error,
# but a few vary much more than the others, as in residual streams. Which is larger, FVU, or the mean of the same ratio
# taken dimension by dimension?
#
# **Does it point the right way?** Where the true directions are known, give each feature one latent, and no latent to
# two features, so that the cosines add up to the most. Their mean is the MCC. The sign counts: $f$ is never negative,
# so a latent that points backwards can't say its feature.
#
# **Does it fire at the right time?** Let $f_i>0$ say *yes* to a factor, and let TP of its yeses be true:
#
# $$F_1 = \frac{2\,\text{TP}}{\text{tokens where it says yes} + \text{tokens where the factor is true}}$$
#
# | case | |
# |---|---|
# | $\hat x=x$, $\hat x=\mu$, $\hat x=2\mu-x$ | FVU 0, 1, 4 |
# | variances 9 and 1, a squared error of 1 in both dimensions | FVU 2/10; the mean of the two ratios would be 5/9 |
# | the true directions in another order, longer or shorter | MCC 1 |
# | orthogonal directions, each turned round | MCC 0: pairs at right angles beat pairs at $-1$ |
# | a latent that is always on, a factor true of a share $p$ of the tokens | $F_1=2p/(1+p)$ |
# | a dead latent | $F_1=0$ |


# %% exercise="evaluate" points=4 minutes=40 difficulty=3 importance=5
def evaluate(
    x: Float[Tensor, "batch pos d_in"],
    x_hat: Float[Tensor, "batch pos d_in"],
    f: Float[Tensor, "batch pos d_sae"],
    mask: Bool[Tensor, "batch pos"],
) -> tuple[float, float, float, Float[Tensor, "d_sae"]]:
    """(L0, FVU, fraction of latents that are dead, frequency of each latent) over the tokens whose mask is True.

    A latent is on where f > 0. FVU is one ratio of two sums over tokens and dimensions, about the mean of x over the
    same tokens. Frequency is a fraction of these tokens. At least two tokens count, and x is not the same at all.

    >>> x, x_hat = torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[[1.0], [2.0], [0.0]]])
    >>> f = torch.tensor([[[1.0, 0.0], [0.5, -2.0], [0.0, 4.0]]])
    >>> evaluate(x, x_hat, f, torch.tensor([[True, True, False]]))  # the last token is padding
    (1.0, 0.5, 0.5, tensor([1., 0.]))
    """
    # BEGIN SOLUTION
    x, x_hat, on = x[mask], x_hat[mask], (f[mask] > 0).to(f.dtype)  # token d_in, token d_in, token d_sae
    fvu = (x - x_hat).square().sum() / (x - x.mean(dim=0)).square().sum()
    dead = (on.sum(dim=0) == 0).double().mean()
    return on.sum(dim=1).mean().item(), fvu.item(), dead.item(), on.mean(dim=0)
    # END SOLUTION


def mcc(W_dec: Float[Tensor, "d_sae d_in"], truth: Float[Tensor, "feats d_in"]) -> float:
    """Mean over the features of the signed cosine with the latent that a one-to-one matching gives to each.

    Rows are directions, of any length; a row of zeros in W_dec has cosine 0 with everything. min(d_sae, feats) pairs
    are made, no row in two of them, so that the sum of their cosines is the largest possible, and a feature that is
    left without a latent counts 0. `linear_sum_assignment(C, maximize=True)` gives the rows and columns of C matched.

    >>> round(mcc(torch.tensor([[0.0, 2.0], [0.6, 0.8]]), torch.eye(2)), 4)  # cosines 0.6 and 1
    0.8
    """
    # BEGIN SOLUTION
    cosines = normalize(truth, dim=1) @ normalize(W_dec, dim=1).T  # feats d_sae
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return cosines[rows, columns].sum().item() / len(truth)
    # END SOLUTION


def best_f1(f: Float[Tensor, "token d_sae"], labels: Bool[Tensor, "token factor"]) -> Float[Tensor, "factor"]:
    """F1 of the latent that says each factor best, where f > 0 says yes; nan for a factor that is never true.

    A latent that is never on when the factor is true, dead or not, has F1 0.

    >>> f = torch.tensor([[0.3, 1.0], [0.0, 2.0], [0.0, 3.0]])
    >>> best_f1(f, torch.tensor([[True], [False], [True]]))  # the latents have 2/3 and 4/5
    tensor([0.8000])
    """
    # BEGIN SOLUTION
    yes, true = (f > 0).to(f.dtype), labels.to(f.dtype)
    f1 = 2 * (yes.T @ true) / (yes.sum(dim=0)[:, None] + true.sum(dim=0))  # d_sae factor
    return f1.amax(dim=0).masked_fill(~labels.any(dim=0), torch.nan)
    # END SOLUTION


# %%
check(evaluate, mcc, best_f1)

# %% [markdown] hint=1
# Throw the tokens that don't count away first: what is the shape of `x[mask]`? Then ask of every mean what is summed,
# and what it is divided by. For MCC and F1: can one matrix product treat all pairs at once?

# %% [markdown] hint=2
# After `x[mask]` the rows are tokens, so $\mu$ is `x.mean(dim=0)`, and FVU is a `.square().sum()` over another. Cosines
# need rows of length 1 on both sides (`normalize` leaves a row of zeros alone). The number of tokens at which latent
# $i$ says yes and factor $j$ is true is a sum of products of zeros and ones.

# %% [markdown] hint=3
# L0 is `(f[mask] > 0).sum(dim=1)`, averaged; frequency the mean over `dim=0`; dead is where that is 0. MCC: the chosen
# entries of `normalize(truth, dim=1) @ normalize(W_dec, dim=1).T`, summed and divided by `len(truth)`. F1:
# `2 * (yes.T @ true) / (yes.sum(0)[:, None] + true.sum(0))`, then the largest over latents; mind 0/0.

# %%
# The scoreboard. `scores.factor_f1` also looks for a threshold, and is graded on tokens that it did not choose by. The
# true directions are not known here; for MCC, mean(x where the factor is true) - mean(x elsewhere) stands in for them.
truth = text.truth(1e-3)
labels, asked = torch.from_numpy(truth.labels), torch.from_numpy(truth.asked)
kinds, held_out = ["token", "token in context", "context", "predictive"], {}
print(f"{len(truth.factors)} factors          L0    FVU   dead    MCC   F1 at 0   F1 held out")
for name, each in dictionaries.items():
    x, f = acts[name], each.encode(acts[name])
    l0, fvu, dead, _ = evaluate(x, each.decode(f), f, mask)
    quality = scores.quality(each, x[mask])
    assert abs(l0 - quality.l0) < 1e-3 and abs(fvu - quality.fvu) < 1e-3, (l0, fvu, quality)  # float32 sums
    directions = scores.mean_differences(x[mask], labels, asked)
    match = mcc(each.W_dec, directions[directions.isfinite().all(dim=1)])
    at_zero, found = best_f1(f[mask], labels).nanmean(), scores.factor_f1(f[mask], labels, mask=asked).f1
    held_out[name] = [found[torch.tensor([a.kind == kind for a in truth.factors])].nanmean() for kind in kinds]
    print(f"{name:<18} {l0:>4.1f}   {fvu:.2f}   {dead:.2f}   {match:.2f}   {at_zero:>7.2f}   {found.nanmean():>11.2f}")
ours, control = held_out["pocket model"], held_out["random weights"]
assert ours[2] > control[2] + 0.2 and control[0] > ours[0] + 0.1, held_out  # margins seen: more than 0.3
title = "From random weights: the words better, the context hardly at all"
plots.bars(held_out, kinds, title=title, x_title="what the factor belongs to", y_title="mean F1 on held-out text")

# %% [markdown]
# Both trained dictionaries reconstruct alike, and the mean F1 even *favours* random weights: most factors are words,
# and a word stands in the embedding, where nothing is in its way. Only the bars tell. What a model works out from the
# context its dictionary says with an F1 near 0.5, the control's hardly at all (what comes *next* hangs on the word just
# read, so there it has a share). A figure without its null says little.
#
# This did **not** show how good the pocket dictionary could be; it trained for seconds. F1 at 0 is low because a latent
# also fires faintly where its factor is false, and flattering because each latent is chosen on the tokens it is graded
# on. The MCC is that of stand-ins, and random directions come to a quarter. *Dead* means silent on these 10,160 tokens;
# on more tokens fewer latents are. And FVU does not say whether features were found: section 11.


# %% misconception="evaluate"
def mean_of_ratios_over_dimensions(x, x_hat, f, mask):
    "FVU is a mean of one ratio a dimension, so one that hardly varies weighs as much as all others. Sum, then divide."
    l0, _, dead, frequency = evaluate(x, x_hat, f, mask)
    x, x_hat = x[mask], x_hat[mask]
    return l0, ((x - x_hat) ** 2).sum(0).div(((x - x.mean(0)) ** 2).sum(0)).mean(), dead, frequency


# %% misconception="evaluate"
def mean_of_ratios_over_sequences(x, x_hat, f, mask):
    "Each sequence was scored alone and the scores averaged: short ones weigh too much. Sum over all, divide once."
    alone = [evaluate(*(part[i : i + 1] for part in (x, x_hat, f, mask))) for i in range(len(x))]
    return tuple(sum(score) / len(x) for score in zip(*alone))


# %% misconception="evaluate"
def variance_about_zero(x, x_hat, f, mask):
    "Below the line stands Σ‖x‖², the variance about 0. A large mean then makes any dictionary look good: take μ off."
    l0, _, dead, frequency = evaluate(x, x_hat, f, mask)
    return l0, (x - x_hat)[mask].square().sum() / x[mask].square().sum(), dead, frequency


# %% misconception="evaluate"
def padding_counts(x, x_hat, f, mask):
    "Tokens whose mask is False were counted. They are padding or BOS: take `x[mask]`, and the same of x_hat and f."
    return evaluate(x, x_hat, f, torch.ones_like(mask))


# %% misconception="evaluate"
def negatives_are_on(x, x_hat, f, mask):
    "A latent was counted as on where f is not 0. On means f > 0."
    return evaluate(x, x_hat, f.abs(), mask)


# %% misconception="evaluate"
def faint_latents_are_off(x, x_hat, f, mask):
    "On was judged by another threshold than 0. Whatever it is, it means something else as soon as x is rescaled."
    return evaluate(x, x_hat, f - 0.2, mask)


# %% misconception="evaluate"
def numbers_for_fractions(x, x_hat, f, mask):
    "Dead latents and firings are numbers here, which grow with d_sae and with the tokens. Give fractions of them."
    l0, fvu, dead, frequency = evaluate(x, x_hat, f, mask)
    return l0, fvu, dead * f.shape[-1], frequency * mask.sum()


# %% misconception="evaluate" part="mcc"
def a_latent_matched_twice(W_dec, truth):
    "Each feature took its best latent, so one latent may serve several. A matching gives every latent away once."
    return (normalize(truth, dim=1) @ normalize(W_dec, dim=1).T).amax(dim=1).mean()


# %% misconception="evaluate" part="best_f1"
def dead_latents_count(f, labels):
    "A dead latent has precision 0/0, and that NaN wins every maximum. Use the form of F1 without it, or guard it."
    yes, true = (f > 0).to(f.dtype), labels.to(f.dtype)
    precision, recall = yes.T @ true / yes.sum(dim=0)[:, None], yes.T @ true / true.sum(dim=0)
    return (2 * precision * recall / (precision + recall)).amax(dim=0)


# %% misconception="evaluate" part="best_f1"
def mean_over_the_latents(f, labels):
    "F1 was averaged over the latents, dead ones included. One good latent is enough: take the largest."
    return sum(best_f1(latent[:, None], labels) for latent in f.T) / f.shape[1]


# %% alternative="evaluate"
def with_weights_in_float64(x, x_hat, f, mask):
    w = mask.double()[..., None] / mask.sum()
    mean, frequency = (w * x.double()).sum(dim=(0, 1)), (w * (f > 0)).sum(dim=(0, 1))
    fvu = (w * (x.double() - x_hat) ** 2).sum() / (w * (x.double() - mean) ** 2).sum()
    return frequency.sum(), fvu, 1 - (frequency > 0).double().mean(), frequency.to(x.dtype)


# %% alternative="evaluate" part="mcc"
def in_float64_with_costs(W_dec, truth):
    W, T = (rows.double() / rows.double().norm(dim=1, keepdim=True).clamp_min(1e-12) for rows in (W_dec, truth))
    cost = (1 - W @ T.T).numpy()
    return sum(1 - cost[i, j] for i, j in zip(*linear_sum_assignment(cost))) / len(T)


# %% [markdown]
# ## How much of the model is left?
#
# Splice the dictionary in: at every token put $\hat x$ where $x$ was, and let the model run on. **Guess:** what share
# of its predictions survives? And with the *random* directions, which leave most of the variance unexplained?
#
# The yardstick is the next-token loss. The logits at position $s$ are a forecast of token $s+1$, so
#
# $$\ell_s = -\log\operatorname{softmax}(\text{logits}_s)_{\text{token}_{s+1}},\qquad
# \text{recovered} = \frac{\text{ablated} - \text{spliced}}{\text{ablated} - \text{clean}}$$
#
# where clean, spliced and ablated are means of $\ell_s$. Ablation says how bad bad is. Zeros break later layers in ways
# that no loss of information would; the mean activation is the harder opponent. It is a mean over text: BOS, of nearly
# three times the norm of other tokens, stays out of it, and stays what it is.
#
# A loss can stay the same though the forecasts change, one up, another down. So ask the forecasts too, with no
# reference to what came next: $\text{KL}(p\Vert q) = \sum_v p_v(\log p_v-\log q_v)$, from clean $p$ to spliced $q$.
#
# | case | |
# |---|---|
# | no change | recovered 1, KL 0 |
# | as bad as ablation; worse | recovered 0; below 0 |
# | a model that says "I don't know": all logits equal | $\ell=\log V$, 6.80 for the pocket model's $V=895$ |
# | it was sure of one of two words, $q$ is a coin | KL $=\log 2$; the other way round, infinite |


# %% exercise="loss_recovered" points=4 minutes=40 difficulty=3 importance=5
def next_token_loss(
    logits: Float[Tensor, "batch pos vocab"], tokens: Int[Tensor, "batch pos"]
) -> Float[Tensor, "batch next"]:
    """Cross-entropy in nats: entry s is -log softmax(logits at s) of token s + 1, for s = 0 … pos - 2.

    Gradients flow back to the logits.

    >>> next_token_loss(torch.tensor([[[2.0, 2.0], [0.0, 9.0]]]), torch.tensor([[0, 1]]))  # a coin: log 2
    tensor([[0.6931]])
    """
    # BEGIN SOLUTION
    return -logits[:, :-1].log_softmax(dim=-1).gather(-1, tokens[:, 1:, None])[..., 0]
    # END SOLUTION


def loss_recovered(
    clean: Float[Tensor, "batch next"],
    spliced: Float[Tensor, "batch next"],
    ablated: Float[Tensor, "batch next"],
    mask: Bool[Tensor, "batch pos"],
) -> float:
    """(ablated - spliced) / (ablated - clean): one ratio of means over all the predictions that count.

    Given are three results of `next_token_loss`. Entry s, made at token s of token s + 1, counts if mask is True at
    both. The result may be below 0 or above 1; it is nan if ablation does not raise the mean loss.

    >>> clean, spliced, ablated = torch.tensor([[1.0, 9.0]]), torch.tensor([[2.0, 9.0]]), torch.tensor([[5.0, 0.0]])
    >>> loss_recovered(clean, spliced, ablated, torch.tensor([[True, True, False]]))
    0.75
    """
    # BEGIN SOLUTION
    counts = mask[:, :-1] & mask[:, 1:]
    clean, spliced, ablated = (loss[counts].mean().item() for loss in (clean, spliced, ablated))
    return (ablated - spliced) / (ablated - clean) if ablated > clean else float("nan")
    # END SOLUTION


def kl(
    clean: Float[Tensor, "batch pos vocab"], spliced: Float[Tensor, "batch pos vocab"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, ""]:
    """KL(clean ‖ spliced) in nats of the forecasts that two sets of logits make: the mean over positions in the mask.

    Finite where a model is sure of itself (logits hundreds apart). Gradients flow back to the spliced logits.

    >>> kl(torch.zeros(1, 1, 2), torch.tensor([[[0.0, 1.0]]]), torch.tensor([[True]]))
    tensor(0.1201)
    """
    # BEGIN SOLUTION
    log_p, log_q = clean.log_softmax(dim=-1), spliced.log_softmax(dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)[mask].mean()
    # END SOLUTION


def mean_ablation(
    acts: Float[Tensor, "batch pos d_in"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos d_in"]:
    """acts with each vector in the mask replaced by the mean of those in the mask; the others stay what they were.

    >>> mean_ablation(torch.tensor([[[9.0], [1.0], [3.0]]]), torch.tensor([[False, True, True]])).flatten()
    tensor([9., 2., 2.])
    """
    # BEGIN SOLUTION
    return torch.where(mask[..., None], acts[mask].mean(dim=0), acts)
    # END SOLUTION


# %%
check(loss_recovered, next_token_loss, kl, mean_ablation)

# %% [markdown] hint=1
# Which forecast has no next token to be compared with, and which token was never forecast? Over which axis do the
# probabilities of one forecast add up to 1? And which of the means in the ratio come first, before or after dividing?

# %% [markdown] hint=2
# `logits[:, :-1]` belongs to `tokens[:, 1:]`. `log_softmax(dim=-1)` is safe where `softmax(…).log()` gives log 0, and
# `gather(-1, index)` picks one entry of the last axis (`index` needs that axis too). A prediction counts where
# `mask[:, :-1] & mask[:, 1:]`.

# %% [markdown] hint=3
# Loss: `-log_p.gather(-1, tokens[:, 1:, None])[..., 0]`. Recovered: `loss[counts].mean()` three times, then one
# division. KL: `(log_p.exp() * (log_p - log_q)).sum(-1)[mask].mean()`. Ablation: `torch.where(mask[..., None], mean,
# acts)` with `mean = acts[mask].mean(dim=0)`.

# %%
few, kept = tokens[:32], mask[:32]


@torch.no_grad()
def logits_with(change):  # the model's logits on these 32 sequences, with change(activation) at all tokens but BOS
    def hook(value, hook):
        return torch.where(kept[..., None], change(value), value)

    return here.model.run_with_hooks(few, fwd_hooks=[(SITE, hook)], return_type="logits")


clean, zero = logits_with(lambda x: x), logits_with(torch.zeros_like)
mean = logits_with(lambda x: mean_ablation(x, kept))
print("splice                 loss   recovered (mean)   recovered (zero)      KL")
for name in ("pocket model", "random directions"):
    each = dictionaries[name]
    spliced = logits_with(lambda x, each=each: each.decode(each.encode(x)))
    losses = [next_token_loss(logits, few) for logits in (clean, spliced, mean, zero)]
    ours = [loss_recovered(*losses[:2], ablated, kept) for ablated in losses[2:]]
    theirs = scores.ce_recovered(here.model, SITE, each, few)
    assert abs(ours[0] - theirs.against_mean) < 1e-4 and abs(ours[1] - theirs.against_zero) < 1e-4, (ours, theirs)
    print(f"{name:<18}   {theirs.spliced:>6.2f}   {ours[0]:>16.3f}   {ours[1]:>16.3f}   {kl(clean, spliced, kept):.2f}")
print(f"loss: clean {theirs.clean:.2f}, mean ablation {theirs.mean:.2f}, zero ablation {theirs.zero:.2f}, log V 6.80")

# %%
# Two mistakes that look like results: a softmax of a softmax, and raw logits where probabilities belong.
counts = kept[:, :-1] & kept[:, 1:]
right = (-next_token_loss(clean, few)[counts]).exp().mean()
twice = next_token_loss(clean.softmax(dim=-1), few)[counts].mean()
print(f"softmax twice {twice:.2f} = log V - {right:.2f}; raw logits as targets {cross_entropy(clean, clean):.0f}")
assert abs(twice - (torch.tensor(895.0).log() - right)) < 0.005  # Σ exp(p) is V + 1 + Σ p²/2 …, and V = 895

# %%
# Errors of one size at every token, in three directions. The size is that of keeping only the k strongest latents.
x, best, g = acts["pocket model"][:32], dictionaries["pocket model"], torch.Generator().manual_seed(0)
away, h, fvus = mean_ablation(x, kept) - x, best.hidden(x), []
harm = {"the dictionary, k strongest latents": [], "noise": [], "towards the mean": []}
for k in (12, 8, 6, 4, 2, 1):
    top = h.topk(k, dim=-1)
    error = best.decode(torch.zeros_like(h).scatter(-1, top.indices, top.values.relu())) - x
    for name, change in zip(harm, (error, torch.randn(x.shape, generator=g), away)):
        change = error.norm(dim=-1, keepdim=True) * normalize(change, dim=-1)
        harm[name].append(kl(clean, logits_with(lambda x, change=change: x + change), kept).item())
    fvus.append((error[kept].square().sum() / away[kept].square().sum()).item())
title, y_title = "The same squared error does very different harm", "KL from the clean forecasts, nats"
plots.line(fvus, harm, title=title, x_title="FVU", y_title=y_title, log_x=True, log_y=True, markers=True)

# %% [markdown]
# Your figures are those of `scores.ce_recovered`. Of the 7 nats that mean ablation costs, the dictionary recovers
# 99%, and the *random directions*, with an FVU of 0.6, still 80%. Both ablations leave the model worse off than knowing
# nothing ($\log V$), so whatever keeps it alive looks good, and against zeros better yet. The nats tell the two apart:
# a KL below 0.1 against more than 1. So print the losses beside the ratio, and beware of a softmax of a softmax: at
# $V=50{,}257$ it gives between 9.8 and 10.8 for any model at all.
#
# In the picture, errors above each other are equally long, token by token. Noise does 4 to 20 times less harm than the
# dictionary's errors, which may lie where the model has its features, while noise has most of its length elsewhere
# (Gurnee 2024, "SAE reconstruction errors are (empirically) pathological", found 2 to 4.5 times in GPT-2). So MSE is a
# poor stand-in for behaviour, and behaviour for truth: the identity map recovers all of the loss and explains nothing.


# %% misconception="loss_recovered" part="next_token_loss"
def forecasts_the_token_just_read(logits, tokens):
    "Nothing is shifted: each forecast is compared with the token it was made at. It is about the next one."
    return -logits[:, :-1].log_softmax(dim=-1).gather(-1, tokens[:, :-1, None])[..., 0]


# %% misconception="loss_recovered" part="next_token_loss"
def softmax_twice(logits, tokens):
    "Softmax was taken twice, and twice is nearly uniform: the loss is near log V for any model. Once is enough."
    return next_token_loss(logits.softmax(dim=-1), tokens)


# %% misconception="loss_recovered" part="next_token_loss"
def class_axis_is_the_position(logits, tokens):
    "The softmax runs over positions (axis 1). Probabilities of one forecast add up to 1 over the vocabulary, axis -1."
    return -logits[:, :-1].log_softmax(dim=1).gather(-1, tokens[:, 1:, None])[..., 0]


# %% misconception="loss_recovered" part="kl"
def raw_logits_as_targets(clean, spliced, mask):
    "The clean logits went in as targets as they are. They are no probabilities: the result may be thousands below 0."
    return cross_entropy(spliced[mask], clean[mask])


# %% misconception="loss_recovered" part="kl"
def the_other_way_round(clean, spliced, mask):
    "This is KL(spliced ‖ clean). The first distribution is the one that you average over: the clean model's."
    return kl(spliced, clean, mask)


# %% misconception="loss_recovered" part="mean_ablation"
def zero_ablation(acts, mask):
    "Zeros were put in. They break later layers beyond losing information, which flatters whatever is compared."
    return torch.where(mask[..., None], 0.0, acts)


# %% misconception="loss_recovered" part="mean_ablation"
def the_mean_of_everything(acts, mask):
    "Vectors outside of the mask went into the mean. BOS is so large that it moves it, and padding is no text."
    return torch.where(mask[..., None], acts.mean(dim=(0, 1)), acts)


# %% misconception="loss_recovered"
def mean_of_the_ratios(clean, spliced, ablated, mask):
    "One ratio a sequence, then their mean: where ablation happens to do little harm, the ratio explodes. Means first."
    rows = zip(clean, spliced, ablated, mask)
    return sum(loss_recovered(*(part[None] for part in row)) for row in rows) / len(mask)


# %% misconception="loss_recovered"
def padding_is_predicted(clean, spliced, ablated, mask):
    "Predictions of padding or from padding count here. Look at both ends: the token read, and the token predicted."
    return loss_recovered(clean, spliced, ablated, torch.ones_like(mask))


# %% alternative="loss_recovered" part="next_token_loss"
def with_cross_entropy(logits, tokens):
    return cross_entropy(logits[:, :-1].mT, tokens[:, 1:], reduction="none")


# %% alternative="loss_recovered"
def from_the_share_that_is_lost(clean, spliced, ablated, mask):
    w = (mask[:, 1:] * mask[:, :-1]).double() / (mask[:, 1:] * mask[:, :-1]).sum()
    lost, harm = float((w * (spliced - clean)).sum()), float((w * (ablated - clean)).sum())
    return 1 - lost / harm if harm > 0 else torch.tensor(torch.nan)
