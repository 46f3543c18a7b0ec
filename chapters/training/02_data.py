# %% [markdown]
# # What the dictionary eats
#
# A sparse autoencoder sees no text. It sees rows of numbers, millions of them, and believes all of them. This section
# is about getting those rows: which positions belong in, in which order, and how strong a penalty suits their size. No
# mistake made here raises an error, and none shows in the loss.
#
# **At the end of this section** you will be able to harvest activations from a model and shuffle them without losing a
# row, and to choose one λ for sites whose activations differ in size.

# %% setup=1
import time

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict
from saelab.sae import StandardSAE, train


def run(model, site: str, tokens: Int[Tensor, "seq pos"]) -> Float[Tensor, "seq pos d_in"]:
    """The activations of a model (a TransformerBridge) at the hook point `site`, for all tokens."""
    found = []
    model.run_with_hooks(tokens, fwd_hooks=[(site, lambda x, hook: found.append(x))])
    return found[0]


# %% [markdown]
# ## What does the model read?
#
# Before its activations, the text itself. The *pocket world* is a small language made by a grammar. The grammar notes
# for each word why it stands there: which topic the text has, whether a man or a woman is spoken of, which kind of word
# has to come next. Such a noted property is a **factor**: a feature of the data whose truth is on record, token by
# token. Later sections ask whether a dictionary has found a latent for it.

# %%
# A text coloured by two factors: yellow, cyan, and magenta where both are true. Try others, and another seed.
factors = ["gender: woman", "next: place"]
seed = 10

here = lab("pocket")
world = here.world
text = world.sample(1, 28, seed)
words = here.tokenizer.convert_ids_to_tokens(text.tokens[0].tolist())
codes = {(False, False): "", (True, False): "30;43", (False, True): "30;46", (True, True): "30;45"}
for word, (first, second) in zip(words, text.labels(factors)[0].tolist()):
    code = codes[first, second]
    print(f"\033[{code}m{word}\033[0m" if code else word, end="")
print()

# %%
# What is true of a few of these words? There are 785 factors, most of them about single words.
labels = text.labels()[0]  # position factor
for position in (4, 10, 14):
    names = [factor.name for factor, is_true in zip(world.factors, labels[position]) if is_true]
    print(f"{words[position]:<8} {', '.join(names)}")
assert len(world.factors) == 785

# %% [markdown]
# Some factors belong to the word itself (`class: pronoun`), some to the sentence or the whole text (`gender: woman`,
# `topic: …`), some to what comes next (`next: place`). The model is told none of them. It sees the numbers of the
# tokens, nothing else, and learns to predict the next one. A factor may be true of a token and of no use there: whether
# a woman is spoken of matters where a pronoun comes next. `text.at_work(…)` tells where a factor settles the next word,
# and fair scores (section 4) ask for it only there.
#
# ## Which activations does a dictionary learn from, and in which order?
#
# Take texts of 128 tokens, each beginning with `<bos>`, the token that says "here a text begins". Some texts are cut
# short at 64 and filled up with `<pad>`. Drawn over the position in the text, what does the length of an activation
# look like? Is it level? Do pads have any activation at all?

# %%
guess_first = predict("After layer 1: how many times as long is the first position as the others?", ..., "times")

# %%
# Five passes of 128 texts through the model: about 25 seconds.
from tqdm import tqdm

bos, pad = 0, 1
site = "blocks.1.hook_resid_post"

tokens = here.tokens(128, 128)
cut = torch.where(torch.arange(128) < 64, tokens, pad)
readings = {
    "after layer 0": ("blocks.0.hook_resid_post", tokens),
    "after layer 1": ("blocks.1.hook_resid_post", tokens),
    "after layer 2": ("blocks.2.hook_resid_post", tokens),
    "after layer 2, cut at 64": ("blocks.2.hook_resid_post", cut),
}
with torch.no_grad():
    lengths = {}
    for name, (where, read) in tqdm(readings.items()):
        lengths[name] = run(here.model, where, read).norm(dim=-1).mean(dim=0)
    first = run(here.model, site, tokens)[:, 0]

