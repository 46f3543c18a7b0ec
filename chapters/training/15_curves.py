# %% [markdown]
# # Which of these runs would you keep?
#
# The capstone took one run apart, for an hour. At work you train thirty, and have ten seconds for each: you look at
# four curves and say "that one is fine" or "that one had too large a learning rate". Here you train eight small
# dictionaries, seven of them ill, and read their curves. Then you write down what you looked at, so exactly that a
# program can do it.
#
# **At the end of this section** you will be able to tell seven ailments of training by four curves, to say by which
# numbers, and to say which mistakes no curve shows.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, plots, predict
from saelab.sae import StandardSAE, train

# %% [markdown]
# ## Eight runs
#
# All eight learn from the same toy: 64 features in 32 dimensions, each on in 10% to 1% of the rows. They differ in one
# setting each, and one is as it should be. Four curves are kept of each run, a point every ten steps:
#
# - the FVU on the *training* batch;
# - the FVU on *held-out* rows, the same 1,000 at every point, so what moves there is the dictionary and not the data;
# - L0, the number of latents on per row;
# - the share of latents that were on in none of the last 40 batches: *dead*.
#
# In all runs the learning rate falls to 0 over the last fifth, and it rises over the first twentieth while the penalty
# rises over the first tenth ([Conerly et al. 2024](https://transformer-circuits.pub/2024/april-update/index.html) do
# so too, the penalty over 5% of the steps). In one of the eight neither rises: both are there from the first step.

# %%
D_IN, D_SAE, STEPS = 32, 96, 351  # a point every 10 steps; without the first, 35 are left

truth = normalize(torch.randn(64, D_IN, generator=torch.Generator().manual_seed(0)), dim=1)
p = torch.logspace(-1.0, -2.0, 64)


def rows(n: int, seed: int) -> Float[Tensor, "n d_in"]:
    g = torch.Generator().manual_seed(seed)
    on = torch.rand(n, 64, generator=g) < p
    return 3.0 * (on * (0.5 + torch.rand(n, 64, generator=g))) @ truth  # with a variance near 1


held_out = rows(1000, seed=10**6)


@torch.no_grad()
def fvu(sae: StandardSAE) -> float:
    variance = (held_out - held_out.mean(dim=0)).square().sum()
    return float((held_out - sae(held_out)).square().sum() / variance)


def run(l1=0.3, lr=0.01, warmup=None, different_batches=None, lowest_bias=0.0) -> dict[str, Tensor]:
    """The four curves of one run [35]; `different_batches`: after so many the data begins again."""
    sae = StandardSAE(D_IN, D_SAE, l1=l1)
    with torch.no_grad():
        sae.b_enc.copy_(lowest_bias * torch.rand(D_SAE, generator=torch.Generator().manual_seed(1)))
    fresh = []
    history = train(
        sae,
        lambda step: rows(64, seed=step % (different_batches or STEPS)),
        STEPS,
        lr=lr,
        warmup=warmup,
        normalise=False,
        dead_after=40,
        log_every=10,
        progress=False,
        watch=lambda history: fresh.append(fvu(sae)),
    )
    curves = {"train": history["fvu"], "held_out": fresh, "l0": history["l0"], "dead": history["dead"]}
    return {name: torch.tensor(curve[1:]) for name, curve in curves.items()}


runs = {
    "A": run(different_batches=2),
    "B": run(lr=0.1),
    "C": run(l1=6.0),
    "D": run(lowest_bias=-8.0),
    "E": run(),
    "F": run(lr=0.0007),
    "G": run(l1=4.0, lr=0.03, warmup=1),
    "H": run(l1=0.01),
}

# %%
steps = torch.arange(10, STEPS, 10)
plots.line(
    steps,
    {name: curves["held_out"] for name, curves in runs.items()},
    title="Eight runs: what is not explained of held-out rows",
    x_title="training step",
    y_title="FVU, held out",
    log_y=True,
)

# %%
plots.line(
    steps,
    {name: curves["held_out"] / curves["train"] for name, curves in runs.items()},
    title="Eight runs: FVU on held-out rows, as a multiple of that on the training batch",
    x_title="training step",
    y_title="FVU held out / FVU in training",
    log_y=True,
)

# %%
plots.line(
    steps,
    {name: curves["l0"] for name, curves in runs.items()},
    title="Eight runs: how many latents are on",
    x_title="training step",
    y_title="L0",
    guides={"d_in": D_IN},
    log_y=True,
)

