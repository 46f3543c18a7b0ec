# %% [markdown]
# # Jumps
#
# An L1 penalty charges for strength where you would like to *count*: it pulls on every latent that is on, also on those
# that are right. But a count has no gradient, and something has to decide which latents are on. Here is one way out;
# the next section has two more.
#
# **At the end of this section** you will be able to give a function without a useful gradient one of your own, and to
# tell what the bandwidth of such an estimate costs.

# %% setup=1
import torch
from jaxtyping import Float
from torch import Tensor

from saelab import check, hint, plots, predict

# %% [markdown]
# ## How do you train a threshold?
#
# Give every latent a threshold $\theta$ of its own, and let it through whole once it is above:
#
# $$\text{jumprelu}(h) = h\cdot 1[h>\theta], \qquad L_0 = \sum_i 1[h_i>\theta_i]$$
#
# You'd like to train $\theta$ by gradient descent on $\lVert x-\hat x\rVert^2 + \lambda L_0$. **Think before you read
# on: raise $\theta$ by a hair. By how much does $L_0$ change on one sample? On average over all your data?**
#
# On one sample: not at all, nearly always, so autograd's answer is 0, and it is right. On average: the share of samples
# above $\theta$ falls, smoothly, by the density of $h$ at $\theta$. *Each gradient is 0 and the gradient of the average
# isn't.* To estimate it, take a window of width $\varepsilon$ (the *bandwidth*) about $\theta$, see which samples lie
# in it, and divide by its width. With $K(u) = 1$ for $|u|<\frac12$ and 0 elsewhere, we **define** that
#
# $$\frac{\partial\,\text{step}}{\partial\theta} := -\frac1\varepsilon K\Big(\frac{h-\theta}\varepsilon\Big),\;\;
# \frac{\partial\,\text{step}}{\partial h} := 0,\quad
# \frac{\partial\,\text{jumprelu}}{\partial\theta} := -\frac\theta\varepsilon K\Big(\frac{h-\theta}\varepsilon\Big),\;\;
# \frac{\partial\,\text{jumprelu}}{\partial h} := 1[h>\theta]$$
#
# where $\text{step} = 1[h>\theta]$ ([Rajamanoharan et al. 2024b](https://arxiv.org/abs/2407.14435), "Jumping Ahead:
# Improving Reconstruction Fidelity with JumpReLU Sparse Autoencoders"). Why $\theta$ in front? A sample that the
# threshold passes loses not 1 but $\theta$: that is how high the jump is. Such a gradient, written by hand for a
# function that has no useful one, is called a *straight-through estimator*. With $\varepsilon = 0.5$:
#
# | $h$ | $\theta$ | jumprelu, step | slopes for $\theta$ | slopes for $h$ |
# |---|---|---|---|---|
# | 1.1 | 1 | 1.1, 1 | −2, −2 | 1, 0 |
# | 1.9 | 2 | 0, 0 | −4, −2: off, but near enough to have a say | 0, 0 |
# | 5 | 2 | 5, 1 | 0, 0: far above | 1, 0 |
#
# In PyTorch you write a gradient by hand as a `torch.autograd.Function`. Here is rounding which, on the way back,
# pretends to have slope 1 ([Bengio et al. 2013](https://arxiv.org/abs/1308.3432), "Estimating or Propagating Gradients
# Through Stochastic Neurons for Conditional Computation"). `backward` returns ∂loss/∂input for each argument of
# `forward`, `None` for one that has none.


# %%
class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)  # what `backward` will need
        return x.round()

    @staticmethod
    def backward(ctx, grad_output):  # ∂loss/∂output, in the output's shape
        (x,) = ctx.saved_tensors
        return grad_output * torch.ones_like(x)


x = torch.tensor([0.2, 1.7], requires_grad=True)
torch.autograd.grad((Round.apply(x) * torch.tensor([3.0, 10.0])).sum(), x)  # what came from above, times 1