print(f"After layer 1, the first position differs between 128 texts by at most {(first - first[0]).abs().max():.0e}.")
for name, length in lengths.items():
    print(f"{name}: first position {length[0]:.0f}, positions 1 to 63 {length[1:64].mean():.0f}")
assert lengths["after layer 0"][0] < 1.2 * lengths["after layer 0"][1:].mean()
assert lengths["after layer 1"][0] > 2.5 * lengths["after layer 1"][1:].mean()
assert lengths["after layer 2, cut at 64"][64:].min() > 15

plots.line(
    torch.arange(128),
    lengths,
    title="How long is an activation, by its position in the text?",
    x_title="position",
    y_title="mean norm of the activation",
)

# %%
guess_first.came_out(lengths["after layer 1"][0] / lengths["after layer 1"][1:].mean())

# %% [markdown]
# After layer 0 the first position looks like the others (20 against 18). Layer 1 makes it long, and after layers 1 and
# 2 it is nearly three times as long as they are. It is the *same* vector in every text: attention looks back only, so
# the first position sees `<bos>` and nothing else. It tells nothing about the text, and a squared error counts it
# first. In GPT-2 the gap is far larger: a few coordinates of the first position are a thousand times the median and
# more, whichever token stands there ([Sun et al. 2024](https://arxiv.org/abs/2402.17762), "Massive Activations in Large
# Language Models"). It has to do with a resting place for attention ([Xiao et al.
# 2024](https://arxiv.org/abs/2309.17453), "Efficient Streaming Language Models with Attention Sinks"), not with what
# the text says. And from position 64 on the fourth curve is made of pads alone. They do have activations, 20 to 30
# long: the model computes something everywhere.
#
# **Which rows?** Those of real tokens, neither `<bos>` nor `<pad>`, wherever they stand: rows can be padded on the
# left, and packed rows hold several texts, each with a `<bos>`. So `mask = (tokens != bos) & (tokens != pad)`. The
# *model* must see all tokens, or every position would change; the mask picks among activations.
#
# **Without running out of memory.** `harvest` runs the model on a few sequences at a time, without gradients (the graph
# of a batch is many times as large as what you want from it), and keeps the real rows of each batch in a list. At the
# very end it joins all pieces, once. To join after every batch would copy the earlier rows again and again: for $k$
# batches that makes $1 + 2 + \dots + k = k(k+1)/2$ pieces.
#
# **In which order?** Neighbours in a text are alike, and a batch of 256 rows in order is two texts. All rows together
# may not fit in memory, so they go through a *shuffle buffer*. Its *capacity* is the number of rows at which it counts
# as full. Rows come in and wait. As long as the buffer is full, a batch drawn at random leaves it; the rest stay, to be
# mixed with what comes next. So it may hold more than `capacity` for a moment, when many rows arrive together, and then
# several batches leave. (Others refill and shuffle a large buffer each time half of it has been used, as for
# [Bloom's](https://www.lesswrong.com/posts/f9EgfLSurAiqRJySD/open-source-sparse-autoencoders-for-all-residual-stream)
# public dictionaries for GPT-2, 2024, with half a million rows.) With a capacity of 5 and batches of 2:
#
# | what comes | the buffer holds | what leaves |
# |---|---|---|
# | 4 rows | 4 | nothing |
# | 3 rows | 7, too many; 5, still full; 3 | two batches of 2 |
# | the end | 0 | one batch of 2, one of 1 |


# %% exercise="harvest" points=4 minutes=40 difficulty=2 importance=5
def harvest(
    model, site: str, tokens: Int[Tensor, "seq pos"], mask: Bool[Tensor, "seq pos"], batch_size: int
) -> Float[Tensor, "rows d_in"]:
    """The activations where `mask` is True, one per row: sequence by sequence, and within each by position.

    Calls run(model, site, …) on `batch_size` whole sequences at a time, in their order; the last batch may have fewer.
    A batch may have no True at all, `mask` as a whole has at least one. The result has no history (requires_grad
    False), also when the model's weights have one.

    >>> tokens = torch.tensor([[0, 5, 7], [0, 8, 1]])  # 0 is <bos>, 1 is <pad>
    >>> harvest(lab("pocket").model, "blocks.1.hook_resid_post", tokens, tokens > 1, 2).shape
    torch.Size([3, 128])
    """
    # BEGIN SOLUTION
    kept = []
    with torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            part = slice(start, start + batch_size)  # may reach beyond the end
            kept.append(run(model, site, tokens[part])[mask[part]])
    return torch.cat(kept)
    # END SOLUTION


