# %% [markdown]
# # Reading superposed features

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict  # noqa: F401


def sparse_samples(
    rows: int, W: Float[Tensor, "hidden feats"], k: int, noise: float = 0.02, signed: bool = True
) -> tuple[Float[Tensor, "rows hidden"], Float[Tensor, "rows feats"]]:
    """x = W f + noise, and f, with k features on in each row; their sizes are uniform in [0.5, 1.5]."""
    on = torch.rand(rows, W.shape[1]).topk(k, dim=1).indices
    sizes = 0.5 + torch.rand(rows, k)
    if signed:
        sizes = sizes * torch.randn(rows, k).sign()
    f = torch.zeros(rows, W.shape[1]).scatter(1, on, sizes)
    return f @ W.T + noise * torch.randn(rows, W.shape[0]), f


def found(f_hat: Float[Tensor, "rows feats"], f: Float[Tensor, "rows feats"]) -> float:
    """Of the k largest entries in each row of f_hat, the share that is on in f, where k are on."""
    k = int((f[0] != 0).sum())
    return (f.gather(1, f_hat.abs().topk(k, dim=1).indices) != 0).float().mean().item()


# %% [markdown]
# ## Are superposed features lost, or only hard to read?
#
# Here is $x = Wf$: 64 features in 32 dimensions, six of them on. You get $x$ and you get $W$. Which six features are
# on? (The set of features that are on is called the *support* of $f$.)
#
# The models so far read with $W^\top x$: how well does $x$ match each column? With crowded columns every feature that
# is on also matches its neighbours. The *pseudo-inverse* $W^+x$ undoes as much of the crowding as a matrix can: of all
# $f$ with $Wf=x$ it takes the shortest. How good are they? And could any method get all six right, with twice as many
# unknowns as equations?

# %%
by_match = predict("Of the six largest entries of W.T @ x, how many belong to features that are on?", ..., "entries")
by_inverse = predict(
    "Of the six largest entries of pinv(W) @ x, how many belong to features that are on?", ..., "entries"
)

# %%
hidden = 32
feats = 64
k = 6  # features on

torch.manual_seed(0)
W = torch.nn.functional.normalize(torch.randn(hidden, feats), dim=0)
x, f = sparse_samples(500, W, k)
matched, inverted = found(x @ W, f), found(x @ torch.linalg.pinv(W).T, f)
print(f"of {k}: W.T @ x finds {matched:.0%}, the pseudo-inverse {inverted:.0%}")
by_match.came_out(k * matched, within=0.5)
by_inverse.came_out(k * inverted, within=0.5)

# %% [markdown]
# Both use only the matrix. Neither uses the other thing you know: *few* entries of $f$ are not zero. That is a great
# deal. It turns 32 equations for 64 unknowns into 32 equations for six, once you know which six.
#
# **Orthogonal matching pursuit** finds them one at a time. Take the column $W_i$ that matches best what is still
# unexplained, the residual $r$, whichever its sign: the largest $|\hat W_i\cdot r|$, with
# $\hat W_i = W_i/\lVert W_i\rVert$, because a column should not win by being long. Then *refit*: find the
# coefficients of all columns picked so far, together, that come nearest to $x$. The earlier coefficients change,
# since the newcomer explains part of what they had claimed. Subtract, and look again
# ([Pati et al. 1993](https://doi.org/10.1109/ACSSC.1993.342465)).
#
# **Iterative soft thresholding** (ISTA) changes all coefficients at once. Few entries are hard to ask for, so it asks
# for small ones, and minimises $\frac12\lVert x - Wf\rVert^2 + \lambda\lVert f\rVert_1$. From $f=0$, each step goes
# down the slope of the first term, and pulls every entry towards zero for the second:
#
# $$g = f + \tfrac1L W^\top(x - Wf), \qquad f \leftarrow \operatorname{sign}(g)\,\max(|g| - \tfrac{\lambda}{L},\, 0)$$
#
# $L$, the largest eigenvalue of $W^\top W$, is the largest curvature of the first term: how fast its slope can change.
# With step $1/L$ the objective never rises.
#
# Work these out in your head. *Orthonormal columns*: $\hat W_i\cdot x$ is $f_i$ itself, OMP keeps the $k$ largest, and
# one step of ISTA gives the final answer. *One column* $W=(2)$, $x=3$, $\lambda=2$: OMP answers $f=1.5$; ISTA minimises
# $\frac12(3-2f)^2+2f$ and answers 1. ISTA's answers are a little too small: that is the price of the penalty.
#
# Write both. A row of `x` is a sample of its own, with a support of its own.


