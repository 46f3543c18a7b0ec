# %% [markdown]
# # What does a latent tell the model to say?
#
# You know where a latent fires. That is half of it. A latent is also a direction that is *added* to the residual
# stream, and in the end the stream becomes logits. So ask the other question: where this latent is on, which tokens
# become more likely? You can read that off the weights, without running a single text. How far should you believe it?
#
# **At the end of this section** you will be able to make the table of tokens that a latent promotes and suppresses, to
# say in which layers that table tells the truth, and to decide whether "its top tokens are all verbs" is a finding or
# what any direction would give you.

# %% setup=1
import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import hypergeom
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, lab, plots, predict, viewers

# %% [markdown]
# The pocket model, the dictionary of its *last* residual stream, and some text. Below, one latent on a few sentences:
# the one that is on at about one token in fifty, so that there is something to see.

# %%
SITE = "blocks.3.hook_resid_post"

pocket = lab("pocket")
model = pocket.model
vocab = [pocket.tokenizer.decode([i]) for i in range(model.W_U.shape[1])]
tokens = pocket.tokens(20, 64, seed=1)
dictionary = pocket.dictionary(SITE).requires_grad_(False)
acts = pocket.activations(SITE, tokens)
f = dictionary.encode(acts)
f[:, 0] = 0  # BOS is no text
frequency = (f[:, 1:] > 0).float().mean(dim=(0, 1))
latent = (frequency - 0.02).abs().argmin().item()  # try others

rows = (f[..., latent] > 0).sum(dim=1).argsort(descending=True)[:4]
contexts = [[vocab[t] for t in row] for row in tokens[rows, 1:25].tolist()]
viewers.highlight(contexts, f[rows, 1:25, latent], title=f"Latent {latent}: where it fires")

# %% [markdown]
# ## From a direction to a table of tokens
#
# The stream $x$ becomes logits in two steps. The final LayerNorm subtracts the mean over the `d_model` entries of $x$,
# divides by the standard deviation of the entries, and multiplies entry by entry with its gain $g$ (and adds a bias).
# Then comes the unembedding $W_U$. Add $\epsilon$ times a unit direction $v$ to $x$. If $v$ is small beside $x$, the
# standard deviation $\sigma$ stays nearly what it was, and all the rest is linear:
#
# $$\Delta\text{logits} \approx \frac{\epsilon}{\sigma}\; \big((v - \bar v)\odot g\big)\, W_U$$
#
# Here $\bar v$ is the mean of the entries of $v$, the same number for all of them, and $\odot$ multiplies entry by
# entry. A softmax does not notice if all logits rise by the same amount. So only differences between tokens mean
# anything, and it is best to subtract the mean over the vocabulary: then "+2" says "2 more than the average token".
# This is the logit lens
# ([nostalgebraist 2020](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens)), applied to
# one direction.
#
# Where does the table get *probabilities*? Logits of a latent alone are small: a softmax of them is almost uniform,
# whatever the latent does. A latent works on top of what the model would have said anyway. So start from the logits
# of the model without it, the *base*, and add the right amount of it, `size` $=\epsilon/\sigma$.
#
# | case | |
# |---|---|
# | $v$ has the same number in all entries | LayerNorm subtracts it: all logits 0 |
# | an entry of $g$ is 0 | what $v$ has there changes nothing |
# | $v$ made three times as long | the same row: what counts is one unit of length |
# | `size` 0 | the probabilities of the base |
# | every logit of the base raised by 5 | the same probabilities |


# %% exercise="vocab_df" points=3 minutes=30 difficulty=2 importance=5
def latent_logits(
    W_dec: Float[Tensor, "latent d_model"], gain: Float[Tensor, "d_model"], W_U: Float[Tensor, "d_model d_vocab"]
) -> Float[Tensor, "latent d_vocab"]:
    """What one unit of length along each row of W_dec adds to the logits, if the LayerNorm's scale is left at 1.

    First make each row a unit vector (a row of zeros stays zero), then follow it: minus the mean of its entries, times
    the gain, through W_U, minus the mean over the vocabulary. Gradients flow back to all three.

    >>> latent_logits(torch.tensor([[8.0, 6.0]]), torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[ 0.1500, -0.1500]])
    """
    # BEGIN SOLUTION
    v = normalize(W_dec, dim=1)
    v = (v - v.mean(dim=1, keepdim=True)) * gain
    logits = v @ W_U
    return logits - logits.mean(dim=1, keepdim=True)
    # END SOLUTION


def vocab_df(
    logits: Float[Tensor, "d_vocab"], base: Float[Tensor, "d_vocab"], size: float
) -> tuple[Int[Tensor, "d_vocab"], Float[Tensor, "d_vocab"], Float[Tensor, "d_vocab"]]:
    """Columns (token, logit, prob) of a table with a row per token, from the most promoted to the most suppressed.

    token: the tokens' ids, their places in `logits`. logit: what the latent adds to each (a row of `latent_logits`).
    prob: the token's probability with `size` times that on top of the base.

    >>> vocab_df(torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 0.0]), 0.5)
    (tensor([1, 0]), tensor([ 1., -1.]), tensor([0.5000, 0.5000]))
    """
    # BEGIN SOLUTION
    order = logits.argsort(descending=True)
    prob = (base + size * logits).softmax(dim=0)
    return order, logits[order], prob[order]
    # END SOLUTION


