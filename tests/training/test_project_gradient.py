"""Does the gradient only turn rows, are rows of norm 1, and what does Adam get to see?"""

import torch
from torch.testing import assert_close

CLOSE = {"atol": 1e-5, "rtol": 1e-4}


def case(rng, *shape):
    """W_dec, its rows of lengths between 1/2 and 3, and a gradient; float64"""
    W = rng.normal(*shape).double() + 1e-3
    return W / W.norm(dim=-1, keepdim=True) * rng.uniform(*shape[:-1], 1, low=0.5, high=3), rng.normal(*shape).double()


def unit(rng, *shape):
    W = rng.normal(*shape).double()
    return W / W.norm(dim=-1, keepdim=True)


def test_the_result_is_at_right_angles_to_each_row(project_gradient, rng):
    "Sum over the last axis: each row of the gradient is judged by the same row of W_dec, of whatever length."
    for shape in [(6, 3), (4, 4), (2, 5)]:
        W, grad = case(rng, *shape)
        assert_close((project_gradient(W, grad) * W).sum(dim=1), torch.zeros(shape[0]).double(), atol=1e-4, rtol=0)


def test_a_gradient_that_only_turns_a_row_stays_as_it_is(project_gradient, rng):
    "A gradient at right angles to its row loses nothing, and isn't brought to any norm."
    W, grad = case(rng, 5, 2)
    turning = torch.stack([-W[:, 1], W[:, 0]], dim=1) * grad[:, :1]
    assert_close(project_gradient(W, turning), turning, **CLOSE)


def test_a_gradient_along_its_row_becomes_zero(project_gradient, rng):
    "A gradient along its row, outwards or inwards, can't turn it: nothing of it is left."
    W, grad = case(rng, 6, 4)
    assert_close(project_gradient(W, W * grad[:, :1]), torch.zeros(6, 4).double(), atol=1e-4, rtol=0)


def test_the_length_of_a_row_makes_no_difference(project_gradient, rng):
    "A row of any length loses what a unit row loses: project on the direction, not on the row itself."
    W, grad = unit(rng, 6, 4), rng.normal(6, 4).double()
    lengths = 10.0 ** (rng.permutation(6) - 2.0)[:, None].double()
    assert_close(project_gradient(W * lengths, grad), project_gradient(W, grad), atol=1e-3, rtol=0)  # room for 1e-6


def test_each_decoder_is_treated_as_if_it_were_alone(project_gradient, renormalise, rng):
    "Axes before the last two belong to different decoders: count axes from the end."
    W, grad = case(rng, 3, 3, 3)
    rows = project_gradient(W, grad), renormalise(W)
    for c in range(3):
        assert_close((rows[0][c], rows[1][c]), (project_gradient(W[c], grad[c]), renormalise(W[c])), **CLOSE)
    assert_close(project_gradient(W[None], grad[None])[0], rows[0], **CLOSE)


def test_every_row_gets_norm_one_and_keeps_its_direction(renormalise, rng):
    "Each row is divided by its own length, long or short: the root of the sum of its squares, over the last axis."
    directions = unit(rng, 6, 4)
    lengths = 10.0 ** (rng.permutation(6) - 2.0)[:, None].double()
    assert_close(renormalise(directions * lengths), directions, atol=1e-3, rtol=0)  # room for 1e-6 added to a length


def test_a_row_of_zeros_stays_zero_and_disturbs_no_other(renormalise, rng):
    "0/0 is NaN: guard the division. A row that merely has a zero in it, or a sum of 0, has a direction."
    W = torch.tensor([[0.0, 0, 0], [0, 3, -3], [2, 0, 0]])[rng.permutation(3)]
    assert_close(renormalise(W).pow(2).sum(dim=1), (W != 0).any(dim=1).float(), **CLOSE)
    assert not renormalise(0 * W).any(), "Rows of zeros should stay zeros; they didn't."


def test_the_first_step_moves_coordinates_by_lr_and_brings_rows_to_norm_one(decoder_steps, rng):
    "Adam's first step is lr against the sign of what it is given, here the projected gradient; then renormalise."
    W, (_, grad) = unit(rng, 5, 4), case(rng, 5, 4)
    turning = grad - (grad * W).sum(dim=1, keepdim=True) * W
    moved = W - 0.05 * turning / (turning.abs() + 1e-8)
    after = decoder_steps(W, grad[None], 0.05)
    assert_close(after, moved / moved.norm(dim=1, keepdim=True), **CLOSE)
    assert not after.requires_grad, "The result should be detached; its requires_grad is True."


def test_a_gradient_along_a_row_changes_no_step(decoder_steps, rng):
    "Adam gives each coordinate a step of its own, and remembers. What is along the row by then, it mustn't even see."
    W, grads = unit(rng, 5, 4), rng.normal(3, 5, 4).double()
    plain = decoder_steps(W, grads, 0.05)
    for step in range(3):
        pushed, now = grads.clone(), decoder_steps(W, grads[:step], 0.05) if step else W
        pushed[step] += 5 * now
        assert_close(decoder_steps(W, pushed, 0.05), plain, **CLOSE)


def test_adam_remembers_earlier_steps(decoder_steps, rng):
    "One Adam for all steps: after a gradient comes none, and the step is .67 of lr in the direction of the first."
    W, (_, grad) = unit(rng, 5, 4), case(rng, 5, 4)
    once = decoder_steps(W, grad[None], 0.05)
    turning = grad - (grad * W).sum(dim=1, keepdim=True) * W
    mean, size = turning * 0.09 / (1 - 0.9**2), turning.abs() * (0.000999 / (1 - 0.999**2)) ** 0.5
    moved = once - 0.05 * mean / (size + 1e-8)
    again = decoder_steps(W, torch.stack([grad, 0 * grad]), 0.05)
    assert_close(again, moved / moved.norm(dim=1, keepdim=True), **CLOSE)


def test_agrees_with_the_reference_on_random_decoders(project_gradient, renormalise, decoder_steps, reference, rng):
    "This tries everything at once, in float32 and float64: compare one row with the equation."
    for shape in [(1, 1), (1, 3), (7, 2), (4, 4), (2, 3, 5), (2, 1, 4, 3)]:
        W, grad = case(rng, *shape)
        for given in ((W, grad), (W.float(), grad.float())):
            assert_close(project_gradient(*given), reference(*given), **CLOSE)
            assert_close(renormalise(given[0]), reference.renormalise(given[0]), **CLOSE)
    for dtype, room in ((torch.float64, CLOSE), (torch.float32, {"atol": 1e-3, "rtol": 0})):
        W, grads = unit(rng, 6, 4).to(dtype), rng.normal(9, 6, 4).to(dtype)
        assert_close(decoder_steps(W, grads, 0.02), reference.decoder_steps(W, grads, 0.02), **room)