# %%
plots.line(
    steps,
    {name: curves["dead"] for name, curves in runs.items()},
    title="Eight runs: how many latents are dead",
    x_title="training step",
    y_title="share of latents",
)

# %% [markdown]
# **Which run would you keep?** Take your time: the lowest curve isn't it.

# %%
keep = predict("Which of the eight runs is healthy?", ..., among=list(runs))

# %% [markdown]
# ## What did you look at?
#
# Probably not at single points. A held-out curve wobbles where the steps are large, L0 has spikes, and the last point
# alone can't tell a run that has arrived from one that is still on its way. So cut each curve into five fifths, in the
# order of time, and take the *median* of each: its *level* there, which no spike can move. The last fifth is also the
# one in which the learning rate falls.
#
# Absolute numbers carry over badly. An FVU of 0.05 is excellent at one site and poor at another, and so is an L0 of 20.
# So five of the seven *signs* are ratios of two levels, and the other two are shares already. In the table $H$ is the
# level of the held-out FVU, $T$ that of the FVU in training, $L$ that of L0 and $D$ that of the share of dead latents,
# each in fifth 1 to 5:
#
# | sign | | ill if | the ailment |
# |---|---|---|---|
# | gap | $H_5/T_5$ | above 1.5 | *data ran out* |
# | density | $L_5/d_{in}$ | above 1 | *penalty too weak* |
# | rebound | $L_5/L_1$ | above 1.5 | *penalty too sudden* |
# | late | $H_4/H_3$ | below 0.75 | *too short* |
# | drop | $H_5/H_4$ | below 0.85 | *rate too high* |
# | dead | $D_5$ | above 0.1 | *latents die* |
# | lost | $H_5$ | above 0.5 | *penalty too strong* |
#
# **Before you read on: why does each sign show its ailment?** A *gap* means that the dictionary learned what is true of
# its own rows only. With more latents on than there are dimensions, any input can be written down, whatever the
# directions are: *density*. As a rule L0 starts high and falls; a *rebound* says that it collapsed at once. *Late*
# compares two fifths in which the rate is the same: where the FVU still falls by a quarter, more steps or a larger rate
# are due. If it hovers there and *drops* as soon as the rate falls, the steps were too large to get lower. And where
# more variance is *lost* than kept, with no other sign, the penalty has bought it.
#
# Read the table from the top: **the first sign that is ill gives the name**, and a run without any is *healthy*. The
# order matters, since ailments bring others with them. Too large a rate kills latents, and a run that is too short has
# not lost its variance: it hasn't won it yet. (No measured sign is *exactly* at its limit; if one were, either answer
# would do.)
#
# | levels | drop | |
# |---|---|---|
# | $H$ = 0.20, 0.10, 0.08, 0.08, 0.06 | 0.75 | rate too high |
# | $H$ = 0.80, 0.40, 0.20, 0.10, 0.08 | 0.8 | too short: late is 0.5, and stands above |
# | $H$ = 2.0, 1.0, 0.8, 0.8, 0.6 | 0.75 | rate too high, at any scale |
#
# These limits fit runs like ours; where they fail, you will see below.


# %% exercise="read_curves" points=4 minutes=30 difficulty=2 importance=4
def levels(curve: Float[Tensor, "points"]) -> Float[Tensor, "5"]:
    """The median of each fifth of a curve, in the order of time: points 0 to n/5 − 1 first.

    The number of points is five times an odd number, so each fifth has a point in its middle.

    >>> levels(torch.tensor([9.0, 1.0, 2.0, 3.0, 3.0, 3.0, 5.0, 4.0, 6.0, 7.0, 7.0, 0.0, 1.0, 8.0, 2.0]))
    tensor([2., 3., 5., 7., 2.])
    """
    # BEGIN SOLUTION
    return curve.reshape(5, -1).median(dim=1).values
    # END SOLUTION


