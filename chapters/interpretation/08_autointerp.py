# %% [markdown]
# # Can a machine write the explanation?
#
# A dictionary has thousands of latents, or millions, and nobody is going to read them all. So let a machine read the
# examples and write the explanation, and let another one judge it. The pipeline runs overnight, and next morning each
# latent has a sentence and a score. What is such a score worth? That depends on which examples were used, and on how
# the answers were counted. In this section you build the scores, and break them.
#
# **At the end of this section** you will be able to score an explanation by detection and by fuzzing, without leaked
# examples, and to say what is left of a score when the judge makes mistakes.

# %% setup=1
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict

# %%
SITE = "blocks.2.hook_resid_post"
LENGTH = 16  # tokens in a window

pocket = lab("pocket")
text = pocket.world.sample(256, 3 * LENGTH + 1, seed=3)
tokens = torch.from_numpy(text.tokens)
dictionary = pocket.dictionary(SITE).requires_grad_(False)
f = dictionary.encode(pocket.activations(SITE, tokens))[:, 1:].unflatten(1, (3, LENGTH)).flatten(0, 1)
truth = text.truth(1e-3)
labels = torch.from_numpy(truth.labels).view(len(f), LENGTH, -1)
windows = tokens[:, 1:].unflatten(1, (3, LENGTH)).flatten(0, 1)
print(f"{len(f)} windows of {LENGTH} tokens, {f.shape[-1]} latents, {len(truth.names)} factors, for example:")
print(text.world.decode(windows[0].tolist()))

# %% [markdown]
# ## Three roles
#
# In published pipelines the roles below are played by large language models. Bills et al.
# ([2023](https://openaipublic.blob.core.windows.net/neuron-explainer/paper/index.html)) had one explain each neuron of
# GPT-2 from examples, and another simulate the neuron, token by token, from the explanation alone. Paulo et al.
# ([2024](https://arxiv.org/abs/2410.13928)) asked cheaper questions, which have yes or no for an answer. Here all roles
# are played by small programs that you can read, so nothing about the scores is hidden:
#
# - The **explainer** is shown some windows, and which of their tokens the latent is on at. Its explanation is a factor
#   of the world, the one that fits best what it was shown.
# - The **judge** gets the explanation and text, but no activations, and answers questions.
# - The **score** compares the answers with the activations.
#
# The two questions are *detection*: is the latent on somewhere in this window? And *fuzzing*: one token of a window is
# marked; is the latent on at *this* one? For half of the questions it is, for half it isn't. (Fuzzing means here that
# the mark may be in the wrong place. We ask only about windows where the latent is on somewhere; Paulo et al. also mark
# tokens elsewhere.) Which windows, and how are answers counted?
#
# **Counting.** A latent is off in most windows, so a judge that always says no is right nearly always. *Balanced
# accuracy* takes two shares, how many of the on windows were called on, and how many of the off windows were called
# off, and averages them. Who always says no gets 0 and 1: one half, like a coin.
#
# **Which windows.** Not those that the explainer was shown: it fitted its answer to them. Of the others not the
# strongest only, as you know from section 4. Order the windows where the latent is on by their *peak*, the largest
# activation, and cut the list into `n_bands` pieces of the same length; take as many from each. And take off windows,
# as many as on windows altogether.


# %% exercise="detection_score" points=4 minutes=40 difficulty=3 importance=5
def balanced_accuracy(said: Bool[Tensor, "question"], true: Bool[Tensor, "question"]) -> float:
    """Mean of two shares: of those that are true, said to be; of those that are not, said not to be. nan if one is 0/0.

    >>> balanced_accuracy(torch.tensor([True, False, False, False]), torch.tensor([True, True, False, False]))
    0.75
    """
    # BEGIN SOLUTION
    found, spared = said[true].double().mean(), (~said[~true]).double().mean()
    return ((found + spared) / 2).item()
    # END SOLUTION


