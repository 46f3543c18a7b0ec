# %% [markdown]
# # A contented diary
#
# Somebody trained a dictionary on the pocket model, kept a diary, and was content. Every number in it was computed, no
# cell raised an error, and much of it is wrong. Find the mistakes. (In the next section you mend the parts, and measure
# which of the mistakes mattered.)
#
# **At the end of this section** you will be able to read somebody's training code as a referee, and to say of a line
# what it lets in and what it leaves out.

# %% setup=1
import io

import torch
from torch import Tensor
from torch.nn import functional as F

from saelab import check, hint, lab, predict

# %%
from saelab.sae import StandardSAE

here = lab("pocket")
SITE, LENGTH, D_SAE = "blocks.2.hook_resid_post", 48, 256
vocab = here.tokenizer.get_vocab()  # word → the model's number for it


def paragraphs(n: int, seed: int) -> list[list[str]]:
    """n texts of one to four sentences, as lists of words."""
    text = here.world.sample(n, 64, seed)
    found = []
    for i in range(n):
        there = (text.sentence[i] >= 0) & (text.sentence[i] <= i % 4)
        found.append(here.tokenizer.convert_ids_to_tokens(text.tokens[i][there].tolist()))
    return found


def run(tokens: Tensor, do) -> Tensor:
    """Logits of the model with `do(activations)` at SITE: it may just look, or return what shall replace them."""

    def hook(acts, hook):
        return do(acts)

    return here.model.run_with_hooks(tokens, fwd_hooks=[(SITE, hook)])