# %% exercise="jumprelu" points=4 minutes=30 difficulty=4 importance=4
def jumprelu(
    h: Float[Tensor, "batch d_sae"], theta: Float[Tensor, "d_sae"], bandwidth: float
) -> Float[Tensor, "batch d_sae"]:
    """h where h > θ (not where they are equal), 0 elsewhere, and the two gradients of the text (Rajamanoharan et al.).

    Gradients are ∂loss/∂output times the slopes above; θ serves the whole batch, so its gradient is summed over it.
    θ ≥ 0 and bandwidth ε > 0; the kernel is 1 where |h − θ| < ε/2.

    >>> theta = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> f = jumprelu(torch.tensor([[1.1, 1.9], [0.4, 5.0]]), theta, 0.5)  # 1.1 and 5 are on
    >>> torch.autograd.grad(f.sum(), theta)[0]
    tensor([-2., -4.])
    """
    # BEGIN SOLUTION
    on = step(h, theta, bandwidth)
    jump = theta.detach() * (on - on.detach())  # 0, but its gradient is that of a step as high as θ
    return h * on.detach() + jump
    # END SOLUTION


def step(
    h: Float[Tensor, "batch d_sae"], theta: Float[Tensor, "d_sae"], bandwidth: float
) -> Float[Tensor, "batch d_sae"]:
    """1 where h > θ (not where they are equal), 0 elsewhere, in h's dtype; h gets no gradient, θ that of the text.

    >>> step(torch.tensor([[1.1, 1.9], [0.4, 5.0]]), torch.tensor([1.0, 2.0]), 0.5)  # gradients of θ, summed: −2, −2
    tensor([[1., 0.],
            [0., 1.]])
    """

    # BEGIN SOLUTION
    class Step(torch.autograd.Function):
        @staticmethod
        def forward(ctx, h, theta):
            ctx.save_for_backward(h, theta)
            return (h > theta).to(h.dtype)

        @staticmethod
        def backward(ctx, grad_output):
            h, theta = ctx.saved_tensors
            near = (h - theta).abs() < bandwidth / 2
            return None, -(grad_output * near).sum(dim=0) / bandwidth

    return Step.apply(h, theta)
    # END SOLUTION


# %%
check(jumprelu, step)

# %% [markdown] hint=1
# Start with `step`. What must `forward` save for `backward`? How many gradients does `backward` return, and which of
# them is of another shape than `grad_output`?

# %% [markdown] hint=2
# The window is `near = (h - theta).abs() < bandwidth / 2`, θ's slope `-near / bandwidth`: times `grad_output`, summed
# over `dim=0`. For `jumprelu` the slope has `theta` in front, and h's gradient is `grad_output` where h > θ.

# %% [markdown] hint=3
# In `step`, `forward` returns `(h > theta).to(h.dtype)` and `backward` returns
# `None, -(grad_output * near).sum(dim=0) / bandwidth`. `jumprelu` is a second such class, with two slopes to change, or
# none at all: with `on = step(h, theta, bandwidth)`, the term `theta.detach() * (on - on.detach())` is 0 and has θ's
# gradient. What has to be added to it for the value, and for h's gradient?

# %%
# The same gradients as the course's own class?
from saelab.sae import JumpReLUSAE

torch.manual_seed(0)
sae = JumpReLUSAE(8, 20, l0=0.3, bandwidth=0.5, threshold=0.6)
x = torch.randn(64, 8)
h = sae.hidden(x)
x_hat = sae.decode(jumprelu(h, sae.threshold, 0.5))
l0 = step(h, sae.threshold, 0.5).sum(dim=1).mean()
loss = (x - x_hat).square().sum(dim=1).mean() + 0.3 * l0

parameters = list(sae.parameters())
yours = torch.autograd.grad(loss, parameters)
theirs = torch.autograd.grad(sae.loss(x).total, parameters)
torch.testing.assert_close(yours, theirs)

# %%
guess_eps = predict(
    "10,000 normal samples: which bandwidth ε gives the slope nearest to the true one?",
    ...,
    among=["0.02", "0.3", "2.0"],
)

# %%
# What does your gradient estimate? 10,000 pre-activations, normally distributed, and 91 thresholds at once.
bandwidths = [0.02, 0.3, 2.0]
n_samples = 10_000

torch.manual_seed(0)
theta = torch.linspace(-1.5, 3, 91, requires_grad=True)
h = torch.randn(n_samples, 1).expand(-1, 91)
true_slope = -torch.exp(-(theta.detach() ** 2) / 2) / (2 * torch.pi) ** 0.5