def scoring_set(
    peak: Float[Tensor, "window"],
    shown: Int[Tensor, "shown"],
    n_bands: int,
    per_band: int,
    key: Float[Tensor, "window"],
) -> Int[Tensor, "read"]:
    """Windows to score an explanation on, in rising order, none of those that were `shown` to the explainer.

    `peak` is the latent's largest activation in each window. Of the m windows left with a peak above 0, the one with r
    weaker ones is in band r · n_bands // m, from 0. Each band gives the `per_band` windows with the smallest keys, or
    all if it has fewer. Then as many windows with peak 0 as these are together, again by smallest keys. No two keys are
    the same, and no two peaks above 0.

    >>> peak = torch.tensor([0.0, 3.0, 0.0, 1.0, 2.0, 0.0])
    >>> scoring_set(peak, torch.tensor([1, 5]), 2, 1, torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    tensor([0, 2, 3, 4])
    """
    # BEGIN SOLUTION
    fresh = torch.ones(len(peak), dtype=torch.bool)
    fresh[shown] = False
    ranked = (fresh & (peak > 0)).nonzero()[:, 0]
    ranked = ranked[peak[ranked].argsort()]  # weakest first
    band = torch.arange(len(ranked)) * n_bands // max(1, len(ranked))
    on = [ranked[band == which] for which in range(n_bands)]
    on = torch.cat([some[key[some].argsort()][:per_band] for some in on])
    off = (fresh & (peak == 0)).nonzero()[:, 0]
    off = off[key[off].argsort()][: len(on)]
    return torch.cat([on, off]).sort().values
    # END SOLUTION


def detection_score(
    acts: Float[Tensor, "window pos"], says: Bool[Tensor, "window pos"], read: Int[Tensor, "read"]
) -> float:
    """Balanced accuracy, over the windows `read`, of: the latent is on in it where the explanation is true in it.

    On in a window is a latent that is above 0 somewhere in it. `says`: is the explanation true of this token?

    >>> detection_score(torch.tensor([[0.0, 2.0], [0.0, 0.0]]), torch.tensor([[True, False]] * 2), torch.tensor([0, 1]))
    0.5
    """
    # BEGIN SOLUTION
    return balanced_accuracy(says[read].any(dim=1), (acts[read] > 0).any(dim=1))
    # END SOLUTION


def fuzzing_score(
    acts: Float[Tensor, "window pos"],
    says: Bool[Tensor, "window pos"],
    read: Int[Tensor, "read"],
    key: Float[Tensor, "window pos"],
) -> float:
    """Balanced accuracy at marked tokens: two in each window read, one where the latent is on and one where it is off.

    Marked are the tokens with the smallest keys of each sort; no two keys are the same. A window where the latent is on
    at all tokens, or at none, is left out.

    >>> acts, says = torch.tensor([[0.0, 2.0], [0.0, 0.0]]), torch.tensor([[False, True], [True, True]])
    >>> fuzzing_score(acts, says, torch.tensor([0, 1]), torch.tensor([[0.3, 0.1], [0.2, 0.4]]))
    1.0
    """
    # BEGIN SOLUTION
    on = acts[read] > 0
    both = on.any(dim=1) & ~on.all(dim=1)
    on, says, key = on[both], says[read][both], key[read][both]
    marked = [torch.where(sort, key, torch.inf).argmin(dim=1) for sort in (on, ~on)]
    answers = [says.gather(1, place[:, None])[:, 0] for place in marked]
    return balanced_accuracy(torch.cat(answers), torch.arange(2 * len(on)) < len(on))
    # END SOLUTION


# %%
check(detection_score, balanced_accuracy, scoring_set, fuzzing_score)

# %% [markdown] hint=1
# What is the mean of `said` over the questions that are true? How many windows stand below a window in the list ordered
# by peak? And for fuzzing: which token has the smallest key among those where the latent is on?

# %% [markdown] hint=2
# `said[true]` has the answers to the true questions, and a mean of no numbers is nan. For `scoring_set` first throw out
# what was shown, then rank what is left with `argsort`; `some[key[some].argsort()][:per_band]` are the places of `some`
# with the smallest keys. `torch.where(on, key, torch.inf)` leaves the on tokens' keys.