# %%
check(vocab_df, latent_logits)

# %% [markdown] hint=1
# There are two means to subtract, over two different axes, one before and one after a matrix. Which of them does the
# LayerNorm take, and which is only a convention? And in the table: what has to follow the order of the logits?

# %% [markdown] hint=2
# `normalize(W_dec, dim=1)` makes unit rows and leaves a row of zeros alone. The gain belongs between the LayerNorm's
# mean and `W_U`. One `argsort` gives an order by which tokens, logits and probabilities can all be picked. The
# probabilities are a softmax over the whole vocabulary: of what sum?

# %% [markdown] hint=3
# With `v = normalize(W_dec, dim=1)` and `order = logits.argsort(descending=True)`: subtract `v.mean(dim=1,
# keepdim=True)`, multiply by `gain`, and after `@ W_U` subtract a mean again. In the table, `order` itself is the first
# column. What goes into the softmax beside `base`, and in which order does it come out?

# %% [markdown]
# The latent from above. Which tokens does it push up, and do they fit what you saw in the text? The base are the logits
# of the model at a place where the latent is on, with the latent's part taken out of the stream.

# %%
gain = model.ln_final.weight.detach()
W_U = model.W_U.detach()


@torch.no_grad()
def logits_without(site, strength, direction):
    """The model's logits on `tokens` [n, length] when strength [n, length] times a direction is taken out at a site."""

    def hook(value, hook):
        return value - strength[..., None] * direction

    return model.run_with_hooks(tokens, fwd_hooks=[(site, hook)], return_type="logits")


effects = latent_logits(dictionary.W_dec, gain, W_U)
n, t = divmod(f[..., latent].argmax().item(), tokens.shape[1])  # where it is strongest
base = logits_without(SITE, f[..., latent], dictionary.W_dec[latent])[n, t]
length = f[n, t, latent] * dictionary.W_dec[latent].norm()  # of what the latent adds to the stream
size = (length / acts[n, t].std(correction=0)).item()
token, logit, prob = vocab_df(effects[latent], base, size)
_, _, prob_without = vocab_df(effects[latent], base, 0.0)  # the same order


def shown(i):
    """A token's text, with what can't be seen made visible: " cat" and "cat" are two tokens."""
    return vocab[i].replace(" ", "·").replace("\n", "↵")


print("… " + "".join(vocab[i] for i in tokens[n, max(0, t - 8) : t + 1]).strip(), "…")
print("token           logit   prob without   prob with it")
for i in [*range(6), *range(-3, 0)]:
    print(f"{shown(token[i]):<14} {logit[i]:>6.2f}   {prob_without[i]:>12.4f}   {prob[i]:>12.4f}")
plots.bars(
    torch.cat([logit[:8], logit[-8:]]),
    [shown(i) for i in [*token[:8], *token[-8:]]],
    title=f"What latent {latent} promotes and suppresses",
    x_title="token",
    y_title="logit per unit of length",
)

# %% [markdown]
# Three things to notice. The logits are differences, so a suppressed token is as much of a statement as a promoted one.
# A token may top the table and still have no chance, since the base had ruled it out. And the table says nothing about
# *when*: at which places the latent is on, and what the model would have said there.
#
# ## In which layers does the table tell the truth?
#
# A latent of an earlier layer has another way to the logits. It is read by the attention and the MLPs above it, and
# what they write can outweigh what it does directly. The table knows only the direct path. So test it. Take a
# latent out wherever it is on, let the model run on, and compare what really happened to the logits with the table's
# row, by their correlation over the vocabulary. At which layer does the table stop being useful?

# %%
guess_first = predict("Before layer 0: mean correlation of the table's row with what the latent really does?", ...)
guess_last = predict("After the last layer: the same?", ...)

# %%
N_LATENTS = 4  # per layer, drawn at random from those that are on at 10 tokens or more

with torch.no_grad():
    clean = model(tokens)
agreement = {}
for site in ["blocks.0.hook_resid_pre", *(f"blocks.{layer}.hook_resid_post" for layer in range(4))]:
    there = pocket.dictionary(site).requires_grad_(False)
    strength = there.encode(pocket.activations(site, tokens))
    strength[:, 0] = 0
    often = ((strength > 0).sum(dim=(0, 1)) >= 10).nonzero()[:, 0]
    chosen = often[torch.randperm(len(often), generator=torch.Generator().manual_seed(0))[:N_LATENTS]]
    told = latent_logits(there.W_dec[chosen], gain, W_U)
    correlations = []
    for row, i in enumerate(chosen.tolist()):
        on = strength[..., i] > 0
        change = clean[on] - logits_without(site, strength[..., i], there.W_dec[i])[on]
        change = change - change.mean(dim=1, keepdim=True)
        correlations.append(torch.corrcoef(torch.stack([told[row], change.mean(dim=0)]))[0, 1].item())
    agreement[site] = correlations
    print(f"{site:<24}", "  ".join(f"{c:5.2f}" for c in correlations))