class ShuffleBuffer:
    """Rows go in as they are harvested and come out in mixed batches: each row once, whole, and none is lost.

    `add` takes rows, any number of them. Whenever the buffer then holds `capacity` rows or more, a batch leaves:
    `batch_size` of its rows, drawn at random without replacement (capacity ≥ batch_size ≥ 1). `finish` gives out what
    is left, in random order, and leaves the buffer empty, ready for more rows. Rows keep their dtype. Random numbers
    come from the buffer's own `generator`: the same seed and the same rows give the same batches.

    >>> buffer = ShuffleBuffer(capacity=5, batch_size=2, seed=0)
    >>> [len(batch) for batch in buffer.add(torch.randn(4, 3)) + buffer.add(torch.randn(3, 3))]
    [2, 2]
    >>> [len(batch) for batch in buffer.finish()]
    [2, 1]
    """

    def __init__(self, capacity: int, batch_size: int, seed: int):
        self.capacity, self.batch_size = capacity, batch_size
        self.generator = torch.Generator().manual_seed(seed)
        self.rows = torch.empty(0, dtype=torch.bool)  # torch.cat takes shape and dtype from what is joined to it

    def add(self, rows: Float[Tensor, "rows d_in"]) -> list:
        """Take in rows (0 or more); a list of the batches [batch_size, d_in] that leave, possibly empty."""
        # BEGIN SOLUTION
        self.rows, batches = torch.cat([self.rows, rows]), []
        while len(self.rows) >= self.capacity:
            order = torch.randperm(len(self.rows), generator=self.generator)
            batches.append(self.rows[order[: self.batch_size]])
            self.rows = self.rows[order[self.batch_size :]]
        return batches
        # END SOLUTION

    def finish(self) -> list:
        """The rows left, in a list of batches: all of batch_size, only the last may have fewer; [] if none is left."""
        # BEGIN SOLUTION
        order = torch.randperm(len(self.rows), generator=self.generator)
        rows, self.rows = self.rows[order], self.rows[:0]
        return [rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size)]
        # END SOLUTION


# %%
check(harvest, ShuffleBuffer)

# %% [markdown] hint=1
# A mask of shape `[seq, pos]` can index a tensor `[seq, pos, d_in]`. What shape comes out, and in which order are the
# rows? For the buffer: how many rows leave it when 100 arrive at once? Is an `if` enough?

# %% [markdown] hint=2
# `range(0, len(tokens), batch_size)` gives the starts of *all* batches, and a slice may reach beyond the end. Slice the
# mask as you slice the tokens, gather the pieces in a list. To draw without replacement, cut a random permutation in
# two: the first numbers say which rows leave, the others which stay.

# %% [markdown] hint=3
# Under `torch.no_grad()`, each start gives one piece, `run(model, site, tokens[part])[mask[part]]`; what happens to the
# pieces at the end? In the buffer `order = torch.randperm(len(self.rows), generator=self.generator)`; the batch is
# `self.rows[order[: self.batch_size]]`, `while` there are `capacity` rows. What must `self.rows` be afterwards?
# `finish` puts all rows in a random order; then it is only a matter of cutting.

# %%
# What the two ways of joining cost.
n_batches = 100

pieces = [torch.randn(256, 128) for _ in range(n_batches)]
start = time.process_time()
joined = torch.empty(0, 128)
for piece in pieces:
    joined = torch.cat([joined, piece])
after_each = time.process_time() - start

