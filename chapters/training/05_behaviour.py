# %% [markdown]
# # How much of the model is left?
#
# A dictionary may leave a tenth of the variance unexplained, and you can't say whether that tenth is noise or the very
# part that the model goes on to use. So ask the model. Here a dictionary's reconstruction takes the place of the
# activations, and you measure what the model still knows of the next token.
#
# **At the end of this section** you will be able to splice a dictionary into a model, to say what share of the loss it
# recovers and against which opponent, and why neither a small error nor a small loss says that a dictionary is true.

# %% setup=1
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from saelab import check, hint, lab, plots, predict, scores

# %% [markdown]
# Two dictionaries for the stream between two layers of the pocket model: one that was trained there and comes with it
# (8 of its 1,024 latents are on at a token, on average), and one of as many random directions. Position 0 is BOS and no
# text: `mask` leaves it out. (If you have never looked into a transformer: what the stream, a hook point and logits are
# stands on the opening page of chapter 3, `interpretation/01_transformer.ipynb`.)

# %%
SITE = "blocks.1.hook_resid_post"

pocket = lab("pocket")
tokens = pocket.tokens(32, 128, seed=1)
mask = torch.ones_like(tokens, dtype=torch.bool)
mask[:, 0] = False
acts = pocket.activations(SITE, tokens)

trained = pocket.dictionary(SITE).requires_grad_(False)
chance = scores.random_dictionary(acts[mask], 8, 1024)
dictionaries = {"trained": trained, "random directions": chance}
for name, dictionary in dictionaries.items():
    quality = scores.quality(dictionary, acts[mask])
    print(f"{name:<18} L0 {quality.l0:.1f}, FVU {quality.fvu:.2f}")

# %% [markdown]
# ## Splice it in
#
# At every token put $\hat x$ where $x$ was, and let the model run on. How much of what it could do survives? And with
# the *random* directions, which leave most of the variance unexplained?
#
# The yardstick is the next-token loss. The logits at position $s$ are a forecast of token $s+1$, so
#
# $$\ell_s = -\log\operatorname{softmax}(\text{logits}_s)_{\text{token}_{s+1}},\qquad
# \text{recovered} = \frac{\text{ablated} - \text{spliced}}{\text{ablated} - \text{clean}}$$
#
# where clean, spliced and ablated are means of $\ell_s$. *Ablation*, putting something without information in the place
# of $x$, says how bad bad is. Zeros harm later layers in ways that no loss of information would; the mean activation is
# the harder opponent. It is a mean over text: BOS, whose norm is nearly three times that of other tokens, is left out
# of the mean and keeps its own activation.
#
# A loss can stay the same though the forecasts change, one up, another down. So compare the forecasts too, whatever
# came next, by the Kullback–Leibler divergence $\text{KL}(p\Vert q) = \sum_v p_v(\log p_v-\log q_v)$ from clean $p$ to
# spliced $q$, over the tokens $v$ of the vocabulary.
#
# | case | |
# |---|---|
# | no change | recovered 1, KL 0 |
# | as bad as ablation; worse | recovered 0; below 0 |
# | a model that knows nothing: all logits equal | $\ell=\log V$, 6.80 for the pocket model's $V=895$ |
# | $p$ is sure of one of two words, $q$ tosses a coin | KL $=\log 2$; with $p$ and $q$ exchanged, infinite |


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
# probabilities of one forecast add up to 1? And what comes first in the ratio, the means or the division?

# %% [markdown] hint=2
# `logits[:, :-1]` belongs to `tokens[:, 1:]`. `log_softmax(dim=-1)` is safe where `softmax(…).log()` gives log 0, and
# `gather(-1, index)` picks one entry of the last axis (`index` needs that axis too). A prediction counts where
# `mask[:, :-1] & mask[:, 1:]`.

# %% [markdown] hint=3
# The loss picks from `log_p = logits[:, :-1].log_softmax(dim=-1)` with `tokens[:, 1:, None]`; which sign, and which
# axis is left over? Recovered takes `loss[counts].mean()` three times before it divides; when is there nothing to
# divide by? KL has one factor `log_p.exp()` and one difference of logs: which of its axes is summed, which averaged?
# The ablation is a `torch.where` over `mask[..., None]`, with `acts[mask].mean(dim=0)` in one of its places.

# %%
guess_random = predict("Random directions spliced in: what share of the loss is recovered, against the mean?", ...)


