# %% [markdown]
# # Where does an attention latent read?
#
# Attention is the only place in a transformer where a token learns of other tokens. So when a latent of an attention
# layer fires, something was fetched, by some head, from some word. Which? Many people look at the attention pattern and
# point at its brightest spot. **But a head that looks at a word need not take anything from it.** A latent can tell you
# what was taken: attention adds up, so its activation can be split into what came from each word by each head, exactly.
#
# **At the end of this section** you will be able to split a latent of `attn.hook_z` into contributions of heads and
# source tokens, to recognise an induction latent by them, and to say what such an account leaves out.

# %% setup=1
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict, viewers

# %% [markdown]
# The text: random words, and then the same words again. A model that has noticed this knows what comes next: it looks
# for where the present word stood before, and takes the word *behind* it. This is called *induction*. `second` marks
# the tokens of the second round after which the next word is known.

# %%
WORDS = 7  # said twice
N = 24  # sequences

pocket = lab("pocket")
model = pocket.model
drawn, _ = pocket.world.twins("repeat", WORDS, lambda drawn: {}, n=N, seed=0)
said = torch.from_numpy(drawn.tokens()).long()
tokens = torch.cat([torch.full((N, 1), pocket.tokenizer.bos_token_id), said], dim=1)
period = WORDS + 1  # the words and a semicolon
positions = torch.arange(tokens.shape[1])
start = tokens.shape[1] - 1 - WORDS  # of the second round
second = ((positions >= start) & (positions < start + WORDS - 1)).expand(tokens.shape)
words = [[pocket.tokenizer.decode([token]) for token in row] for row in tokens.tolist()]
print(" ".join(f"[{word.strip()}]" for word in words[0]))


def at_layer(layer: int, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A layer's pattern [batch, head, query, source], values [batch, source, head, d_head], z [batch, query, d_in]."""
    names = [f"blocks.{layer}.attn.hook_{what}" for what in ("pattern", "v", "z")]
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names_filter=names)
    pattern, v, z = (cache[name] for name in names)
    return pattern, v, z.flatten(2)


dictionaries = [
    pocket.dictionary(f"blocks.{layer}.attn.hook_z").requires_grad_(False) for layer in range(model.cfg.n_layers)
]

# %% [markdown]
# ## A sum over words and heads
#
# In head $h$, the token at position $q$ (the *query*) mixes the values $v_{kh}$ of the tokens $k$ up to its own (the
# *sources*), with the attention pattern $A_{hqk}$ as weights: $z_{qh}=\sum_k A_{hqk}\,v_{kh}$. A dictionary at
# `attn.hook_z` reads the heads one after another, as one vector of head · d_head numbers. Its latent $j$ has the
# *pre-activation* (what comes before ReLU or threshold)
#
# $$h_{qj}=(z_q-b_\text{dec})\cdot w+b_{\text{enc},j},\qquad w=W_\text{enc}[:,j]$$
#
# Cut $w$ into as many pieces as there are heads, $w_h$. Then put the sum for $z$ in:
#
# $$h_{qj}=\sum_k\sum_h\underbrace{A_{hqk}\;v_{kh}\cdot w_h}_{\text{from source }k\text{, by head }h}
# \;+\;\underbrace{b_{\text{enc},j}-b_\text{dec}\cdot w}_{\text{the same for all tokens}}$$
#
# Nothing was approximated. [Kissane et al. 2024](https://arxiv.org/abs/2406.17759) call this *direct feature
# attribution*, DFA. A contribution may be negative: this word, read by this head, spoke against.
#
# Contributions of many tokens are told as *shares*: add them up over the queries where the latent is on, by head (or by
# how many tokens back the source stands), and divide by the sum of all. So one faint firing counts little, and the
# shares add up to 1. A share can be above 1, if others are below 0.
#
# | case | |
# |---|---|
# | a head looks at a word whose value is 0 | contribution 0, however much it looks |
# | all contributions of a query, plus the constant | the pre-activation, also where the latent is off |
# | every head looks at the token itself only | all of the share at distance 0 |
# | the latent is on at none of the queries | shares nan |