def dictionary(W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, b_dec: Tensor) -> StandardSAE:
    """A dictionary that starts from copies of these tensors: encode(x) and decode(f) as you know them."""
    sae = StandardSAE(*W_enc.shape)
    for name, value in {"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec}.items():
        getattr(sae, name).data = value.detach().clone()
    return sae


# %% [markdown]
# ## What is wrong with this diary?
#
# Read it as a referee would. Some of its lines carry a number. **Which of the numbered lines hold a mistake?** A line
# does if someone who works like this will one day get a wrong or misleading figure, even if it did little harm here.
# Where something is missing, it is a mistake of the line in which it should have been. Some lines are fine, and to
# accuse them counts against you. Write your tally down, day by day: below it is checked. (In a graded course it counts
# as soon as `autopsy`, the next exercise, has earned something: a verdict can be copied; mended code shows what you
# saw.)
#
# > **Monday.** The texts have different lengths, so I number the words and fill up with zeros. A recorder in the model
# > keeps what goes by. Each text costs six megabytes, who knows why, so 60 must do. I ran the cell twice, to be sure.


# %%
class DiaryRecorder:
    seen = []  # 1

    def write(self, acts):
        self.seen.append(acts)  # 2


def diary_prepare(rows):
    words = sorted({word for row in rows for word in row})  # 3
    numbered = [torch.tensor([words.index(word) for word in row]) for row in rows]  # 4
    return torch.nn.utils.rnn.pad_sequence(numbered, batch_first=True)  # 5


texts = paragraphs(60, seed=0)
for _ in range(2):  # the cell was run twice
    recorder = DiaryRecorder()
    diary_tokens = diary_prepare(texts)
    run(diary_tokens, recorder.write)  # 6
diary_acts = torch.cat([acts.flatten(0, 1) for acts in recorder.seen]).detach()  # 7

DiaryRecorder.seen = []  # not in the diary: this gives the memory back
print(f"{len(diary_acts)} activations from {sum(map(len, texts))} words")

# %% [markdown]
# > **Tuesday.** A dictionary. Whatever it starts from, it will be learned. I took a mean in the penalty, so that the
# > numbers stay small. The loss falls like a stone, and in the end nearly all of the variance is explained!


# %%
def diary_start(d_in, d_sae):
    W_enc, b_enc, b_dec = (0.04 * torch.randn(shape) for shape in [(d_in, d_sae), (d_sae,), (d_in,)])
    return W_enc, b_enc, torch.zeros(d_sae, d_in), b_dec


torch.manual_seed(0)
diary = dictionary(*diary_start(128, D_SAE))
adam = torch.optim.Adam(diary.parameters(), lr=3e-3, fused=True)  # 1
order = torch.randperm(len(diary_acts))  # 2
for _ in range(10):
    for start in range(0, len(order) - 255, 256):  # 3
        x = diary_acts[order[start : start + 256]]
        f = diary.encode(x)
        error = (x - diary.decode(f)).square().sum(dim=1).mean()  # 4
        price = 8 * f.mean()  # 5
        adam.zero_grad()  # 6
        (error + price).backward()
        adam.step()
diary.requires_grad_(False)
missed = (diary_acts - diary.decode(diary.encode(diary_acts))).square().sum()  # 7
varies = (diary_acts - diary_acts.mean(dim=0)).square().sum()
print(f"loss {error + price:.2f}, variance explained {1 - missed / varies:.2f}")

# %% [markdown]
# > **Wednesday.** Spliced it into the model and compared the logits with those of the model alone, by cross-entropy: a
# > thousand *below* zero, better than perfect. Then I remembered that it wants probabilities, took a softmax first, and
# > the tokens as targets. The model alone: 6.8. With the dictionary: 6.8. Nothing at all is lost.

# %%
with torch.no_grad():
    alone = run(diary_tokens, lambda x: x)
    spliced = run(diary_tokens, lambda x: diary.decode(diary.encode(x)))  # 1
print(f"against the logits of the model alone: {round(float(F.cross_entropy(spliced, alone)), -2):.0f}")  # 2
for name, logits in {"model alone": alone, "spliced": spliced}.items():
    targets = diary_tokens.flatten()  # 3
    loss = F.cross_entropy(logits.softmax(dim=-1).flatten(0, 1), targets)  # 4
    print(f"softmax first, {name}: {loss:.1f}")

# %% [markdown]
# > **Thursday.** A check of my own: switch one latent on, decode, encode. What comes back of it, divided by the most
# > that comes back of any? If it comes back strongest, that is 1, perfect. Most are! So I saved everything, and went
# > home.

# %%
back = diary.encode(diary.decode(torch.eye(D_SAE)))  # 1
perfect = back.diagonal() / back.max(dim=1).values == 1  # 2
print(f"perfect: {perfect.float().mean():.1f} of all")
file = io.BytesIO()
torch.save(diary, file)  # 3


# %% exercise="tally" points=3 minutes=30 difficulty=3 importance=5 counts_with="autopsy"
def tally() -> dict[str, list[int]]:
    """The lines of the diary that hold a mistake: day → their numbers, in any order.

    The days are "Monday", "Tuesday", "Wednesday" and "Thursday"; the numbers stand in the comments of their cells.
    """
    # BEGIN SOLUTION
    return {"Monday": [1, 2, 3, 4, 7], "Tuesday": [2, 3, 5, 7], "Wednesday": [2, 3, 4], "Thursday": [2, 3]}
    # END SOLUTION


# %%
check(tally)

# %% [markdown] hint=1
# Read each line with one question. Monday: whose list is it, whose numbers, and which tokens does the model expect?
# Tuesday: what is the same in every epoch that should not be, and what does the penalty depend on? Wednesday: what does
# `F.cross_entropy` take, and which token does a position forecast? Thursday: could a useless latent be perfect?

# %% [markdown] hint=2
# Look for what a line lets *in*: padding, history, the rows of an earlier run, rows that were trained on. And for what
# it leaves out: a first token, the last rows, the length of a decoder row, a shift by one. The loop, the optimiser and
# the splice are as they should be.

# %% [markdown] hint=3
# Monday has five wrong lines, Tuesday four, Wednesday three, Thursday two. If you found fewer, take the lines you
# acquitted and ask what would have to be true for each of them to be right.

# %% [markdown]
# <details><summary>All twenty mistakes, line by line. Open this when your tally is complete.</summary>
#
# **Monday.** *1*: what stands in the body of a class belongs to all its objects (mistake 1), so when the cell was run
# again, every row was kept twice (2). *2*: an activation with its history holds the whole forward pass in memory: the
# six megabytes (3). *3*: the words got numbers of the diarist's own, and the model read other words (4). *4*: no text
# starts with `<bos>`, and the model never saw a text without it (5). *7*: the padding was harvested too (6). Lines 5
# and 6 are fine: padding stands behind the words, attention looks back only, so no word ever sees it.
#
# **Tuesday.** *2*: the order is drawn once, so every epoch has the same batches (7), and no row is left to measure on
# (8). *3*: the rows that don't fill a batch are lost, the same ones each time (9). *5*: a mean over latents, so that
# $\lambda$ becomes weaker the wider the dictionary is (10); and the lengths of the decoder's rows cost nothing, so that
# $f$ can shrink while they grow (11). *7*: measured on the rows it was trained on (12). Lines 1, 4 and 6 are fine.
#
# **Wednesday.** *2*: logits as targets make a number without a floor (13), and of three axes `F.cross_entropy` takes
# the middle one, the position, for the classes (14). *3*: position $t$ is asked for token $t$, which it has just read
# (15), also on padding (16). *4*: `F.cross_entropy` takes a softmax itself; of a second one it makes about $\ln V$,
# whatever the model does (17). Line 1 is fine.
#
# **Thursday.** *2*: coming back strongest is a weak demand (18), and 0/0 where nothing comes back (19). *3*: this
# pickles an object, and whoever loads it runs its code; save tensors, by name (20). Line 1 is fine: `decode` adds
# the bias, and `encode` subtracts it again.
#
# The start isn't on the list. "Whatever it starts from" is a suspicion; the next section looks into it.
#
# </details>
#
# ## What would Wednesday have said?
#
# "Nothing at all is lost": both losses came to 6.8. Let the model read words by its own numbers, with `<bos>` in front,
# take one softmax, and ask each position about the next token. The dictionary is still the diary's.

# %%
guess_alone = predict("The model alone, asked properly: what is its loss instead of 6.8?", ..., "nats")
guess_lost = predict("How much larger is it with the diary's dictionary in it?", ..., "nats")


# %%
def next_loss(tokens: Tensor, do) -> float:
    """The model's mean loss in nats, with `do` at SITE."""
    with torch.no_grad():
        logits = run(tokens, do)
    return float(F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()))


