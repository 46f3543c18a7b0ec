# %% [markdown]
# # Is it any good?
#
# In the toy of section 3 you compared what you had found with what was there. A model's activations come without an
# answer key, and any dictionary has a loss that falls. Which would you keep? Here you score dictionaries by what they
# reconstruct, by where they point, and by the truth about the text. (The next section asks what the model can still do
# with them.) Beside them always stand two nulls that *should* do badly: random directions, and a dictionary of a model
# that never learned anything.
#
# **At the end of this section** you will be able to score a dictionary by L0, FVU, MCC and F1, to say what each of them
# divides by what, and to put the null beside it without which it says little.

# %% setup=1
import torch
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

from saelab import check, hint, lab, plots, predict, sae, scores

# %% [markdown]
# Two dictionaries are trained here, one on the pocket model and one on its twin with random weights. (They are of a
# kind that has a fixed number of latents on instead of a price for them, BatchTopK, the subject of section 7. For what
# follows any kind would do.) The text that they are scored on is new to both. Position 0 is BOS and no text: `mask`
# leaves it out.

# %%
# Two trainings, each with a bar: about 50 seconds.
SITE = "blocks.1.hook_resid_post"
K = 12  # latents on per token
D_SAE = 768
STEPS = 400

pocket = lab("pocket")
twin = pocket.control("random_weights")
text = pocket.world.sample(80, 128, seed=1)
tokens = torch.from_numpy(text.tokens)
mask = torch.ones_like(tokens, dtype=torch.bool)
mask[:, 0] = False


def harvest(model_lab) -> Float[Tensor, "rows 128"]:
    """Activations of 320 other sequences at SITE, without BOS."""
    parts = [model_lab.activations(SITE, rows)[:, 1:] for rows in pocket.tokens(320, 128).split(64)]
    return torch.cat(parts).flatten(0, 1)


torch.manual_seed(0)
dictionaries, acts, curves = {}, {}, {}
for name, each in {"pocket model": pocket, "random weights": twin}.items():
    x = harvest(each)
    batches = x[torch.randint(len(x), (STEPS, 1024))]
    dictionary = sae.BatchTopKSAE(128, D_SAE, k=K)
    history = sae.train(dictionary, batches.__getitem__, STEPS)
    dictionaries[name] = dictionary.requires_grad_(False)
    acts[name] = each.activations(SITE, tokens)
    curves[name] = history["fvu"]
dictionaries["random directions"] = scores.random_dictionary(harvest(pocket), K, D_SAE)
acts["random directions"] = acts["pocket model"]  # random directions in what the real model does
plots.line(
    history.steps,
    curves,
    title="Two dictionaries while they are trained",
    x_title="training step",
    y_title="FVU of a batch",
    log_y=True,
)

# %% [markdown]
# ## What is there to find?
#
# The two curves can't tell a model that learned from one that didn't. The truth about the text can. A *factor* is a
# feature of the pocket world's text: something that is true or false of each token, such as "this is a place", "the
# sentence is about a woman" or "a number comes next". The world writes the text, so it knows all of them. They are of
# four kinds:
#
# | kind of factor | what settles it | example |
# |---|---|---|
# | token | the token itself | class: place |
# | token in context | the token and some others of its sentence | gender: woman |
# | context | the text before | topic: castle |
# | predictive | what can come next | next: number |
#
# `text.truth()` gives `labels` [tokens, factors], which factor is true of which token, and `asked`, of the same shape.
# Why the second? A factor can be true for a whole sentence and matter in one place. That a woman is spoken of decides
# the next token where a pronoun is due: there the factor is *at work*, and a model that reads well must have it at
# hand. Elsewhere in the sentence the model may leave it alone. A latent that is off there hasn't failed, and one that
# is on hasn't either. So where a factor is true but not at work, nothing is asked. Where it is false, a latent has to
# be off, and that is always asked.

# %%
FACTOR, SEQUENCE, LENGTH = "gender: woman", 3, 13  # look at other factors, and further into the text