# %% exercise="omp" points=4 minutes=60 difficulty=3 importance=4
def omp(x: Float[Tensor, "batch hidden"], W: Float[Tensor, "hidden feats"], k: int) -> Float[Tensor, "batch feats"]:
    """Coefficients f with W f near x and at most k entries in each row, by orthogonal matching pursuit.

    k times: pick, among the columns not picked yet, the one with the largest |W_i · residual| / ‖W_i‖, then refit the
    coefficients of all picked columns to x by least squares. They belong to the columns of W as they are, not
    to unit vectors, and may be negative. A zero column is never picked. A row stops early when no column is left to
    pick (k is at least 1, and may be larger than feats), or nothing is left to explain: a residual with a norm below
    1e-5 ‖x‖ is rounding. Entries not picked are exactly 0.

    (Pati, Rezaiifar and Krishnaprasad 1993, "Orthogonal matching pursuit")

    >>> W = torch.tensor([[1.0, 0.6], [0.0, 0.8]])
    >>> omp(torch.tensor([[2.6, 0.8]]), W, k=1), omp(torch.tensor([[2.6, 0.8]]), W, k=2).round(decimals=3)
    (tensor([[2.6000, 0.0000]]), tensor([[2., 1.]]))
    """
    # BEGIN SOLUTION
    lengths = W.norm(dim=0).clamp_min(1e-12)  # a zero column matches nothing
    f = x.new_zeros(len(x), W.shape[1])
    for row, target in enumerate(x):
        picked, residual = [], target
        while len(picked) < k and residual.norm() > 1e-5 * target.norm():
            match = (residual @ W).abs() / lengths
            match[picked] = 0
            if match.max() == 0:
                break
            picked.append(int(match.argmax()))
            f[row, picked] = torch.linalg.lstsq(W[:, picked], target[:, None]).solution[:, 0]
            residual = target - W @ f[row]
    return f
    # END SOLUTION


def ista(
    x: Float[Tensor, "batch hidden"], W: Float[Tensor, "hidden feats"], lam: float, steps: int
) -> Float[Tensor, "batch feats"]:
    """f after `steps` ≥ 0 steps of iterative soft thresholding, from f = 0, towards min ½‖x − W f‖² + lam ‖f‖₁.

    The step is 1/L, with L the largest eigenvalue of WᵀW (W is not all zeros).

    >>> ista(torch.tensor([[3.0]]), torch.tensor([[2.0]]), lam=2.0, steps=1)
    tensor([[1.]])
    """
    # BEGIN SOLUTION
    L = torch.linalg.matrix_norm(W, ord=2) ** 2
    f = x.new_zeros(len(x), W.shape[1])
    for _ in range(steps):
        g = f + (x - f @ W.T) @ W / L
        f = g.sign() * (g.abs() - lam / L).clamp_min(0)
    return f
    # END SOLUTION


# %%
check(omp, ista)

# %% [markdown] hint=1
# OMP: after the first pick, which part of $x$ is still unexplained, and which column explains *that* best? Do one row
# by hand, with two columns at an acute angle. ISTA: with `x` in rows, is $Wf$ `W @ f` or `f @ W.T`? And how does
# $W^\top r$ look?

# %% [markdown] hint=2
# OMP: loop over rows, and keep a list of the columns picked. `torch.linalg.lstsq(W[:, picked], x_row[:, None])`
# refits them all to the *whole* `x_row`. Set the match of picked columns to 0 before the `argmax`. ISTA: both the
# step and the threshold are divided by $L$, and shrinking must leave the sign alone.

