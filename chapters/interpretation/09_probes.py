# %% [markdown]
# # Is a latent better than a mean?
#
# You want to know whether a text is about sport. You have a few hundred words with labels. One way is to train a
# classifier on the activations, another to look for a latent that fires on sport. A third is to take the mean of one
# kind, subtract the mean of the other, and call that a direction. The third takes one line. **Which one is best?**
# Many hoped that it would be the latent.
#
# **At the end of this section** you will be able to find out with how few latents a question can be answered, to put
# the right baselines beside them, and to make that comparison on text that differs from the text you chose on.

# %% setup=1
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize, softplus

from saelab import check, hint, lab, plots, predict

# %% [markdown]
# In the pocket world a text has a *topic* (war, food, …), and several topics make up a *theme*. Neither is written on
# any single word; both follow from all the words so far. The questions are asked where they matter: at tokens after
# which comes a word that the topic chooses. There, `x` are the activations after layer 2, `f` the latents of the
# dictionary, and `y[name]` says of which topic or theme the text is. `train` holds the tokens of one half of the
# sequences, `test` those of the other.

# %%
SITE = "blocks.2.hook_resid_post"
LENGTH = 64
N = 256  # sequences

pocket = lab("pocket")
text = pocket.world.sample(N, LENGTH, seed=1)
tokens = torch.from_numpy(text.tokens)
names = [factor.name for factor in pocket.world.factors if factor.name.startswith(("topic: ", "theme: "))]
labels = torch.from_numpy(text.labels(names))
asked = torch.from_numpy(text.at_work(names)).any(dim=2)  # [sequence, position]
asked[:, 0] = False  # BOS is no text

dictionary = pocket.dictionary(SITE).requires_grad_(False)
x = pocket.activations(SITE, tokens)[asked]
f = dictionary.encode(x)
half = torch.arange(N) < N // 2
train = half[:, None].expand_as(asked)[asked]
test = ~train

# The kind of sentence that a token stands in: a story, or anything else.
is_story = torch.tensor([kind.family.startswith("story") for kind in pocket.world.kinds])
story = is_story[torch.from_numpy(text.kind).long().clamp_min(0)][asked]

every = {name: labels[asked][:, i] for i, name in enumerate(names)}
parts = [side & kind for side in (train, test) for kind in (story, ~story)]
seen_often = [name for name, true in every.items() if min((true & part).sum() for part in parts) >= 12]
most = sorted(seen_often, key=lambda name: -every[name].sum())
topics = [name for name in most if name.startswith("topic")][:4]
themes = [name for name in most if name.startswith("theme")][:5]
y = {name: every[name] for name in topics + themes}
print(f"{len(x)} tokens, {train.sum()} of them for training")
for name, true in y.items():
    print(f"{name:<26} true of {true.float().mean():.0%}")

# %% [markdown]
# ## A probe, and how good it is
#
# A *probe* is a linear classifier on activations. It scores each token with $w\cdot x_t + b$, and it is good if tokens
# where $y$ is true get larger scores than the others. Take all pairs of a true and a false token: the share in which
# the true one has the larger score is called the *AUC*. Equal scores count half. Guessing gives ½, and an AUC below ½
# is a finding, too: the score has the wrong sign. No threshold is needed, and it doesn't matter how rare $y$ is.
#
# Logistic regression finds $w$ and $b$. With $s_t=1$ where $y$ is true and $-1$ elsewhere, it minimises
#
# $$L(w,b)=\frac1T\sum_t\log\bigl(1+e^{-s_t(w\cdot x_t+b)}\bigr)+\frac\rho2\lVert w\rVert^2$$
#
# The second term keeps $w$ small, so that a probe with many numbers doesn't learn a few tokens by heart. It does not
# hold the bias $b$.
#
# ## A probe that may look at $k$ latents
#
# How many latents do you need? Allow the probe only $k$ of them ([Gurnee et al. 2023](https://arxiv.org/abs/2305.01610)
# did this with neurons):
#
# 1. On the training tokens, measure how far apart the latent's two means are, in units of its standard deviation: $g_j
#    = (\overline{f_j}\text{ where true} - \overline{f_j}\text{ where false})\,/\,\sigma_j$. A latent that doesn't vary
#    there has $g_j=0$.
# 2. Take the $k$ latents with the largest $|g_j|$. (A latent that is *off* where $y$ is true tells as much.)
# 3. Put them into units, $z_j=(f_j-\overline{f_j})/\sigma_j$, with mean and deviation of the training tokens. Train the
#    probe on the training tokens. Its AUC is that of $w\cdot z$ on the test tokens.
#
# Choosing is training, too. Whoever chooses the latents on all tokens and tests on some of them has seen the answers.
#
# | case | |
# |---|---|
# | all scores equal | AUC ½ |
# | scores multiplied by 10, or moved by a constant | the same AUC |
# | scores multiplied by −1 | 1 − AUC |
# | no number tells anything ($x=0$) | $w=0$, and $b=\log$ (number true / number false) |
# | a latent multiplied by 10 | the same latents, the same AUC |
# | test labels swapped, true for false | the same latents, 1 − AUC |


