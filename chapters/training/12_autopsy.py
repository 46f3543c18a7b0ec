# %% [markdown]
# # Autopsy of a diary
#
# Somebody trained a dictionary on the pocket model, kept a diary, and was content. Every number in it was computed, no
# cell raised an error, and much of it is wrong. Find the mistakes, mend the parts, and measure which of them mattered.

# %% setup=1
import io

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from saelab import check, hint, lab, plots, predict  # noqa: F401

# %%
from saelab.sae import StandardSAE
from saelab.scores import factor_f1, quality

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
# as soon as `autopsy` below has earned something, for a verdict can be copied and the mended code shows what you saw.)
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
# The start isn't on the list. "Whatever it starts from" is a suspicion; the post-mortem below looks into it.
#
# </details>
#
# ## What should the parts have done?
#
# *Tokens.* A model knows words by its *own* numbers, and every text starts with `<bos>`. Padding may stay in the batch,
# but not in the harvest. Nor does `<bos>` belong there: its activation is three times as long as a word's, and always
# the same.
#
# *State.* Each recorder has a list of its own. What it keeps has no history.
#
# *The start.* Unit rows in `W_dec`, their transpose in `W_enc`, no biases: each latent reads what it writes.
#
# *The penalty.* It is summed over latents. And if nothing holds the rows $d_i$ of `W_dec` to length 1, then
# $f_i\to f_i/10$ with $d_i\to 10\,d_i$ lowers the plain penalty and changes nothing else. Projecting is one remedy. The
# other is to charge for what a latent *writes* (Conerly et al. 2024, [Update on how we train
# SAEs](https://transformer-circuits.pub/2024/april-update/index.html)): $\sum_i f_i\,\lVert d_i\rVert$, averaged over
# the batch.
#
# *The order.* Every epoch has all rows once, in a new order, and some rows are never trained on: those are for
# measuring.
#
# *The model's loss.* Position $t$ predicts token $t+1$, and there is one softmax. With two of them all "logits" are
# between 0 and 1, and over $V$ tokens the loss is nearly $\ln V$ minus the probability of the right token. With $V=895$
# that is between 5.8 and 6.8.
#
# *The round trip.* Does latent $i$ read what it writes? Ask by a cosine: 1 for the same direction, 0 at right angles
# and, by convention, where there is no direction.
#
# The check below grades the parts one by one: run it after each, and look at its lines.