truth = text.truth(1e-3)  # factors that are true of at least one token in a thousand
labels, asked = torch.from_numpy(truth.labels), torch.from_numpy(truth.asked)
column = truth.names.index(FACTOR)
true_there = labels[:, column].view(80, 127)[SEQUENCE]
asked_there = asked[:, column].view(80, 127)[SEQUENCE]
words = pocket.tokenizer.convert_ids_to_tokens(text.tokens[SEQUENCE, 1:].tolist())
marked = []
for word, is_true, is_asked in zip(words[:LENGTH], true_there, asked_there):
    if is_true and is_asked:
        marked.append(f"[{word.strip()}]")
    elif is_true:
        marked.append(f"({word.strip()})")
    else:
        marked.append(word.strip())
print(f"{FACTOR}, true and asked in brackets, true and not asked in parentheses:")
print(" ".join(marked))
share = (labels & ~asked).sum() / labels.sum()
print(f"{len(truth.factors)} factors; {share:.0%} of what is true is not asked")

# %% [markdown]
# ## Which numbers tell you?
#
# Three questions, one function each. **Does it reconstruct, and sparsely?** Let $t$ run over the tokens that count, and
# let $\mu$ be the mean of $x_t$ over them. The *fraction of variance unexplained* is one ratio of two sums,
#
# $$\text{FVU} = \frac{\sum_t\lVert x_t-\hat x_t\rVert^2}{\sum_t\lVert x_t-\mu\rVert^2}$$
#
# A latent is *on* where $f>0$. $L_0$ is the mean number of latents on at a token, a latent's *frequency* the fraction
# of tokens at which it is on, and a latent that is on nowhere is *dead*. Say all dimensions have the same error, but a
# few vary much more than the others, as in residual streams. **Which is larger, FVU, or the mean of the same ratio
# taken dimension by dimension?**
#
# **Does it point the right way?** Where the true directions are known, give each feature one latent, and no latent to
# two features, so that the sum of the cosines is as large as possible. Their mean is the MCC . The sign counts:
# $f$ is never negative, so a latent that points backwards can't write its feature.
#
# **Does it fire at the right time?** Let $f_i>0$ mean *yes* to a factor, and let TP of these answers be true:
#
# $$F_1 = \frac{2\,\text{TP}}{\text{tokens where it is on} + \text{tokens where the factor is true}}$$
#
# | case | |
# |---|---|
# | $\hat x=x$, $\hat x=\mu$, $\hat x=2\mu-x$ | FVU 0, 1, 4 |
# | variances 9 and 1, a squared error of 1 in both dimensions | FVU 2/10; the mean of the two ratios would be 5/9 |
# | the true directions in another order, longer or shorter | MCC 1 |
# | orthogonal directions, each turned round | MCC 0: pairs at right angles beat pairs at $-1$ |
# | a latent that is always on, a factor true of a share $p$ of the tokens | $F_1=2p/(1+p)$ |
# | a dead latent | $F_1=0$ |


# %% exercise="evaluate" points=4 minutes=40 difficulty=3 importance=5
def evaluate(
    x: Float[Tensor, "batch pos d_in"],
    x_hat: Float[Tensor, "batch pos d_in"],
    f: Float[Tensor, "batch pos d_sae"],
    mask: Bool[Tensor, "batch pos"],
) -> tuple[float, float, float, Float[Tensor, "d_sae"]]:
    """(L0, FVU, fraction of latents that are dead, frequency of each latent) over the tokens whose mask is True.

    A latent is on where f > 0. FVU is one ratio of two sums over tokens and dimensions, about the mean of x over the
    same tokens. Frequency is a fraction of these tokens. At least two tokens count, and x is not the same at all.

    >>> x, x_hat = torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[[1.0], [2.0], [0.0]]])
    >>> f = torch.tensor([[[1.0, 0.0], [0.5, -2.0], [0.0, 4.0]]])
    >>> evaluate(x, x_hat, f, torch.tensor([[True, True, False]]))  # the last token is padding
    (1.0, 0.5, 0.5, tensor([1., 0.]))
    """
    # BEGIN SOLUTION
    x, x_hat, on = x[mask], x_hat[mask], (f[mask] > 0).to(f.dtype)  # token d_in, token d_in, token d_sae
    fvu = (x - x_hat).square().sum() / (x - x.mean(dim=0)).square().sum()
    dead = (on.sum(dim=0) == 0).double().mean()
    return on.sum(dim=1).mean().item(), fvu.item(), dead.item(), on.mean(dim=0)
    # END SOLUTION