def by_the_diary(acts: Tensor) -> Tensor:
    return diary.decode(diary.encode(acts))


proper = here.tokens(60, LENGTH, seed=0)
log_V = torch.tensor(float(len(vocab))).log()
loss_alone, loss_with_it = next_loss(proper, lambda acts: acts), next_loss(proper, by_the_diary)
print(f"the model alone: {loss_alone:.2f}; with the diary's dictionary: {loss_with_it:.2f}")
guess_alone.came_out(loss_alone)

# %%
guess_lost.came_out(loss_with_it - loss_alone)

# %% [markdown]
# **An experiment of your own.** In the diary the words had numbers of somebody else's. How bad is that? Add a number to
# every word's number (those at the end go on at the beginning; the specials stay), and let the model read that and
# forecast it.

# %%
my_shift = 1  # 0 gives the words back

guess_shifted = predict(f"Every word's number moved on by {my_shift}: what is the model's loss?", ..., "nats")

# %%
special = 1 + max(number for word, number in vocab.items() if word.startswith("<"))  # <bos> and such come first


def moved(by: int) -> Tensor:
    """The proper tokens, with all but the specials moved on."""
    return torch.where(proper < special, proper, special + (proper - special + by) % (len(vocab) - special))


loss_shifted = next_loss(moved(my_shift), lambda acts: acts)
print(f"with the words moved on by {my_shift}: {loss_shifted:.2f}; equal chances for all words: {log_V:.2f}")
guess_shifted.came_out(loss_shifted)

# %%
# What the text says of these settings.
assert loss_alone < 2 and 0 < loss_with_it - loss_alone < 0.15
assert next_loss(moved(1), lambda acts: acts) > log_V + 2

# %% [markdown]
# The model alone is at 1.5 nats, not at 6.8. And with the diary's dictionary it loses 0.04: "nothing is lost" was
# nearly true! That is what makes such a figure dangerous. It would have said the same of a dictionary of noise, and
# nobody looks again at a number that pleases. (Why so little is lost, by a dictionary with all those mistakes in it, is
# the question of the next section.) Numbers of somebody else's cost 13 nats. That is far worse than equal chances: the
# model doesn't doubt, it reads a fluent text in another language, and is sure of each next word.


# %% misconception="tally"
def every_line_is_accused():
    "Every line is in the tally. Seven of them do what they should, and a referee has to say which."
    return {"Monday": [*range(1, 8)], "Tuesday": [*range(1, 8)], "Wednesday": [1, 2, 3, 4], "Thursday": [1, 2, 3]}


# %% misconception="tally"
def no_line_is_accused():
    "The tally is empty, as the diarist's would be. Ask of each line what it lets in, and what it leaves out."
    return {"Monday": [], "Tuesday": [], "Wednesday": [], "Thursday": []}


# %% misconception="tally"
def the_lines_that_are_right():
    "These are the lines that are right. The tally is of those that hold a mistake."
    return {"Monday": [5, 6], "Tuesday": [1, 4, 6], "Wednesday": [1], "Thursday": [1]}


# %% misconception="tally"
def padding_to_blame():
    "On Monday the padding is accused, and not its harvest. Who looks at what stands behind the words, and when?"
    return {"Monday": [1, 2, 3, 4, 5], "Tuesday": [2, 3, 5, 7], "Wednesday": [2, 3, 4], "Thursday": [2, 3]}


# %% misconception="tally"
def trusted_with_the_shift():
    "One line is missing, on Wednesday. At which token was a forecast made, and about which token is it?"
    return {"Monday": [1, 2, 3, 4, 7], "Tuesday": [2, 3, 5, 7], "Wednesday": [2, 4], "Thursday": [2, 3]}


# %% misconception="tally"
def measured_where_it_was_trained():
    "One line is missing, on Tuesday. On which rows was the explained variance measured?"
    return {"Monday": [1, 2, 3, 4, 7], "Tuesday": [2, 3, 5], "Wednesday": [2, 3, 4], "Thursday": [2, 3]}


# %% alternative="tally"
def in_any_order_and_as_sets():
    return {"Thursday": {3, 2}, "Wednesday": (4, 3, 2), "Tuesday": [7, 5, 3, 2], "Monday": [7, 1, 2, 4, 3]}