# %% exercise="autopsy" points=6 minutes=60 difficulty=4 importance=5
def prepare(
    rows: list[list[str]], vocab: dict[str, int], length: int
) -> tuple[Int[Tensor, "row length"], Bool[Tensor, "row length"]]:
    """Texts as the model wants them: (tokens, mask), and the mask is True at the words to harvest.

    A row is vocab["<bos>"], then vocab[word] for each word (vocab["<unk>"] for one that vocab doesn't have), cut off
    after `length` tokens in all, and filled up with vocab["<pad>"]. The mask is False at <bos> and at the padding.

    >>> prepare([["b", "?"]], {"<bos>": 7, "<pad>": 9, "<unk>": 8, "a": 4, "b": 3}, 4)
    (tensor([[7, 3, 8, 9]]), tensor([[False,  True,  True, False]]))
    """
    # BEGIN SOLUTION
    tokens = torch.full((len(rows), length), vocab["<pad>"])
    mask = torch.zeros(len(rows), length, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids = [vocab["<bos>"], *(vocab.get(word, vocab["<unk>"]) for word in row)][:length]
        tokens[i, : len(ids)] = torch.tensor(ids)
        mask[i, 1 : len(ids)] = True
    return tokens, mask
    # END SOLUTION


class Recorder:
    """Keeps activations, batch after batch, in its list `kept`, and gives them back in one piece."""

    def __init__(self, d_model: int):
        self.d_model = d_model
        self.kept: list[Tensor] = []  # made here, so each Recorder has a list of its own

    def write(self, acts: Float[Tensor, "batch length d_model"], mask: Bool[Tensor, "batch length"]) -> None:
        """Put the rows of acts (float32) at which the mask is True into `kept`, as one tensor without history.

        May be called any number of times. Nothing else is kept: neither the other rows nor what acts came from.
        """
        # BEGIN SOLUTION
        self.kept.append(acts.detach()[mask])
        # END SOLUTION

    def read(self) -> Float[Tensor, "n d_model"]:
        """All rows written so far, in order, as one tensor; before the first write its shape is [0, d_model]."""
        # BEGIN SOLUTION
        return torch.cat([torch.zeros(0, self.d_model), *self.kept])
        # END SOLUTION


def initial(
    d_in: int, d_sae: int, seed: int
) -> tuple[Float[Tensor, "d_in d_sae"], Float[Tensor, "d_sae"], Float[Tensor, "d_sae d_in"], Float[Tensor, "d_in"]]:
    """W_enc, b_enc, W_dec and b_dec before training.

    The rows of W_dec are normal random numbers, each row scaled to length 1. W_enc has the same numbers, transposed.
    The biases are zero. The same seed gives the same numbers, another seed gives others.
    """
    # BEGIN SOLUTION
    W_dec = F.normalize(torch.randn(d_sae, d_in, generator=torch.Generator().manual_seed(seed)), dim=1)
    return W_dec.T.clone(), torch.zeros(d_sae), W_dec, torch.zeros(d_in)
    # END SOLUTION


def penalty(f: Float[Tensor, "batch d_sae"], W_dec: Float[Tensor, "d_sae d_in"]) -> Float[Tensor, ""]:
    """What sparsity costs: f ≥ 0 times the length of its latent's row of W_dec, summed over latents, mean over batch.

    >>> penalty(torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[0.0, 1.0], [3.0, 4.0]]))
    tensor(8.)
    """
    # BEGIN SOLUTION
    return (f * W_dec.norm(dim=1)).sum(dim=1).mean()
    # END SOLUTION


def batches(n: int, held_out: int, batch_size: int, seed: int, epoch: int) -> list[Int[Tensor, "batch"]]:
    """Numbers of the rows in each batch of an epoch: of the first n − held_out rows each once, of the others none.

    The order is random. The same seed and epoch give the same order, and two different pairs (seed, epoch) give
    different ones; epochs are below 1,000. Every batch has batch_size rows; what is left over makes a smaller last one.
    """
    # BEGIN SOLUTION
    generator = torch.Generator().manual_seed(100_000 * seed + epoch)
    return list(torch.randperm(n - held_out, generator=generator).split(batch_size))
    # END SOLUTION


def model_loss(
    logits: Float[Tensor, "batch length vocab"], tokens: Int[Tensor, "batch length"], mask: Bool[Tensor, "batch length"]
) -> Float[Tensor, ""]:
    """Mean of −log p in nats, p the probability that logits[b, t] gives to tokens[b, t + 1] (softmax over vocab).

    The mean is over all b, t at which mask[b, t + 1] is True (there is at least one): the mask asks about the token
    that is *predicted*, not about the one that is read. The result is finite.

    >>> model_loss(torch.zeros(1, 2, 8), torch.tensor([[0, 5]]), torch.tensor([[False, True]]))  # ln 8
    tensor(2.0794)
    """
    # BEGIN SOLUTION
    surprise = F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    return surprise[mask[:, 1:].flatten()].mean()
    # END SOLUTION


def autopsy(
    W_enc: Float[Tensor, "d_in d_sae"],
    b_enc: Float[Tensor, "d_sae"],
    W_dec: Float[Tensor, "d_sae d_in"],
    b_dec: Float[Tensor, "d_in"],
) -> Float[Tensor, "d_sae"]:
    """Does each latent read what it writes? The cosine of its encoder column and of decode(eᵢ) − decode(0).

    eᵢ switches latent i on, alone and with strength 1; decode(f) = f W_dec + b_dec. 0 where a vector has length zero.

    >>> autopsy(torch.tensor([[2.0, 1.0]]), torch.ones(2), torch.tensor([[3.0], [0.0]]), torch.ones(1))
    tensor([1., 0.])
    """
    # BEGIN SOLUTION
    directions, columns = F.normalize(W_dec, dim=1), F.normalize(W_enc, dim=0)
    return (directions * columns.T).sum(dim=1)
    # END SOLUTION


# %%
check(autopsy, prepare, Recorder, initial, penalty, batches, model_loss)

# %% [markdown] hint=1
# `prepare`: what comes first, the cut or `<bos>`? `Recorder`: what must go before a row is kept, and when? `penalty`:
# which axis is summed, which averaged? `batches`: what must the generator's seed depend on? `model_loss`: how many
# positions have a next token? `autopsy`: of the four tensors, how many does decode(eᵢ) − decode(0) depend on?

# %% [markdown] hint=2
# Begin with a tensor full of `<pad>` and a mask of False. Detach before you index with the mask. Random numbers
# that depend on a seed alone come from `torch.Generator().manual_seed(…)`. An epoch is
# `torch.randperm(m, generator=…).split(size)`. Drop the last position of the logits and the first of tokens and mask.
# `F.normalize` leaves zeros zero.

# %% [markdown] hint=3
# `ids = [bos, *words][:length]`; from which place to which is the mask True? `read`: `torch.cat` with an empty
# `[0, d_model]` in front. The start needs `torch.randn(d_sae, d_in, generator=…)`; along which axis is it normalised?
# The penalty weights each latent with `W_dec.norm(dim=1)`. A seed made of two numbers must not be the same for two
# pairs: `100_000 * seed + epoch` isn't. `F.cross_entropy` with `reduction="none"` on `logits[:, :-1].flatten(0, 1)` and
# the tokens shifted by one gives one loss per prediction; which of them count? The score: row i of `W_dec` with column
# i of `W_enc`, both of length 1.

# %% [markdown]
# ## Which mistakes mattered?
#
# Now the post-mortem. Your parts train a dictionary on 400 texts, and then again with *one* of the diary's mistakes put
# back. All are measured alike, on text that none of them has seen: L0, FVU, the mean F1 of the best latent for each
# factor of the text (where it is asked, see section 9), the model's loss with the dictionary in it, and your score.
# Which mistake costs most? **Which ones can you not see in any of these figures?**
#
# Section 11 forbids comparing dictionaries of different L0: the more latents are on, the better they reconstruct. So
# the repaired dictionary is trained with seven penalties. That gives a curve over L0, and each other dictionary can be
# compared with the repaired one *at its own L0*.

# %%
guess_worst = predict(
    "Which mistake costs the model most, in nats beyond the repaired dictionary of the same L0?",
    ...,
    among=["one order", "the diary's start", "lengths go free", "pads, BOS kept", "no BOS", "own numbers"],
)
guess_untrained = predict(
    "Which leaves the model the lower loss: the repaired dictionary with λ = 8, or one that was never trained?",
    ...,
    among=["the repaired one", "the untrained one"],
)

# %%
# A line per penalty, about 20 seconds in all.
from tqdm import tqdm

LAMBDAS = [16, 8, 4, 2, 1, 0.5, 1 / 32]  # for the repaired dictionary
LAM = 8  # for all others
STEPS = 300


def record(rows, prepare=prepare):
    """The activations that go into training, by your parts or by others."""
    recorder = Recorder(128)
    tokens, mask = prepare(rows, vocab, LENGTH)
    for some_tokens, some_mask in zip(tokens.split(50), mask.split(50)):

        def look(acts, some_mask=some_mask):
            recorder.write(acts, some_mask)

        run(some_tokens, look)
    return recorder.read()


def train(x, lam=LAM, penalty=penalty, start=None, seed=0, one_order=False):
    sae = dictionary(*(start or initial(128, D_SAE, seed)))
    adam = torch.optim.Adam(sae.parameters(), lr=3e-3, fused=True)
    step = epoch = 0
    while step < STEPS:
        for some in batches(len(x), 500, 256, seed, 0 if one_order else epoch)[: STEPS - step]:
            f = sae.encode(x[some])
            error = (x[some] - sae.decode(f)).square().sum(dim=1).mean()
            loss = error + lam * penalty(f, sae.W_dec)
            adam.zero_grad()
            loss.backward()
            adam.step()
            step += 1
        epoch += 1
    return sae.requires_grad_(False)


def measure(sae):
    f = sae.encode(new)
    found = quality(sae, new)

    def splice(acts):  # all but <bos>
        return torch.cat([acts[:, :1], sae.decode(sae.encode(acts[:, 1:]))], dim=1)

    logits = run(tokens, splice)
    f1 = factor_f1(f, torch.from_numpy(truth.labels), mask=torch.from_numpy(truth.asked)).f1.nanmean()
    return {
        "L0": found.l0,
        "FVU": found.fvu,
        "F1": float(f1),
        "loss": float(model_loss(logits, tokens, counted)),
        "score": float(autopsy(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec).mean()),
    }


def show(name, row, beside=""):
    figures = f"{row['FVU']:.2f}   {row['F1']:.2f}   {row['loss']:.2f}    {row['score']:.2f}"
    print(f"{name:18} {row['L0']:5.0f}   {figures}   {beside}")


here.model.requires_grad_(False)
text = here.world.sample(150, LENGTH, seed=1)  # to measure on
tokens, truth = torch.from_numpy(text.tokens), text.truth()
counted = torch.arange(LENGTH).expand(150, -1) > 0
new = here.activations(SITE, tokens)[:, 1:].flatten(0, 1)
rows = paragraphs(400, seed=2)  # to train on
x = record(rows)

print("repaired              L0    FVU     F1   loss   score")
repaired = {}
for lam in LAMBDAS:
    repaired[lam] = measure(train(x, lam))
    show(f"λ = {lam:g}", repaired[lam])

# %%
# One mistake each; about 25 seconds. `lengths_go_free` is the penalty of a diarist who summed but forgot the decoder.
numbers = {word: i for i, word in enumerate(sorted({word for row in rows for word in row}))}


def keeps_everything(rows, vocab, length):
    tokens, mask = prepare(rows, vocab, length)
    return tokens, torch.ones_like(mask)


def without_bos(rows, vocab, length):
    tokens, mask = prepare(rows, vocab, length + 1)
    return tokens[:, 1:], mask[:, 1:]


def own_numbers(rows, vocab, length):
    return prepare(rows, vocab | numbers, length)


def lengths_go_free(f, W_dec):
    return f.sum(dim=1).mean()


torch.manual_seed(0)
bodies = {
    "another seed": train(x, seed=1),
    "one order": train(x, one_order=True),
    "the diary's start": train(x, start=diary_start(128, D_SAE)),
    "lengths go free": train(x, penalty=lengths_go_free),
    "pads, BOS kept": train(record(rows, keeps_everything)),
    "no BOS": train(record(rows, without_bos)),
    "own numbers": train(record(rows, own_numbers)),
    "the diary": diary,
    "untrained": dictionary(*initial(128, D_SAE, 0)).requires_grad_(False),
}
found = {name: measure(sae) for name, sae in tqdm(bodies.items())}


def repaired_at(l0: float, what: str) -> float:
    """A figure of the repaired dictionary at this L0, between two of those trained."""
    curve = sorted((np.log(row["L0"]), row[what]) for row in repaired.values())
    return float(np.interp(np.log(l0), *zip(*curve)))


print("                      L0    FVU     F1   loss   score   repaired, at the same L0")
F1s = {"with the mistake": [], "repaired, at the same L0": []}
losses = {"with the mistake": [], "repaired, at the same L0": []}
for name, row in found.items():
    for what, two in {"F1": F1s, "loss": losses}.items():
        two["with the mistake"].append(row[what])
        two["repaired, at the same L0"].append(repaired_at(row["L0"], what))
    f1, loss = F1s["repaired, at the same L0"][-1], losses["repaired, at the same L0"][-1]
    show(name, row, f"F1 {f1:.2f}, loss {loss:.2f}")
lengths = bodies["lengths go free"].W_dec.norm(dim=1).mean()
print(f"rows of W_dec where lengths go free: {lengths:.1f} long on average")
plots.bars(F1s, list(found), "What the latents tell of the text", "", "mean F1 of the best latents")

# %%
untouched = float(model_loss(run(tokens, lambda acts: acts), tokens, counted))
title, y_title = "What is left of the model", "loss of the model, nats"
plots.bars(losses, list(found), title, "", y_title, guides={"no dictionary": untouched})

# %%
cost = {name: row["loss"] - repaired_at(row["L0"], "loss") for name, row in found.items()}
mistakes = [name for name in found if name not in ("another seed", "the diary", "untrained")]
guess_worst.came_out(max(mistakes, key=cost.get))

# %%
lower = found["untrained"]["loss"] < repaired[LAM]["loss"]
guess_untrained.came_out("the untrained one" if lower else "the repaired one")

# %% [markdown]
# **An experiment of your own.** What if $\hat x$ is merely scaled? Choose a factor for what the untrained dictionary
# writes. Times 1 its loss is in the table.

# %%
my_factor = 0.1  # anything above 0

guess_scaled = predict(f"The untrained dictionary's output times {my_factor:g}: the loss of the model?", ..., "nats")

# %%
# Times your factor, times 1, and times the factor that brings x̂ nearest to x.
untrained = bodies["untrained"]
x_hat = untrained.decode(untrained.encode(new))
gain = (new * x_hat).sum() / x_hat.square().sum()
scaled = {}
for factor in (my_factor, 1.0, float(gain)):

    def splice(acts, factor=factor):
        return torch.cat([acts[:, :1], factor * untrained.decode(untrained.encode(acts[:, 1:]))], dim=1)

    logits = run(tokens, splice)
    fvu = ((new - factor * x_hat).square().sum() / (new - new.mean(dim=0)).square().sum()).item()
    scaled[factor] = float(model_loss(logits, tokens, counted))
    print(f"untrained, times {factor:.2f}: FVU {fvu:.2f}, loss {scaled[factor]:.2f}")
print(f"mean cosine of x and x̂: {F.cosine_similarity(new, x_hat).mean():.2f}")
guess_scaled.came_out(scaled[my_factor])

# %%
# What two softmaxes do to the loss of the model alone, and what the text says of these settings.
chances = run(tokens, lambda acts: acts).softmax(dim=-1)
twice = float(model_loss(chances, tokens, counted))
expected = float(torch.tensor(895.0).log() - chances[:, :-1].gather(2, tokens[:, 1:, None]).mean())
print(f"the model alone: {untouched:.2f}; with two softmaxes: {twice:.2f}")
assert 0 < twice - expected < 0.003  # what ln V leaves out is at most ln((V − 1 + e) / V) = 0.002

its, better = found["the diary"], repaired[0.5]
assert better["L0"] < 0.8 * its["L0"] and better["FVU"] < its["FVU"] / 2
assert better["F1"] > its["F1"] + 0.01 and better["loss"] < its["loss"] - 0.01
assert repaired[1 / 32]["L0"] > 150 and max(row["F1"] for row in repaired.values()) > repaired[1 / 32]["F1"] + 0.08
drop = {name: repaired_at(row["L0"], "F1") - row["F1"] for name, row in found.items()}
assert max(drop.values()) < 0.045 and cost["own numbers"] > 1.2 and 0.15 < cost["the diary's start"] < 0.5
unseen = ["one order", "lengths go free", "pads, BOS kept"]
assert all(abs(cost[name]) < 0.2 for name in ["another seed", *unseen])
assert lengths > 1.4
assert repaired[8]["loss"] > found["untrained"]["loss"] + 0.3 and abs(scaled[1.0] - scaled[float(gain)]) < 0.1

# %% [markdown]
# **The diary.** Its dictionary explains 88% of the variance of new text, and the model loses only 0.05 nats by it. Is
# it good? On an average token 156 of its 256 latents are on. The repaired dictionary with $\lambda = 0.5$ has 98 on,
# and is better in every column: FVU, F1, and the model's loss. And the most useful for reading has far fewer: the best
# F1, 0.26, comes with 16 latents on.
#
# **The penalty's mean** is nothing but a $\lambda$ that is 256 times too weak. With $\lambda = 8/256 = 1/32$ and all
# else repaired you see what it does alone: 179 latents on, next to no error, and an F1 of 0.14. Judged by FVU or by
# the model's loss it is the best of the table.
#
# **An untrained dictionary.** By the model's loss it beats the repaired one with $\lambda = 8$: 1.72 against 2.31,
# although its error is larger than the variance. Two reasons. At each token about half of its 256 random unit rows are
# on, and the sum of $d_i d_i^\top$ over so many of them in 128 dimensions is nearly a multiple of the identity (a
# frame that is nearly *tight*). So $\hat x$ is a multiple of $x$ plus noise, at a mean cosine of 0.68. And the
# LayerNorms behind it forgive a common factor: halve $\hat x$, and FVU drops from 1.10 to 0.63, while the loss hardly
# moves (1.72 and 1.76). So much gets through a dictionary that knows nothing, if it is dense.
#
# **Single mistakes.** Compare each with the repaired dictionary at the same L0. Reading another language costs most: a
# loss of 3.38 instead of 1.58, and one look at the tokens would have shown it. (Its F1 seems a quarter lower than with
# $\lambda = 8$, but most of that is its L0: at equal L0 the difference is 0.02.) Leaving out `<bos>` costs 0.1 nats,
# hardly more than another seed can. The diary's start costs 0.3 nats after 300 steps. Is it true that "whatever it
# starts from, it will be learned"? In part: at first zeros in `W_dec` give the encoder no gradient, but the decoder
# has one, $f^\top e$, and soon isn't zero. Its F1 is like the others', its score is lower: what its latents read is
# still not what they write.
#
# **What no figure shows.** One order, free lengths, and the padding kept: here, in 300 steps and at one $\lambda$,
# neither F1 nor loss tells them from another seed. They are mistakes all the same. Rows that go free are 1.7 long by
# then, and growing. Figures from the rows trained on flatter. A cell that was run twice shows what the notebook
# remembers, not what it says. Reading found these, not a figure. Nor is your score a measure of quality: an untrained
# dictionary has 1 by construction, and dense ones score higher than sparse ones.


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


# %% misconception="autopsy" part="prepare"
def numbers_the_words_itself(rows, vocab, length):
    "The words got numbers of their own. The model looks them up in its table, and reads other words: use vocab."
    words = sorted({word for row in rows for word in row})
    return prepare(rows, vocab | {word: i for i, word in enumerate(words)}, length)


# %% misconception="autopsy" part="prepare"
def begins_without_bos(rows, vocab, length):
    "There is no <bos>. The model never saw a text without one, and all its activations come out differently."
    tokens, mask = prepare(rows, vocab, length + 1)
    return tokens[:, 1:], mask[:, 1:]


# %% misconception="autopsy" part="prepare"
def as_long_as_the_longest_text(rows, vocab, length):
    "`length` was ignored: a long text must be cut, and <bos> is one of its `length` tokens."
    return prepare(rows, vocab, max(length, 1 + max(len(row) for row in rows)))


# %% misconception="autopsy" part="prepare"
def harvests_the_padding(rows, vocab, length):
    "The mask is True at the padding, so the dictionary learns what the model makes of nothing. Only words count."
    tokens, mask = prepare(rows, vocab, length)
    return tokens, (mask | (torch.arange(length) > 0))


# %% misconception="autopsy" part="Recorder"
class KeepsAllRows(Recorder):
    "Rows where the mask is False were kept too: `<bos>` and padding."

    def write(self, acts, mask):
        self.kept.append(acts.detach().flatten(0, 1))


# %% misconception="autopsy" part="Recorder"
class ForgetsWhatWasRead(Recorder):
    "After `read` the rows were gone. It gives all rows written so far, however often it is called."

    def read(self):
        rows = torch.cat([torch.zeros(0, self.d_model), *self.kept])
        self.kept = []
        return rows


# %% misconception="autopsy" part="initial"
def decoder_not_initialised(d_in, d_sae, seed):
    "W_dec is zero, so at first no gradient reaches the encoder, and no latent has a direction. Start with unit rows."
    W_enc, b_enc, W_dec, b_dec = initial(d_in, d_sae, seed)
    return W_enc, b_enc, torch.zeros_like(W_dec), b_dec


# %% misconception="autopsy" part="initial"
def biases_at_random(d_in, d_sae, seed):
    "The biases are random, so some latents are on without any cause, and f = 0 decodes to noise. Start them at 0."
    W_enc, _, W_dec, _ = initial(d_in, d_sae, seed)
    return W_enc, 0.04 * W_dec[:, 0], W_dec, 0.04 * W_enc[:, 0]


# %% misconception="autopsy" part="initial"
def rows_of_any_length(d_in, d_sae, seed):
    "The rows of W_dec have the lengths that the random numbers gave them. Scale each to length 1."
    W_dec = torch.randn(d_sae, d_in, generator=torch.Generator().manual_seed(seed))
    return W_dec.T.clone(), torch.zeros(d_sae), W_dec, torch.zeros(d_in)


# %% misconception="autopsy" part="initial"
def an_encoder_of_its_own(d_in, d_sae, seed):
    "W_enc has other numbers than W_dec, so no latent reads what it writes. Start it at the transpose."
    W_enc, b_enc, _, b_dec = initial(d_in, d_sae, seed + 1)
    return W_enc, b_enc, initial(d_in, d_sae, seed)[2], b_dec


# %% misconception="autopsy" part="penalty"
def lengths_squared(f, W_dec):
    "The squared lengths of the rows were charged. Then f and its row can share out a product so that it costs less."
    return (f * W_dec.square().sum(dim=1)).sum(dim=1).mean()


# %% misconception="autopsy" part="penalty"
def mean_over_latents(f, W_dec):
    "This is the mean over latents too. In a dictionary twice as wide the same λ then weighs half: sum over them."
    return (f * W_dec.norm(dim=1)).mean()


# %% misconception="autopsy" part="penalty"
def lengths_go_free(f, W_dec):
    "The lengths of the decoder's rows are not charged: long rows and small f look sparse, and reconstruct the same."
    return f.sum(dim=1).mean()


# %% misconception="autopsy" part="batches"
def same_order_in_every_epoch(n, held_out, batch_size, seed, epoch):
    "Every epoch has the same batches in the same order. Let the random numbers depend on the epoch too."
    return batches(n, held_out, batch_size, seed, 0)


# %% misconception="autopsy" part="batches"
def seed_and_epoch_added(n, held_out, batch_size, seed, epoch):
    "Epoch 1 of seed 0 has the order of epoch 0 of seed 1, so two runs share nearly all of their orders."
    generator = torch.Generator().manual_seed(seed + epoch)
    return list(torch.randperm(n - held_out, generator=generator).split(batch_size))


# %% misconception="autopsy" part="batches"
def other_rows_held_out_each_time(n, held_out, batch_size, seed, epoch):
    "Rows were held out at random, others in each epoch, so in the end all were trained on. Hold out the last ones."
    generator = torch.Generator().manual_seed(100_000 * seed + epoch)
    return list(torch.randperm(n, generator=generator)[: n - held_out].split(batch_size))


# %% misconception="autopsy" part="batches"
def only_batches_are_shuffled(n, held_out, batch_size, seed, epoch):
    "Only the order of the batches is random. In each of them are neighbours, rows of the same text: shuffle the rows."
    parts = torch.arange(n - held_out).split(batch_size)
    order = torch.randperm(len(parts), generator=torch.Generator().manual_seed(100_000 * seed + epoch))
    return [parts[i] for i in order]


# %% misconception="autopsy" part="batches"
def holds_nothing_out(n, held_out, batch_size, seed, epoch):
    "All n rows are trained on, so none is left to measure on that the dictionary hasn't seen."
    return batches(n, 0, batch_size, seed, epoch)


# %% misconception="autopsy" part="batches"
def loses_the_tail(n, held_out, batch_size, seed, epoch):
    "The rows that don't fill a batch are lost. They make a smaller last one."
    return [rows for rows in batches(n, held_out, batch_size, seed, epoch) if len(rows) == batch_size]


# %% misconception="autopsy" part="model_loss"
def logits_as_targets(logits, tokens, mask):
    "Logits were used as targets. They are no probabilities, and make a number without a floor: give the tokens."
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), logits[:, 1:].flatten(0, 1))