# %% [markdown] hint=3
# OMP, one pick: `match = (residual @ W).abs() / lengths; match[picked] = 0`, then pick and refit. From which vector do
# you subtract what all picked columns explain? And what is `match.max()` when no column is left? ISTA, one step:
# `L = torch.linalg.matrix_norm(W, ord=2) ** 2` and `g = f + (x - f @ W.T) @ W / L`. Last, shrink the size of `g` and
# give it its sign back.

# %% [markdown]
# ## How many features can be on?
#
# Eight random dictionaries, forty samples for each number of features; each decoder is told how many are on. The band
# is one standard deviation between dictionaries.

# %%
n_on = [1, 2, 3, 4, 6, 8, 10, 12, 14]  # features on
lam = 0.05  # ISTA's penalty
n_dictionaries = 8

torch.manual_seed(1)
dictionaries = torch.nn.functional.normalize(torch.randn(n_dictionaries, 32, 64), dim=1)
recovered = {}
for name in ("projection", "pseudo-inverse", "OMP", "ISTA"):
    recovered[name] = torch.zeros(len(n_on), n_dictionaries)
for i, k in enumerate(n_on):
    for j, D in enumerate(dictionaries):
        x, f = sparse_samples(40, D, k)
        recovered["projection"][i, j] = found(x @ D, f)
        recovered["pseudo-inverse"][i, j] = found(x @ torch.linalg.pinv(D).T, f)
        recovered["OMP"][i, j] = found(omp(x, D, k), f)
        recovered["ISTA"][i, j] = found(ista(x, D, lam, steps=300), f)

# %%
# Six on, 320 samples per decoder: the mean is known to about 0.01.
six = {}
for name, curve in recovered.items():
    six[name] = curve[n_on.index(6)].mean()
    print(f"six on: {name} {six[name]:.2f}")
assert six["projection"] < 0.7 < six["pseudo-inverse"] < 0.85, six
assert six["OMP"] > 0.9 and six["ISTA"] > 0.98, six

means, bands = {}, {}
for name, curve in recovered.items():
    mean, spread = curve.mean(dim=1), curve.std(dim=1)
    means[name] = mean
    bands[name] = (mean - spread, mean + spread)
plots.line(
    n_on,
    means,
    bands=bands,
    title="64 features in 32 dimensions: how many does each reader find?",
    x_title="features on",
    y_title="share found",
    markers=True,
)

# %% [markdown]
# With one feature on, every reader finds it: nothing crowds a lonely feature. From two on the matrices begin to fail
# (at six they still find 60% and 76%), while OMP is nearly perfect up to four and ISTA up to eight. The
# information was there all along. Superposed features are not lost; they can be recovered *by a reader that uses
# sparsity*, and the sparser they are, the more surely.
#
# There is a guarantee: if $\mu$ is the largest $|\hat W_i\cdot\hat W_j|$, the coherence, OMP makes no mistake without
# noise while fewer than $\frac12(1+1/\mu)$ features are on
# ([Tropp 2004](https://doi.org/10.1109/TIT.2004.834793), "Greed is good"). Our dictionaries have $\mu$ near 0.6, so it
# covers a single feature, and you saw it work for several times as many. Worst cases are rare.
#
# Look at the right-hand end as well: at 14 on, OMP is no better than the projection, and below the pseudo-inverse.
# One wrong pick early leaves a wrong residual for all that follow, and OMP never takes a pick back.
#
# **Break it yourself.** Noise, more features, fewer dimensions: choose, and predict what OMP has left.

# %%
k, noise, n_feats, n_dims = 4, 0.2, 64, 32  # features on; noise in each dimension; features; dimensions
survives = predict(
    f"{k} of {n_feats} features are on in {n_dims} dimensions, with noise {noise:g}. What share of them does OMP find?",
    ...,
    "%",
)