means = [sum(c) / len(c) for c in agreement.values()]
plots.bars(
    means,
    ["before 0", "after 0", "after 1", "after 2", "after 3"],
    title="How well the table foretells what a latent does",
    x_title="place in the stream, layer",
    y_title="mean correlation",
)

# %%
guess_first.came_out(means[0], within=0.15)
guess_last.came_out(means[-1], within=0.15)

# %%
# What the text says of this model. The margins are wide: seen were 0.08 to 0.16 and 0.94 to 0.96.
assert means[-1] > 0.8 and means[0] < means[-1] - 0.3, means

# %% [markdown]
# After the last layer nothing is left but the direct path, and what is missing from 1 is the LayerNorm's scale, which
# changes when the latent is taken out. Further down the table gets worse. Before layer 0, where a latent is little more
# than "this is the token *cat*", it tells next to nothing about what the model will say.
#
# So a clear table from a late layer is evidence, and one from an early layer at best a hint. A *muddled* table is no
# evidence that a latent is muddled: it may act through later layers.

# %% [markdown]
# ## A thousand tables: which of them say something?
#
# Nobody reads a thousand tables. Two kinds of numbers help to choose, and both have a trap.
#
# **How peaked is it?** Put nothing into the stream but the dictionary's bias and one latent, $x_i = b_\text{dec} +
# \text{size}\cdot v_i$ with $v_i$ of length 1, and let the model forecast from that. Say it gives the probabilities
# $p_v$ and the logits $z_v$ to the $V$ tokens $v$. The *entropy* $H=-\sum_v p_v\log_2 p_v$ is in bits: $2^H$ tokens,
# all equally likely, would have the same. Beside it stand the largest probability, and the *kurtosis* of the logits,
#
# $$\text{kurtosis} = \frac{\operatorname{mean}_v\,(z_v-\bar z)^4}{\big(\operatorname{mean}_v\,(z_v-\bar z)^2\big)^2}$$
#
# which is 3 for a normal distribution, and large if a few tokens stand far from the crowd. Bloom and Lin use it, with
# the logits of the latent alone, to tell kinds of latents apart
# ([2024](https://www.lesswrong.com/posts/qykrYY6rXXM7EEs8Q/understanding-sae-features-with-the-logit-lens)).
#
# | case | entropy | largest | kurtosis |
# |---|---|---|---|
# | all logits equal | $\log_2 V$ | $1/V$ | – |
# | half of the tokens at one logit, half at another, far below | $\log_2 V - 1$ | $2/V$ | 1 |
# | one token far above all others, which are equal | 0 | 1 | $V - 2 + 1/(V-1)$ |
#
# A probability may be so small that it is 0 in the computer, and its logarithm $-\infty$. In mathematics
# $0\cdot\log 0$ is 0; in the computer it is nan.
#
# **Is it about a kind of token?** "Its top ten has five verbs" sounds good. How good depends on how many verbs there
# are. Say a set has $m$ of the $V$ tokens, and the $k$ most promoted tokens contain $h$ of them. If $k$ tokens were
# drawn at random, without putting any back, what would be the chance $p$ to get *as many or more*? (That is a tail of
# the hypergeometric distribution; `scipy.stats.hypergeom.sf(x, V, m, k)` is the chance of *more* than $x$.) Bloom and
# Lin ask the same, by another statistic, under the name of token set enrichment analysis.
#
# But you ask 1,000 latents about 80 sets. Of 80,000 tests up to 4,000 come out below $p=0.05$ if nothing is there.
# The cure of Benjamini and Hochberg ([1995](https://doi.org/10.2307/2346101)): sort all $n$ p-values together, from the
# smallest, $p_{(1)}\le p_{(2)}\le\dots$ If you accept the $i$ smallest, you expect no more than about $n\,p_{(i)}$ to
# come by chance, a share of $n\,p_{(i)}/i$. The *q-value* of a test is the smallest such share at which it is accepted,
# so later ones can lower it:
#
# $$q_{(i)} = \min_{j\ge i}\; \frac{n\,p_{(j)}}{j}$$
#
# Among all tests with $q\le 0.05$ you then expect at most one chance hit in twenty, if the p-values are right.