# %% [markdown] hint=3
# With `ranked` weakest first, the bands are `torch.arange(len(ranked)) * n_bands // len(ranked)` (mind a latent that is
# on nowhere). In `fuzzing_score`, `argmin(dim=1)` finds the marked token of each window, `gather` reads the answer
# there. How many of all answers should be yes, and which?

# %% [markdown]
# The explainer of this section: of all factors the one with the best balanced accuracy at the tokens of the windows
# that it was shown. It is shown the eight strongest windows and eight off windows, as is common.

# %%
N_SHOWN = 8  # on, and as many off
BANDS, PER_BAND = 5, 4

generator = torch.Generator().manual_seed(0)
peaks = f.amax(dim=1)  # window d_sae
latents = ((peaks > 0).sum(dim=0) >= 48).nonzero()[:, 0]
latents = latents[torch.randperm(len(latents), generator=generator)[:80]].tolist()


def show(peak, strongest=True):
    """Windows for the explainer: on windows, the strongest or any, and off windows."""
    on, off = (some[torch.randperm(len(some), generator=generator)] for some in split(peak))
    if strongest:
        on = on[peak[on].argsort(descending=True)]
    return torch.cat([on[:N_SHOWN], off[:N_SHOWN]])


def unseen(shown):
    """True for the windows that were not shown."""
    return torch.isin(torch.arange(len(f)), shown, invert=True)


def split(peak):
    return (peak > 0).nonzero()[:, 0], (peak == 0).nonzero()[:, 0]


def explain(acts, shown):
    """The factor that fits best the tokens of these windows."""
    on = (acts[shown] > 0).flatten()
    true = labels[shown].flatten(0, 1).float()  # token factor
    found, alarms = true[on].mean(dim=0), true[~on].mean(dim=0)
    return (found - alarms).argmax().item()  # the best balanced accuracy is the best difference


explanations = {}
for latent in latents:
    shown = show(peaks[:, latent])
    explanations[latent] = explain(f[..., latent], shown), shown
for latent in latents[:6]:
    factor, _ = explanations[latent]
    print(f"latent {latent:>4}: “{truth.names[factor]}”")

# %% [markdown]
# Now score them, once as one should, and in three ways that are easier. The last column is what all of them try to
# estimate: detection over *all* windows that were not shown. How far off is the easiest way, scoring with the very
# windows that the explanation was made from?

# %%
guess_leak = predict("By how much is the mean detection score too high if the examples leak?", ...)

# %%
scored = {"leaked": [], "fresh, strongest": [], "fresh, all strengths": [], "all windows": [], "another's": []}
says_no = []
for number, latent in enumerate(latents):
    acts, peak = f[..., latent], peaks[:, latent]
    factor, shown = explanations[latent]
    says = labels[..., factor]
    fresh = unseen(shown)
    everything = fresh.nonzero()[:, 0]
    on, off = split(torch.where(fresh, peak, torch.nan))
    strongest = torch.cat([on[peak[on].argsort(descending=True)][:20], off[:20]])
    read = scoring_set(peak, shown, BANDS, PER_BAND, torch.rand(len(acts), generator=generator))
    scored["leaked"].append(detection_score(acts, says, shown))
    scored["fresh, strongest"].append(detection_score(acts, says, strongest))
    scored["fresh, all strengths"].append(detection_score(acts, says, read))
    scored["all windows"].append(detection_score(acts, says, everything))
    other, _ = explanations[latents[number - 1]]
    scored["another's"].append(detection_score(acts, labels[..., other], everything))
    says_no.append((peak[everything] == 0).double().mean().item())  # plain accuracy of a judge that says no
mean = {way: torch.tensor(of).mean().item() for way, of in scored.items()}
for way, value in mean.items():
    print(f"{way:<22} mean detection score {value:.2f}")
print(f"plain accuracy of always saying no: {torch.tensor(says_no).mean():.2f}")
exact = torch.tensor(scored["all windows"])
plots.scatter(
    {way: torch.stack([exact, torch.tensor(scored[way])], dim=1) for way in ("leaked", "fresh, all strengths")},
    title="Detection score: in all windows not shown, and as estimated",
    x_title="all windows",
    y_title="estimate",
)