def mcc(W_dec: Float[Tensor, "d_sae d_in"], truth: Float[Tensor, "feats d_in"]) -> float:
    """Mean over the features of the signed cosine with the latent that a one-to-one matching gives to each.

    Rows are directions, of any length; a row of zeros in W_dec has cosine 0 with everything. min(d_sae, feats) pairs
    are made, no row in two of them, so that the sum of their cosines is the largest possible, and a feature that is
    left without a latent counts 0. `linear_sum_assignment(C, maximize=True)` gives the rows and columns of C matched.

    >>> round(mcc(torch.tensor([[0.0, 2.0], [0.6, 0.8]]), torch.eye(2)), 4)  # cosines 0.6 and 1
    0.8
    """
    # BEGIN SOLUTION
    cosines = normalize(truth, dim=1) @ normalize(W_dec, dim=1).T  # feats d_sae
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return cosines[rows, columns].sum().item() / len(truth)
    # END SOLUTION


def best_f1(f: Float[Tensor, "token d_sae"], labels: Bool[Tensor, "token factor"]) -> Float[Tensor, "factor"]:
    """F1 of the best latent for each factor, where f > 0 means yes; nan for a factor that is never true.

    A latent that is never on when the factor is true, dead or not, has F1 0.

    >>> f = torch.tensor([[0.3, 1.0], [0.0, 2.0], [0.0, 3.0]])
    >>> best_f1(f, torch.tensor([[True], [False], [True]]))  # the latents have 2/3 and 4/5
    tensor([0.8000])
    """
    # BEGIN SOLUTION
    yes, true = (f > 0).to(f.dtype), labels.to(f.dtype)
    f1 = 2 * (yes.T @ true) / (yes.sum(dim=0)[:, None] + true.sum(dim=0))  # d_sae factor
    return f1.amax(dim=0).masked_fill(~labels.any(dim=0), torch.nan)
    # END SOLUTION


# %%
check(evaluate, mcc, best_f1)

# %% [markdown] hint=1
# First throw away the tokens that don't count: what is the shape of `x[mask]`? Then ask of every mean what is summed,
# and what it is divided by. For MCC and F1: can one matrix product treat all pairs at once?

# %% [markdown] hint=2
# After `x[mask]` the rows are tokens, so $\mu$ is `x.mean(dim=0)`, and FVU is a `.square().sum()` over another. Cosines
# need rows of length 1 on both sides (`normalize` leaves a row of zeros alone). The number of tokens at which latent
# $i$ is on and factor $j$ is true is a sum of products of zeros and ones.

# %% [markdown] hint=3
# With `on = f[mask] > 0`, L0 and frequency are two sums of it, one per token, one per latent; what is each divided by,
# and where is a latent dead? MCC needs the entries of `normalize(truth, dim=1) @ normalize(W_dec, dim=1).T` that the
# matching chose: what is their sum divided by when a feature has no latent? The F1 of all pairs is
# `2 * (yes.T @ true) / (yes.sum(dim=0)[:, None] + true.sum(dim=0))`. Over which axis is the best one taken, and where
# is the result nan?

# %%
guess_board = predict(
    "Mean F1 of the best latents over all factors, on held-out text: whose dictionary has the highest?",
    ...,
    among=["pocket model", "random weights", "random directions"],
)