# %% exercise="enrichment" points=5 minutes=50 difficulty=3 importance=4
def peakedness(
    W_dec: Float[Tensor, "latent d_model"],
    b_dec: Float[Tensor, "d_model"],
    size: float,
    unembed: Callable[[Tensor], Tensor],
) -> tuple[Float[Tensor, "latent"], Float[Tensor, "latent"], Float[Tensor, "latent"]]:
    """(entropy in bits, largest probability, kurtosis of the logits) of the forecast from each latent alone.

    The stream is b_dec plus `size` times the latent's direction, a row of W_dec made a unit vector. `unembed` takes
    streams [n, d_model] to logits [n, d_vocab]. All three stay finite where a probability is too small for a float.

    >>> unembed = lambda x: x @ torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    >>> peakedness(torch.tensor([[3.0, 0.0]]), torch.zeros(2), 500.0, unembed)  # two of four tokens, a coin
    (tensor([1.]), tensor([0.5000]), tensor([1.]))
    """
    # BEGIN SOLUTION
    logits = unembed(b_dec + size * normalize(W_dec, dim=1))
    log_p = logits.log_softmax(dim=-1)
    entropy = -(log_p.exp() * log_p).sum(dim=-1) / math.log(2)
    z = logits - logits.mean(dim=-1, keepdim=True)
    return entropy, log_p.amax(dim=-1).exp(), z.pow(4).mean(dim=-1) / z.square().mean(dim=-1).square()
    # END SOLUTION


def enrichment(
    logits: Float[Tensor, "latent d_vocab"], sets: Bool[Tensor, "set d_vocab"], k: int
) -> Float[Tensor, "latent set"]:
    """Chance that k tokens drawn without replacement contain as many of each set, or more, as the k most promoted do.

    `sets` says which tokens belong to each set. No two logits of a latent are the same.

    >>> some = torch.tensor([[True, True, False, False]])
    >>> enrichment(torch.tensor([[4.0, 3.0, 2.0, 1.0], [4.0, 1.0, 2.0, 3.0]]), some, 2)  # 1 of 6 pairs; 5 of 6
    tensor([[0.1667],
            [0.8333]])
    """
    # BEGIN SOLUTION
    promoted = torch.zeros_like(logits).scatter(1, logits.topk(k).indices, 1.0)
    hits = promoted @ sets.T.to(logits.dtype)  # latent set
    p = hypergeom.sf(hits.numpy() - 1, sets.shape[1], sets.sum(dim=1).numpy(), k)
    return torch.from_numpy(p).to(logits.dtype)
    # END SOLUTION


def q_values(p: Float[Tensor, "latent set"]) -> Float[Tensor, "latent set"]:
    """The q-value of each test, in its place: all tests are corrected together (Benjamini and Hochberg).

    >>> q_values(torch.tensor([[0.01, 0.9], [0.04, 0.02]]))
    tensor([[0.0400, 0.9000],
            [0.0533, 0.0400]])
    """
    # BEGIN SOLUTION
    ordered, order = p.flatten().sort()
    share = ordered * p.numel() / torch.arange(1, p.numel() + 1)
    q = share.flip(0).cummin(dim=0).values.flip(0)
    return q[order.argsort()].view_as(p)
    # END SOLUTION


# %%
check(enrichment, peakedness, q_values)

# %% [markdown] hint=1
# How often does the bias belong into the stream? Which function gives the *logarithm* of a probability without going
# through the probability? How many tokens of each set are among the $k$ with the largest logits, for all latents and
# sets at once? And for the q-values: once the tests are sorted, which of them may lower the share of a given one, those
# before it or those behind it?

# %% [markdown] hint=2
# `log_softmax` stays finite, and so does its `exp()` times it; bits are nats divided by log 2. A matrix of zeros with
# ones at `logits.topk(k).indices` (`scatter`), times the sets' matrix turned over, counts the hits. The chance of *h or
# more* is the chance of more than $h-1$. `cummin` runs forward; `flip` turns an order round.

# %% [markdown] hint=3
# The stream is `b_dec + size * normalize(W_dec, dim=1)`. With `hits` [latent, set], `hypergeom.sf` wants
# `hits.numpy() - 1`, the number of all tokens, `sets.sum(dim=1).numpy()` and `k`; its result is a numpy array in
# float64. The shares are `ordered * n / torch.arange(1, n + 1)`, and their minimum from each place on needs two flips.
# How do they get back to the places that `ordered, order = p.flatten().sort()` took them from?

# %% [markdown]
# Now look at all latents of the last stream at once. Beside them two nulls: directions drawn at random, and directions
# drawn from a normal distribution with the covariance of the activations, which vary where the activations vary. All of
# them get the length that the latents of the dictionary have together, on average. Medians are printed.

# %%
guess_null = predict(
    "Share of random directions whose ten most promoted tokens are enriched in some set, at q ≤ 0.05?", ...
)

# %%
K_TOP = 10  # how many tokens count as promoted

text = f[:, 1:].flatten(0, 1)
size = text.norm(dim=1).mean().item()
live = (text > 0).any(dim=0)
generator = torch.Generator().manual_seed(0)
noise = torch.randn(dictionary.W_dec.shape, generator=generator)
eigenvalues, axes = torch.linalg.eigh(acts[:, 1:].flatten(0, 1).T.cov())
directions = {
    "latents": dictionary.W_dec[live],
    "random": noise,
    "random, like the activations": noise * eigenvalues.clamp_min(0).sqrt() @ axes.T,
}


@torch.no_grad()
def unembed(x):
    return model.unembed(model.ln_final(x[None]))[0]


