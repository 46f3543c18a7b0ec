"""Does the model squeeze, read out, shift and cut, in this order and every instance on its own?"""

import torch
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-5, "rtol": 1e-4}


def numbers(rng):
    """Two random numbers around one, as tensors: an entry of W and an entry of x."""
    return rng.uniform(2, low=0.5, high=1.5)


def test_of_two_features_back_to_back_only_the_one_that_is_on_comes_out(forward, rng):
    """Follow the numbers: h = w·a is read out along w and along −w. What is negative is cut to 0, and nothing else."""
    w, a = numbers(rng)
    x, W = torch.tensor([[[a, 0]]]), torch.tensor([[[w, -w]]])
    assert_close(forward(x, W, torch.zeros(1, 2)), torch.tensor([[[w * w * a, 0]]]))


def test_a_hidden_number_may_be_negative(forward, rng):
    """h = Wx is read out as it is, a negative one too, and ReLU(z) = max(z, 0) leaves what is positive exactly as it
    is."""
    w, a = numbers(rng)
    assert_close(forward(a.view(1, 1, 1), -w.view(1, 1, 1), torch.zeros(1, 1)), (w * w * a).view(1, 1, 1))


def test_interference_adds_up_where_features_share_a_direction(forward, rng):
    """What falls on a feature's direction? All that is in h: its neighbours' share of it too, not its own alone."""
    w, a = numbers(rng)
    x, W = torch.tensor([[[a, 0]]]), torch.tensor([[[w, w / 2]]])
    assert_close(forward(x, W, torch.zeros(1, 2)), torch.tensor([[[w * w * a, w * w * a / 2]]]))


def test_where_W_is_zero_the_bias_comes_out(forward, rng):
    """Where does b enter? After the readout, so that it comes out even when all hidden numbers are 0."""
    b = rng.uniform(1, 4, low=0.1)
    assert_close(forward(rng.normal(1, 3, 4), torch.zeros(1, 2, 4), b), b[:, None].repeat(1, 3, 1))


def test_a_negative_bias_makes_no_output_negative(forward, rng):
    """In which order do bias and ReLU come? The bias decides what the ReLU cuts."""
    out = forward(rng.normal(1, 3, 4), torch.zeros(1, 2, 4), -rng.uniform(1, 4, low=0.1))
    assert_close(out, torch.zeros(1, 3, 4))


def test_each_instance_uses_its_own_bias_in_every_row(forward, rng):
    """How does b [inst, feats] meet the output [inst, batch, feats]? It lacks the middle axis, not the first."""
    b = rng.uniform(3, 4, low=0.1)
    assert_close(forward(rng.normal(3, 3, 4), torch.zeros(3, 2, 4), b), b[:, None].repeat(1, 3, 1))


def test_without_bias_twice_the_weights_give_four_times_the_output(forward, rng):
    """The way out: it uses the W of the way in, as it is, neither inverted nor brought to unit length."""
    x, W, b = rng.normal(2, 5, 4).double(), rng.normal(2, 3, 4).double(), torch.zeros(2, 4).double()
    assert_close(forward(x, 2 * W, b), 4 * forward(x, W, b), **CLOSE)


def test_a_feature_with_a_zero_column_is_neither_stored_nor_read(forward, rng):
    """Which axis of W is summed when? W_i is a column, also where W is square, as here."""
    w, a = numbers(rng)
    x, W = torch.tensor([[[a, a]]]), torch.tensor([[[0, w], [0, 0]]])
    assert_close(forward(x, W, torch.zeros(1, 2)), torch.tensor([[[0, w * w * a]]]))


def test_each_instance_uses_its_own_weights(forward, rng):
    """Keep the instance axis of W: instance k answers as if it were alone."""
    x, W, b = rng.normal(3, 4, 5), rng.normal(3, 2, 5), torch.zeros(3, 5)
    alone = [forward(x[k : k + 1], W[k : k + 1], b[k : k + 1]) for k in range(3)]
    assert_close(forward(x, W, b), torch.cat(alone), **CLOSE)


def test_W_learns_from_both_of_its_uses(forward, rng):
    """Follow the gradient: W works on the way in and on the way out, and learns from both."""
    x, w = -rng.uniform(1, 1, 1, low=0.5, high=1.5), rng.uniform(1, 1, 1, low=0.5, high=1.5)
    assert_close(gradients(forward, x, w, torch.full((1, 1), 4.0)), (w**2, 2 * w * x, torch.ones(1, 1)), **CLOSE)


def test_agrees_with_the_reference_on_random_weights(forward, reference, rng):
    """Here every axis is compared at once, on numbers of both signs."""
    for inst, batch, feats, hidden in [(1, 1, 1, 1), (3, 4, 5, 2), (2, 1, 6, 6), (4, 4, 4, 4), (2, 7, 3, 5)]:
        x, W, b = rng.normal(inst, batch, feats), rng.normal(inst, hidden, feats), rng.normal(inst, feats)
        assert_close(forward(x, W, b), reference(x, W, b), **CLOSE)
        x, W, b, weights = x.double(), W.double(), b.double(), rng.normal(inst, batch, feats).double()
        assert_close(forward(x, W, b), reference(x, W, b), **CLOSE)
        assert_close(gradients(forward, x, W, b, weights=weights), gradients(reference, x, W, b, weights=weights))