# %% exercise="sparse_probe" points=4 minutes=45 difficulty=3 importance=5
def auc(score: Float[Tensor, "token"], y: Bool[Tensor, "token"]) -> float:
    """The share of pairs (true, false) in which the true one has the larger score; equal scores count half.

    nan unless there are both true and false ones.

    >>> auc(torch.tensor([3.0, 1.0, 2.0, 1.0]), torch.tensor([True, True, False, False]))  # 1, 1, 0 and ½ of 4
    0.625
    """
    # BEGIN SOLUTION
    true, false = score[y].contiguous(), score[~y].sort().values
    if not len(true) or not len(false):
        return float("nan")
    below = torch.searchsorted(false, true) + torch.searchsorted(false, true, right=True)
    return below.double().mean().item() / (2 * len(false))
    # END SOLUTION


def logistic_probe(
    x: Float[Tensor, "token feats"], y: Bool[Tensor, "token"], ridge: float
) -> tuple[Float[Tensor, "feats"], Float[Tensor, ""]]:
    """The (w, b) that minimise L(w, b) above, with ridge for ρ. ridge is above 0, and y has both values.

    The gradient of L at the result is 0, up to 0.001.

    >>> w, b = logistic_probe(torch.zeros(4, 2), torch.tensor([True, True, True, False]), ridge=0.1)
    >>> w, b  # log 3
    (tensor([0., 0.]), tensor(1.0986))
    """
    # BEGIN SOLUTION
    X = torch.cat([x, torch.ones_like(x[:, :1])], dim=1).double()  # the last column is for b
    penalty = torch.full_like(X[0], ridge)
    penalty[-1] = 0
    w = torch.zeros_like(X[0])
    for _ in range(30):  # Newton's method
        p = (X @ w).sigmoid()
        gradient = X.T @ (p - y.double()) / len(X) + penalty * w
        hessian = (X.T * (p * (1 - p))) @ X / len(X) + penalty.diag()
        step = torch.linalg.solve(hessian, gradient)
        w = w - step
        if step.norm() < 1e-9:
            break
    return w[:-1].to(x.dtype), w[-1].to(x.dtype)
    # END SOLUTION


def sparse_probe(
    f: Float[Tensor, "token d_sae"],
    y: Bool[Tensor, "token"],
    train: Bool[Tensor, "token"],
    test: Bool[Tensor, "token"],
    k: int,
    ridge: float = 0.01,
) -> tuple[Int[Tensor, "k"], float]:
    """(the k chosen latents, the one with the largest |g| first; the AUC of their probe on the test tokens).

    Steps 1 to 3 above. Tokens in neither train nor test count for nothing. σ may divide by n or by n - 1. k may be as
    large as d_sae; a latent that doesn't vary in training is chosen last and doesn't disturb the others.

    >>> f = torch.tensor([[0.0, 5.0], [0.0, 4.0], [2.0, 5.0], [2.1, 6.0], [0.0, 9.0], [7.0, 3.0]])
    >>> y = torch.tensor([False, False, True, True, False, True])
    >>> train = torch.tensor([True, True, True, True, False, False])
    >>> sparse_probe(f, y, train, ~train, k=1)
    (tensor([0]), 1.0)
    """
    # BEGIN SOLUTION
    mean, deviation = f[train].mean(dim=0), f[train].std(dim=0)
    deviation = torch.where(deviation > 0, deviation, torch.inf)  # a latent that doesn't vary becomes 0
    g = (f[train & y].mean(dim=0) - f[train & ~y].mean(dim=0)) / deviation
    chosen = g.abs().topk(k).indices
    z = (f[:, chosen] - mean[chosen]) / deviation[chosen]
    w, _ = logistic_probe(z[train], y[train], ridge)
    return chosen, auc(z[test] @ w, y[test])
    # END SOLUTION


# %%
check(sparse_probe, auc, logistic_probe)

# %% [markdown] hint=1
# For the AUC: which scores are compared with which? You may sort, or make a table of all pairs. For the probe: what has
# to be zero at the minimum, and which of the numbers does ρ hold? For the third: which tokens may know of the choice?

# %% [markdown] hint=2
# `score[y][:, None] > score[~y]` has a row for each true token and a column for each false one. The loss is
# `softplus(-s * (x @ w + b)).mean() + ridge / 2 * w.square().sum()`; `torch.optim.LBFGS([w, b], max_iter=200,
# line_search_fn="strong_wolfe")` minimises it in one `step(closure)`, or you write Newton's method. `f[train &
# y].mean(dim=0)` is one of the means; what is divided by what?

# %% [markdown] hint=3
# AUC: the mean of `(a > b) + 0.5 * (a == b)` over all pairs. Probe: start at zeros with `requires_grad_()`; the closure
# does `zero_grad`, the loss, `backward`, and returns the loss; what do you return in the end, detached? Sparse probe:
# with `g` [d_sae], `chosen = g.abs().topk(k).indices`, and `z = (f[:, chosen] - mean[chosen]) / deviation[chosen]`. On
# which rows of z do you train, and on which do you take `auc(z[...] @ w, y[...])`?

# %% [markdown]
# Now the question. For each number of latents $k$ let the probe choose its $k$ latents, and beside them, as baselines,
# let it choose $k$ coordinates of the activation itself, and use all of them. How many latents until a theme is
# recognised nearly as well as from the whole activation?

# %%
guess_k = predict(
    "At which k does a probe for a theme come within 0.03 of one on the whole activation?", ..., "latents"
)

# %%
KS = [1, 2, 4, 8, 16]