# %%
# The scoreboard. `scores.factor_f1` also looks for a threshold per latent, on one half of the tokens, and is graded on
# the other half. The true directions are not known here, so mean(x where the factor is true) - mean(x elsewhere) stands
# in for them in MCC.
kinds = ["token", "token in context", "context", "predictive"]
of_kind = {kind: torch.tensor([factor.kind == kind for factor in truth.factors]) for kind in kinds}
board, held_out = {}, {}
print(f"{'':18}   L0    FVU   dead    MCC   F1 at 0   F1 held out")
for name, dictionary in dictionaries.items():
    x = acts[name]
    f = dictionary.encode(x)
    l0, fvu, dead, _ = evaluate(x, dictionary.decode(f), f, mask)
    quality = scores.quality(dictionary, x[mask])  # the package's own: the same up to float32 sums
    assert abs(l0 - quality.l0) < 1e-3 and abs(fvu - quality.fvu) < 1e-3, (l0, fvu, quality)
    directions = scores.mean_differences(x[mask], labels, asked)
    match = mcc(dictionary.W_dec, directions[directions.isfinite().all(dim=1)])
    at_zero = best_f1(f[mask], labels).nanmean().item()
    f1 = scores.factor_f1(f[mask], labels, mask=asked).f1
    held_out[name] = [f1[of_kind[kind]].nanmean().item() for kind in kinds]
    board[name] = {"F1 at 0": at_zero, "F1 held out": f1.nanmean().item()}
    print(f"{name:<18} {l0:>4.1f}   {fvu:.2f}   {dead:.2f}   {match:.2f}   {at_zero:>7.2f}   {f1.nanmean():>11.2f}")
print("F1 held out by kind")
for name, means in held_out.items():
    print(f"{name:<18}", "   ".join(f"{kind} {mean:.2f}" for kind, mean in zip(kinds, means)))
plots.bars(
    held_out,
    kinds,
    title="How well the best latent of each factor detects it",
    x_title="kind of factor",
    y_title="mean F1 on held-out text",
)

# %%
guess_board.came_out(max(board, key=lambda name: board[name]["F1 held out"]))

# %%
# What the text says of these settings.
ours, control, chance = (held_out[name] for name in ("pocket model", "random weights", "random directions"))
assert board["random weights"]["F1 held out"] > board["pocket model"]["F1 held out"] + 0.05
assert board["pocket model"]["F1 at 0"] > board["random weights"]["F1 at 0"]
assert control[0] > ours[0] + 0.1
assert ours[2] > control[2] + 0.2 and ours[2] > chance[2] + 0.2  # margins seen: about 0.4 and 0.3
assert chance[1] > control[1] + 0.05 and chance[2] > control[2] + 0.05

# %% [markdown]
# Both trained dictionaries reconstruct equally well, and the mean F1 on held-out text even *favours* random weights.
# Most factors are about the token itself, and a model that learned nothing hands the token's embedding on with little
# added to it. (F1 at 0 favours the pocket model. One mean hides too much.) Only the bars tell the models apart. What
# the model works out from the context, its dictionary detects with an F1 near 0.5.
#
# How much of that would come by chance? That depends on the null. The twin's dictionary has 0.09 there, but it looks at
# activations in which the context is hardly present. *Random directions in the real model's activations* reach 0.18:
# the information is in the activations, and some direction always happens to point its way. So 0.18 is the null of the
# dictionary, and 0.09 that of the model. (With predictive factors the two nulls are nearer to the dictionary, since
# what comes next depends on the token just read.) A figure without its null says little.
#
# Four cautions. The pocket dictionary trained for seconds, and could be better. F1 at 0 is low because a latent also
# fires faintly where its factor is false, and flattering because each latent is chosen on the tokens it is graded on.
# The MCC is that of stand-ins, and random directions come to a quarter. And *dead* means off on these 10,160 tokens: on
# more tokens fewer latents are. Whether features were found, FVU can't say: section 12.