start = time.process_time()
torch.cat(pieces)
once = time.process_time() - start
print(f"Joining after every batch took {after_each / once:.0f} times as long as joining once;")
print(f"it copies {(n_batches + 1) / 2} times as many rows.")

# %%
# How far is a batch's mean from the mean of all rows? In units of what independent rows would give: 1.
texts_in_the_buffer = [4, 8, 16, 64]
batch_size = 254  # two texts

rows = harvest(here.model, site, tokens, tokens != bos, 32)
middle = rows.mean(dim=0)
independent = (rows - middle).square().sum(dim=1).mean() / batch_size


def spread(batches: list) -> float:
    means = torch.stack([batch.mean(dim=0) for batch in batches if len(batch) == batch_size])
    return float((means - middle).square().sum(dim=1).mean() / independent)


spreads = {"in order": spread(list(rows.split(batch_size)))}
for n_texts in texts_in_the_buffer:
    buffer = ShuffleBuffer(127 * n_texts, batch_size, seed=0)
    batches = []
    for text in rows.split(127):
        batches += buffer.add(text)
    batches += buffer.finish()
    spreads[f"buffer of {n_texts} texts"] = spread(batches)
assert spreads["in order"] > 2 and 0.7 < spreads["buffer of 64 texts"] < 1.4  # 2.9 and 1.0, from 64 means

plots.bars(
    list(spreads.values()),
    list(spreads),
    title="How noisy is a batch, compared with independent rows?",
    x_title="rows",
    y_title="squared distance of its mean",
    guides={"independent": 1},
)


# %% [markdown]
# In order, a batch of 254 rows (two texts) is as noisy as about 90 independent ones would be: two thirds of every step
# repeat what has been said. A buffer of a few texts helps. One of 64 texts is as good as a full shuffle.
#
# There are limits. The rows of a buffer are only as different as the texts that fill it. If the corpus is sorted by
# source, no buffer helps, and the *texts* have to be shuffled first. An epoch repeated in the same order is another
# mistake that this measure can't see. And leaving out `<bos>` is a decision about what you want to explain: a
# dictionary trained without it makes no sense there, so leave it out when you *use* the dictionary too.
#
# `run` does one more thing for you: the hook that reads the model in the middle is removed again, also when the model
# raises. Write such hooks with `try … finally: handle.remove()`. Otherwise the first
# interrupted run leaves one behind, and it goes on recording into a list which is never emptied.
#
# **An experiment of your own.** No buffer, rows in order, and a batch size that you choose: do larger batches come
# nearer to independent rows, or smaller ones? A text has 127 rows.

# %%
my_batch_size = 1016  # eight texts; anything from 1 to 2000

guess_noise = predict(
    f"Batches of {my_batch_size} rows in order: how many times as noisy as independent rows?", ..., "times"
)

# %%
means = torch.stack([batch.mean(dim=0) for batch in rows.split(my_batch_size) if len(batch) == my_batch_size])
noise = (means - middle).square().sum(dim=1).mean()
guess_noise.came_out(noise * my_batch_size / (rows - middle).square().sum(dim=1).mean())


# %% misconception="harvest"
def mask_is_ignored(model, site, tokens, mask, batch_size):
    "More rows came back than the mask has True: pads and BOS are among them. Keep those where the mask is True."
    return harvest(model, site, tokens, torch.ones_like(mask), batch_size)


# %% misconception="harvest"
def zeroes_the_others(model, site, tokens, mask, batch_size):
    "Where the mask is False there are rows of zeros. The dictionary would learn from them: leave those rows out."
    acts = harvest(model, site, tokens, torch.ones_like(mask), batch_size)
    return acts * mask.flatten()[:, None]


# %% misconception="harvest"
def last_batch_is_lost(model, site, tokens, mask, batch_size):
    "The last batch is missing when it isn't full: after `len(tokens) // batch_size` full ones there may be a rest."
    whole = len(tokens) // batch_size * batch_size
    return harvest(model, site, tokens[:whole], mask[:whole], batch_size)


# %% misconception="harvest"
def all_at_once(model, site, tokens, mask, batch_size):
    "The model ran on all sequences together, so memory grows with the text. Run it on batch_size of them at a time."
    return harvest(model, site, tokens, mask, len(tokens))