def mean_auc(acts: Tensor, questions: list[str], k: int, train=train, test=test) -> float:
    """The AUC of k-sparse probes, averaged over some of the questions."""
    found = [sparse_probe(acts, y[name], train, test, k)[1] for name in questions]
    return sum(found) / len(found)


d_model = x.shape[1]
curves = {
    "topics, k latents": [mean_auc(f, topics, k) for k in KS],
    "themes, k latents": [mean_auc(f, themes, k) for k in KS],
    "themes, k coordinates of x": [mean_auc(x, themes, k) for k in KS],
}
whole = {"topics": mean_auc(x, topics, d_model), "themes": mean_auc(x, themes, d_model)}
for name, curve in curves.items():
    print(f"{name:<28}", "  ".join(f"{k}: {value:.3f}" for k, value in zip(KS, curve)))
print(f"all {d_model} coordinates of x: topics {whole['topics']:.3f}, themes {whole['themes']:.3f}")
plots.line(
    KS,
    curves,
    guides={"themes, all of x": whole["themes"]},
    title="What a probe makes of k numbers",
    x_title="k",
    y_title="AUC on test tokens",
    log_x=True,
    markers=True,
)

# %%
enough = next((k for k, value in zip(KS, curves["themes, k latents"]) if value > whole["themes"] - 0.03), max(KS))
guess_k.came_out(enough, within=2)

# %%
# What the text says. Seen: topics .98, themes .74 at one latent, .97 at sixteen; all of x .98.
assert curves["topics, k latents"][0] > curves["themes, k latents"][0] + 0.05
assert curves["themes, k latents"][-1] > curves["themes, k latents"][0] + 0.05
assert whole["themes"] > curves["themes, k latents"][-1] - 0.01

# %% [markdown]
# A topic has a latent of its own, and this one latent does nearly what the whole activation does. A theme doesn't: it
# is spread over the latents of its topics, so a single latent recognises one topic and misses the others, and the curve
# rises until about every topic is on board. Whether a question is answered by one latent depends on how finely the
# dictionary happens to cut. (Its cuts are called *splitting*; they have a section of their own.)
#
# And the probe on all of $x$ is at least as good as any number of latents. That is no accident of a small model.
# [Kantamneni et al. 2025](https://arxiv.org/abs/2502.16681) asked over a hundred questions of large models, with few
# labels, rare classes, wrong labels and shifted text. Adding probes on latents to good baselines did not consistently
# help.
#
# ## On other text
#
# "But the probe has learned this text by heart, and the latents are the model's own concepts, so *they* will carry
# over." A sensible hope, and one can test it. Take training tokens with a trap: where the answer is yes they come from
# stories, and where it is no, from other sentences. So the kind of sentence gives the answer away. Then test on three
# sorts of token: those with the same trap, all of them, and those where it is *reversed*: yes outside of stories, no
# inside.

# %%
guess_trap = predict(
    "Trained with the trap: which has the largest AUC where it is reversed?",
    ...,
    among=["1 latent", "4 latents", "16 latents", "all of x"],
)

# %%
different = {}  # how the probes fare, [same trap, all, reversed]
probes = {"1 latent": (f, 1), "4 latents": (f, 4), "16 latents": (f, 16), "all of x": (x, d_model)}
for name, (acts, k) in probes.items():
    rows = []
    for true in y.values():
        trap = true == story  # yes in stories, no elsewhere
        tests = (test & trap, test, test & ~trap)
        rows.append([sparse_probe(acts, true, train & trap, those, k)[1] for those in tests])
    different[name] = torch.tensor(rows).mean(dim=0)
    same, all_of_them, reversed_trap = different[name]
    print(f"{name:<12} same trap {same:.3f}   all {all_of_them:.3f}   reversed {reversed_trap:.3f}")
plots.bars(
    {name: 1 - row for name, row in different.items()},
    ["same trap", "all tokens", "trap reversed"],
    title="Trained with a trap, tested with and without",
    x_title="test tokens",
    y_title="pairs in the wrong order, 1 − AUC",
)

# %%
guess_trap.came_out(max(different, key=lambda name: different[name][2]))

# %%
# What the text says. Seen: reversed .85, .91, .91, .95; with the same trap .80, .93, .98, .99.
assert different["all of x"][2] > different["4 latents"][2] - 0.01
assert different["16 latents"][0] - different["16 latents"][2] > 0.02
assert different["all of x"][0] - different["all of x"][2] > 0.01

# %% [markdown]
# All of them fall for the trap to some degree, except those that know too little to be tempted. The latents don't carry
# over better than the whole activation. Google DeepMind's team found the same for harmful requests: on text of another
# kind, probes on latents did worse than linear probes on the activations ([Smith et al.
# 2025](https://www.alignmentforum.org/posts/4uXCAJNuPKtKBsi28/negative-results-for-saes-on-downstream-tasks)).
#
# What this does **not** show: that latents are of no use. A probe needs labels, so it finds what you asked for. A
# dictionary was trained without any, and it can show you something that you didn't know to ask. The figures here are
# about the first job only.
#
# ## The baseline that takes one line
#
# An even simpler direction is $d=\overline{x}\text{ where true}-\overline{x}\text{ where false}$: the difference of the
# two means. It needs no optimiser, no ρ, and no dictionary. In the benchmark AxBench ([Wu et al.
# 2025](https://arxiv.org/abs/2501.17148)) it recognised concepts better than latents did. To repeat the comparison in
# small, give all three the same tokens to learn from and the same ones to be tested on:
#
# | | learned on the training tokens | score of a test token |
# |---|---|---|
# | `latent` | which latent has the largest AUC | that latent's activation |
# | `diff_mean` | the difference of the means | $d\cdot x_t$ |
# | `probe` | a probe on all of $x$, by `sparse_probe` | $w\cdot z_t$ |
#
# An AUC doesn't depend on how long a direction is. When you *steer* with it, the length decides everything: below, all
# three get the same.