slopes, off = {}, {}
for eps in bandwidths:
    mean_l0 = step(h, theta, eps).mean(dim=0)
    (slope,) = torch.autograd.grad(mean_l0.sum(), theta)
    below = (h > theta.detach() - eps / 2).double().mean(dim=0)
    above = (h > theta.detach() + eps / 2).double().mean(dim=0)
    finite_difference = (above - below) / eps
    assert (slope - finite_difference).abs().max() < 3 / (n_samples * eps)  # ± a sample on the edge of the window
    slopes[f"ε = {eps}"] = slope
    off[eps] = (slope - true_slope).square().mean().sqrt()
    print(f"ε = {eps}: {off[eps]:.3f} from the true slope")
assert off[0.3] < min(off[0.02], off[2.0]) / 2  # measured: a third of the smaller one

plots.line(
    theta,
    {**slopes, "−density: the true slope": true_slope},
    title="Slope of the mean L0 for θ, estimated with three bandwidths",
    x_title="θ",
    y_title="∂ mean L0 / ∂θ",
)

# %%
guess_eps.came_out(str(min(off, key=off.get)))

# %% [markdown]
# **An experiment of your own.** Choose a bandwidth and a number of samples. More samples help one kind of error and not
# the other: how far from the true slope will you be? (With 10,000 samples you saw three distances.)

# %%
my_eps = 2.0
my_samples = 100_000  # up to about 200,000

guess_off = predict(f"ε = {my_eps:g}, {my_samples:,} samples: how far from the true slope, root mean square?", ...)

# %%
h = torch.randn(my_samples, 1).expand(-1, 91)
(slope,) = torch.autograd.grad(step(h, theta, my_eps).mean(dim=0).sum(), theta)
guess_off.came_out((slope - true_slope).square().mean().sqrt())

# %%
# And the kernel itself: which samples move a threshold at 1? Each latent has one sample, so nothing is summed.
eps = 0.4
h = torch.linspace(0, 2, 401)[None]
theta = torch.ones(401, requires_grad=True)
f = jumprelu(h, theta, eps)
(slope,) = torch.autograd.grad(f.sum(), theta)
plots.line(
    h[0],
    {"jumprelu(h)": f[0], f"its slope for θ, ε = {eps}": slope},
    title="One sample at h, and a threshold at 1",
    x_title="h",
    y_title="value, slope",
)


# %% [markdown]
# Your slope *is* the finite difference of the mean $L_0$ between $\theta-\varepsilon/2$ and $\theta+\varepsilon/2$, on
# this very batch (the cell asserts it). A narrow window sees few samples and is noisy. A wide one is steady and wrong:
# it averages over densities far from $\theta$. And a sample moves a threshold only if it lies within $\varepsilon/2$ of
# it, on either side.
#
# For the squared error the slope is right only *on average*. Take a lone feature: $x = h$, $\hat x$ its jumprelu. Off
# and just below the threshold, ∂loss/∂f is $-2h$; on, it is 0; half of the window is off. So the error pushes θ down
# with $\frac12\cdot2\theta\cdot\theta=\theta^2$ times the density, and the count pushes it up with $\lambda$ times the
# density. They balance at $\theta^2=\lambda$: a latent is worth having where $h^2>\lambda$.
#
# Will θ find that place in training? Only if samples fall in its window on the way. A threshold that starts far above
# all of them gets no gradient, and its latent is dead.


# %% misconception="jumprelu"
def threshold_learns_nothing(h, theta, bandwidth):
    "The value is right, but θ gets no gradient: to autograd a comparison is a constant. You have to define its slope."
    return h * (h > theta)


# %% misconception="jumprelu"
def what_comes_from_above_is_ignored(h, theta, bandwidth):
    "The slopes are right, but `backward` has to multiply them by `grad_output`: the chain rule. It isn't always 1."
    f = jumprelu(h, theta, bandwidth)
    if f.requires_grad:
        f.register_hook(torch.ones_like)  # whatever comes down to f, it passes ones on
    return f


# %% misconception="jumprelu"
def bandwidth_only_in_the_kernel(h, theta, bandwidth):
    "θ's gradient isn't divided by ε: a wider window catches more samples, so each of them has to count for less."
    on = step(h, theta, bandwidth)
    return h * on.detach() + bandwidth * theta.detach() * (on - on.detach())


# %% misconception="jumprelu"
def sign_of_theta(h, theta, bandwidth):
    "θ's gradient has the wrong sign. A higher threshold lets less through, so the output falls: the slope is negative."
    on = step(h, theta, bandwidth)
    return h * on.detach() - theta.detach() * (on - on.detach())