# %% exercise="dfa" points=4 minutes=40 difficulty=3 importance=4
def dfa(
    pattern: Float[Tensor, "batch head query source"],
    v: Float[Tensor, "batch source head d_head"],
    W_enc: Float[Tensor, "d_in d_sae"],
    latent: int,
) -> Float[Tensor, "batch query source head"]:
    """What each source token, by each head, contributes to a latent's pre-activation. d_in is head · d_head.

    >>> pattern = torch.tensor([[[[1.0, 0.0], [0.25, 0.75]]]])  # one head, two tokens
    >>> v = torch.tensor([[[[4.0, 0.0]], [[0.0, 2.0]]]])
    >>> dfa(pattern, v, torch.tensor([[1.0], [10.0]]), 0)[0, 1, :, 0]  # at the second token
    tensor([ 1., 15.])
    """
    # BEGIN SOLUTION
    w = W_enc[:, latent].reshape(v.shape[2:])  # head d_head
    read = torch.einsum("bkhd,hd->bkh", v, w)  # what w finds in each source's value
    return pattern.permute(0, 2, 3, 1) * read[:, None]
    # END SOLUTION


def pre_activation(
    parts: Float[Tensor, "batch query source head"],
    W_enc: Float[Tensor, "d_in d_sae"],
    b_enc: Float[Tensor, "d_sae"],
    b_dec: Float[Tensor, "d_in"],
    latent: int,
) -> Float[Tensor, "batch query"]:
    """The latent's pre-activation at each query, from its contributions `parts`, as `dfa` gives them.

    It may be negative: neither ReLU nor threshold has been applied yet.

    >>> parts = torch.tensor([[[[1.0], [15.0]]]])  # one query, two sources, one head
    >>> pre_activation(parts, torch.tensor([[2.0], [1.0]]), torch.tensor([-4.0]), torch.tensor([3.0, 1.0]), 0)
    tensor([[5.]])
    """
    # BEGIN SOLUTION
    return parts.sum(dim=(2, 3)) + b_enc[latent] - b_dec @ W_enc[:, latent]
    # END SOLUTION


def head_share(
    parts: Float[Tensor, "batch query source head"], on: Bool[Tensor, "batch query"]
) -> Float[Tensor, "head"]:
    """Each head's share of all contributions, over the queries where `on`. They sum to 1; nan if `on` is nowhere.

    >>> parts = torch.tensor([[[[3.0, 1.0]], [[5.0, -1.0]], [[9.0, 9.0]]]])  # three queries, one source, two heads
    >>> head_share(parts, torch.tensor([[True, True, False]]))
    tensor([1., 0.])
    """
    # BEGIN SOLUTION
    there = parts[on]  # firing source head
    return there.sum(dim=(0, 1)) / there.sum()
    # END SOLUTION


def distance_share(
    parts: Float[Tensor, "batch query source head"], on: Bool[Tensor, "batch query"]
) -> Float[Tensor, "source"]:
    """Share of all contributions that comes from 0, 1, 2, … tokens back, over the queries where `on`.

    Distance 0 is the query itself: there are as many queries as sources. Entries sum to 1; nan if `on` is nowhere.

    >>> parts = torch.tensor([[[[2.0], [0.0]], [[6.0], [2.0]]]])  # two tokens, one head
    >>> distance_share(parts, torch.tensor([[True, True]]))
    tensor([0.4000, 0.6000])
    """
    # BEGIN SOLUTION
    there = (parts * on[..., None, None]).sum(dim=(0, 3))  # query source
    back = [there.diagonal(-distance).sum() for distance in range(there.shape[1])]
    total = there.sum() if on.any() else there.new_tensor(float("nan"))
    return torch.stack(back) / total
    # END SOLUTION