# %% exercise="compare" points=3 minutes=25 difficulty=2 importance=5
def diff_mean(acts: Float[Tensor, "token d_in"], labels: Bool[Tensor, "token"]) -> Float[Tensor, "d_in"]:
    """The mean activation where the label is true, minus the mean where it is false. Not normalised.

    >>> diff_mean(torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]]), torch.tensor([True, True, False]))
    tensor([ 2., -5.])
    """
    # BEGIN SOLUTION
    return acts[labels].mean(dim=0) - acts[~labels].mean(dim=0)
    # END SOLUTION


def best_latent(f: Float[Tensor, "token d_sae"], labels: Bool[Tensor, "token"]) -> int:
    """The number of the latent whose activation has the largest AUC for the label.

    An AUC near 0 is not a good one here: the latent should fire where the label is true.

    >>> f = torch.tensor([[0.0, 1.0, 9.0], [3.0, 2.0, 9.0], [2.0, 0.0, 0.0], [0.0, 0.0, 8.0]])
    >>> best_latent(f, torch.tensor([True, True, False, False]))
    1
    """
    # BEGIN SOLUTION
    values = [auc(f[:, latent], labels) for latent in range(f.shape[1])]
    return max(range(len(values)), key=values.__getitem__)
    # END SOLUTION


def compare(
    acts: Float[Tensor, "token d_in"],
    f: Float[Tensor, "token d_sae"],
    labels: Bool[Tensor, "token"],
    train: Bool[Tensor, "token"],
    test: Bool[Tensor, "token"],
) -> dict[str, float]:
    """{"latent": …, "diff_mean": …, "probe": …}: their AUCs on the test tokens, all learned on the training tokens.

    The table above says what is learned. Tokens in neither train nor test count for nothing.

    >>> acts = torch.tensor([[0.0, 1.0], [0.0, 2.0], [4.0, 1.0], [5.0, 2.0], [1.0, 0.0], [6.0, 0.0]])
    >>> labels = torch.tensor([False, False, True, True, False, True])
    >>> train = torch.tensor([True, True, True, True, False, False])
    >>> compare(acts, acts, labels, train, ~train)
    {'latent': 1.0, 'diff_mean': 1.0, 'probe': 1.0}
    """
    # BEGIN SOLUTION
    latent = best_latent(f[train], labels[train])
    direction = diff_mean(acts[train], labels[train])
    return {
        "latent": auc(f[test, latent], labels[test]),
        "diff_mean": auc(acts[test] @ direction, labels[test]),
        "probe": sparse_probe(acts, labels, train, test, acts.shape[1])[1],
    }
    # END SOLUTION


# %%
check(compare, diff_mean, best_latent)

# %% [markdown] hint=1
# Which of the three results depends on a choice, and which tokens may that choice see? What does the sign of a
# direction do to an AUC?

# %% [markdown] hint=2
# `acts[train]` and `labels[train]` are all that the first two functions should be given. Your `auc` gives one latent's
# value; there are `f.shape[1]` of them. A probe on all coordinates is `sparse_probe` with which k?

# %% [markdown] hint=3
# `latent = best_latent(f[train], labels[train])`, and its score on the test tokens is `f[test, latent]`. The
# direction's score is `acts[test] @ direction`. `sparse_probe` takes the masks themselves and returns two things; which
# of them do you want?

# %%
guess_latent = predict(
    f"Of {len(y)} questions, in how many does the best latent have a larger AUC than the difference of means?", ...
)

# %%
results = {name: compare(x, f, true, train, test) for name, true in y.items()}
print(f"{'':<26}{'latent':>9}{'diff_mean':>11}{'probe':>8}")
for name, row in results.items():
    print(f"{name:<26}{row['latent']:>9.3f}{row['diff_mean']:>11.3f}{row['probe']:>8.3f}")
latent_better = sum(row["latent"] > row["diff_mean"] for row in results.values())
wrong = {how: [1 - row[how] for row in results.values()] for how in ("latent", "diff_mean", "probe")}
plots.bars(
    wrong,
    [name.partition(": ")[2] for name in results],
    title="How often the wrong token gets the larger score",
    x_title=f"{len(topics)} topics, then {len(themes)} themes",
    y_title="pairs in the wrong order, 1 − AUC",
)

# %%
guess_latent.came_out(latent_better, within=1)

# %%
# What the text says. Seen: means of .83, .97 and .98.
averages = {how: sum(row[how] for row in results.values()) / len(results) for how in ("latent", "diff_mean", "probe")}
print({how: round(value, 3) for how, value in averages.items()})
assert averages["latent"] < averages["diff_mean"] - 0.03
assert averages["probe"] > averages["diff_mean"] - 0.01