# %%
@torch.no_grad()
def logits_with(change):
    """The model's logits on these 32 sequences, with change(activation) at all tokens but BOS."""

    def hook(value, hook):
        return torch.where(mask[..., None], change(value), value)

    return pocket.model.run_with_hooks(tokens, fwd_hooks=[(SITE, hook)], return_type="logits")


clean = logits_with(lambda x: x)
mean = logits_with(lambda x: mean_ablation(x, mask))
zero = logits_with(torch.zeros_like)
log_V = torch.tensor(float(clean.shape[-1])).log()
splices = {}
print("splice                 loss   recovered (mean)   recovered (zero)      KL")
for name, dictionary in dictionaries.items():
    spliced = logits_with(lambda x, d=dictionary: d.decode(d.encode(x)))
    loss_clean, loss_spliced, loss_mean, loss_zero = (
        next_token_loss(logits, tokens) for logits in (clean, spliced, mean, zero)
    )
    against_mean = loss_recovered(loss_clean, loss_spliced, loss_mean, mask)
    against_zero = loss_recovered(loss_clean, loss_spliced, loss_zero, mask)
    distance = kl(clean, spliced, mask).item()
    theirs = scores.ce_recovered(pocket.model, SITE, dictionary, tokens)  # the package's own
    assert abs(against_mean - theirs.against_mean) < 1e-4 and abs(against_zero - theirs.against_zero) < 1e-4
    splices[name] = {"recovered": against_mean, "KL": distance}
    print(f"{name:<18}   {theirs.spliced:>6.2f}   {against_mean:>16.3f}   {against_zero:>16.3f}   {distance:.2f}")
print(f"loss: clean {theirs.clean:.2f}, mean ablation {theirs.mean:.2f}, zero ablation {theirs.zero:.2f}")
print(f"of a model that knows nothing: log V = {log_V:.2f}")
guess_random.came_out(splices["random directions"]["recovered"], within=0.1)

# %%
# Two mistakes that look like results: a softmax of a softmax, and raw logits where probabilities belong.
of_text = torch.stack([mask[:, 1:], mask[:, :-1]]).all(dim=0)
right = (-next_token_loss(clean, tokens)[of_text]).exp().mean()  # the mean probability of the token that came
twice = next_token_loss(clean.softmax(dim=-1), tokens)[of_text].mean()
print(f"softmax twice {twice:.2f} = log V - {right:.2f}; raw logits as targets {cross_entropy(clean, clean):.0f}")
assert abs(twice - (log_V - right)) < 0.005  # Σ exp(p) is V + 1 + Σ p²/2 …

# %% [markdown]
# Is a squared error a good stand-in for harm to the model? Put errors of *one* size at every token, in four directions:
# the dictionary's own, towards the mean activation, and two kinds of noise. One kind is as likely in any direction. The
# other has the covariance of the activations, so that it varies where they vary. Which does most harm, which least?

# %%
guess_harm = predict(
    "Small errors of equal size, token by token: which kind does most harm?",
    ...,
    among=["the dictionary", "noise like the activations", "towards the mean", "noise in any direction"],
)

# %%
LEVELS = [8, 6, 4, 3, 2, 1]  # the dictionary's error when only its k strongest latents are kept gives the sizes

generator = torch.Generator().manual_seed(0)
away = mean_ablation(acts, mask) - acts
centred = acts[mask] - acts[mask].mean(dim=0)
eigenvalues, axes = torch.linalg.eigh(centred.T.cov())
eigenvalues = eigenvalues.clamp_min(0)
rank = eigenvalues.sum() ** 2 / eigenvalues.square().sum()
print(f"effective rank of the activations: {rank:.1f} of 128 dimensions")


def noise() -> Tensor:
    return torch.randn(acts.shape, generator=generator)


def only_the_strongest(k: int) -> Tensor:
    """The dictionary's error with k latents per token."""
    h = trained.hidden(acts)
    top = h.topk(k, dim=-1)
    f = torch.zeros_like(h).scatter(-1, top.indices, top.values.relu())
    return trained.decode(f) - acts


fvus = []
harm = {"the dictionary": [], "noise like the activations": [], "towards the mean": [], "noise in any direction": []}
for k in LEVELS:
    error = only_the_strongest(k)
    size = error.norm(dim=-1, keepdim=True)
    fvus.append((error[mask].square().sum() / away[mask].square().sum()).item())
    directions = {
        "the dictionary": error,
        "noise like the activations": noise() * eigenvalues.sqrt() @ axes.T,
        "towards the mean": away,
        "noise in any direction": noise(),
    }
    for name, direction in directions.items():
        change = size * normalize(direction, dim=-1)
        logits = logits_with(lambda x, change=change: x + change)
        harm[name].append(kl(clean, logits, mask).item())