# %%
torch.manual_seed(0)
D = torch.nn.functional.normalize(torch.randn(n_dims, n_feats), dim=0)
x, f = sparse_samples(200, D, k, noise)
print(f"ISTA finds {found(ista(x, D, lam, steps=300), f):.0%}, the pseudo-inverse ", end="")
print(f"{found(x @ torch.linalg.pinv(D).T, f):.0%}")
survives.came_out(100 * found(omp(x, D, k), f), within=8)

# %% [markdown]
# ## What does a sparse autoencoder have of this?
#
# An SAE reads with $f = \mathrm{ReLU}(W_\text{enc}x + b_\text{enc})$. Put that beside the *first* step of ISTA, from
# $f=0$ and for features that are never negative:
#
# $$f = \mathrm{ReLU}(\tfrac1L W^\top x - \tfrac\lambda L)$$
#
# One matrix, a negative bias, a ReLU: the encoder is one step of sparse coding, with a matrix that is learned for all
# inputs at once (*amortised*) instead of steps taken for each. (In chapter 2 $x$ and the features are *rows*: the
# decoder's rows are the columns of this $W$.) How much do the other steps bring? With enough of them ISTA finds nearly
# all of six features. Take the best encoder there can be, one that is trained on the right answers.

# %%
one_pass = predict("Six of 64 features are on. What share of them does such an encoder find?", ..., "%")

# %%
steps = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500]
k = 6  # features on

torch.manual_seed(2)
x, f = sparse_samples(500, W, k, signed=False)
by_steps = [found(ista(x, W, lam, s), f) for s in steps]


def trained_encoder(W: Float[Tensor, "hidden feats"], k: int, batches: int = 1500) -> torch.nn.Module:
    """The best that one matrix, a bias and a ReLU can do: trained on the true f, which no SAE ever sees."""
    encoder = torch.nn.Sequential(torch.nn.Linear(*W.shape), torch.nn.ReLU())
    optimizer = torch.optim.Adam(encoder.parameters(), lr=3e-3)
    for _ in range(batches):
        x, f = sparse_samples(256, W, k, signed=False)
        optimizer.zero_grad()
        (encoder(x) - f).pow(2).sum(dim=1).mean().backward()
        optimizer.step()
    return encoder.requires_grad_(False)


encoder = trained_encoder(W, k)
one_layer = found(encoder(x), f)
print(f"one step {by_steps[0]:.2f}, trained encoder {one_layer:.2f}, {steps[-1]} steps {by_steps[-1]:.2f}")
assert by_steps[0] < one_layer < by_steps[-1], (by_steps, one_layer)
one_pass.came_out(100 * one_layer, within=8)

plots.line(
    steps,
    {"ISTA": by_steps},
    guides={"a trained encoder": one_layer, "pseudo-inverse": found(x @ torch.linalg.pinv(W).T, f)},
    title=f"{k} of 64 features on: how many are found after how many steps?",
    x_title="steps of ISTA",
    y_title="share found",
    log_x=True,
    markers=True,
)

# %% [markdown]
# Step one ranks the features just as $W^\top x$ does. Learning a better matrix than $W^\top$ buys what a few tens of
# steps would, and then it ends: even trained with the answers, an encoder falls well short. What one step lacks is
# the residual. Later steps, like the refitting in OMP, let features *explain each other away*: once $f_3$ accounts
# for a part of $x$, $f_7$ stops claiming it. In an encoder the latents don't interact; each is computed alone, from its
# own row and bias. That there must be such a gap has been proved for a linear encoder with a simple non-linearity
# ([O'Neill et al. 2024](https://arxiv.org/abs/2411.13117), "Compute Optimal Inference and Provable Amortisation Gap in
# Sparse Autoencoders"), and encoders unrolled from ISTA's steps are an old idea
# ([Gregor and LeCun 2010](https://icml.cc/Conferences/2010/papers/449.pdf)). What you get for it is speed, one matrix
# product per token, and something that can be trained together with the dictionary.
#
# This was the easy case. You were *given* $W$ and the number of features; an SAE has to find the first and guess the
# second. The columns were random, no two nearly parallel, the features independent and none of them faint, the noise
# small. A real dictionary has neighbours at small angles and features that come together, and there no decoder is safe.
# And a share of *found* features says nothing about their sizes: OMP's are unbiased once the support is right, ISTA's
# are too small. You meet that shrinkage again, with a law for it, in the next chapter.