# %% [markdown]
# For topics, on the left, the latent makes about as few mistakes as the mean. For themes, for which there is no single
# latent, it makes many more. Over all questions the mean wins, and the probe is a little better still.
#
# ## The same dose
#
# A direction that recognises something may still not *cause* it. So steer: add each direction to the stream at all
# tokens of other text, and look at the forecasts. How much probability do the words of the topic get, and how much
# worse does the model get at its text? All directions are made equally long, a multiple of the stream's own mean
# length.

# %%
TOPIC = topics[0]  # try topics[1], or a theme
DOSES = [0.0, 0.25, 0.5, 1.0, 2.0]  # in units of the mean length of x

true = y[TOPIC]
mean, deviation = x[train].mean(dim=0), x[train].std(dim=0)
w, _ = logistic_probe((x[train] - mean) / deviation, true[train], 0.01)
directions = {
    "latent": dictionary.W_dec[best_latent(f[train], true[train])],
    "diff_mean": diff_mean(x[train], true[train]),
    "probe": w / deviation,  # from units of σ back to those of x
}

# The topic's own words: those that follow at least four times as often as they do under other topics.
following = tokens.roll(-1, dims=1)[asked]
inside = asked.nonzero()[:, 1] < LENGTH - 1  # after the last token of a sequence nothing follows
counts = [torch.bincount(following[side & inside], minlength=len(pocket.tokenizer)) for side in (true, ~true)]
own = (counts[0] >= 3) & (counts[0] / counts[0].sum() > 4 * counts[1] / counts[1].sum())
some = [pocket.tokenizer.decode([i]).strip() for i in own.nonzero()[:6, 0]]
print(f"{TOPIC}: {own.sum()} words, such as {', '.join(some)}")

neutral = tokens[~labels[..., names.index(TOPIC)].any(dim=1)][:24]  # sequences that are never about it
at = asked[~labels[..., names.index(TOPIC)].any(dim=1)][:24, :-1]


@torch.no_grad()
def steered(direction: Tensor, dose: float) -> tuple[float, float]:
    """(probability of the topic's words where the topic chooses the next word, loss on all the text)."""
    push = dose * x.norm(dim=1).mean() * normalize(direction, dim=0)

    def hook(value, hook):
        value = value.clone()
        value[:, 1:] += push  # BOS stays
        return value

    logits = pocket.model.run_with_hooks(neutral, fwd_hooks=[(SITE, hook)], return_type="logits")
    log_p = logits[:, :-1].log_softmax(dim=-1)
    loss = -log_p.gather(-1, neutral[:, 1:, None])[:, 1:].mean()
    return log_p.exp()[..., own].sum(dim=-1)[at].mean().item(), loss.item()


effect, loss = {}, {}
for name, direction in directions.items():
    both = [steered(direction, dose) for dose in DOSES]
    effect[name], loss[name] = [one[0] for one in both], [one[1] for one in both]
    row = [f"{e:.2f} for {cost - loss[name][0]:+.2f}" for e, cost in zip(effect[name], loss[name])]
    print(f"{name:<10}  " + "   ".join(row))
plots.line(
    DOSES,
    effect,
    title=f"Steering towards “{TOPIC}”, equal doses",
    x_title="dose, in lengths of x",
    y_title="probability of its words",
    markers=True,
)

# %%
# What the text says. Seen: at a dose of 1, probabilities of .19, .29 and .25, from .05, for .5 to .8 nats.
assert all(curve[3] > 2 * curve[0] for curve in effect.values()), effect
assert all(curve[4] > curve[0] + 0.5 for curve in loss.values()), loss

# %% [markdown]
# (Each pair in the table is the probability of the topic's words, and the loss that the dose adds on all the text.) All
# three directions steer, at equal doses the mean most. But look at the second number of each pair, too: what pushes
# harder also does more harm, and a large dose ruins the text whatever the direction. A comparison at equal dose is fair
# to the directions. One at equal *harm* would ask something else, and its winner may be another one. And all of it is
# about one topic at one site: change `TOPIC` before you believe the order.
#
# **An experiment of your own.** Labels cost money. Say you have them for a few sequences only. With how few does the
# mean still recognise the topic or theme, and when is a probe with its 128 numbers worse than a mean?

# %%
my_question = themes[-1]
my_sequences = 12  # labelled ones, 4 to 128

guess_few = predict(
    f"“{my_question}” from {my_sequences} sequences: which has the largest AUC?",
    ...,
    among=["latent", "diff_mean", "probe"],
)

# %%
labelled = (torch.arange(N) < my_sequences)[:, None].expand_as(asked)[asked]
true = y[my_question]
print(f"{(labelled & true).sum()} tokens where it is true, {(labelled & ~true).sum()} where it is false")
if (labelled & true).any() and (labelled & ~true).any():
    mine = compare(x, f, true, labelled, test)
    print({how: round(value, 3) for how, value in mine.items()})
    guess_few.came_out(max(mine, key=mine.get))
else:
    print("There is only one kind of token among these: take more sequences.")

# %% [markdown]
# **The same on gpt2-small**, where a hub can be reached. What its text is about nobody has labelled, but some questions
# answer themselves: was there a number among the last eight tokens?