# %% misconception="evaluate"
def mean_of_ratios_over_dimensions(x, x_hat, f, mask):
    "FVU is a mean of one ratio per dimension, so one that hardly varies counts as much as any. Sum first, then divide."
    l0, _, dead, frequency = evaluate(x, x_hat, f, mask)
    x, x_hat = x[mask], x_hat[mask]
    return l0, ((x - x_hat) ** 2).sum(0).div(((x - x.mean(0)) ** 2).sum(0)).mean(), dead, frequency


# %% misconception="evaluate"
def mean_of_ratios_over_sequences(x, x_hat, f, mask):
    "Each sequence was scored alone and the scores averaged: short ones weigh too much. Sum over all, divide once."
    alone = [evaluate(*(part[i : i + 1] for part in (x, x_hat, f, mask))) for i in range(len(x))]
    return tuple(sum(score) / len(x) for score in zip(*alone))


# %% misconception="evaluate"
def variance_about_zero(x, x_hat, f, mask):
    "Below the line stands Σ‖x‖², the variance about 0. A large mean then makes any dictionary look good: subtract μ."
    l0, _, dead, frequency = evaluate(x, x_hat, f, mask)
    return l0, (x - x_hat)[mask].square().sum() / x[mask].square().sum(), dead, frequency


# %% misconception="evaluate"
def padding_counts(x, x_hat, f, mask):
    "Tokens whose mask is False were counted. They are padding or BOS: take `x[mask]`, and the same of x_hat and f."
    return evaluate(x, x_hat, f, torch.ones_like(mask))


# %% misconception="evaluate"
def negatives_are_on(x, x_hat, f, mask):
    "A latent was counted as on where f is not 0. On means f > 0."
    return evaluate(x, x_hat, f.abs(), mask)


# %% misconception="evaluate"
def faint_latents_are_off(x, x_hat, f, mask):
    "Faint latents count as off. On means f > 0: any other threshold means something else as soon as x is rescaled."
    return evaluate(x, x_hat, f - 0.2, mask)


# %% misconception="evaluate"
def numbers_for_fractions(x, x_hat, f, mask):
    "Dead latents and firings are numbers here, which grow with d_sae and with the tokens. Give fractions of them."
    l0, fvu, dead, frequency = evaluate(x, x_hat, f, mask)
    return l0, fvu, dead * f.shape[-1], frequency * mask.sum()


# %% misconception="evaluate" part="mcc"
def a_latent_matched_twice(W_dec, truth):
    "Each feature took its best latent, so one latent may serve several. A matching gives every latent away once."
    return (normalize(truth, dim=1) @ normalize(W_dec, dim=1).T).amax(dim=1).mean()


# %% misconception="evaluate"
def mean_error_forgiven(x, x_hat, f, mask):
    "Above the line the mean error was subtracted, as `var` does. A reconstruction that is off by a constant is off."
    l0, _, dead, frequency = evaluate(x, x_hat, f, mask)
    return l0, (x - x_hat)[mask].var(dim=0).sum() / x[mask].var(dim=0).sum(), dead, frequency


# %% misconception="evaluate"
def explained_for_unexplained(x, x_hat, f, mask):
    "This is the share of the variance that is explained. FVU is the share that is left."
    l0, fvu, dead, frequency = evaluate(x, x_hat, f, mask)
    return l0, 1 - fvu, dead, frequency


# %% misconception="evaluate"
def masked_tokens_in_the_denominator(x, x_hat, f, mask):
    "Firings on tokens that count were divided by the number of *all* tokens. Divide by the number that count."
    l0, fvu, dead, frequency = evaluate(x, x_hat, f, mask)
    share = mask.to(f.dtype).mean()
    return l0 * share, fvu, dead, frequency * share