def signs(
    train: Float[Tensor, "points"],
    held_out: Float[Tensor, "points"],
    l0: Float[Tensor, "points"],
    dead: Float[Tensor, "points"],
    d_in: int,
) -> Float[Tensor, "7"]:
    """Gap, density, rebound, late, drop, dead and lost of a run, in this order: the middle column of the table.

    `train` and `held_out` are curves of the FVU, `dead` is one of shares. All but `dead` are above 0.

    >>> H, L = torch.tensor([0.8, 0.4, 0.2, 0.1, 0.08]), torch.tensor([8.0, 6.0, 4.0, 4.0, 4.0])
    >>> signs(H / 2, H, L, torch.zeros(5), d_in=16)
    tensor([2.0000, 0.2500, 0.5000, 0.5000, 0.8000, 0.0000, 0.0800])
    """
    # BEGIN SOLUTION
    T, H, L, D = (levels(curve) for curve in (train, held_out, l0, dead))
    return torch.stack([H[4] / T[4], L[4] / d_in, L[4] / L[0], H[3] / H[2], H[4] / H[3], D[4], H[4]])
    # END SOLUTION


def read_curves(
    train: Float[Tensor, "points"],
    held_out: Float[Tensor, "points"],
    l0: Float[Tensor, "points"],
    dead: Float[Tensor, "points"],
    d_in: int,
) -> str:
    """What is wrong with a run: the name in the table of the first sign that is ill, or "healthy".

    The names are "data ran out", "penalty too weak", "penalty too sudden", "too short", "rate too high",
    "latents die", "penalty too strong".

    >>> H, L = torch.tensor([0.8, 0.4, 0.2, 0.1, 0.08]), torch.tensor([8.0, 6.0, 4.0, 4.0, 4.0])
    >>> read_curves(H, H, L, torch.zeros(5), d_in=16)
    'too short'
    """
    # BEGIN SOLUTION
    gap, density, rebound, late, drop, dead_at_the_end, lost = signs(train, held_out, l0, dead, d_in).tolist()
    ill = {
        "data ran out": gap > 1.5,
        "penalty too weak": density > 1,
        "penalty too sudden": rebound > 1.5,
        "too short": late < 0.75,
        "rate too high": drop < 0.85,
        "latents die": dead_at_the_end > 0.1,
        "penalty too strong": lost > 0.5,
        "healthy": True,
    }
    return next(name for name, is_so in ill.items() if is_so)
    # END SOLUTION


# %%
check(read_curves, signs, levels)

# %% [markdown] hint=1
# Which points belong to the first fifth of a curve of 35? What has a median that a mean hasn't, if one of the seven is
# a spike? Then: which of the four curves does each sign need, and which fifth of it?

# %% [markdown] hint=2
# `curve.reshape(5, -1)` has one fifth per row. Compute the levels of all four curves first; counted from 0, the third
# fifth is number 2 and the last is number 4. Python's `if … return` one after another stops at the first that holds.

# %% [markdown] hint=3
# `levels` is a median over `dim=1` of the reshaped curve (`.values` gives the numbers). With `T, H, L, D` for the four
# levels, `signs` is `torch.stack([H[4] / T[4], L[4] / d_in, …])`, which leaves five entries to you. `read_curves`
# begins `gap, density, rebound, late, drop, dead_share, lost = signs(…).tolist()` and `if gap > 1.5: return "data ran
# out"`; six questions like it are left, and the last line.

# %%
# The eight runs, read. Each of the seven was given one wrong setting.
given = {
    "A": "data ran out",
    "B": "rate too high",
    "C": "penalty too strong",
    "D": "latents die",
    "E": "healthy",
    "F": "too short",
    "G": "penalty too sudden",
    "H": "penalty too weak",
}
print("      gap  density  rebound  late  drop  dead  lost")
for name, curves in runs.items():
    found = read_curves(**curves, d_in=D_IN)
    row = "  ".join(f"{value:5.2f}" for value in signs(**curves, d_in=D_IN).tolist())
    print(f"{name}  {row}   {found}")
    assert found == given[name], (name, found)
keep.came_out("E")

# %% [markdown]
# H has the lowest FVU of all, 0.02, and is not sparse: 40 latents are on, to describe 32 numbers. Look at G: three of
# its signs are ill, and only the first of them gave the name. Would the usual time to rise have cured all three?

# %%
gently = run(l1=4.0, lr=0.03)
for name, curves in {"G": runs["G"], "G with a warm-up": gently}.items():
    row = "  ".join(f"{value:5.2f}" for value in signs(**curves, d_in=D_IN).tolist())
    print(f"{name:17} {row}   {read_curves(**curves, d_in=D_IN)}")
before, after = (signs(**curves, d_in=D_IN) for curves in (runs["G"], gently))
assert before[2] > 2 and after[2] < 1 and after[5] > 0.1