# %%
guess_leak.came_out(mean["leaked"] - mean["all windows"], within=0.05)

# %%
# What the text says of this model. Seen: leaked .84, all strengths .66 like all windows; another's .49, always no .78.
assert mean["leaked"] > mean["all windows"] + 0.04, mean
assert abs(mean["fresh, all strengths"] - mean["all windows"]) < 0.04, mean
assert mean["another's"] < 0.65 and torch.tensor(says_no).mean() > 0.6, mean

# %% [markdown]
# Three lessons are in this table. Leaked examples flatter: the factor was chosen *because* it fits them, so part of the
# fit is chance, and the explanation gets the credit. The strongest windows flatter too, even fresh ones. Forty windows
# of all strengths, half of them off, are right on average, though for a single latent a score is still uncertain.
#
# And the nulls: an explanation that belongs to another latent scores near one half. By plain accuracy, a judge who
# always says no would look good, and better the rarer the latent is. So of an accuracy ask first what a coin would get.
#
# ## The right window is not the right token
#
# "It is about a war": such an explanation finds the windows, but not the tokens. Detection can't see that. Take each
# explanation and spoil it: if it is true of one token of a window, say that it is true of *all* of them. What will the
# two scores say?

# %%
guess_fuzzing = predict("Fuzzing score of explanations spoiled like that?", ...)

# %%
pairs = {"detection": [], "fuzzing": [], "detection, spoiled": [], "fuzzing, spoiled": []}
for latent in latents:
    acts, peak = f[..., latent], peaks[:, latent]
    factor, shown = explanations[latent]
    fresh = unseen(shown)
    read = fresh.nonzero()[:, 0]
    key = torch.rand(acts.shape, generator=generator)
    says = labels[..., factor]
    spoiled = says.any(dim=1, keepdim=True).expand_as(says)
    for which, answers in {"": says, ", spoiled": spoiled}.items():
        pairs["detection" + which].append(detection_score(acts, answers, read))
        pairs["fuzzing" + which].append(fuzzing_score(acts, answers, read, key))
pairs = {way: torch.tensor(of) for way, of in pairs.items()}
print({way: round(of.nanmean().item(), 2) for way, of in pairs.items()})
plots.scatter(
    {
        "as explained": torch.stack([pairs["detection"], pairs["fuzzing"]], dim=1),
        "spoiled": torch.stack([pairs["detection, spoiled"], pairs["fuzzing, spoiled"]], dim=1),
    },
    title="Two scores of the same explanations",
    x_title="detection",
    y_title="fuzzing",
)

# %%
guess_fuzzing.came_out(pairs["fuzzing, spoiled"].nanmean(), within=0.02)

# %%
# These hold for any model: the same answer about both tokens of a window is right once.
assert torch.equal(pairs["detection"], pairs["detection, spoiled"])
assert (pairs["fuzzing, spoiled"] - 0.5).abs().nan_to_num(0.0).max() < 1e-9

# %% [markdown]
# Detection doesn't notice. Fuzzing gives exactly one half: the same answer about both tokens of a window is right for
# one of them. So print both: where detection is high and fuzzing low, the explanation has the topic and not the latent.
#
# ## When the judge errs
#
# A language model as a judge makes mistakes of its own: it misses explanations that are true of a text, and sees some
# that are not. A low score then says that the explanation is bad, or that the judge is. To tell them apart, *calibrate*
# the judge: give it questions whose answer is known. That is what labelled programs are for: a factor of the world,
# taken as a latent, has its own name for an explanation, and whatever the judge gets wrong there is the judge's fault.
# Say you measured that it says yes to a share $h$ of the questions where the explanation is true (hits), and to a share
# $a$ of those where it isn't (false alarms). What would the balanced accuracy have been with a perfect judge? Think of
# what happens to the share of yes among the on windows, and to that among the off windows.
#
# | judge | score | with a perfect judge |
# |---|---|---|
# | $h=1$, $a=0$ | any | the same |
# | any | $\tfrac12$ | $\tfrac12$ |
# | $h=0.8$, $a=0.2$ | 0.8 | 1 |
# | $h=a$: it doesn't look | | nan: nobody can tell |

