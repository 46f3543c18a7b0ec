"""What does a mistake cost, and whom?"""

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import gradients

CLOSE = {"atol": 1e-6, "rtol": 1e-4}


def case(rng, inst, batch, feats):
    return rng.normal(inst, batch, feats), rng.normal(inst, batch, feats), rng.uniform(inst, feats, low=0.2, high=3)


def test_a_perfect_reconstruction_costs_nothing(weighted_loss, rng):
    """Take the difference x − x̂: when it is zero everywhere, nothing is left to pay."""
    x, _, importance = case(rng, 2, 3, 4)
    assert_close(weighted_loss(x, x.clone(), importance), torch.tensor(0.0))


def test_twice_the_mistake_costs_four_times_as_much(weighted_loss, rng):
    """To which power is the error x − x̂ raised? The difference is squared, and no root is taken afterwards."""
    x, error, importance = (tensor.double() for tensor in case(rng, 2, 3, 4))
    once = weighted_loss(x, x + error, importance)
    assert_close(weighted_loss(x, x + 2 * error, importance), 4 * once, **CLOSE)


def test_twice_the_importance_costs_twice_as_much(weighted_loss, rng):
    """How does importance enter? It multiplies the squared error, once, and nothing divides it out again."""
    x, x_hat, importance = case(rng, 2, 3, 4)
    assert_close(weighted_loss(x, x_hat, 2 * importance), 2 * weighted_loss(x, x_hat, importance), **CLOSE)


def test_a_mistake_costs_the_same_where_nothing_is_on(weighted_loss, rng):
    """What costs something? The difference x − x̂, squared: only how far x̂ is from x matters, not how large x is."""
    x, error, importance = case(rng, 2, 3, 4)
    zero = torch.zeros_like(x)
    assert_close(weighted_loss(x, x + error, importance), weighted_loss(zero, error, importance), **CLOSE)


def test_one_mistake_is_shared_over_the_batch_and_the_features(weighted_loss, rng):
    """One error e among 3 rows × 5 features of importance 1 costs e²/15. By which factor is yours off, and whence?"""
    error, row, feature = rng.uniform(1, low=0.5, high=2)[0], rng.integer(0, 3), rng.integer(0, 5)
    x_hat = torch.zeros(1, 3, 5)
    x_hat[0, row, feature] = error
    assert_close(weighted_loss(torch.zeros(1, 3, 5), x_hat, torch.ones(1, 5)), error**2 / 15, **CLOSE)


def test_a_mistake_costs_nothing_where_its_importance_is_zero(weighted_loss, rng):
    """How does importance [inst, feats] meet the errors [inst, batch, feats]? It lacks the middle axis, the batch."""
    x, x_hat, importance = case(rng, 3, 3, 3)
    k = rng.integer(1, 3)
    row, feature = (k + 1) % 3, (k + 2) % 3
    importance[k, feature], wrong = 0, x.clone()
    wrong[k, row, feature] = x_hat[k, row, feature]
    assert_close(weighted_loss(x, wrong, importance), torch.tensor(0.0))


def test_the_losses_of_instances_are_summed(weighted_loss, rng):
    """What happens to the instances? Each has a loss of its own, and the losses are summed."""
    x, x_hat, importance = case(rng, 3, 4, 5)
    alone = [weighted_loss(x[k : k + 1], x_hat[k : k + 1], importance[k : k + 1]) for k in range(3)]
    assert_close(weighted_loss(x, x_hat, importance), alone[0] + alone[1] + alone[2], **CLOSE)


@pytest.mark.parametrize("twice", ["rows", "features"])
def test_the_loss_stays_the_same_when_everything_comes_twice(weighted_loss, rng, twice):
    """Axes 1 and 2, batch and features: a mean over them doesn't grow with their length."""
    axis, (x, x_hat, importance) = 1 + (twice == "features"), case(rng, 2, 3, 5)
    doubled = [torch.cat([x, x], axis), torch.cat([x_hat, x_hat], axis), torch.cat([importance] * axis, 1)]
    assert_close(weighted_loss(*doubled), weighted_loss(x, x_hat, importance), **CLOSE)


def test_an_instance_gets_the_gradient_it_would_get_alone(weighted_loss, rng):
    """The gradient at x̂ is 2 I (x̂ − x) over batch × features, however many other instances there are."""
    x, x_hat, importance = case(rng, 3, 4, 5)
    expected = 2 * importance[:, None] * (x_hat - x) / 20
    assert_close(gradients(weighted_loss, x, x_hat, importance)[1], expected, **CLOSE)


def test_agrees_with_the_reference_on_random_mistakes(weighted_loss, reference, rng):
    """Here every axis is compared at once."""
    for shape in [(1, 1, 1), (3, 4, 5), (4, 4, 4), (2, 1, 6)]:
        for given in [case(rng, *shape), [tensor.double() for tensor in case(rng, *shape)]]:
            assert_close(weighted_loss(*given), reference(*given), **CLOSE)