# %%
try:
    gpt2 = lab("gpt2-small")
    gpt2_site = "blocks.8.hook_resid_pre"
    gpt2_tokens = gpt2.tokens(32, 64)
    gpt2_x = gpt2.activations(gpt2_site, gpt2_tokens)[:, 8:].flatten(0, 1)
    gpt2_f = gpt2.dictionary(gpt2_site).encode(gpt2_x).detach()
    digits = torch.tensor([[gpt2.tokenizer.decode([i]).strip().isdigit() for i in row] for row in gpt2_tokens.tolist()])
    recent = digits.unfold(1, 8, 1).any(dim=2)[:, 1:].flatten()  # of position 8 and later
    first_half = torch.arange(len(recent)) < len(recent) // 2
    often = (gpt2_f > 0).float().mean(dim=0).topk(1000).indices
    found = compare(gpt2_x, gpt2_f[:, often], recent, first_half, ~first_half)
    print({how: round(value, 3) for how, value in found.items()})
except FileNotFoundError as error:
    print(f"Skipped: {error}")


# %% misconception="sparse_probe" part="auc"
def equal_scores_count_nothing(score, y):
    "Pairs with equal scores counted nothing. They count half: a score that is the same everywhere has AUC ½."
    return (score[y][:, None] > score[~y]).double().mean().item()


# %% misconception="sparse_probe" part="auc"
def equal_scores_count_as_won(score, y):
    "Pairs with equal scores counted as won. They count half: a score that is the same everywhere has AUC ½."
    return (score[y][:, None] >= score[~y]).double().mean().item()


# %% misconception="sparse_probe" part="auc"
def false_over_true(score, y):
    "This is the share of pairs in which the *false* one has the larger score."
    return 1 - auc(score, y)


# %% misconception="sparse_probe" part="auc"
def never_below_a_half(score, y):
    "An AUC below ½ was turned into one above. It says that the score has the wrong sign, and that is a finding."
    return max(auc(score, y), 1 - auc(score, y))


# %% misconception="sparse_probe" part="auc"
def accuracy_at_zero(score, y):
    "This is the share of tokens on the right side of 0. An AUC has no threshold: it compares true with false tokens."
    if y.all() or not y.any():
        return float("nan")
    return ((score > 0) == y).double().mean().item()


# %% misconception="sparse_probe" part="logistic_probe"
def bias_is_held_too(x, y, ridge):
    "The penalty holds the bias, too. It should hold w alone: how rare y is has nothing to do with overfitting."
    X = torch.cat([x, torch.ones_like(x[:, :1])], dim=1).double()
    w = torch.zeros_like(X[0])
    for _ in range(30):
        p = (X @ w).sigmoid()
        hessian = (X.T * (p * (1 - p))) @ X / len(X) + ridge * torch.eye(len(w))
        w = w - torch.linalg.solve(hessian, X.T @ (p - y.double()) / len(X) + ridge * w)
    return w[:-1].to(x.dtype), w[-1].to(x.dtype)


# %% misconception="sparse_probe" part="logistic_probe"
def sum_for_mean(x, y, ridge):
    "The losses were summed over the tokens, not averaged, so ρ weighs less the more tokens there are."
    return logistic_probe(x, y, ridge / len(x))


# %% misconception="sparse_probe" part="logistic_probe"
def twice_the_penalty(x, y, ridge):
    "The penalty is ρ‖w‖², twice what it should be. Where is the ½?"
    return logistic_probe(x, y, 2 * ridge)


# %% misconception="sparse_probe" part="logistic_probe"
def least_squares(x, y, ridge):
    "This is linear regression: squared distance from ±1. The loss here is the logarithm above."
    X = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    penalty = torch.full_like(X[0], ridge)
    penalty[-1] = 0
    s = torch.where(y, 1.0, -1.0).to(x.dtype)
    w = torch.linalg.solve(X.T @ X / len(X) + penalty.diag(), X.T @ s / len(X))
    return w[:-1], w[-1]


# %% misconception="sparse_probe" part="logistic_probe"
def both_classes_weigh_alike(x, y, ridge):
    "True and false tokens were given the same weight together. Here each token counts once, however rare its kind is."
    X = torch.cat([x, torch.ones_like(x[:, :1])], dim=1).double()
    weight = torch.where(y, 0.5 / y.sum(), 0.5 / (~y).sum()).double()
    penalty = torch.full_like(X[0], ridge)
    penalty[-1] = 0
    w = torch.zeros_like(X[0])
    for _ in range(30):
        p = (X @ w).sigmoid()
        hessian = (X.T * (weight * p * (1 - p))) @ X + penalty.diag()
        w = w - torch.linalg.solve(hessian, X.T @ (weight * (p - y.double())) + penalty * w)
    return w[:-1].to(x.dtype), w[-1].to(x.dtype)


# %% misconception="sparse_probe" part="logistic_probe"
def true_and_false_swapped(x, y, ridge):
    "The signs of w and b are reversed: scores are larger where y is *false*."
    w, b = logistic_probe(x, y, ridge)
    return -w, -b


# %% misconception="sparse_probe"
def chosen_on_all_tokens(f, y, train, test, k, ridge=0.01):
    "The test tokens had a say in which latents were chosen. Choosing is training: look at the training tokens only."
    deviation = f[train | test].std(dim=0)
    g = (f[(train | test) & y].mean(dim=0) - f[(train | test) & ~y].mean(dim=0)) / deviation
    chosen = g.abs().nan_to_num(0.0).topk(k).indices
    return chosen, sparse_probe(f[:, chosen], y, train, test, k, ridge)[1]