# %% [markdown]
# Below, a judge with known errors scores all explanations, and you see its scores and the corrected ones, beside those
# of a perfect judge. Write the correction in one line before you run it. (This one is ungraded.)

# %%
HITS, ALARMS = 0.8, 0.25  # change the judge


def corrected(score, hits, alarms):
    return 0.5 + (score - 0.5) / (hits - alarms)  # both shares of yes shrink towards each other by hits - alarms


def asked(yes):
    """The judge's answers to questions whose right answer would be `yes`."""
    chance = torch.rand(yes.shape, generator=generator)
    return torch.where(yes, chance < HITS, chance < ALARMS)


programs = labels.any(dim=1)[:, (labels.any(dim=1).float().mean(dim=0) - 0.5).abs() < 0.4]  # window, labelled program
answers = asked(programs)
hits, alarms = answers[programs].double().mean().item(), answers[~programs].double().mean().item()
print(f"measured on {programs.shape[1]} labelled programs: hits {hits:.3f}, false alarms {alarms:.3f}")
noisy = []
for latent in latents:
    factor, _ = explanations[latent]
    noisy.append(balanced_accuracy(asked(labels[..., factor].any(dim=1)), peaks[:, latent] > 0))
noisy = torch.tensor(noisy)
perfect = torch.tensor(
    [balanced_accuracy(labels[..., explanations[i][0]].any(dim=1), peaks[:, i] > 0) for i in latents]
)
plots.scatter(
    {
        "as judged": torch.stack([perfect, noisy], dim=1),
        "corrected": torch.stack([perfect, corrected(noisy, hits, alarms)], dim=1),
    },
    title="Calibration: scores by a judge that errs",
    x_title="score by a perfect judge",
    y_title="score",
)

# %%
off_before = (noisy - perfect).mean().item()
off_after = (corrected(noisy, hits, alarms) - perfect).mean().item()
print(f"mean error {off_before:.3f} as judged, {off_after:.3f} corrected")
assert off_before < -0.03 and abs(off_after) < 0.03, (off_before, off_after)  # -.08 and .00 seen

# %% [markdown]
# As judged, all scores are pressed towards one half, the good ones most: nobody's explanation looks good. Corrected,
# they lie along the diagonal, but scatter more: dividing by $h-a$ stretches the chance errors too. And the correction
# assumes that the judge errs as often on these questions as on those it was calibrated with. A judge that finds some
# *topics* harder breaks that.
#
# ## Without any explanation: the intruder
#
# Is a latent interpretable at all? One can ask without an explainer. Show five windows: in four the latent is on, in
# one it is off. Whoever finds the *intruder* has seen something that the four have in common. (The idea is that of
# Chang et al. [2009](https://papers.nips.cc/paper/3700-reading-tea-leaves-how-humans-interpret-topic-models) for topic
# models; Paulo and Belrose [2025](https://arxiv.org/abs/2507.08473) use it for latents.) Our reader compares what is
# true of the windows at the marked token, where the latent is strongest, and picks the one that has least in common
# with the rest. In the intruder, and for the null, a token at random is marked.

# %%
ROUNDS = 6


def finds_the_intruder(places):
    """places: five (window, position), the intruder last. Does it have least in common with the others?"""
    true = torch.stack([labels[window, place] for window, place in places]).float()  # five factor
    common = true @ true.T / (true.sum(dim=1)[:, None] + true.sum(dim=1) - true @ true.T).clamp_min(1)
    return common.fill_diagonal_(0).sum(dim=1).argmin().item() == 4


def success(marks):
    """Share of rounds in which the intruder is found; marks [window] says which token is marked if the latent is on."""
    found = []
    for latent in latents:
        on, off = split(peaks[:, latent])
        for _ in range(ROUNDS):
            four = on[torch.randperm(len(on), generator=generator)[:4]].tolist()
            intruder = off[torch.randint(len(off), (1,), generator=generator)].item()
            random_place = torch.randint(LENGTH, (1,), generator=generator).item()
            places = [(window, marks(latent, window)) for window in four]
            found.append(finds_the_intruder([*places, (intruder, random_place)]))
    return sum(found) / len(found)