# %% misconception="omp"
def keeps_the_first_coefficients(x, W, k):
    """Each column keeps the coefficient it got when it was picked. Refit all picked columns together: a newcomer that
    overlaps with them takes over part of what they explained."""
    lengths, f, residual = W.norm(dim=0).clamp_min(1e-12), x.new_zeros(len(x), W.shape[1]), x
    for _ in range(k):
        match = (residual @ W / lengths).masked_fill(f != 0, 0)
        best = match.abs().argmax(dim=1, keepdim=True)
        f = f.scatter_add(1, best, match.gather(1, best) / lengths[best])
        residual = x - f @ W.T
    return f


# %% misconception="omp"
def picks_a_column_again(x, W, k):
    """A column can be picked a second time and nothing is refitted: that is matching pursuit without the "orthogonal".
    Picks are spent on columns you already have. Exclude those, and refit them all together."""
    lengths, f, residual = W.norm(dim=0).clamp_min(1e-12), x.new_zeros(len(x), W.shape[1]), x
    for _ in range(k):
        match = residual @ W / lengths
        best = match.abs().argmax(dim=1, keepdim=True)
        f = f.scatter_add(1, best, match.gather(1, best) / lengths[best])
        residual = x - f @ W.T
    return f


# %% misconception="omp"
def refits_to_the_residual(x, W, k):
    """The refit is to the residual, not to x. What the earlier picks explained is gone from the residual already, so
    their coefficients come out near zero."""
    f = x.new_zeros(len(x), W.shape[1])
    for row, target in enumerate(x):
        picked, residual = [], target
        while len(picked) < k and residual.norm() > 1e-5 * target.norm():
            match = (residual @ W).abs() / W.norm(dim=0).clamp_min(1e-12)
            match[picked] = 0
            if match.max() == 0:
                break
            picked.append(int(match.argmax()))
            f[row, picked] = torch.linalg.lstsq(W[:, picked], residual[:, None]).solution[:, 0]
            residual = residual - W @ f[row]
    return f


# %% misconception="omp"
def overlooks_negative_matches(x, W, k):
    """The largest match is taken, not the largest in size. A column that points against the residual explains it
    just as well, with a negative coefficient."""
    f = x.new_zeros(len(x), W.shape[1])
    for row, target in enumerate(x):
        picked, residual = [], target
        while len(picked) < k and residual.norm() > 1e-5 * target.norm():
            match = (residual @ W / W.norm(dim=0).clamp_min(1e-12)).clamp_min(0)
            match[picked] = 0
            if match.max() == 0:
                break
            picked.append(int(match.argmax()))
            f[row, picked] = torch.linalg.lstsq(W[:, picked], target[:, None]).solution[:, 0]
            residual = target - W @ f[row]
    return f


# %% misconception="omp"
def long_columns_win(x, W, k):
    """The matches are not divided by the columns' lengths, so a long column wins although it points elsewhere.
    Its coefficient will make up for its length; the choice is about direction."""
    f = x.new_zeros(len(x), W.shape[1])
    for row, target in enumerate(x):
        picked, residual = [], target
        while len(picked) < k and residual.norm() > 1e-5 * target.norm():
            match = (residual @ W).abs()
            match[picked] = 0
            if match.max() == 0:
                break
            picked.append(int(match.argmax()))
            f[row, picked] = torch.linalg.lstsq(W[:, picked], target[:, None]).solution[:, 0]
            residual = target - W @ f[row]
    return f


# %% misconception="omp"
def coefficients_of_unit_vectors(x, W, k):
    """The coefficients belong to the columns made unit vectors. Use unit vectors for the choice only, and fit the
    columns of W as they are, so that W f gives x back."""
    return omp(x, W / W.norm(dim=0).clamp_min(1e-12), k)


