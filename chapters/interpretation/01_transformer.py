# %% [markdown]
# # A transformer in ten minutes
#
# "Sarah Snow plays the sport of" … and the model says which sport, though the last word it read was "of". How did the
# name get there?
#
# There is nothing to fill in here. At the end of this section you will be able to say what a transformer's residual
# stream is, who reads it and who writes to it, under which names you can look at it, what logits and the next-token
# loss are, and what the pocket world is. You need PyTorch and chapter 1, nothing else.

# %% setup=1
import torch

from saelab import lab, plots, predict, scores, viewers

# %%
pocket = lab("pocket")
model = pocket.model
prompts = pocket.prompts("facts", 64)
text, tokens, last = prompts.text[0], prompts.tokens[0], int(prompts.last[0])
words = [pocket.tokenizer.decode([token]) for token in tokens[: last + 1].tolist()]
print(f"{len(words)} tokens:", " ".join(f"[{word}]" for word in words))
print(f"{model.cfg.n_layers} layers, d_model = {model.cfg.d_model}, {model.cfg.n_heads} heads per layer")
print(f"a vocabulary of {model.cfg.d_vocab} tokens")

# %% [markdown]
# ## One sum, and everybody adds to it
#
# Text goes in as *tokens*, whole numbers that stand for words (in larger models for pieces of words). In front stands
# `<bos>`, "here a text begins". At each position the model keeps one vector of `d_model` numbers, the **residual
# stream**. It begins as the token's embedding plus the position's. Then each layer reads it twice and adds to it twice:
#
# ```
#                                     one position            names of what you can look at
#
#   token, position ──────────────────────►(+)                 hook_embed, hook_pos_embed
#                                           │
#                                           │                  blocks.0.hook_resid_pre
#               ┌── LayerNorm ◄─────────────┤
#   other       ▼                           │
#   positions ► attention ────────────────►(+)                 blocks.0.attn.hook_z (each head's part),
#   before                                  │                  blocks.0.hook_attn_out (their sum)
#                                           │                  blocks.0.hook_resid_mid
#               ┌── LayerNorm ◄─────────────┤
#               ▼                           │
#              MLP ───────────────────────►(+)                 blocks.0.hook_mlp_out
#                                           │
#                                           │                  blocks.0.hook_resid_post = blocks.1.hook_resid_pre
#                                           ▼
#                              … more layers of the same kind …
#                                           │
#                              LayerNorm, times W_U            ln_final, unembed
#                                           ▼
#                                        logits                one number per token of the vocabulary
# ```
#
# | part | reads | writes | does |
# |---|---|---|---|
# | attention | this position and all positions *before* it | this position | moves information between positions |
# | MLP | this position | this position | computes with what is there |
#
# Nothing is ever overwritten, only added to. That is why the stream at one place can be taken apart into a sum, and why
# a dictionary can be trained on it: it is made of directions that many parts wrote ([Elhage et al.
# 2021](https://transformer-circuits.pub/2021/framework/index.html), "A Mathematical Framework for Transformer
# Circuits"). *LayerNorm* subtracts the mean of the numbers and scales them to a fixed size before a part reads them.
#
# Three things to check, not to believe: that the stream is a sum, that logits follow from its last state, and that
# nothing looks ahead.

# %%
with torch.no_grad():
    logits, cache = model.run_with_cache(tokens[None])
for layer in range(model.cfg.n_layers):
    before = cache[f"blocks.{layer}.hook_resid_pre"]
    written = cache[f"blocks.{layer}.hook_attn_out"] + cache[f"blocks.{layer}.hook_mlp_out"]
    after = cache[f"blocks.{layer}.hook_resid_post"]
    difference = (before + written - after).abs().max()
    print(f"layer {layer}: what comes in plus what is written, minus what goes out: at most {difference:.0e}")
    assert difference < 1e-4
with torch.no_grad():
    again = model.unembed(model.ln_final(after))
print(f"logits from the last state of the stream: the same to {(again - logits).abs().max():.0e}")
assert torch.allclose(again, logits, atol=1e-3)

# %% [markdown]
# **An experiment of your own.** Replace one word of the prompt by another. At how many of the positions does the stream
# after the last layer change?

# %%
my_position = 3  # 1 is the first word
my_word = " tennis"  # any word of the vocabulary, with the space before it

guess_changed = predict(f"Word {my_position} of {last} is replaced: at how many positions does the stream change?", ...)