strongest = f.argmax(dim=1)  # window d_sae
found = success(lambda latent, window: strongest[window, latent].item())
by_chance = success(lambda latent, window: torch.randint(LENGTH, (1,), generator=generator).item())
print(f"the intruder is found in {found:.0%} of the rounds, {by_chance:.0%} if the marks are random, 20% by guessing")
assert found > by_chance + 0.2 and by_chance < 0.5, (found, by_chance)

# %% [markdown]
# What do such scores not tell? A high score says that the explanation goes together with the latent in this text, no
# more: neither that nothing simpler would, nor that the model uses it. Our explainer can only say one factor at a time,
# so a latent for "one thing or another" gets a low score however clear it is: a low score may be the explainer's fault.
# A language model has the same kinds of limits, only nobody has listed them.
#
# **An experiment of your own.** How many windows does the explainer need, and of which kind? Choose, and predict the
# mean detection score in all windows that were not shown.

# %%
my_shown = 4  # on windows, and as many off; 1 to 40
my_strongest = False  # the strongest, or any of those where the latent is on

kind = "strongest" if my_strongest else "random"
guess_shown = predict(f"{my_shown} {kind} windows shown: mean detection score in the others?", ...)

# %%
N_SHOWN = my_shown
mine = []
for latent in latents:
    acts, peak = f[..., latent], peaks[:, latent]
    shown = show(peak, my_strongest)
    fresh = unseen(shown)
    mine.append(detection_score(acts, labels[..., explain(acts, shown)], fresh.nonzero()[:, 0]))
print(f"with the 8 strongest: {mean['all windows']:.2f}")
guess_shown.came_out(sum(mine) / len(mine), within=0.03)

# %% [markdown]
# **The same on gpt2-small**, where a hub can be reached. Factors are not known there, so the explainer chooses among
# rules that a program can read; the scores don't care who wrote the explanation.

# %%
try:
    gpt2 = lab("gpt2-small")
    gpt2_site = "blocks.8.hook_resid_pre"
    there = gpt2.tokens(64, 33)
    gpt2_acts = gpt2.dictionary(gpt2_site).encode(gpt2.activations(gpt2_site, there))[:, 1:].detach()
    spelled = [[gpt2.tokenizer.decode([i]) for i in row] for row in there[:, 1:].tolist()]
    rules = {
        "begins with a capital": lambda word: word.strip()[:1].isupper(),
        "is a number": lambda word: word.strip().isdigit(),
        "has no letter": lambda word: not any(letter.isalpha() for letter in word),
        "ends in s": lambda word: word.strip().endswith("s"),
    }
    latent = (gpt2_acts > 0).any(dim=1).sum(dim=0).sub(32).abs().argmin()  # on in about half of the windows
    for rule, holds in rules.items():
        says = torch.tensor([[holds(word) for word in row] for row in spelled])
        print(f"{rule:<22} {detection_score(gpt2_acts[..., latent], says, torch.arange(64)):.2f}")
except FileNotFoundError as error:
    print(f"Skipped: {error}")


# %% misconception="detection_score" part="balanced_accuracy"
def plain_accuracy(said, true):
    "This is the share of right answers. Where most are not true, saying no to all is nearly always right."
    return (said == true).double().mean().item()


# %% misconception="detection_score" part="balanced_accuracy"
def precision_and_recall(said, true):
    "This averages precision and recall. The second share is: of those that are *not* true, said not to be."
    return ((true[said].double().mean() + said[true].double().mean()) / 2).item()


# %% misconception="detection_score" part="balanced_accuracy"
def recall_alone(said, true):
    "Only the questions that are true were looked at. Who says yes to everything gets them all."
    return said[true].double().mean().item()