bits = torch.linspace(0, math.log2(len(vocab)), 21)
entropies = {}
for name, W in directions.items():
    entropy, largest, kurtosis = peakedness(W, dictionary.b_dec, size, unembed)
    entropies[name] = entropy
    print(f"{name:<30} {entropy.median():.1f} bits, largest {largest.median():.2f}, kurtosis {kurtosis.median():.1f}")
plots.line(
    bits,
    {name: [(entropy <= most).float().mean().item() for most in bits] for name, entropy in entropies.items()},
    title="Entropy of the forecast from one direction alone",
    x_title="bits",
    y_title="share of directions at or below",
)

# %% [markdown]
# And the sets. The pocket world knows which of its tokens are places, months, pronouns, plurals, and so on: all the
# factors of kind *token* that hold for 4 to 200 tokens. As a third null, each set is replaced by as many tokens drawn
# at random.

# %%
world = pocket.world
of_tokens = torch.from_numpy(world.token_table).T[:, : len(vocab)]  # factor d_vocab
chosen = [i for i, factor in enumerate(world.factors) if factor.kind == "token" and 4 <= of_tokens[i].sum() <= 200]
sets = of_tokens[chosen]
drawn = sets[:, torch.randperm(sets.shape[1], generator=generator)]  # the same sizes, other tokens


def share_enriched(W, sets, k):
    """Share of directions with p ≤ 0.05 for some set, and with q ≤ 0.05 for some set."""
    p = enrichment(latent_logits(W, gain, W_U), sets, k)
    q = q_values(p)
    return (p <= 0.05).any(dim=1).float().mean().item(), (q <= 0.05).any(dim=1).float().mean().item()


found = {name: share_enriched(W, sets, K_TOP) for name, W in directions.items()}
found["latents, drawn sets"] = share_enriched(directions["latents"], drawn, K_TOP)
for name, (uncorrected, corrected) in found.items():
    print(f"{name:<30} p ≤ 0.05 for some set: {uncorrected:.2f}   q ≤ 0.05 for some set: {corrected:.2f}")
plots.bars(
    {"p ≤ 0.05": [one[0] for one in found.values()], "q ≤ 0.05": [one[1] for one in found.values()]},
    list(found),
    title="Enriched in at least one set of tokens",
    x_title="directions",
    y_title="share of directions",
)

# %%
guess_null.came_out(found["random"][1], within=0.1)

# %%
# What the text says of this model. Seen: 10% of the latents below 0.6 bits, of the nulls below 5.0 and 4.2; enriched
# .67, .50, .92, and 0 in drawn sets, .81 of them before the correction.
tenth = {name: entropy.quantile(0.1).item() for name, entropy in entropies.items()}
assert tenth["latents"] + 1 < min(tenth["random"], tenth["random, like the activations"]), tenth
assert found["random"][1] > 0.2 and found["random, like the activations"][1] > 0.2, found
assert found["latents, drawn sets"][1] < 0.1 < 0.4 < found["latents, drawn sets"][0], found
assert torch.equal(model.W_E, model.W_U.T)
first = pocket.dictionary("blocks.0.hook_resid_pre").requires_grad_(False)
embedded = pocket.activations("blocks.0.hook_resid_pre", tokens)[:, 1:].flatten(0, 1)
alone = peakedness(first.W_dec, first.b_dec, first.encode(embedded).norm(dim=1).mean().item(), unembed)
assert alone[0].median() < entropies["latents"].median() - 1, alone[0].median()

# %% [markdown]
# The entropy tells the dictionary from its nulls at the lower end: some latents are sure of one or two tokens, which
# hardly any random direction is. Enrichment looks different. Without correction nearly everything is enriched, drawn
# sets too: with so many sets, some p-value is always small. The q-values cure that, as promised: in drawn sets hardly
# anything is left. And yet a good part of the *random directions* is enriched in the true sets. How can that be?
#
# The q-values are right about the question that the p-values ask, "are these $k$ tokens like $k$ tokens drawn one by
# one?" But tokens that are used alike have similar columns in $W_U$. A direction that happens to promote one month
# promotes the others too. The finding is true, and it is about the unembedding, not about the latent. No correction for
# many tests can tell you that; only directions that went through the same unembedding can. So count what is enriched
# *beyond the random directions*, or ask for more: a latent that promotes *only* months, in text where a month is due.
#
# Peaked isn't right, either. Before layer 0 the latents look surer than after the last layer. There they stand for the
# token that was just read, whose embedding and unembedding this model shares, so the "forecast" is to say it again. The
# model does no such thing.
#
# **An experiment of your own.** With a longer list of promoted tokens, will more random directions be enriched, or
# fewer? Choose one, write down what you expect, and run it.

# %%
my_k = 40  # 2 to 200

guess_longer = predict(f"Share of random directions enriched in some set by their {my_k} most promoted tokens?", ...)

# %%
guess_longer.came_out(share_enriched(directions["random"], sets, my_k)[1], within=0.1)

# %% [markdown]
# **Other measures.** SAELens prints a "consistent activation heuristic" of each latent: at how many tokens of a text
# it is on, on average, if it is on at all. Near 1 it marks single events, much above 1 a topic or a mood. It needs a
# null too: here, the same latents with the tokens of all texts in random order.