# %% misconception="jumprelu"
def kernel_twice_as_wide(h, theta, bandwidth):
    "The window is 2ε wide: |h − θ| < ε. The kernel is 1 for |u| < 1/2, so that the whole window has width ε."
    on = step(h, theta, 2 * bandwidth)
    return h * on.detach() + 2 * theta.detach() * (on - on.detach())


# %% misconception="jumprelu"
def product_rule(h, theta, bandwidth):
    "θ's slope is −(h/ε)K: what you get from h · step by the product rule. The jump is at h = θ, its height is θ."
    return h * step(h, theta, bandwidth)


# %% misconception="jumprelu"
def a_jump_of_height_one(h, theta, bandwidth):
    "θ's slope is −K/ε, that of the step. A sample that the threshold passes loses θ, not 1: θ stands in front."
    on = step(h, theta, bandwidth)
    return h * on.detach() + (on - on.detach())


# %% misconception="jumprelu"
def only_samples_above_count(h, theta, bandwidth):
    "Only samples above θ move it. Those that are off, but less than ε/2 below, belong to the window too."
    on = step(h, theta, bandwidth)
    return h * on.detach() + theta.detach() * (on - on.detach()) * (h > theta)


# %% misconception="jumprelu"
def averaged_over_the_batch(h, theta, bandwidth):
    "θ's gradient is a mean over the batch. Sum it: if the loss is a mean, `grad_output` knows that already."
    on = step(h, theta, bandwidth)
    return h * on.detach() + theta.detach() / len(h) * (on - on.detach())


# %% misconception="jumprelu"
def jump_reaches_h(h, theta, bandwidth):
    "h gets the kernel too. Its gradient is 1 where the latent is on and 0 elsewhere; the window is for θ alone."
    near = ((h - theta).abs() < bandwidth / 2).to(h.dtype)
    return jumprelu(h, theta, bandwidth) + (theta * near / bandwidth).detach() * (h - h.detach())


# %% misconception="jumprelu" part="step"
def comparison_as_a_number(h, theta, bandwidth):
    "A comparison has no gradient at all, so an L0 penalty made of it trains nothing. You have to define its slope."
    return (h > theta).to(h.dtype)


# %% misconception="jumprelu" part="step"
def on_at_the_threshold(h, theta, bandwidth):
    "A latent exactly at its threshold counts as on. The step is 1 only for h > θ, and so is jumprelu."
    on = step(h, theta, bandwidth)
    return (h >= theta) + on - on.detach()


# %% misconception="jumprelu" part="step"
def step_pulls_h_up(h, theta, bandwidth):
    "The step sends a gradient to h as well. By definition it has none: the penalty moves thresholds only."
    near = ((h - theta).abs() < bandwidth / 2).to(h.dtype)
    return step(h, theta, bandwidth) + near / bandwidth * (h - h.detach())


# %% alternative="jumprelu"
def slope_times_nothing(h, theta, bandwidth):
    slope = torch.where(((h - theta) / bandwidth).abs() < 0.5, -theta.double() / bandwidth, 0.0).detach().to(h.dtype)
    return torch.stack([torch.where(row > theta, row, 0.0) for row in h]) + slope * (theta - theta.detach())


# %% alternative="jumprelu"
def a_ramp_that_is_never_seen(h, theta, bandwidth):
    u = (h.detach() - theta) / bandwidth
    ramp = u.clamp(-0.5, 0.5) * theta.detach()  # its slope for θ is −θ/ε inside the window, 0 outside
    return torch.where(h > theta.detach(), h, h.detach() * 0) + ramp - ramp.detach()


# %% alternative="jumprelu" part="step"
def a_function_without_a_sum(h, theta, bandwidth):
    class Step(torch.autograd.Function):
        @staticmethod
        def forward(ctx, h, theta, width):
            ctx.kernel = torch.heaviside(width / 2 - (h - theta).abs(), torch.zeros_like(h)) / width
            return torch.heaviside(h - theta, torch.zeros_like(h))

        @staticmethod
        def backward(ctx, grad):
            return None, -grad * ctx.kernel, None  # autograd itself sums over an axis that was broadcast

    return Step.apply(h, theta, bandwidth)