# %% misconception="detection_score" part="balanced_accuracy"
def false_alarms_for_the_second_share(said, true):
    "The second share is of those that are not true, but were *said* to be. It should be of those said not to be."
    return ((said[true].double().mean() + said[~true].double().mean()) / 2).item()


# %% misconception="detection_score" part="balanced_accuracy"
def a_missing_kind_counts_as_right(said, true):
    "If all questions are true, or none, one share is 0/0. That is nan: nothing was measured, nobody was right."
    shares = [said[true].double(), (~said[~true]).double()]
    return (sum(share.mean().item() if len(share) else 1.0 for share in shares)) / 2


# %% misconception="detection_score" part="scoring_set"
def shown_windows_are_read(peak, shown, n_bands, per_band, key):
    "Windows that were shown to the explainer are among those read. It fitted its explanation to them."
    return scoring_set(peak, shown[:0], n_bands, per_band, key)


# %% misconception="detection_score" part="scoring_set"
def shown_windows_take_up_room(peak, shown, n_bands, per_band, key):
    "The shown windows were taken out only after the choice, so fewer are read. Take them out before making bands."
    read = scoring_set(peak, shown[:0], n_bands, per_band, key)
    return read[~torch.isin(read, shown)]


# %% misconception="detection_score" part="scoring_set"
def only_the_strongest(peak, shown, n_bands, per_band, key):
    "The on windows are the strongest ones. Take as many from each band, the weak ones too."
    read = scoring_set(peak, shown, n_bands, per_band, key)
    fresh = torch.ones(len(peak), dtype=torch.bool)
    fresh[shown] = False
    count = int((peak[read] > 0).sum())
    strongest = torch.where(fresh, peak, -1.0).argsort(descending=True)[:count]
    return torch.cat([strongest, read[peak[read] == 0]]).sort().values


# %% misconception="detection_score" part="scoring_set"
def bands_of_equal_width(peak, shown, n_bands, per_band, key):
    "The bands have the same *width*, so few windows are in the top ones. They should hold the same *number*."
    fresh = torch.ones(len(peak), dtype=torch.bool)
    fresh[shown] = False
    some = fresh & (peak > 0)
    top = peak[some].max() if some.any() else 1.0
    band = torch.where(some, (peak / top * n_bands).ceil() - 1, -1)
    order = key.argsort()
    on = torch.cat([order[band[order] == which][:per_band] for which in range(n_bands)])
    off = order[(fresh & (peak == 0))[order]][: len(on)]
    return torch.cat([on, off]).sort().values


# %% misconception="detection_score" part="scoring_set"
def as_many_off_as_in_one_band(peak, shown, n_bands, per_band, key):
    "There are `per_band` off windows, as if off were one more band. There should be as many as on windows altogether."
    read = scoring_set(peak, shown, n_bands, per_band, key)
    off = read[peak[read] == 0]
    return torch.cat([read[peak[read] > 0], off[key[off].argsort()][:per_band]]).sort().values


# %% misconception="detection_score" part="scoring_set"
def all_off_windows(peak, shown, n_bands, per_band, key):
    "All off windows are read. There should be as many as on windows: more have to be read, and tell no more."
    read = scoring_set(peak, shown, n_bands, per_band, key)
    fresh = torch.ones(len(peak), dtype=torch.bool)
    fresh[shown] = False
    return torch.cat([read[peak[read] > 0], (fresh & (peak == 0)).nonzero()[:, 0]]).sort().values


# %% misconception="detection_score" part="detection_score"
def token_by_token(acts, says, read):
    "The tokens were scored one by one. Detection asks about windows: on *somewhere* in it, true *somewhere* in it."
    return balanced_accuracy(says[read].flatten(), (acts[read] > 0).flatten())


# %% misconception="detection_score" part="detection_score"
def all_windows_are_scored(acts, says, read):
    "All windows were scored. Only those in `read` count."
    return detection_score(acts, says, torch.arange(len(acts)))


# %% misconception="detection_score" part="detection_score"
def both_at_the_same_token(acts, says, read):
    "The judge's yes was counted only where latent and explanation meet at a token. It doesn't see the activations."
    return balanced_accuracy((says[read] & (acts[read] > 0)).any(dim=1), (acts[read] > 0).any(dim=1))