# %% misconception="omp"
def one_support_for_all_rows(x, W, k):
    """All rows of the batch get the same columns. Each row is a sample of its own, with features of its own."""
    picked, residual, f = [], x, x.new_zeros(len(x), W.shape[1])
    for _ in range(min(k, W.shape[1])):
        match = (residual @ W).abs().sum(dim=0) / W.norm(dim=0).clamp_min(1e-12)
        match[picked] = 0
        if match.max() <= 1e-5 * x.norm():  # only rounding is left
            break
        picked.append(int(match.argmax()))
        f[:, picked] = torch.linalg.lstsq(W[:, picked], x.T).solution.T
        residual = x - f @ W.T
    return f


# %% misconception="omp"
def one_pick_too_many(x, W, k):
    """There are k + 1 columns in each row. The first one counts as well."""
    return omp(x, W, k + 1)


# %% misconception="omp"
def no_negative_coefficients(x, W, k):
    """Negative coefficients are cut off at the end. A sparse code need not be positive, and W f is no longer near x."""
    return omp(x, W, k).clamp_min(0)


# %% misconception="omp"
def picks_on_when_all_is_explained(x, W, k):
    """A row goes on picking when its residual is nothing but rounding. It then picks noise, and with more columns than
    dimensions the refit has no single answer. Stop the row."""
    lengths, f = W.norm(dim=0).clamp_min(1e-12), x.new_zeros(len(x), W.shape[1])
    for row, target in enumerate(x):
        picked, residual = [], target
        for _ in range(min(k, W.shape[1])):
            match = (residual @ W).abs() / lengths
            match[picked] = -1
            picked.append(int(match.argmax()))
            f[row, picked] = torch.linalg.pinv(W[:, picked]) @ target
            residual = target - W @ f[row]
    return f


# %% misconception="omp" part="ista"
def threshold_not_divided(x, W, lam, steps):
    """The entries are shrunk by lam. A step of 1/L is taken for both terms of the objective: shrink by lam / L."""
    L = torch.linalg.matrix_norm(W, ord=2) ** 2
    f = x.new_zeros(len(x), W.shape[1])
    for _ in range(steps):
        g = f + (x - f @ W.T) @ W / L
        f = g.sign() * (g.abs() - lam).clamp_min(0)
    return f


# %% misconception="omp" part="ista"
def shrinks_positive_entries_only(x, W, lam, steps):
    """Negative entries are lost: ReLU(g - lam / L) is the one-sided shrinkage. Shrink the size, and keep the sign."""
    L = torch.linalg.matrix_norm(W, ord=2) ** 2
    f = x.new_zeros(len(x), W.shape[1])
    for _ in range(steps):
        g = f + (x - f @ W.T) @ W / L
        f = (g - lam / L).clamp_min(0)
    return f


# %% misconception="omp" part="ista"
def step_of_one(x, W, lam, steps):
    """The step is 1, whatever W is. As soon as L is above 2 every step overshoots further than the last and f explodes.
    Divide the step, and with it the threshold, by L."""
    L = 1.0
    f = x.new_zeros(len(x), W.shape[1])
    for _ in range(steps):
        g = f + (x - f @ W.T) @ W / L
        f = g.sign() * (g.abs() - lam / L).clamp_min(0)
    return f


# %% misconception="omp" part="ista"
def largest_singular_value(x, W, lam, steps):
    """L is taken to be the largest singular value of W. The largest eigenvalue of WᵀW is its square."""
    L = torch.linalg.matrix_norm(W, ord=2)
    f = x.new_zeros(len(x), W.shape[1])
    for _ in range(steps):
        g = f + (x - f @ W.T) @ W / L
        f = g.sign() * (g.abs() - lam / L).clamp_min(0)
    return f