# %%
other = tokens.clone()
other[my_position] = pocket.tokenizer(my_word, add_special_tokens=False).input_ids[0]
with torch.no_grad():
    _, changed = model.run_with_cache(other[None])
end = f"blocks.{model.cfg.n_layers - 1}.hook_resid_post"
moved = (changed[end] - cache[end])[0, : last + 1].norm(dim=-1)
for word, distance in zip(words, moved):
    print(f"{word:>10}  {distance:.2f}")
guess_changed.came_out(float((moved > 1e-3).sum()), within=0)
assert (moved[:my_position] < 1e-3).all()

# %% [markdown]
# Nothing changes before the word, however many layers there are. That is what lets the model be trained on all
# positions of a text at once: no position can see what it has to forecast.
#
# ## Logits, and the next-token loss
#
# At each position the last state of the stream becomes `d_vocab` **logits**, and `softmax` makes probabilities of them:
# a forecast of the *next* token. The loss is the surprise at what really came,
#
# $$\ell_s=-\log\operatorname{softmax}(\text{logits}_s)_{\text{token}_{s+1}}$$
#
# in nats, averaged over positions. A model that knows nothing has $\log V$ for $V$ tokens. And since the text of the
# pocket world is written by a known grammar, the loss of a perfect reader can be computed too: it is the entropy of the
# text, which no model can beat.

# %%
held_out = pocket.world.sample(32, 128, seed=4)
read = torch.from_numpy(held_out.tokens)
with torch.no_grad():
    log_p = model(read)[:, :-1].log_softmax(dim=-1)
loss = -log_p.gather(-1, read[:, 1:, None])[..., 0]
nothing = torch.tensor(float(model.cfg.d_vocab)).log()
print(
    f"knows nothing {nothing:.2f}, the pocket model {loss.mean():.2f}, a perfect reader {held_out.entropy():.2f} nats"
)
assert held_out.entropy() < loss.mean() + 0.05 and loss.mean() < 0.4 * nothing

# %% [markdown]
# Now the picture. Since the stream is a sum, you can ask at every height what the model would say if it stopped there:
# skip the layers that are left, and unembed. This is the *logit lens* ([nostalgebraist
# 2020](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens)). **After which layer does
# the right sport first have more than half of the probability?** (0 is the first layer.)

# %%
guess_layer = predict("After which layer has the right answer more than half of the probability?", ...)

# %%
PROMPT = 0  # look at others

tokens, last = prompts.tokens[PROMPT], int(prompts.last[PROMPT])
following = torch.cat([tokens[1 : last + 1], prompts.answers[PROMPT : PROMPT + 1]])
with torch.no_grad():
    _, cache = model.run_with_cache(tokens[None, : last + 1])
    heights = {"before layer 0": "blocks.0.hook_resid_pre"}
    for layer in range(model.cfg.n_layers):
        heights[f"after layer {layer}"] = f"blocks.{layer}.hook_resid_post"
    rows = []
    for name in heights.values():
        forecast = model.unembed(model.ln_final(cache[name]))[0].softmax(dim=-1)
        rows.append(forecast.gather(1, following[:, None])[:, 0])
lens = torch.stack(rows)  # height position
names = [pocket.tokenizer.decode([token]).strip() for token in [*tokens[: last + 1].tolist(), int(following[-1])]]
plots.heat_map(
    lens,
    title="Probability of the token that comes next, if the model stopped here",
    x="token read → token that comes next",
    y="",
    unit="probability",
    x_labels=[f"{word} → {following}" for word, following in zip(names, names[1:])],
    y_labels=list(heights),
)

# %%
above = (lens[1:, -1] > 0.5).nonzero()[:, 0]
guess_layer.came_out(float(above[0]) if len(above) else float(model.cfg.n_layers))
assert lens[0, -1] < 0.5 and lens[-1, -1] > 0.5

# %% [markdown]
# Read a column from top to bottom: a forecast is made step by step. The last column is the sport. At its position the
# embedding knows "of" and no more; the name has to be fetched by attention, and something has to turn the name into a
# sport. (Random first and last names, by the way, can't be guessed, and those columns stay pale.)
#
# A lens shows what the *unembedding* could read there. It does not show what is in the stream. For that you need
# dictionaries, and for testing them you need the truth about the text.
#
# ## The pocket world
#
# The text is written by a grammar that notes of each word why it stands there. Such a noted property is a *factor*: a
# feature of the data whose truth is on record, token by token. A *latent* is a direction of a dictionary. Whether a
# latent is about a factor is the question of this chapter.