for i, fvu in enumerate(fvus):
    print(f"FVU {fvu:.3f}   " + "   ".join(f"{name} {values[i]:.3f}" for name, values in harm.items()))
plots.line(
    fvus,
    harm,
    title="Errors of equal size, token by token",
    x_title="FVU",
    y_title="KL from the clean forecasts, nats",
    log_x=True,
    log_y=True,
    markers=True,
)

# %%
guess_harm.came_out(max(harm, key=lambda name: harm[name][0]))

# %% [markdown]
# **An experiment of your own.** The dictionary has 8 latents on at a token, on average. Keep only the strongest few of
# them: what is left of the model?

# %%
my_k = 3  # 1 to 8

guess_few = predict(f"The {my_k} strongest latents at each token: what share of the loss is recovered?", ...)

# %%
spliced = next_token_loss(logits_with(lambda x: x + only_the_strongest(my_k)), tokens)
guess_few.came_out(loss_recovered(loss_clean, spliced, loss_mean, mask), within=0.05)

# %%
# What the text says of these settings.
assert splices["trained"]["recovered"] > 0.98 and splices["random directions"]["recovered"] > 0.7
assert splices["trained"]["KL"] < 0.1 and splices["random directions"]["KL"] > 1
own, alike, towards, anywhere = (torch.tensor(values) for values in harm.values())
assert ((own / anywhere > 4) & (own / anywhere < 20)).all(), own / anywhere
assert ((own / alike > 1.1) & (own / alike < 6)).all(), own / alike
assert own[0] > 2 * towards[0] and own[-1] < 1.2 * towards[-1] and rank < 13

# %% [markdown]
# Of the 7 nats that mean ablation costs, the dictionary recovers nearly all, and the *random directions*, with an FVU
# of 0.67, still three quarters. Both ablations leave the model worse off than knowing nothing ($\log V$), so whatever
# keeps it alive looks good. The nats tell the two apart: a KL of 0.02 against more than 1. So print the losses beside
# the ratio. And beware of a softmax of a softmax: at $V=50{,}257$ it gives between 9.8 and 10.8 for any model at all.
#
# In the picture, errors above each other are equally long, token by token. (The first are those of 8 latents at *each*
# token, an FVU of 0.13. With 8 *on average* the dictionary has 0.04: some tokens need more than others.) Noise in any
# direction does 5 to 17 times less harm than the dictionary's errors, but that comparison isn't fair: the activations
# vary in about 9 of their 128 dimensions, and such noise has most of its length where the model never looks. Noise that
# varies like the activations does 1.3 to 4 times less harm than the dictionary's errors, which may lie where the model
# has its features. (Gurnee
# 2024, [SAE reconstruction errors are (empirically)
# pathological](https://www.alignmentforum.org/posts/rZPiuFxESMxCDHe4B/sae-reconstruction-errors-are-empirically-pathological),
# found 2 to 4.5 times in GPT-2, against noise in any direction.) And towards the mean? A small step does a fifth of the
# harm of the dictionary's error, a large one as much: at an FVU of two thirds the two curves meet. So one and the same
# FVU can go with harms that differ by more than a factor of ten.
#
# So MSE is a poor stand-in for behaviour. And behaviour is one for truth: the identity map recovers all of the loss and
# explains nothing.


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


# %% misconception="loss_recovered" part="next_token_loss"
def class_axis_is_the_position_before_the_cut(logits, tokens):
    "The softmax runs over all positions (axis 1). The probabilities of one forecast add up to 1 over axis -1."
    return -logits.log_softmax(dim=1)[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]


# %% misconception="loss_recovered" part="next_token_loss"
def log_of_a_softmax(logits, tokens):
    "The log was taken of a softmax. Where the model is sure, that has rounded to 0 and its log is infinite."
    return -logits[:, :-1].softmax(dim=-1).log().gather(-1, tokens[:, 1:, None])[..., 0]


# %% misconception="loss_recovered" part="kl"
def cross_entropy_for_kl(clean, spliced, mask):
    "This is the cross-entropy −Σ p log q. KL subtracts the entropy of p from it, so that equal forecasts give 0."
    return -(clean.softmax(dim=-1) * spliced.log_softmax(dim=-1)).sum(dim=-1)[mask].mean()