# %%
check(dfa, pre_activation, head_share, distance_share)

# %% [markdown] hint=1
# Which of the four axes of `pattern` belongs to the token that reads, which to the one that is read? Which piece of the
# encoder's column reads head 2? In the shares: what is summed before the division?

# %% [markdown] hint=2
# `W_enc[:, latent].reshape(n_heads, d_head)` has one row per head. Its product with each source's value is [batch,
# source, head]; `pattern.permute(0, 2, 3, 1)` is [batch, query, source, head]. The bias of the decoder is subtracted
# from z, *before* the encoder. `parts[on]` are the queries that count. The source $d$ tokens back from query $q$ stands
# at $q-d$: a diagonal of the matrix [query, source].

# %% [markdown] hint=3
# `read = torch.einsum("bkhd,hd->bkh", v, w)`; along which axis must it be repeated before it meets the pattern? The
# constant is `b_enc[latent] - b_dec @ W_enc[:, latent]`. With `there` summed over batch and heads, [query, source],
# `there.diagonal(-d).sum()` is the contribution from d tokens back; by what do you divide?

# %% [markdown]
# First see that it adds up, on real activations. Then take all latents of a layer that are on in the second round, add
# up their contributions, and ask how far back they come from. The present word stood 8 tokens ago. **Where do you
# expect the peak, and in which layer?**

# %%
LAYERS = [f"layer {layer}" for layer in range(model.cfg.n_layers)]

guess_layer = predict(
    "In which layer do the latents read most from the word behind the earlier one?", ..., among=LAYERS
)