# %%
on = f[:, 1:] > 0
per_text = on.sum(dim=(0, 1)) / on.any(dim=1).sum(dim=0).clamp_min(1)
elsewhere = on.flatten(0, 1)[torch.randperm(on.shape[0] * on.shape[1], generator=generator)].view_as(on)
at_random = elsewhere.sum(dim=(0, 1)) / elsewhere.any(dim=1).sum(dim=0).clamp_min(1)
often = live & (frequency > 0.005)
print(f"on {per_text[often].mean():.2f} times in a text where it is on; in random order {at_random[often].mean():.2f}")
assert per_text[often].mean() > at_random[often].mean()

# %% [markdown]
# **The same on gpt2-small**, where a hub can be reached. Sets have to come from the tokens' text: no world knows them.

# %%
try:
    gpt2 = lab("gpt2-small")
    with_space = torch.tensor([gpt2.tokenizer.decode([i])[:1] == " " for i in range(gpt2.model.W_U.shape[1])])
    there = gpt2.dictionary("blocks.8.hook_resid_pre")
    told = viewers.logit_lens(gpt2, "blocks.8.hook_resid_pre", there.W_dec[:200])
    p = enrichment(told, torch.stack([with_space, ~with_space]), 50)
    print(f"enriched in tokens with, without a leading space: {(q_values(p) <= 0.05).float().mean(dim=0).tolist()}")
except (FileNotFoundError, MemoryError) as error:
    print(f"Skipped: {error}")


# %% misconception="vocab_df" part="latent_logits"
def forgets_the_gain(W_dec, gain, W_U):
    "The final LayerNorm's gain is left out. It multiplies each entry of the stream before W_U reads it."
    return latent_logits(W_dec, torch.ones_like(gain), W_U)


# %% misconception="vocab_df" part="latent_logits"
def keeps_the_mean_of_the_direction(W_dec, gain, W_U):
    "The direction goes into W_U with its mean. LayerNorm subtracts that from the stream, before the gain."
    logits = (normalize(W_dec, dim=1) * gain) @ W_U
    return logits - logits.mean(dim=1, keepdim=True)


# %% misconception="vocab_df" part="latent_logits"
def gain_before_the_mean(W_dec, gain, W_U):
    "The gain comes before the mean is subtracted. LayerNorm does it in the other order: mean first, gain last."
    v = normalize(W_dec, dim=1) * gain
    logits = (v - v.mean(dim=1, keepdim=True)) @ W_U
    return logits - logits.mean(dim=1, keepdim=True)


# %% misconception="vocab_df" part="latent_logits"
def as_long_as_the_row_is(W_dec, gain, W_U):
    "The rows of W_dec keep their lengths, so latents with long rows look strong. Make them unit vectors first."
    v = (W_dec - W_dec.mean(dim=1, keepdim=True)) * gain @ W_U
    return v - v.mean(dim=1, keepdim=True)


# %% misconception="vocab_df" part="latent_logits"
def unit_length_after_the_mean(W_dec, gain, W_U):
    "The row becomes a unit vector after its mean is subtracted. What the stream gets is the row itself: length first."
    v = normalize(W_dec - W_dec.mean(dim=1, keepdim=True), dim=1)
    logits = (v * gain) @ W_U
    return logits - logits.mean(dim=1, keepdim=True)


# %% misconception="vocab_df" part="latent_logits"
def not_centred(W_dec, gain, W_U):
    "The mean over the vocabulary is still in. A softmax doesn't see it, so 'promoted' means above the average token."
    v = normalize(W_dec, dim=1)
    return ((v - v.mean(dim=1, keepdim=True)) * gain) @ W_U


# %% misconception="vocab_df" part="latent_logits"
def centred_over_the_latents(W_dec, gain, W_U):
    "The last mean runs over the latents (axis 0). It should run over the vocabulary, for each latent by itself."
    v = normalize(W_dec, dim=1)
    logits = ((v - v.mean(dim=1, keepdim=True)) * gain) @ W_U
    return logits - logits.mean(dim=0)


# %% misconception="vocab_df"
def softmax_of_the_latent_alone(logits, base, size):
    "The probabilities leave out the base. A latent's logits alone are small, and their softmax is nearly uniform."
    return vocab_df(logits, torch.zeros_like(base), size)


# %% misconception="vocab_df"
def always_one_unit(logits, base, size):
    "The probabilities ignore `size`: the latent's logits are added once, however strongly it is on."
    return vocab_df(logits, base, 1.0)


# %% misconception="vocab_df"
def base_times_size_too(logits, base, size):
    "`size` multiplies the base as well. It says how much of the latent there is; the base is there anyway."
    return vocab_df(logits, size * base, size)


# %% misconception="vocab_df"
def suppressed_first(logits, base, size):
    "The table starts with the most suppressed token. The most promoted comes first."
    token, logit, prob = vocab_df(logits, base, size)
    return token.flip(0), logit.flip(0), prob.flip(0)