# %% misconception="loss_recovered" part="kl"
def mean_over_the_vocabulary(clean, spliced, mask):
    "The terms of a forecast were averaged over the vocabulary. Sum them, and take the mean over tokens only."
    return kl(clean, spliced, mask) / clean.shape[-1]


# %% misconception="loss_recovered" part="kl"
def sum_over_the_tokens(clean, spliced, mask):
    "The KL of all tokens was summed, so it grows with the text. Take the mean over the tokens in the mask."
    return kl(clean, spliced, mask) * mask.sum()


# %% misconception="loss_recovered" part="kl"
def all_tokens_count(clean, spliced, mask):
    "The mean is over all tokens, padding and BOS included. Take those in the mask."
    return kl(clean, spliced, torch.ones_like(mask))


# %% misconception="loss_recovered" part="kl"
def raw_logits_as_targets(clean, spliced, mask):
    "The clean logits were used as targets. They are no probabilities, so the result may be thousands below 0."
    return cross_entropy(spliced[mask], clean[mask])


# %% misconception="loss_recovered" part="kl"
def the_other_way_round(clean, spliced, mask):
    "This is KL(spliced ‖ clean). The first distribution is the one that you average over: the clean model's."
    return kl(spliced, clean, mask)


# %% misconception="loss_recovered" part="mean_ablation"
def zero_ablation(acts, mask):
    "Zeros were put in. They harm later layers beyond the loss of information, which flatters whatever is compared."
    return torch.where(mask[..., None], 0.0, acts)


# %% misconception="loss_recovered" part="mean_ablation"
def the_mean_of_everything(acts, mask):
    "Vectors outside the mask went into the mean. BOS is so large that it moves the mean, and padding is no text."
    return torch.where(mask[..., None], acts.mean(dim=(0, 1)), acts)


# %% misconception="loss_recovered"
def mean_of_the_ratios(clean, spliced, ablated, mask):
    "A ratio was taken per sequence, then their mean. Where ablation does little harm a ratio explodes: means first."
    rows = zip(clean, spliced, ablated, mask)
    return sum(loss_recovered(*(part[None] for part in row)) for row in rows) / len(mask)


# %% misconception="loss_recovered"
def padding_is_predicted(clean, spliced, ablated, mask):
    "Predictions of padding or from padding count here. Look at both ends: the token read, and the token predicted."
    return loss_recovered(clean, spliced, ablated, torch.ones_like(mask))


# %% misconception="loss_recovered"
def only_the_token_read_is_asked(clean, spliced, ablated, mask):
    "A prediction made at a token of the text counts here even if it is about padding. Both tokens must be in the mask."
    clean, spliced, ablated = (loss[mask[:, :-1]].mean().item() for loss in (clean, spliced, ablated))
    return (ablated - spliced) / (ablated - clean) if ablated > clean else float("nan")


# %% misconception="loss_recovered"
def only_the_token_predicted_is_asked(clean, spliced, ablated, mask):
    "A prediction about a token of the text counts here even if it was made at padding. Both must be in the mask."
    clean, spliced, ablated = (loss[mask[:, 1:]].mean().item() for loss in (clean, spliced, ablated))
    return (ablated - spliced) / (ablated - clean) if ablated > clean else float("nan")


# %% misconception="loss_recovered"
def share_that_is_lost(clean, spliced, ablated, mask):
    "This is the share of the loss that the splice costs: 0 for no change. Recovered is 1 minus that."
    return 1 - loss_recovered(clean, spliced, ablated, mask)


# %% alternative="loss_recovered" part="kl"
def with_kl_div(clean, spliced, mask):
    log_p, log_q = clean[mask].log_softmax(dim=-1), spliced[mask].log_softmax(dim=-1)
    return torch.nn.functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


# %% alternative="loss_recovered" part="next_token_loss"
def with_cross_entropy(logits, tokens):
    return cross_entropy(logits[:, :-1].mT, tokens[:, 1:], reduction="none")


# %% alternative="loss_recovered"
def from_the_share_that_is_lost(clean, spliced, ablated, mask):
    w = (mask[:, 1:] * mask[:, :-1]).double() / (mask[:, 1:] * mask[:, :-1]).sum()
    lost, harm = float((w * (spliced - clean)).sum()), float((w * (ablated - clean)).sum())
    return 1 - lost / harm if harm > 0 else torch.tensor(torch.nan)