# %%
def attributed(layer: int, tokens: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """(contributions to all latents of a layer that are on at `where`, [batch query source head]; pattern alike)."""
    sae, (pattern, v, z) = dictionaries[layer], at_layer(layer, tokens)
    on = (sae.encode(z) > 0) & where[..., None]
    total = torch.zeros_like(pattern.permute(0, 2, 3, 1))
    for latent in on.flatten(0, 1).any(dim=0).nonzero()[:, 0].tolist():
        total += dfa(pattern, v, sae.W_enc, latent) * on[..., latent, None, None]
    return total, pattern.permute(0, 2, 3, 1)


last = model.cfg.n_layers - 1
pattern, v, z = at_layer(last, tokens)
sae = dictionaries[last]
latent = (sae.encode(z) > 0)[second].sum(dim=0).argmax().item()
parts = dfa(pattern, v, sae.W_enc, latent)
error = pre_activation(parts, sae.W_enc, sae.b_enc, sae.b_dec, latent) - sae.hidden(z)[..., latent]
print(f"latent {latent}: contributions and constant miss the pre-activation by {error.abs().max():.0e}")
assert error.abs().max() < 1e-4

totals = [attributed(layer, tokens, second) for layer in range(len(LAYERS))]
by_distance = {name: distance_share(total, second)[:12] for name, (total, _) in zip(LAYERS, totals)}
plots.line(
    range(12),
    by_distance,
    title="From how far back the latents read, in the second round",
    x_title="tokens back",
    y_title="share of the contributions",
    markers=True,
)

# %%
behind = torch.stack([by_distance[name][period - 1] for name in LAYERS])
inducing = behind.argmax().item()
guess_layer.came_out(LAYERS[inducing])
print("share from the word behind the earlier one:", [round(share, 2) for share in behind.tolist()])

# %%
# What the text says of this model. Seen: .03, .02, .09, .74.
assert behind.max() > 0.3, behind

# %% [markdown]
# One layer has its peak 7 tokens back: from the present word's earlier place one step forward, to the word that came
# next. That is induction, and here you see it in what *latents* read, not just in where a head looks. The other layers
# read mostly nearby, or from all over the text.
#
# ## Looking is not taking
#
# A pattern has the same axes as contributions, so its shares can be computed by the same function. For one query, the
# two accounts beside each other: what share of its attention each word gets (averaged over the heads), and what share
# of the latents' contributions.

# %%
EXAMPLE, QUERY = 0, start + 2  # which sequence, and which word of the second round

both = [what[EXAMPLE, QUERY].sum(dim=1) for what in totals[inducing]]
read, looked = (shares / shares.sum() for shares in both)
viewers.highlight(
    [words[EXAMPLE][: QUERY + 1]] * 2,
    [looked[: QUERY + 1], read[: QUERY + 1]],
    title=f"Layer {inducing}, at “{words[EXAMPLE][QUERY].strip()}”: looking, and taking",
    labels=["attention", "contributions"],
)

# %%
guess_bos = predict("Layer 0 gives BOS what share of its attention, in the second round?", ...)

# %%
at_bos = {"attention": [], "contributions": []}
for total, looking in totals:
    at_bos["attention"].append((looking[:, :, 0][second].sum() / looking[second].sum()).item())
    at_bos["contributions"].append((total[:, :, 0][second].sum() / total[second].sum()).item())
peak = distance_share(totals[inducing][1], second)[period - 1].item()
print(f"layer {inducing}, the word behind: {peak:.2f} of the attention, {behind[inducing]:.2f} of the contributions")
plots.bars(
    at_bos,
    LAYERS,
    title="What BOS gets",
    x_title="layer",
    y_title="share",
)

# %%
guess_bos.came_out(at_bos["attention"][0], within=0.05)

# %%
# What the text says of this model. Seen: .22 and .09; .47 and .74.
assert at_bos["attention"][0] > 1.3 * at_bos["contributions"][0], at_bos
assert behind[inducing] > 1.2 * peak, (behind, peak)

# %% [markdown]
# A head's attention has to go somewhere, even where there is nothing to fetch, and in layer 0 a good part of it goes to
# BOS. The latents get less from there than the pattern makes you think. And at the peak it is the other way round: the
# word behind gives more than its share of the attention. The pattern tells how much of a value is taken, but not what
# the value has to give, nor whether this latent wants it.
#
# ## Which heads?
#
# "That is the induction head": can one say so? If each latent were fed by one head, and each head fed one latent, heads
# and latents would be two names for the same thing. Take the latents that are most often on in ordinary text, layer by
# layer, and ask for the shares of the heads.

# %%
guess_heads = predict("In which layer are latents most nearly fed by one head alone?", ..., among=LAYERS)

# %%
LATENTS = 48  # the most frequent ones of each layer
SHOWN = 8

ordinary = pocket.tokens(16, 64, seed=2)
shares, frequent = {}, {}
for layer, name in enumerate(LAYERS):
    pattern, v, z = at_layer(layer, ordinary)
    sae = dictionaries[layer]
    on = sae.encode(z) > 0
    on[:, 0] = False  # BOS is no text
    frequent[name] = on.flatten(0, 1).sum(dim=0).topk(LATENTS).indices.tolist()
    rows = [head_share(dfa(pattern, v, sae.W_enc, latent), on[..., latent]) for latent in frequent[name]]
    shares[name] = torch.stack(rows)
strongest = {name: rows.amax(dim=1).median().item() for name, rows in shares.items()}
for name, rows in shares.items():
    fed = rows.argmax(dim=1).bincount(minlength=rows.shape[1])
    print(
        f"{name}: the strongest head has {strongest[name]:.2f} (median); heads are strongest for {fed.tolist()} latents"
    )
least, most = min(strongest, key=strongest.get), max(strongest, key=strongest.get)
plots.heat_map(
    torch.stack([shares[least][:SHOWN], shares[most][:SHOWN]]),
    title="Which heads feed the most frequent latents",
    x="head",
    y="latent, most frequent first",
    unit="share",
    titles=[least, most],
)

# %%
guess_heads.came_out(most)

# %%
# What the text says of this model. Seen: medians .39 to .93; and the package's own figures for one latent.
assert strongest[most] > strongest[least] + 0.1, strongest
assert (shares[most].argmax(dim=1).bincount() > 2).sum() >= 3
site, sae, latent = f"blocks.{last}.attn.hook_z", dictionaries[last], frequent[LAYERS[last]][0]
_, sources = viewers.heads_and_sources(pocket, site, ordinary, torch.full((16,), 30), sae, latent)
pattern, v, _ = at_layer(last, ordinary)
assert torch.allclose(dfa(pattern, v, sae.W_enc, latent)[:, 30].sum(dim=2), sources, atol=1e-4)

# %% [markdown]
# So it depends. In one layer a typical latent is put together from several heads, and no head alone would show you what
# it does. In another, most rows have a single bright cell. But look down the columns there: each head feeds several
# latents. So "the induction head" is a convenient name, not the whole of what that head does. Kissane et al. estimate
# that in GPT-2 small at least nine heads in ten have several unrelated roles.
#
# What this account does **not** tell: *why* the head looked there. The pattern was taken as given, and it depends on
# queries and keys, that is on what earlier layers wrote at both places (chapter 4 takes that apart). Nor does "it comes
# from this word" mean "from this word's identity": in a later layer the stream at a word has already gathered from
# others.
#
# **An experiment of your own.** "When Tom and Mark went to the chamber, Tom gave the skin to" … Mark, who is called the
# *receiver*; the *giver* is named twice. At the last token, what share of the contributions to the latents of a layer
# comes from each of these names?

# %%
my_layer = last
my_name = "the receiver"  # or "the giver, first time", "the giver, second time"

guess_name = predict(f"Latents of layer {my_layer} at the last token: which share comes from {my_name}?", ...)

# %%
prompts = pocket.prompts("ioi", 48)
end = torch.arange(prompts.tokens.shape[1]) == prompts.last[:, None]
receiver = prompts.tokens == prompts.answers[:, None]
giver = prompts.tokens == prompts.wrong[:, None]
names = {
    "the receiver": receiver,
    "the giver, first time": giver & (giver.cumsum(dim=1) == 1),
    "the giver, second time": giver & (giver.cumsum(dim=1) == 2),
}
total, looking = attributed(my_layer, prompts.tokens, end)
for name, there in names.items():
    taken = (total.sum(dim=3)[end] * there).sum() / total[end].sum()
    seen = (looking.sum(dim=3)[end] * there).sum() / looking[end].sum()
    print(f"{name:<24} {taken:.2f} of the contributions, {seen:.2f} of the attention")
    if name == my_name:
        guess_name.came_out(taken.item(), within=0.1)

# %% [markdown]
# **The same on gpt2-small**, where a hub can be reached, on words said twice. Layer 5 has induction heads there. Its
# public dictionaries at `attn.hook_z` come as pickles, files that can run code when they are opened, and this course
# opens none. It isn't needed: what the heads write reaches the stream through $W_O$, so a latent of the *stream* after
# layer 5 reads them through $W_O$ times its encoder. These contributions are a part of its pre-activation, that which
# came through the attention of layer 5.

# %%
try:
    gpt2 = lab("gpt2-small")
    gpt2_model = gpt2.model
except (FileNotFoundError, MemoryError) as error:
    print(f"Skipped: {error}")
else:
    gpt2_site = "blocks.6.hook_resid_pre"  # what leaves layer 5
    gpt2_sae = gpt2.dictionary(gpt2_site)
    twice = " ticket Canada sailor local flag net" * 2
    gpt2_tokens = torch.tensor([[gpt2.tokenizer.bos_token_id, *gpt2.tokenizer(twice)["input_ids"]]])
    hooks = [f"blocks.5.attn.hook_{what}" for what in ("pattern", "v")]
    with torch.no_grad():
        _, cache = gpt2_model.run_with_cache(gpt2_tokens, names_filter=hooks)
        through = gpt2_model.W_O[5].flatten(0, 1) @ gpt2_sae.W_enc  # head · d_head d_sae
        where = torch.arange(gpt2_tokens.shape[1])[None] == gpt2_tokens.shape[1] - 2
        on = (gpt2_sae.encode(gpt2.activations(gpt2_site, gpt2_tokens))[where][0] > 0).nonzero()[:, 0].tolist()
        parts = {latent: dfa(*(cache[name] for name in hooks), through, latent) for latent in on}
    most = max(on, key=lambda latent: parts[latent][where].sum().item())
    shares = distance_share(parts[most], where)
    print(f"latent {most} gets most through layer 5, and there most from {shares.argmax().item()} tokens back")


# %% misconception="dfa"
def key_and_query_swapped(pattern, v, W_enc, latent):
    "Query and source changed places in the pattern. Each query's weights add up to 1 over its sources, the last axis."
    return dfa(pattern.transpose(2, 3), v, W_enc, latent)


# %% misconception="dfa"
def softmax_once_more(pattern, v, W_enc, latent):
    "A softmax was taken of the pattern, which is the result of one: its rows add up to 1 already."
    return dfa(pattern.softmax(dim=-1), v, W_enc, latent)


# %% misconception="dfa"
def attention_alone(pattern, v, W_enc, latent):
    "This is the attention pattern. It says how much of a value is taken; what the latent gets is weight times v · w."
    return pattern.permute(0, 2, 3, 1)


# %% misconception="dfa"
def heads_cut_across(pattern, v, W_enc, latent):
    "The encoder's column was cut across the heads: its first d_head numbers belong to head 0, the next to head 1."
    w = W_enc[:, latent].reshape(v.shape[3], v.shape[2]).T
    return pattern.permute(0, 2, 3, 1) * (v * w).sum(dim=3)[:, None]


# %% misconception="dfa"
def negative_parts_removed(pattern, v, W_enc, latent):
    "Negative contributions became 0. ReLU belongs to their sum; a word may well speak against."
    return dfa(pattern, v, W_enc, latent).clamp_min(0)


# %% misconception="dfa"
def value_of_the_query(pattern, v, W_enc, latent):
    "The value is that of the query. What is taken is the value of the *source* token."
    read = (v * W_enc[:, latent].reshape(v.shape[2:])).sum(dim=3)
    return pattern.permute(0, 2, 3, 1) * read[:, :, None]


# %% misconception="dfa"
def encoder_made_a_unit_vector(pattern, v, W_enc, latent):
    "The encoder's column was normalised. Then the contributions add up to something, but not to the pre-activation."
    return dfa(pattern, v, W_enc / W_enc.norm(dim=0), latent)


# %% misconception="dfa" part="pre_activation"
def b_dec_forgotten(parts, W_enc, b_enc, b_dec, latent):
    "b_dec is missing: the dictionary subtracts it from z before it encodes."
    return parts.sum(dim=(2, 3)) + b_enc[latent]


# %% misconception="dfa" part="pre_activation"
def b_enc_forgotten(parts, W_enc, b_enc, b_dec, latent):
    "b_enc is missing: it is added after the encoder."
    return parts.sum(dim=(2, 3)) - b_dec @ W_enc[:, latent]


# %% misconception="dfa" part="pre_activation"
def b_dec_added(parts, W_enc, b_enc, b_dec, latent):
    "b_dec was added. The dictionary subtracts it from z before it encodes."
    return parts.sum(dim=(2, 3)) + b_enc[latent] + b_dec @ W_enc[:, latent]


# %% misconception="dfa" part="pre_activation"
def after_the_relu(parts, W_enc, b_enc, b_dec, latent):
    "Negative values became 0. The *pre*-activation is what comes before ReLU or threshold."
    return pre_activation(parts, W_enc, b_enc, b_dec, latent).relu()


# %% misconception="dfa" part="pre_activation"
def constant_for_each_source(parts, W_enc, b_enc, b_dec, latent):
    "The biases were added once for every source and head. They are added once for each query."
    return (parts + b_enc[latent] - b_dec @ W_enc[:, latent]).sum(dim=(2, 3))


# %% misconception="dfa" part="head_share"
def all_queries_count(parts, on):
    "Queries where the latent is off were counted as well. What it read there never reached anybody."
    return head_share(parts, torch.ones_like(on))


# %% misconception="dfa" part="head_share"
def sizes_for_contributions(parts, on):
    "The absolute values were summed. A head that speaks against the latent has a negative share."
    return head_share(parts.abs(), on)


# %% misconception="dfa" part="head_share"
def mean_of_the_shares(parts, on):
    "A share was taken at each query, then their mean, so a faint firing counts as much as a strong one. Sum first."
    there = parts[on].sum(dim=1)
    return (there / there.sum(dim=1, keepdim=True)).mean(dim=0)


# %% misconception="dfa" part="head_share"
def sums_for_shares(parts, on):
    "These are sums. Divide by the sum over all heads, so that the shares add up to 1."
    return parts[on].sum(dim=(0, 1)) if on.any() else torch.full_like(parts[0, 0, 0], torch.nan)


# %% misconception="dfa" part="head_share"
def softmax_for_shares(parts, on):
    "A softmax makes positive numbers of everything. A share is a sum divided by the sum of all; it can be negative."
    return parts[on].sum(dim=(0, 1)).softmax(dim=0) if on.any() else torch.full_like(parts[0, 0, 0], torch.nan)


# %% misconception="dfa" part="distance_share"
def positions_for_distances(parts, on):
    "These are shares by where the source stands. Asked is how far it stands before the query."
    there = (parts * on[..., None, None]).sum(dim=(0, 1, 3))
    return there / there.sum()


# %% misconception="dfa" part="distance_share"
def one_too_far(parts, on):
    "Entry 0 has the sources one token back. Distance 0 is the query itself."
    return distance_share(parts, on).roll(-1)


# %% misconception="dfa" part="distance_share"
def off_queries_count_too(parts, on):
    "Queries where the latent is off were counted as well."
    shares = distance_share(parts, torch.ones_like(on))
    return shares if on.any() else shares * torch.nan


# %% misconception="dfa" part="distance_share"
def farthest_first(parts, on):
    "The order is reversed: entry 0 has the farthest source. It should have the query itself."
    return distance_share(parts, on).flip(0)


# %% misconception="dfa" part="distance_share"
def mean_of_the_queries_shares(parts, on):
    "A share was taken at each query, then their mean, so a faint firing counts as much as a strong one. Sum first."
    share = parts / parts.sum(dim=(2, 3), keepdim=True)
    return distance_share(share, on)


# %% alternative="dfa"
def head_by_head(pattern, v, W_enc, latent):
    pieces = W_enc[:, latent].split(v.shape[3])
    return torch.stack([pattern[:, h] * (v[:, :, h] @ w)[:, None, :] for h, w in enumerate(pieces)], dim=-1)


# %% alternative="dfa"
def in_one_einsum(pattern, v, W_enc, latent):
    W = W_enc.view(v.shape[2], v.shape[3], -1)[..., latent]
    return torch.einsum("bhqk,bkhd,hd->bqkh", pattern, v, W)


# %% alternative="dfa" part="head_share"
def with_weights(parts, on):
    by_head = torch.einsum("bqkh,bq->h", parts, on.to(parts.dtype))
    return by_head / by_head.sum()


# %% alternative="dfa" part="distance_share"
def by_counting(parts, on):
    n = parts.shape[2]
    share = torch.zeros(n, dtype=parts.dtype)
    for q in range(n):
        for k in range(q + 1):
            share[q - k] += parts[:, q, k][on[:, q]].sum()
    return share / parts[on].sum()