# %% misconception="autopsy" part="model_loss"
def softmax_twice(logits, tokens, mask):
    "The softmax is taken twice: `F.cross_entropy` wants logits. Of probabilities it makes about ln V, always."
    return model_loss(logits.softmax(dim=-1), tokens, mask)


# %% misconception="autopsy" part="model_loss"
def softmax_over_positions(logits, tokens, mask):
    "The softmax runs over positions. The classes are the last axis here; `F.cross_entropy` takes axis 1 for them."
    return -logits.log_softmax(dim=1)[:, :-1].gather(2, tokens[:, 1:, None])[..., 0][mask[:, 1:]].mean()


# %% misconception="autopsy" part="model_loss"
def softmax_over_the_positions_but_the_last(logits, tokens, mask):
    "The softmax runs over positions, all but the last one. The classes are the last axis of the logits."
    return -logits[:, :-1].log_softmax(dim=1).gather(2, tokens[:, 1:, None])[..., 0][mask[:, 1:]].mean()


# %% misconception="autopsy" part="model_loss"
def mask_of_the_token_read(logits, tokens, mask):
    "The mask was asked about the token that is read. The *predicted* token, one further on, has to be a word."
    surprise = F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    return surprise[mask[:, :-1].flatten()].mean()


# %% misconception="autopsy" part="model_loss"
def mean_over_the_texts(logits, tokens, mask):
    "A mean was taken per text, and then their mean, so words of short texts count more. Take one mean over all words."
    each = [model_loss(logits[i : i + 1], tokens[i : i + 1], mask[i : i + 1]) for i in range(len(logits))]
    return torch.stack(each).nanmean()