# %% [markdown]
# The rebound is gone and the variance is just on the right side of its limit, but as many latents are dead as before:
# they died of something else. The first name tells you where to begin, not that there is nothing more.
#
# ## Your own run
#
# Choose settings, say what `read_curves` will call them, and only then train. Can you find a run that is worse than E
# and still called healthy?

# %%
settings = {"l1": 1.0, "lr": 0.003}  # also warmup=…, different_batches=…, lowest_bias=…
mine = predict(f"What will the run with {settings} be called?", ..., among=sorted(given.values()))

# %%
mine.came_out(read_curves(**run(**settings), d_in=D_IN))

# %% [markdown]
# ## What curves don't show
#
# Seven ailments have been told apart by four curves, without a look at a single latent. But all of them spoil the
# *training*. Whether the dictionary is *true* is another matter: those of section 12 with a wrong $k$ trained without a
# complaint. Text that was never shuffled, a hook at the wrong layer, activations at `<bos>`: the curves of the diary in
# section 13 went down, too.
#
# The limits are rules of thumb of this course, for runs in which the rate falls at the end and L0 is free. With TopK,
# L0 is fixed, so density and rebound say nothing. With a constant rate there is no drop. And two runs of the same
# settings differ: from two other random starts E's *late* was 0.85 instead of 0.96. At work, take the limits from runs
# of your own that you know to be good. What carries over is which curves to hold against each other.


# %% misconception="read_curves" part="levels"
def last_point_of_each_fifth(curve):
    "Each fifth was judged by its last point. One wild batch then decides: take the median of all its points."
    return curve.reshape(5, -1)[:, -1]


# %% misconception="read_curves" part="levels"
def mean_for_median(curve):
    "The mean of each fifth came back. One spike moves it as far as it likes; the median stays where most points are."
    return curve.reshape(5, -1).mean(dim=1)


# %% misconception="read_curves" part="levels"
def every_fifth_point(curve):
    "These are the medians of every fifth point, which mix the whole run. A fifth is a stretch of time: n/5 in a row."
    return curve.reshape(-1, 5).median(dim=0).values


# %% misconception="read_curves" part="levels"
def half_of_the_range(curve):
    "The middle between the lowest and the highest point isn't the median: half of the points lie on each side of that."
    parts = curve.reshape(5, -1)
    return (parts.amin(dim=1) + parts.amax(dim=1)) / 2


# %% misconception="read_curves" part="signs"
def gap_upside_down(train, held_out, l0, dead, d_in):
    "The gap is the training FVU over the held-out one. Held-out rows are the harder ones: they stand above the line."
    found = signs(train, held_out, l0, dead, d_in)
    return torch.cat([1 / found[:1], found[1:]])


# %% misconception="read_curves" part="signs"
def judged_on_training_batches(train, held_out, l0, dead, d_in):
    "Late, drop and lost were read off the training curve. It flatters a run whose data ran out: use the held-out one."
    found = signs(train, held_out, l0, dead, d_in)
    return torch.cat([found[:3], signs(train, train, l0, dead, d_in)[3:5], found[5:6], levels(train)[4:]])


# %% misconception="read_curves" part="signs"
def differences_for_ratios(train, held_out, l0, dead, d_in):
    "Levels were subtracted. Differences grow and shrink with the scale of the curve; divide one level by the other."
    T, H, L, D = (levels(curve) for curve in (train, held_out, l0, dead))
    return torch.stack([H[4] - T[4], L[4] / d_in, L[4] - L[0], H[3] - H[2], H[4] - H[3], D[4], H[4]])


# %% misconception="read_curves" part="signs"
def ratios_upside_down(train, held_out, l0, dead, d_in):
    "Rebound, late and drop have the earlier fifth above the line. They say what is left: the later one goes there."
    found = signs(train, held_out, l0, dead, d_in)
    return torch.cat([found[:2], 1 / found[2:5], found[5:]])


# %% misconception="read_curves" part="signs"
def dead_at_the_worst(train, held_out, l0, dead, d_in):
    "The *highest* level of the dead share was taken. Latents that died and woke are no ailment: take the last."
    found = signs(train, held_out, l0, dead, d_in)
    return torch.cat([found[:5], levels(dead).amax()[None], found[6:]])


# %% misconception="read_curves" part="signs"
def rebound_from_the_lowest(train, held_out, l0, dead, d_in):
    "Rebound is measured from the lowest fifth. A collapse at the start is meant: the last level over the *first*."
    found = signs(train, held_out, l0, dead, d_in)
    return torch.cat([found[:2], (levels(l0)[4] / levels(l0).amin())[None], found[3:]])