# %% misconception="omp" part="ista"
def never_shrinks(x, W, lam, steps):
    """Nothing is shrunk: this is plain gradient descent on the squared error, and ends at the pseudo-inverse."""
    L = torch.linalg.matrix_norm(W, ord=2) ** 2
    f = x.new_zeros(len(x), W.shape[1])
    for _ in range(steps):
        g = f + (x - f @ W.T) @ W / L
        f = g
    return f


# %% misconception="omp" part="ista"
def uphill(x, W, lam, steps):
    """The step goes up the slope: what is missing, x - W f, has to be added along the columns, not subtracted."""
    L = torch.linalg.matrix_norm(W, ord=2) ** 2
    f = x.new_zeros(len(x), W.shape[1])
    for _ in range(steps):
        g = f - (x - f @ W.T) @ W / L
        f = g.sign() * (g.abs() - lam / L).clamp_min(0)
    return f


# %% misconception="omp"
def picks_again_when_no_column_is_left(x, W, k):
    """With k larger than the number of columns a row goes on when every column is picked, and fits one of them twice. A
    row stops when no column is left."""
    f = x.new_zeros(len(x), W.shape[1])
    for row, target in enumerate(x):
        picked, residual = [], target
        while len(picked) < k and residual.norm() > 1e-5 * target.norm():
            match = (residual @ W).abs() / W.norm(dim=0).clamp_min(1e-12)
            match[picked] = -1
            if match.max() == 0:
                break
            picked.append(int(match.argmax()))
            f[row, picked] = torch.linalg.pinv(W[:, picked]) @ target
            residual = target - W @ f[row]
    return f


# %% alternative="omp"
def all_rows_at_once(x, W, k):
    lengths, gram, b = W.norm(dim=0), W.T @ W, x @ W
    used, f = torch.zeros_like(b, dtype=torch.bool), torch.zeros_like(b)
    for _ in range(k):
        residual = x - f @ W.T
        match = torch.where(used | (lengths == 0), -1.0, (residual @ W).abs() / lengths)
        size, best = match.max(dim=1)
        going = (size > 0) & (residual.norm(dim=1) > 1e-5 * x.norm(dim=1))
        used[going, best[going]] = True
        both = used[:, :, None] & used[:, None, :]  # normal equations of the used columns, the identity elsewhere
        f = torch.linalg.solve(gram * both + torch.diag_embed((~used).to(x.dtype)), (b * used)[..., None])[..., 0]
    return f


# %% alternative="omp"
def one_row_in_double_precision(x, W, k):
    answer = []
    for sample in x.double():
        support, left = [], sample
        while len(support) < k and torch.linalg.vector_norm(left) > 1e-5 * torch.linalg.vector_norm(sample):
            matches = [(abs(float(left @ w)) / float(w.norm()), i) for i, w in enumerate(W.double().T) if w.any()]
            matches = [pair for pair in matches if pair[1] not in support]
            if not matches:
                break
            support.append(max(matches)[1])
            coefficients = torch.linalg.pinv(W.double()[:, support]) @ sample
            left = sample - W.double()[:, support] @ coefficients
        f = torch.zeros(W.shape[1], dtype=torch.float64)
        if support:
            f[support] = coefficients
        answer.append(f)
    return torch.stack(answer).to(x.dtype)


# %% alternative="omp" part="ista"
def with_the_gram_matrix(x, W, lam, steps):
    gram = W.mT @ W
    L = torch.linalg.eigvalsh(gram)[-1]
    f = torch.zeros(x.shape[0], W.shape[1], dtype=x.dtype)
    for _ in range(steps):
        f = torch.nn.functional.softshrink(f - (f @ gram - x @ W) / L, float(lam / L))
    return f


# %% alternative="omp" part="ista"
def positive_and_negative_parts(x, W, lam, steps):
    x64, W64 = x.double().T, W.double()
    step = 1 / torch.linalg.svdvals(W64).max().square()
    f = torch.zeros(W.shape[1], x.shape[0], dtype=torch.float64)
    for _ in range(steps):
        g = f - step * (W64.T @ (W64 @ f - x64))
        f = torch.relu(g - step * lam) - torch.relu(-g - step * lam)
    return f.T.to(x.dtype)