# %%
# One text, twice, each time coloured by one factor. Try others: [factor.name for factor in pocket.world.factors]
factors = ["gender: woman", "next: place"]
seed = next(s for s in range(1000) if pocket.world.sample(1, 48, s).labels(factors).any(axis=1).all())  # or your own

story = pocket.world.sample(1, 48, seed)
story_words = [pocket.tokenizer.decode([token]) for token in story.tokens[0].tolist()]
truth = torch.from_numpy(story.labels(factors))[0]  # position factor
viewers.highlight(
    [story_words] * len(factors),
    truth.T.float(),
    title="Where two factors are true",
    labels=[f"{f}: " for f in factors],
)

# %% [markdown]
# One of the two belongs to a whole stretch of text, the other to what comes next, and neither is a property of the
# word that is coloured. The model is told none of them: it sees numbers of tokens.
#
# ## Ten latents
#
# And here are ten latents of a dictionary for the stream after layer 1, as they come: from the rarest to the most
# frequent of those that fire at all. Of each you see the three strongest places in 25,000 tokens of text. The number
# stands at the strongest token, and the colour says how strongly the latent fires. **For how many of the ten would you
# dare to say in five words what it fires on?**

# %%
guess_named = predict("For how many of ten latents is there a factor with F1 above 0.6?", ...)

# %%
SITE = "blocks.1.hook_resid_post"

stream = pocket.tokens(200, 128, seed=5)
sae = pocket.dictionary(SITE).requires_grad_(False)
frequency = viewers.latent_statistics(pocket, SITE, stream[:40], sae, latents=range(sae.d_sae), top=1).density
alive = frequency.argsort()[(frequency == 0).sum() :]
ten = alive[torch.linspace(0.3, 0.97, 10).mul(len(alive)).long()].tolist()
found = viewers.latent_statistics(pocket, SITE, stream, sae, latents=ten, top=3, radius=7)
windows, values, labels = [], [], []
for row, latent in enumerate(ten):
    for ids, activations in found.top.of(row):
        windows.append([pocket.tokenizer.decode([token]) for token in ids])
        values.append([value / float(found.maximum[row]) for value in activations])
        labels.append(f"{latent}: ")
viewers.highlight(windows, values, title="Ten latents, three places each (1 is a latent's maximum)", labels=labels)

# %%
# Each latent's best factor, and how well it says when the latent is on (F1 of chapter 2, section 4, on held-out text).
graded = pocket.world.sample(120, 128, seed=6)
truth = graded.truth(1e-3)
acts = pocket.activations(SITE, torch.from_numpy(graded.tokens))[:, 1:].flatten(0, 1)
f = sae.encode(acts)[:, ten]
told = scores.describe(f, torch.from_numpy(truth.labels), mask=torch.from_numpy(truth.asked), least=5)
for number, factor, f1 in zip(told.latent.tolist(), told.factor.tolist(), told.f1.tolist()):
    print(f"latent {ten[number]:>4}  F1 {f1:.2f}  {truth.names[factor]}")
guess_named.came_out(float((told.f1 > 0.6).sum()), within=1)

# %% [markdown]
# Some of the ten have their factor in this list. For others the list has nothing that fits, and that may have three
# reasons: the latent is about something that the world doesn't list, it is about several things, or it is about none.
# From a page of examples these three look alike. This chapter is about telling them apart.
#
# ## On a real model
#
# All names of hook points above are those of TransformerLens, so they are the same for gpt2-small: 12 layers, 768
# numbers, 50,257 tokens. There the first cell of this section would begin `pocket = lab("gpt2-small")`. The stream is a
# sum there as well. What it hasn't got is a list of factors.

# %%
gpt2 = lab("gpt2-small")
try:
    gpt2.model
except (FileNotFoundError, MemoryError) as error:
    print(f"Skipped: {error}")
else:
    with torch.no_grad():
        _, cache = gpt2.model.run_with_cache(gpt2.tokens(1, 16))
    parts = ["blocks.5.hook_resid_pre", "blocks.5.hook_attn_out", "blocks.5.hook_mlp_out"]
    difference = (sum(cache[part] for part in parts) - cache["blocks.5.hook_resid_post"]).abs().max()
    print(f"gpt2-small, layer 5: in plus written minus out: at most {difference:.0e}")