# %% misconception="read_curves" part="signs"
def density_without_the_dimensions(train, held_out, l0, dead, d_in):
    "The density is L0 itself. Twenty latents are many in 16 dimensions and few in 2,304: divide by d_in."
    found = signs(train, held_out, l0, dead, d_in)
    return torch.cat([found[:1], found[1:2] * d_in, found[2:]])


# %% misconception="read_curves" part="signs"
def one_fifth_too_early(train, held_out, l0, dead, d_in):
    "Late compares the second and the third fifth, drop the third and the fourth. Counted from 0, the last is number 4."
    found, H = signs(train, held_out, l0, dead, d_in), levels(held_out)
    return torch.cat([found[:3], H[2:4] / H[1:3], found[5:]])


# %% misconception="read_curves"
def symptoms_first(train, held_out, l0, dead, d_in):
    "The table is read from the bottom, symptoms before their causes. The *first* sign that is ill gives the name."
    gap, density, rebound, late, drop, share, lost = signs(train, held_out, l0, dead, d_in).tolist()
    ill = {
        "penalty too strong": lost > 0.5,
        "latents die": share > 0.1,
        "rate too high": drop < 0.85,
        "too short": late < 0.75,
        "penalty too sudden": rebound > 1.5,
        "penalty too weak": density > 1,
        "data ran out": gap > 1.5,
    }
    return next((name for name, is_so in ill.items() if is_so), "healthy")


# %% misconception="read_curves"
def any_rise_is_ill(train, held_out, l0, dead, d_in):
    'A run without an ill sign got a name. Curves wobble, and a level may rise a little: such a run is "healthy".'
    name, found = read_curves(train, held_out, l0, dead, d_in), signs(train, held_out, l0, dead, d_in)
    return "rate too high" if name == "healthy" and found[3:5].max() > 1 else name


# %% alternative="read_curves" part="levels"
def sorted_slices(curve):
    n = len(curve) // 5
    return torch.stack([sorted(curve[i * n : (i + 1) * n])[n // 2] for i in range(5)])


# %% alternative="read_curves" part="levels"
def quantiles_of_chunks(curve):
    return torch.stack([part.double().quantile(0.5) for part in curve.chunk(5)]).to(curve.dtype)


# %% alternative="read_curves" part="signs"
def middle_points(train, held_out, l0, dead, d_in):
    n = len(train) // 5
    third, fourth, last = (sorted(held_out[i * n : (i + 1) * n].tolist())[n // 2] for i in (2, 3, 4))
    on, first = float(l0[4 * n :].median()), float(l0[:n].median())
    gap, share = last / float(train[-n:].median()), float(dead[-n:].median())
    numbers = [gap, on / d_in, on / first, fourth / third, last / fourth, share, last]
    return torch.tensor(numbers, dtype=train.dtype)


# %% alternative="read_curves" part="signs"
def all_levels_at_once(train, held_out, l0, dead, d_in):
    T, H, L, D = torch.stack([train, held_out, l0, dead]).unflatten(1, (5, -1)).quantile(0.5, dim=2)
    return torch.cat([H[4:] / T[4:], L[4:] / d_in, L[4:] / L[:1], H[3:] / H[2:4], D[4:], H[4:]])


# %% alternative="read_curves"
def one_question_after_another(train, held_out, l0, dead, d_in):
    s = signs(train, held_out, l0, dead, d_in)
    if s[0] >= 1.5:
        return "data ran out"
    if s[1] >= 1:
        return "penalty too weak"
    if s[2] >= 1.5:
        return "penalty too sudden"
    if s[3] <= 0.75:
        return "too short"
    if s[4] <= 0.85:
        return "rate too high"
    if s[5] >= 0.1:
        return "latents die"
    return "penalty too strong" if s[6] >= 0.5 else "healthy"


# %% alternative="read_curves"
def how_far_over_the_limit(train, held_out, l0, dead, d_in):
    limits = torch.tensor([1.5, 1.0, 1.5, 0.75, 0.85, 0.1, 0.5], dtype=train.dtype)
    over = signs(train, held_out, l0, dead, d_in) > limits
    over[3:5] = ~over[3:5]
    names = ["data ran out", "penalty too weak", "penalty too sudden", "too short", "rate too high", "latents die"]
    names += ["penalty too strong", "healthy"]
    return names[over.tolist().index(True)] if over.any() else names[-1]