# %% misconception="autopsy" part="model_loss"
def asks_for_the_token_it_reads(logits, tokens, mask):
    "Position t is asked for token t, which it has just read. It predicts token t + 1."
    return F.cross_entropy(logits[mask], tokens[mask])


# %% misconception="autopsy" part="model_loss"
def predicts_padding_too(logits, tokens, mask):
    "The mean runs over the padding too, which the model was never taught to predict."
    return model_loss(logits, tokens, torch.ones_like(mask))


# %% misconception="autopsy" part="prepare"
def bos_is_harvested(rows, vocab, length):
    "The mask is True at <bos>. Its activation is the same in every text, and three times as long as a word's."
    tokens, mask = prepare(rows, vocab, length)
    return tokens, mask | (torch.arange(length) == 0)


# %% misconception="autopsy" part="prepare"
def mask_by_the_numbers(rows, vocab, length):
    "The mask goes by the numbers of <pad> and <bos>. A text may have such a token as a word: go by places."
    tokens, _ = prepare(rows, vocab, length)
    return tokens, (tokens != vocab["<pad>"]) & (tokens != vocab["<bos>"])


# %% misconception="autopsy" part="prepare"
def drops_unknown_words(rows, vocab, length):
    "Words that vocab doesn't have were left out, so what follows moves up. They become <unk>."
    return prepare([[word for word in row if word in vocab] for row in rows], vocab, length)