# %% misconception="vocab_df"
def strongest_first(logits, base, size):
    "The order is that of |logit|, which mixes promoted and suppressed tokens. The sign counts."
    order = logits.abs().argsort(descending=True)
    return order, logits[order], (base + size * logits).softmax(dim=0)[order]


# %% misconception="vocab_df"
def likeliest_first(logits, base, size):
    "The order is that of the probabilities. The table is about the latent: its own logits decide."
    prob = (base + size * logits).softmax(dim=0)
    order = prob.argsort(descending=True)
    return order, logits[order], prob[order]


# %% misconception="vocab_df"
def probabilities_in_the_old_order(logits, base, size):
    "Tokens and logits are sorted, the probabilities are not: row by row they belong to other tokens."
    token, logit, _ = vocab_df(logits, base, size)
    return token, logit, (base + size * logits).softmax(dim=0)


# %% misconception="vocab_df"
def ranks_for_tokens(logits, base, size):
    "The first column has each token's rank, in the tokens' order. It should have the token that is at each rank."
    token, logit, prob = vocab_df(logits, base, size)
    return token.argsort(), logit, prob


# %% alternative="vocab_df" part="latent_logits"
def through_a_folded_unembedding(W_dec, gain, W_U):
    folded = gain[:, None] * W_U
    folded = folded - folded.mean(dim=0)  # the LayerNorm's mean
    folded = folded - folded.mean(dim=1, keepdim=True)  # the vocabulary's
    return (W_dec / W_dec.norm(dim=1, keepdim=True).clamp_min(1e-12)) @ folded


# %% alternative="vocab_df" part="latent_logits"
def one_latent_at_a_time(W_dec, gain, W_U):
    rows = []
    for row in W_dec:
        v = row / row.norm() if row.any() else row
        logits = torch.einsum("d,d,dv->v", v - v.sum() / len(v), gain, W_U)
        rows.append(logits - logits.sum() / len(logits))
    return torch.stack(rows)


# %% alternative="vocab_df"
def one_row_at_a_time(logits, base, size):
    total = base + size * logits
    weights = (total - total.max()).exp()
    rows = sorted(zip(logits, range(len(logits)), weights / weights.sum()), key=lambda row: -row[0].item())
    token = torch.tensor([row[1] for row in rows])
    return token, torch.stack([row[0] for row in rows]), torch.stack([row[2] for row in rows])


# %% misconception="enrichment" part="peakedness"
def nats(W_dec, b_dec, size, unembed):
    "The entropy is in nats. In bits the logarithm is to the base 2, so that a fair coin has 1."
    entropy, largest, kurtosis = peakedness(W_dec, b_dec, size, unembed)
    return entropy * math.log(2), largest, kurtosis


# %% misconception="enrichment" part="peakedness"
def b_dec_twice(W_dec, b_dec, size, unembed):
    "b_dec is in the stream twice. The dictionary adds its bias once."
    return peakedness(W_dec, 2 * b_dec, size, unembed)


# %% misconception="enrichment" part="peakedness"
def no_b_dec(W_dec, b_dec, size, unembed):
    "b_dec is left out. A latent never acts without it: the dictionary's output is the bias plus its latents."
    return peakedness(W_dec, torch.zeros_like(b_dec), size, unembed)


# %% misconception="enrichment" part="peakedness"
def nan_where_a_probability_is_0(W_dec, b_dec, size, unembed):
    "The logarithm was taken of a softmax. Where that is 0, 0 · log 0 is nan. Take log_softmax, and exp of it."
    _, largest, kurtosis = peakedness(W_dec, b_dec, size, unembed)
    p = unembed(b_dec + size * normalize(W_dec, dim=1)).softmax(dim=-1)
    return -(p * p.log2()).sum(dim=-1), largest, kurtosis


# %% misconception="enrichment" part="peakedness"
def as_long_as_its_row(W_dec, b_dec, size, unembed):
    "The rows of W_dec keep their lengths. `size` is the length that each latent gets: unit vectors first."
    logits = unembed(b_dec + size * W_dec)
    return peakedness(torch.ones_like(W_dec), torch.zeros_like(b_dec), 0.0, lambda x: logits)


# %% misconception="enrichment" part="peakedness"
def excess_kurtosis(W_dec, b_dec, size, unembed):
    "This is the excess kurtosis, 0 for a normal distribution. Here 3 is not subtracted."
    entropy, largest, kurtosis = peakedness(W_dec, b_dec, size, unembed)
    return entropy, largest, kurtosis - 3


# %% misconception="enrichment" part="peakedness"
def kurtosis_about_zero(W_dec, b_dec, size, unembed):
    "The kurtosis is about 0. It is about the mean of the logits, which a softmax doesn't see."
    entropy, largest, _ = peakedness(W_dec, b_dec, size, unembed)
    z = unembed(b_dec + size * normalize(W_dec, dim=1))
    return entropy, largest, z.pow(4).mean(dim=-1) / z.square().mean(dim=-1).square()