# %% misconception="evaluate" part="mcc"
def closest_pair_first(W_dec, truth):
    "The closest pair was taken first, then the closest of the rest. Another matching can have the larger sum."
    left, total = normalize(truth, dim=1) @ normalize(W_dec, dim=1).T, 0.0
    for _ in range(min(left.shape)):
        row, column = divmod(int(left.argmax()), left.shape[1])
        total += left[row, column].item()
        left[row], left[:, column] = -2.0, -2.0
    return total / len(truth)


# %% misconception="evaluate" part="mcc"
def sign_of_the_cosine_lost(W_dec, truth):
    "A latent that points the opposite way counts as found. f is never negative, so the sign counts: no absolute value."
    cosines = (normalize(truth, dim=1) @ normalize(W_dec, dim=1).T).abs()
    return cosines[linear_sum_assignment(cosines, maximize=True)].sum() / len(truth)


# %% misconception="evaluate" part="mcc"
def mean_over_the_pairs(W_dec, truth):
    "The mean is over the pairs, so features without a latent are forgotten. Divide by the number of features."
    return mcc(W_dec, truth) * len(truth) / min(len(W_dec), len(truth))


# %% misconception="evaluate" part="mcc"
def products_for_cosines(W_dec, truth):
    "Rows were multiplied as they are, so long rows win. A cosine needs both of length 1."
    products = truth @ W_dec.T
    return products[linear_sum_assignment(products, maximize=True)].sum() / len(truth)


# %% misconception="evaluate" part="best_f1"
def precision_alone(f, labels):
    "This is the best precision. A latent that fires once, and rightly, has precision 1 and misses nearly everything."
    yes, true = (f > 0).to(f.dtype), labels.to(f.dtype)
    precision = yes.T @ true / yes.sum(dim=0)[:, None].clamp_min(1)
    return precision.amax(dim=0).masked_fill(~labels.any(dim=0), torch.nan)


# %% misconception="evaluate" part="best_f1"
def overlap_for_f1(f, labels):
    "This is the overlap TP / (yes or true), not F1: each true positive counts twice in F1, above and below the line."
    f1 = best_f1(f, labels)
    return f1 / (2 - f1)


# %% misconception="evaluate" part="best_f1"
def zero_where_nothing_is_true(f, labels):
    "A factor that is never true got F1 0, as if it had been missed. Nothing could be found there: nan."
    return best_f1(f, labels).nan_to_num(0.0)


# %% misconception="evaluate" part="best_f1"
def dead_latents_count(f, labels):
    "A dead latent has precision 0/0, and that NaN wins every maximum. Use the form of F1 without it, or guard it."
    yes, true = (f > 0).to(f.dtype), labels.to(f.dtype)
    precision, recall = yes.T @ true / yes.sum(dim=0)[:, None], yes.T @ true / true.sum(dim=0)
    return (2 * precision * recall / (precision + recall)).amax(dim=0)


# %% misconception="evaluate" part="best_f1"
def mean_over_the_latents(f, labels):
    "F1 was averaged over the latents, dead ones included. One good latent is enough: take the largest."
    return sum(best_f1(latent[:, None], labels) for latent in f.T) / f.shape[1]


# %% alternative="evaluate"
def with_weights_in_float64(x, x_hat, f, mask):
    w = mask.double()[..., None] / mask.sum()
    mean, frequency = (w * x.double()).sum(dim=(0, 1)), (w * (f > 0)).sum(dim=(0, 1))
    fvu = (w * (x.double() - x_hat) ** 2).sum() / (w * (x.double() - mean) ** 2).sum()
    return frequency.sum(), fvu, 1 - (frequency > 0).double().mean(), frequency.to(x.dtype)


# %% alternative="evaluate" part="mcc"
def in_float64_with_costs(W_dec, truth):
    W, T = (rows.double() / rows.double().norm(dim=1, keepdim=True).clamp_min(1e-12) for rows in (W_dec, truth))
    cost = (1 - W @ T.T).numpy()
    return sum(1 - cost[i, j] for i, j in zip(*linear_sum_assignment(cost))) / len(T)