# %% misconception="harvest"
def keeps_the_graph(model, site, tokens, mask, batch_size):
    "The result requires a gradient, so every batch's graph stays in memory with it. Run under `torch.no_grad()`."
    return torch.cat([run(model, site, t)[m] for t, m in zip(tokens.split(batch_size), mask.split(batch_size))])


# %% misconception="harvest"
def position_by_position(model, site, tokens, mask, batch_size):
    "Rows come by position first. The neighbours in a text should stay neighbours: whole sequences, one after another."
    pairs = zip(tokens.split(batch_size), mask.split(batch_size))
    return torch.cat([run(model, site, t).transpose(0, 1)[m.T] for t, m in pairs]).detach()


# %% misconception="harvest"
def left_out_before_the_model(model, site, tokens, mask, batch_size):
    "Tokens were taken out before the model ran, so all others moved to earlier positions and saw another text."
    rows = [run(model, site, t[m][None])[0] for t, m in zip(tokens, mask)]
    return torch.cat(rows).detach()


# %% misconception="harvest" part="ShuffleBuffer"
class EmptiesItself(ShuffleBuffer):
    "A full buffer gives out everything, so nothing is left to mix with what comes. One batch leaves, the rest stay."

    def add(self, rows):
        self.rows = torch.cat([self.rows, rows])
        return self.finish() if len(self.rows) >= self.capacity else []


# %% misconception="harvest" part="ShuffleBuffer"
class OldestLeave(ShuffleBuffer):
    "The rows that came first leave first: a queue, not a shuffle. Draw those that leave from the whole buffer."

    def add(self, rows):
        self.rows, batches = torch.cat([self.rows, rows]), []
        while len(self.rows) >= self.capacity:
            batches.append(self.rows[: self.batch_size])
            self.rows = self.rows[self.batch_size :]
        return batches


# %% misconception="harvest" part="ShuffleBuffer"
class ShufflesEachChunk(ShuffleBuffer):
    "Rows are shuffled among those they came with, and then queue up: texts stay together. Draw from the whole buffer."

    def add(self, rows):
        order, batches = torch.randperm(len(rows), generator=self.generator), []
        self.rows = torch.cat([self.rows, rows[order]])
        while len(self.rows) >= self.capacity:
            batches.append(self.rows[: self.batch_size])
            self.rows = self.rows[self.batch_size :]
        return batches


# %% misconception="harvest" part="ShuffleBuffer"
class KeepsWhatItGaveOut(ShuffleBuffer):
    "`finish` gives the rows out and keeps them, so they leave a second time. It should leave the buffer empty."

    def finish(self):
        rows, batches = self.rows, super().finish()
        self.rows = rows
        return batches


# %% misconception="harvest" part="ShuffleBuffer"
class AlwaysFloat32(ShuffleBuffer):
    "Rows of another dtype came out as float32. Rows in half precision would then take twice the room: keep the dtype."

    def add(self, rows):
        return super().add(rows.float())


# %% misconception="harvest" part="ShuffleBuffer"
class DrawsWithReplacement(ShuffleBuffer):
    "Some rows leave twice and others never. Draw without replacement: cut one random permutation in two."

    def add(self, rows):
        self.rows, batches = torch.cat([self.rows, rows]), []
        while len(self.rows) >= self.capacity:
            chosen = torch.randint(len(self.rows), (self.batch_size,), generator=self.generator)
            batches.append(self.rows[chosen])
            self.rows = self.rows[self.batch_size :]
        return batches


# %% misconception="harvest" part="ShuffleBuffer"
class LosesTheTail(ShuffleBuffer):
    "The last rows are lost when they don't fill a batch. `finish` gives out all that is left, in a shorter batch."

    def finish(self):
        return [batch for batch in super().finish() if len(batch) == self.batch_size]