# %% misconception="sparse_probe"
def trained_on_all_tokens(f, y, train, test, k, ridge=0.01):
    "The probe was trained on the test tokens as well, so its AUC is no test."
    chosen, _ = sparse_probe(f, y, train, test, k, ridge)
    return chosen, sparse_probe(f[:, chosen], y, train | test, test, k, ridge)[1]


# %% misconception="sparse_probe"
def scored_on_the_training_tokens(f, y, train, test, k, ridge=0.01):
    "The AUC is that of the training tokens. It should come from the test tokens."
    return sparse_probe(f, y, train, train, k, ridge)


# %% misconception="sparse_probe"
def everything_else_is_training(f, y, train, test, k, ridge=0.01):
    "All tokens that are not in test were taken for training. Those in neither mask count for nothing."
    return sparse_probe(f, y, ~test, test, k, ridge)


# %% misconception="sparse_probe"
def everything_else_is_test(f, y, train, test, k, ridge=0.01):
    "All tokens that are not in train were tested. Those in neither mask count for nothing."
    return sparse_probe(f, y, train, ~train, k, ridge)


# %% misconception="sparse_probe"
def only_latents_that_rise(f, y, train, test, k, ridge=0.01):
    "The largest g were chosen, not the largest |g|. A latent that is off where y is true tells as much."
    deviation = f[train].std(dim=0)
    g = (f[train & y].mean(dim=0) - f[train & ~y].mean(dim=0)) / torch.where(deviation > 0, deviation, torch.inf)
    chosen = g.topk(k).indices
    return chosen, sparse_probe(f[:, chosen], y, train, test, k, ridge)[1]


# %% misconception="sparse_probe"
def chosen_in_raw_units(f, y, train, test, k, ridge=0.01):
    "The means were compared in raw units, so latents with a large scale are chosen. Divide by the deviation first."
    g = f[train & y].mean(dim=0) - f[train & ~y].mean(dim=0)
    chosen = g.abs().topk(k).indices
    return chosen, sparse_probe(f[:, chosen], y, train, test, k, ridge)[1]


# %% misconception="sparse_probe"
def auc_never_below_a_half(f, y, train, test, k, ridge=0.01):
    "An AUC below ½ was turned round. The sign was settled in training; a probe that is wrong on new text is wrong."
    chosen, value = sparse_probe(f, y, train, test, k, ridge)
    return chosen, max(value, 1 - value)


# %% alternative="sparse_probe" part="auc"
def from_ranks(score, y):
    if y.all() or not y.any():
        return float("nan")
    values, place, number = score.unique(return_inverse=True, return_counts=True)
    last = number.cumsum(0).double()
    rank = (last - (number - 1) / 2)[place]  # equal scores share the mean of their ranks
    n = y.sum().item()
    return ((rank[y].sum() - n * (n + 1) / 2) / (n * (len(y) - n))).item()


# %% alternative="sparse_probe" part="auc"
def all_pairs(score, y):
    if y.all() or not y.any():
        return float("nan")
    a, b = score[y][:, None], score[~y][None]
    return ((a > b).double() + 0.5 * (a == b).double()).mean().item()