# %% misconception="detection_score" part="detection_score"
def true_everywhere(acts, says, read):
    "The explanation had to be true of *all* tokens of a window. Somewhere in it is enough."
    return balanced_accuracy(says[read].all(dim=1), (acts[read] > 0).any(dim=1))


# %% misconception="detection_score" part="fuzzing_score"
def all_tokens_are_marked(acts, says, read, key):
    "All tokens were asked about. Two are marked in each: one where the latent is on, one where it is not."
    on = acts[read] > 0
    both = on.any(dim=1) & ~on.all(dim=1)
    return balanced_accuracy(says[read][both].flatten(), on[both].flatten())


# %% misconception="detection_score" part="fuzzing_score"
def the_strongest_token_is_marked(acts, says, read, key):
    "The strongest token was marked. Among those where the latent is on, the key decides, whatever their strength."
    return fuzzing_score(acts, says, read, torch.where(acts > 0, -acts, key))


# %% misconception="detection_score" part="fuzzing_score"
def off_windows_are_marked_too(acts, says, read, key):
    "Tokens of off windows were marked as well. Windows where the latent is on nowhere are left out."
    on, said = acts[read] > 0, says[read]
    keys = key[read]
    answers, right = [], []
    for sort, value in ((on, True), (~on, False)):
        there = sort.any(dim=1)
        place = torch.where(sort, keys, torch.inf).argmin(dim=1)
        answers.append(said.gather(1, place[:, None])[there, 0])
        right.append(torch.full((int(there.sum()),), value))
    return balanced_accuracy(torch.cat(answers), torch.cat(right))


# %% misconception="detection_score" part="fuzzing_score"
def answers_about_the_window(acts, says, read, key):
    "The explanation was asked about the whole window. It has to be true of the marked token."
    return fuzzing_score(acts, says.any(dim=1, keepdim=True).expand_as(says), read, key)


# %% misconception="detection_score" part="fuzzing_score"
def largest_keys(acts, says, read, key):
    "The tokens with the largest keys were marked. It should be those with the smallest."
    return fuzzing_score(acts, says, read, -key)


# %% alternative="detection_score" part="balanced_accuracy"
def by_counting(said, true):
    pairs = list(zip(said.tolist(), true.tolist()))
    shares = []
    for value in (True, False):
        right = [a == b for a, b in pairs if b == value]
        shares.append(sum(right) / len(right) if right else float("nan"))
    return sum(shares) / 2


# %% alternative="detection_score" part="scoring_set"
def with_sorted_lists(peak, shown, n_bands, per_band, key):
    left = set(range(len(peak))) - set(shown.tolist())
    on = sorted((i for i in left if peak[i] > 0), key=lambda i: peak[i].item())
    chosen = []
    for which in range(n_bands):
        band = [i for rank, i in enumerate(on) if rank * n_bands // len(on) == which]
        chosen += sorted(band, key=lambda i: key[i].item())[:per_band]
    off = sorted((i for i in left if peak[i] == 0), key=lambda i: key[i].item())[: len(chosen)]
    return torch.tensor(sorted([*chosen, *off]), dtype=torch.long)


# %% alternative="detection_score" part="detection_score"
def from_the_largest(acts, says, read):
    on = acts.amax(dim=1)[read] > 0
    said = says.sum(dim=1)[read] > 0
    return (((said & on).sum() / on.sum() + (~said & ~on).sum() / (~on).sum()) / 2).item()


# %% alternative="detection_score" part="fuzzing_score"
def window_by_window(acts, says, read, key):
    said, true = [], []
    for window in read.tolist():
        order = key[window].argsort().tolist()
        on = [i for i in order if acts[window, i] > 0]
        off = [i for i in order if not acts[window, i] > 0]
        if on and off:
            said += [says[window, on[0]].item(), says[window, off[0]].item()]
            true += [True, False]
    return balanced_accuracy(torch.tensor(said, dtype=torch.bool), torch.tensor(true, dtype=torch.bool))