# %% misconception="harvest" part="ShuffleBuffer"
class TailInOrder(ShuffleBuffer):
    "The rows left at the end come out in order. With a large buffer that may be most of them: shuffle them too."

    def finish(self):
        rows, self.rows = self.rows, self.rows[:0]
        return list(rows.split(self.batch_size)) if len(rows) else []


# %% misconception="harvest" part="ShuffleBuffer"
class DoesNotWait(ShuffleBuffer):
    "Batches leave before the buffer holds `capacity` rows, so they are mixed with next to nothing. Wait until then."

    def __init__(self, capacity, batch_size, seed):
        super().__init__(batch_size, batch_size, seed)


# %% alternative="harvest"
def picks_row_by_row(model, site, tokens, mask, batch_size):
    everything = torch.cat([run(model, site, part).detach() for part in tokens.split(batch_size)])
    return torch.stack([row for row, keep in zip(everything.flatten(0, 1), mask.flatten()) if keep])


# %% alternative="harvest" part="ShuffleBuffer"
class RowByRow:
    def __init__(self, capacity, batch_size, seed):
        self.capacity, self.batch_size, self.held = capacity, batch_size, []
        self.generator = torch.Generator().manual_seed(seed + 1)

    def add(self, rows):
        return [self.draw() for row in rows if self.held.append(row) or len(self.held) == self.capacity]

    def finish(self):
        return [self.draw() for _ in range(0, len(self.held), self.batch_size)]

    def draw(self):
        at = torch.randperm(len(self.held), generator=self.generator)[: self.batch_size]
        return torch.stack([self.held.pop(i) for i in sorted(at.tolist(), reverse=True)])


# %% [markdown]
# ## How strong a penalty?
#
# Say that $\lambda = 3$ gave you a good dictionary after layer 2, with about 36 latents on per token. You take the same
# $\lambda$ to the model's input, where activations are a twentieth as long.

# %%
guess_same = predict(
    "λ = 3 at the model's input: how many latents are on per token, compared with layer 2?",
    ...,
    among=["more", "as many", "fewer"],
)

# %% [markdown]
# Multiply all activations by $c$. A dictionary for them is easily made from the old one: keep $W_{enc}$ and $W_{dec}$,
# multiply $b_{enc}$ and $b_{dec}$ by $c$. Then $h = (cx - c\,b_{dec})W_{enc} + c\,b_{enc}$ is $c$ times the old $h$,
# and as ReLU lets a positive factor through, so are $f$ and $\hat x$. In the loss, the error grows by $c^2$, and the
# sum of $f$ by $c$. So with $c\lambda$ for $\lambda$ all terms grow by $c^2$,
#
# $$\lVert cx - c\hat x\rVert^2 + c\lambda\sum_i c f_i = c^2\Big(\lVert x-\hat x\rVert^2 + \lambda\sum_i f_i\Big)$$
#
# for *every* dictionary and its partner, and so the best ones are partners too: $x\to cx$ and $\lambda\to c\lambda$
# give $f\to cf$, the same latents on the same tokens. In the same way $x \to x + t$ is taken up by $b_{dec}$, and
# $\lambda$ stays. A rule for $\lambda$ should therefore grow in proportion to the activations, and not notice a shift.
# One that does: measure how far activations are from their mean, on average over the real tokens,
#
# $$\lambda = \lambda_1 \cdot \frac1N\sum_{n} \lVert x_n - \bar x\rVert,\qquad \bar x = \frac1N\sum_n x_n$$
#
# and choose the *unit* $\lambda_1$ (`lam_unit`) once for all sites. Two tokens, one number each:
#
# | activations | $\bar x$ | $\lVert x_n - \bar x\rVert$ | $\lambda/\lambda_1$ | mean of $\lVert x_n\rVert$ |
# |---|---|---|---|---|
# | 1, 5 | 3 | 2, 2 | 2 | 3 |
# | ten times as large: 10, 50 | 30 | 20, 20 | 20 | 30 |
# | shifted: 101, 105 | 103 | 2, 2 | 2 | 103 |