# %% alternative="sparse_probe" part="logistic_probe"
def with_lbfgs(x, y, ridge):
    w = torch.zeros(x.shape[1], dtype=x.dtype, requires_grad=True)
    b = torch.zeros((), dtype=x.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS([w, b], max_iter=200, line_search_fn="strong_wolfe")
    s = torch.where(y, 1.0, -1.0).to(x.dtype)

    def closure():
        optimiser.zero_grad()
        loss = softplus(-s * (x @ w + b)).mean() + ridge / 2 * w.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return w.detach(), b.detach()


# %% alternative="sparse_probe" part="logistic_probe"
def downhill(x, y, ridge):
    X = torch.cat([x, torch.ones_like(x[:, :1])], dim=1).double()
    penalty = torch.full_like(X[0], ridge)
    penalty[-1] = 0
    above = torch.linalg.inv(X.T @ X / (4 * len(X)) + penalty.diag() + 1e-9 * torch.eye(len(penalty)))
    w = torch.zeros_like(X[0])
    for _ in range(2000):  # the curvature is nowhere larger, so every step goes down
        w = w - above @ (X.T @ ((X @ w).sigmoid() - y.double()) / len(X) + penalty * w)
    return w[:-1].to(x.dtype), w[-1].to(x.dtype)


# %% alternative="sparse_probe"
def cut_first(f, y, train, test, k, ridge=0.01):
    ours, theirs = f[train].double(), f[test].double()
    sd = ours.std(dim=0, correction=0)
    z_ours = (ours - ours.mean(dim=0)) / sd.clamp_min(1e-12)
    z_theirs = (theirs - ours.mean(dim=0)) / sd.clamp_min(1e-12) * (sd > 0)
    g = z_ours[y[train]].mean(dim=0) - z_ours[~y[train]].mean(dim=0)
    chosen = g.abs().argsort(descending=True)[:k]
    w, b = logistic_probe(z_ours[:, chosen], y[train], ridge)
    return chosen, auc(z_theirs[:, chosen] @ w + b, y[test])


# %% misconception="compare" part="diff_mean"
def minus_the_mean_of_all(acts, labels):
    "The mean of *all* tokens was subtracted, the true ones included. Subtract the mean of those where it is false."
    return acts[labels].mean(dim=0) - acts.mean(dim=0)


# %% misconception="compare" part="diff_mean"
def false_minus_true(acts, labels):
    "The direction points the other way: true minus false, not false minus true."
    return acts[~labels].mean(dim=0) - acts[labels].mean(dim=0)


# %% misconception="compare" part="diff_mean"
def mean_where_true(acts, labels):
    "This is the mean where the label is true. What all tokens have in common is still in it: subtract the other mean."
    return acts[labels].mean(dim=0)


# %% misconception="compare" part="diff_mean"
def sums_for_means(acts, labels):
    "Sums were subtracted, so the more frequent kind weighs more. Subtract means."
    return acts[labels].sum(dim=0) - acts[~labels].sum(dim=0)


# %% misconception="compare" part="diff_mean"
def made_a_unit_vector(acts, labels):
    "The direction has length 1. Its length tells how far the two means are apart: keep it."
    return normalize(diff_mean(acts, labels), dim=0)


# %% misconception="compare" part="best_latent"
def largest_gap_of_means(f, labels):
    "This latent has the largest difference of means, which depends on its scale. The AUC does not."
    return (f[labels].mean(dim=0) - f[~labels].mean(dim=0)).argmax().item()


# %% misconception="compare" part="best_latent"
def either_way(f, labels):
    "A latent that is off where the label is true was chosen, since its AUC is far from ½. It should be the largest."
    return max(range(f.shape[1]), key=lambda latent: abs(auc(f[:, latent], labels) - 0.5))


# %% misconception="compare" part="best_latent"
def strength_is_ignored(f, labels):
    "Only on or off was looked at. The activation is the score: a latent may be on everywhere, and stronger where true."
    return best_latent((f > 0).to(f.dtype), labels)


# %% misconception="compare" part="best_latent"
def always_off_where_false(f, labels):
    "The latent with the best precision was chosen: it may be on at a single token. The AUC counts missed ones."
    on = (f > 0).double()
    return (on[labels].sum(dim=0) / on.sum(dim=0).clamp_min(1)).argmax().item()


# %% misconception="compare"
def latent_chosen_on_the_test_tokens(acts, f, labels, train, test):
    "The latent was chosen on the tokens it is tested on: among so many, one will look good there by luck."
    latent = best_latent(f[test], labels[test])
    return compare(acts, f, labels, train, test) | {"latent": auc(f[test, latent], labels[test])}


# %% misconception="compare"
def latent_chosen_on_all_tokens(acts, f, labels, train, test):
    "The test tokens had a say in which latent was chosen. It should be chosen on the training tokens alone."
    latent = best_latent(f[train | test], labels[train | test])
    return compare(acts, f, labels, train, test) | {"latent": auc(f[test, latent], labels[test])}


# %% misconception="compare"
def means_of_all_tokens(acts, f, labels, train, test):
    "The test tokens went into the means. Take the difference of means on the training tokens alone."
    direction = diff_mean(acts[train | test], labels[train | test])
    return compare(acts, f, labels, train, test) | {"diff_mean": auc(acts[test] @ direction, labels[test])}


# %% misconception="compare"
def all_scored_in_training(acts, f, labels, train, test):
    "All three AUCs are those of the training tokens. They should come from the test tokens."
    return compare(acts, f, labels, train, train)


# %% misconception="compare"
def neither_counts_as_training(acts, f, labels, train, test):
    "All tokens that are not in test were taken for training. Those in neither mask count for nothing."
    return compare(acts, f, labels, ~test, test)


# %% misconception="compare"
def wrong_sign_is_forgiven(acts, f, labels, train, test):
    "AUCs below ½ were turned round. What was learned in training and is wrong on new text is wrong."
    return {how: max(value, 1 - value) for how, value in compare(acts, f, labels, train, test).items()}


# %% misconception="compare"
def probe_on_latents(acts, f, labels, train, test):
    "The probe was trained on the latents. It is the baseline, and reads the activations."
    return compare(acts, f, labels, train, test) | {"probe": sparse_probe(f, labels, train, test, f.shape[1])[1]}


# %% alternative="compare" part="diff_mean"
def by_weights(acts, labels):
    weight = labels.to(acts.dtype) / labels.sum() - (~labels).to(acts.dtype) / (~labels).sum()
    return weight @ acts


# %% alternative="compare" part="best_latent"
def by_ranks_of_all(f, labels):
    a, b = f[labels][:, None], f[~labels][None]
    return ((a > b).double() + 0.5 * (a == b).double()).mean(dim=(0, 1)).argmax().item()


# %% alternative="compare"
def with_three_scores(acts, f, labels, train, test):
    fit = {"acts": acts[train], "f": f[train], "labels": labels[train]}
    z = (acts - fit["acts"].mean(dim=0)) / fit["acts"].std(dim=0).clamp_min(1e-9)
    w, b = logistic_probe(z[train], fit["labels"], 0.01)
    scores_of = {
        "latent": f[:, best_latent(fit["f"], fit["labels"])],
        "diff_mean": acts @ diff_mean(fit["acts"], fit["labels"]),
        "probe": z @ w + b,
    }
    return {how: auc(score[test], labels[test]) for how, score in scores_of.items()}