# %% misconception="autopsy"
def no_cosine_but_a_product(W_enc, b_enc, W_dec, b_dec):
    "The product isn't divided by the two lengths, so long vectors score more. A cosine needs both of length 1."
    return (W_dec * W_enc.T).sum(dim=1)


# %% misconception="autopsy"
def nan_without_a_direction(W_enc, b_enc, W_dec, b_dec):
    "Where a row or a column is zero, 0 is divided by 0 and the score is nan. By convention it is 0."
    return (W_dec * W_enc.T).sum(dim=1) / (W_dec.norm(dim=1) * W_enc.norm(dim=0))


# %% misconception="autopsy"
def decodes_with_the_bias(W_enc, b_enc, W_dec, b_dec):
    "b_dec is in what you compare with. It is there whatever is on: what latent i adds is decode(eᵢ) − decode(0)."
    return F.cosine_similarity(W_enc.T, W_dec + b_dec, dim=1)


# %% misconception="autopsy"
def loudest_of_what_comes_back(W_enc, b_enc, W_dec, b_dec):
    "This asks whether latent i comes back strongest, through ReLU and biases, and is 0/0 where nothing comes back."
    back = F.relu(W_dec @ W_enc + b_enc)
    return back.diagonal() / back.max(dim=1).values


# %% alternative="autopsy"
def switches_latents_on_one_by_one(W_enc, b_enc, W_dec, b_dec):
    f = torch.cat([torch.zeros_like(W_enc[:1]), torch.eye(len(W_dec), dtype=W_dec.dtype)]).double()
    says = (f @ W_dec.double())[1:]
    return torch.stack([F.cosine_similarity(s, c.double(), dim=0) for s, c in zip(says, W_enc.T)]).to(W_dec.dtype)


# %% alternative="autopsy" part="initial"
def as_parameters_and_a_view(d_in, d_sae, seed):
    rows = torch.randn(d_sae, d_in, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    W_dec = torch.nn.Parameter((rows / rows.norm(dim=1, keepdim=True)).float())
    return W_dec.T, torch.nn.Parameter(torch.zeros(d_sae)), W_dec, torch.nn.Parameter(torch.zeros(d_in))


# %% alternative="autopsy" part="batches"
def the_epochs_of_a_seed_one_after_another(n, held_out, batch_size, seed, epoch):
    generator = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(n - held_out, generator=generator) for _ in range(epoch + 1)]
    return [orders[-1][start : start + batch_size] for start in range(0, n - held_out, batch_size)]


# %% alternative="autopsy" part="model_loss"
def minus_the_log_of_each(logits, tokens, mask):
    p = logits.double().log_softmax(dim=-1)
    b, t = mask[:, 1:].nonzero(as_tuple=True)
    return -p[b, t, tokens[b, t + 1]].mean().to(logits.dtype)