# %% exercise="l1_from_deviation" points=1 minutes=10 difficulty=2 importance=4
def l1_from_deviation(acts: Float[Tensor, "seq pos d_in"], mask: Bool[Tensor, "seq pos"], lam_unit: float) -> float:
    """λ = lam_unit times the mean over real tokens of ‖x − x̄‖, x̄ being the mean of the real tokens' activations.

    `mask` is True at the real tokens (there is at least one); the others count nowhere. ‖·‖ is the Euclidean norm over
    d_in, not squared.

    >>> acts = torch.tensor([[[99.0, 0.0], [1.0, 1.0], [7.0, 1.0]]])  # BOS, and two tokens 3 away from their mean
    >>> round(l1_from_deviation(acts, torch.tensor([[False, True, True]]), 0.5), 4)
    1.5
    """
    # BEGIN SOLUTION
    x = acts[mask]  # rows d_in
    return lam_unit * (x - x.mean(dim=0)).norm(dim=-1).mean().item()
    # END SOLUTION


# %%
check(l1_from_deviation)

# %% [markdown] hint=1
# There are two means in it. Over what does each of them run, and which of the two is a vector?

# %% [markdown] hint=2
# First keep the real tokens, `acts[mask]` is `[rows, d_in]`; then the mean vector; then one norm per row. A norm of the
# mean, or a mean of squares, is something else.

# %% [markdown] hint=3
# With `x = acts[mask]`, `(x - x.mean(dim=0)).norm(dim=-1)` is the length of each deviation. What is left is one number.

# %%
# Sparse data, and the same data five times as large. (`train` could scale them itself: that is switched off.)
c = 5
lam = 0.1

torch.manual_seed(0)
directions = torch.nn.functional.normalize(torch.randn(24, 16), dim=1)
strengths = (torch.rand(100, 256, 24) < 0.08) * torch.rand(100, 256, 24)
x = strengths @ directions + 0.5


def trained(x: Tensor, lam: float, d_sae: int, steps: int) -> StandardSAE:
    sae = StandardSAE(x.shape[-1], d_sae, l1=lam)
    train(sae, lambda step: x[step % len(x)], steps, normalise=False, progress=False)
    return sae


runs = {"x and λ": (1, lam), "cx and cλ": (c, c * lam), "cx and λ": (c, lam)}
saes = {name: trained(factor * x, price, 32, 1500) for name, (factor, price) in runs.items()}
f = {name: saes[name].encode(factor * x[0]).detach().flatten() for name, (factor, _) in runs.items()}
for name in runs:
    slope = f[name] @ f["x and λ"] / f["x and λ"].square().sum()
    print(f"{name:<9}: L0 {(f[name] > 0).sum() / 256:4.1f}, latents {slope:.1f} times as strong as for x and λ")

# The partner of the first one, made by hand.
partner = saes["x and λ"]
loss = partner.loss(x[0]).total.item()
partner.l1 = c * lam
partner.rescale(c)  # both biases times c
ratio = partner.loss(c * x[0]).total.item() / loss
print(f"The partner's loss for cx and cλ is {ratio:.3f} times that for x and λ.")
assert abs(ratio - c**2) < 0.01

# %%
# Four sites of the model, with one λ for all and with one λ_1 for all: about 25 seconds.
same_lam = 3.0
lam_unit = 0.1
sites = ["blocks.0.hook_resid_pre", *(f"blocks.{layer}.hook_resid_post" for layer in range(3))]

found: dict[str, list[float]] = {f"λ = {same_lam:g} everywhere": [], "λ from the deviation": []}
real = tokens != bos
for site in tqdm(sites, leave=False):
    with torch.no_grad():
        acts = run(here.model, site, tokens)
    lam = l1_from_deviation(acts, real, lam_unit)
    with_bos = l1_from_deviation(acts, real | True, lam_unit)
    print(f"{site:<25} mean norm {acts[real].norm(dim=1).mean():4.1f}, λ {lam:.2f}, with BOS {with_bos:.2f}")
    order = torch.randperm(int(real.sum()))
    x = acts[real][order][:16128].reshape(63, 256, 128)
    for name, price in zip(found, (same_lam, lam)):
        f = trained(x, price, 256, 300).encode(x[:10])
        found[name].append(float((f > 0).sum() / 2560))