# %% misconception="enrichment"
def more_than_were_found(logits, sets, k):
    "This is the chance of *more* hits than there are. The hits that are there count too: as many or more."
    p = enrichment(logits, sets, k)
    promoted = torch.zeros_like(logits).scatter(1, logits.topk(k).indices, 1.0)
    hits = promoted @ sets.T.to(logits.dtype)
    return p - torch.from_numpy(hypergeom.pmf(hits.numpy(), sets.shape[1], sets.sum(dim=1).numpy(), k)).to(p.dtype)


# %% misconception="enrichment"
def as_many_or_fewer(logits, sets, k):
    "This is the lower tail, which is small where a set is *missing* among the promoted tokens."
    promoted = torch.zeros_like(logits).scatter(1, logits.topk(k).indices, 1.0)
    hits = promoted @ sets.T.to(logits.dtype)
    p = hypergeom.cdf(hits.numpy(), sets.shape[1], sets.sum(dim=1).numpy(), k)
    return torch.from_numpy(p).to(logits.dtype)


# %% misconception="enrichment"
def draws_with_replacement(logits, sets, k):
    "The tokens are drawn with replacement (a binomial tail). The k promoted tokens are k different ones."
    promoted = torch.zeros_like(logits).scatter(1, logits.topk(k).indices, 1.0)
    hits = promoted @ sets.T.to(logits.dtype)
    q = sets.double().mean(dim=1)
    chances = [math.comb(k, i) * q**i * (1 - q) ** (k - i) * (hits <= i) for i in range(k + 1)]
    return torch.stack(chances).sum(dim=0).to(logits.dtype)


# %% misconception="enrichment"
def strongest_either_way(logits, sets, k):
    "The k tokens with the largest |logit| were taken. Suppressed tokens are not promoted: the sign counts."
    return enrichment(logits.abs(), sets, k)


# %% misconception="enrichment" part="q_values"
def not_corrected(p):
    "These are the p-values themselves. Of many tests, one in twenty comes out below 0.05 if nothing is there."
    return p.clone()


# %% misconception="enrichment" part="q_values"
def bonferroni(p):
    "Each p-value was multiplied by the number of tests. q-values are smaller: they allow a share of chance hits."
    return (p * p.numel()).clamp_max(1)


# %% misconception="enrichment" part="q_values"
def each_latent_by_itself(p):
    "Each latent's tests were corrected by themselves. With many latents you ask many times: correct all together."
    return torch.cat([q_values(row[None]) for row in p])


# %% misconception="enrichment" part="q_values"
def no_minimum(p):
    "The minimum over later tests is missing, so that a smaller p-value may have a larger q-value."
    rank = p.flatten().argsort().argsort() + 1
    return p * p.numel() / rank.view_as(p)


# %% misconception="enrichment" part="q_values"
def minimum_from_the_wrong_side(p):
    "The minimum runs over the smaller p-values. It should run over the larger ones: later tests may lower a share."
    ordered, order = p.flatten().sort()
    share = ordered * p.numel() / torch.arange(1, p.numel() + 1)
    return share.cummin(dim=0).values[order.argsort()].view_as(p)


# %% misconception="enrichment" part="q_values"
def left_in_sorted_order(p):
    "The q-values come in the order of the p-values, from the smallest. Each belongs in the place of its test."
    return q_values(p.flatten().sort().values[None]).view_as(p)


# %% alternative="enrichment" part="peakedness"
def one_direction_at_a_time(W_dec, b_dec, size, unembed):
    rows = []
    for row in W_dec:
        z = unembed((b_dec + size * row / row.norm())[None])[0]
        p = (z - z.logsumexp(dim=0)).exp()
        entropy = torch.special.entr(p).sum() / torch.tensor(2.0).log()
        centred = z - z.mean()
        rows.append(torch.stack([entropy, p.max(), (centred**4).mean() / (centred**2).mean() ** 2]))
    return tuple(torch.stack(rows).T)


# %% alternative="enrichment"
def by_counting_draws(logits, sets, k):
    V = logits.shape[1]
    p = torch.zeros(len(logits), len(sets), dtype=torch.float64)
    for i, row in enumerate(logits):
        top = set(row.argsort(descending=True)[:k].tolist())
        for j, members in enumerate(sets):
            m, hits = int(members.sum()), sum(bool(members[t]) for t in top)
            ways = sum(math.comb(m, x) * math.comb(V - m, k - x) for x in range(hits, min(m, k) + 1))
            p[i, j] = ways / math.comb(V, k)
    return p.to(logits.dtype)


# %% alternative="enrichment"
def one_minus_the_lower_tail(logits, sets, k):
    promoted = logits >= logits.sort(dim=1, descending=True).values[:, k - 1 : k]
    hits = (promoted[:, None] & sets[None]).sum(dim=2).numpy()
    p = 1 - hypergeom(sets.shape[1], k, sets.sum(dim=1).numpy()).cdf(hits - 1)
    return torch.tensor(p, dtype=logits.dtype)


# %% alternative="enrichment" part="q_values"
def with_scipy(p):
    import scipy.stats

    return torch.from_numpy(scipy.stats.false_discovery_control(p.flatten().numpy())).to(p.dtype).reshape(p.shape)