print({name: [round(l0) for l0 in l0s] for name, l0s in found.items()})
assert found["λ from the deviation"][0] > 15 and found[f"λ = {same_lam:g} everywhere"][0] < 2

plots.bars(
    found,
    [site.removeprefix("blocks.").replace(".hook_", " ") for site in sites],
    title="How many latents are on at each site?",
    x_title="site",
    y_title="L0",
)

# %%
at_input, *_, at_layer_2 = found[f"λ = {same_lam:g} everywhere"]
ratio = at_input / at_layer_2
guess_same.came_out("as many" if 0.8 < ratio < 1.25 else "more" if ratio > 1 else "fewer")


# %% [markdown]
# With one λ for all, the first site gets no dictionary at all: activations are 1.5 long there, and λ = 3 keeps nearly
# every latent off. With λ from the deviation each site has 25 to 40 on per token. The partner made by hand has exactly
# $c^2$ times the loss. Training finds it only nearly, since Adam moves a bias by about its learning rate at every step,
# in whatever units the activations are. So many trainers scale the activations instead
# ([Lieberum et al. 2024](https://arxiv.org/abs/2408.05147), "Gemma Scope", to a mean squared norm of 1). For the loss
# that is the same thing; Adam copes better with it.
#
# What this does **not** show is that $\lambda_1 = 0.1$ is right: it sets how much error you accept for how few latents.
# Nor do equal $\lambda_1$ mean equally many latents. And `<bos>` changed λ by 2% at most, but only because it is one
# row in 128 and three times as long. If it were thirty deviations away in contexts of 64, it would add $30/64$: λ would
# be half as large again.


# %% misconception="l1_from_deviation"
def mean_is_not_removed(acts, mask, lam_unit):
    "The mean was not subtracted: shift all activations by one vector, and λ changes, though b_dec can absorb a shift."
    return lam_unit * acts[mask].norm(dim=-1).mean()


# %% misconception="l1_from_deviation"
def bos_is_kept(acts, mask, lam_unit):
    "All positions were counted, BOS and pads too. BOS is far away from everything else: ask the mask."
    return l1_from_deviation(acts, torch.ones_like(mask), lam_unit)


# %% misconception="l1_from_deviation"
def mean_with_bos(acts, mask, lam_unit):
    "BOS and pads were left out of the norms, but not of the mean that is subtracted. They count nowhere."
    return lam_unit * (acts - acts.mean(dim=(0, 1)))[mask].norm(dim=-1).mean()


# %% misconception="l1_from_deviation"
def squared_norm(acts, mask, lam_unit):
    "The norm is squared. Activations ten times as large would get a hundred times the λ, where they need ten times."
    return lam_unit * (acts[mask] - acts[mask].mean(dim=0)).square().sum(dim=-1).mean()


# %% misconception="l1_from_deviation"
def root_of_the_mean_square(acts, mask, lam_unit):
    "This is the root of a mean of squares. Take the root first: each row's norm, and then their mean."
    return lam_unit * (acts[mask] - acts[mask].mean(dim=0)).square().sum(dim=-1).mean().sqrt()


# %% misconception="l1_from_deviation"
def norm_of_the_mean(acts, mask, lam_unit):
    "This is the length of the mean activation. What is asked for is the mean length of the deviations from it."
    return lam_unit * acts[mask].mean(dim=0).norm()


# %% alternative="l1_from_deviation"
def one_row_at_a_time(acts, mask, lam_unit):
    x = [acts[s, t].double() for s, t in mask.nonzero().tolist()]
    return lam_unit * sum(float(((row - sum(x) / len(x)) ** 2).sum()) ** 0.5 for row in x) / len(x)


# %% alternative="l1_from_deviation"
def weighted_by_the_mask(acts, mask, lam_unit):
    weight = mask.to(acts.dtype) / mask.sum()
    mean = torch.einsum("st,std->d", weight, acts)
    return (weight * torch.linalg.vector_norm(acts - mean, dim=-1)).sum() * lam_unit
