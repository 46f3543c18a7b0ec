"""Can neurons compute |x|, and how many features does each of them read?"""

import pytest
import torch
from torch.testing import assert_close

NEAR = {"atol": 1e-5, "rtol": 1e-4}  # float32, up to 10 summands of order 1: errors of about 1e-6
BY_HAND = {  # W1, W2, b, and what they make of x
    "two neurons give both sides": ([[1.0], [-1.0]], [[1.0, 1.0]], 0.0, torch.abs),
    "no output is negative": ([[1.0]], [[-1.0]], 0.0, torch.zeros_like),
    "a negative bias turns a weak output off": ([[1.0]], [[1.0]], -0.4, lambda x: torch.relu(x - 0.4)),
    "one neuron sees one side, and the bias stays": ([[-1.0]], [[1.0]], 0.4, lambda x: torch.relu(-x) + 0.4),
}


def random_case(rng, k, m, n, batch=1):  # W1, W2, b, x
    return [rng.normal(k, *shape) for shape in [(m, n), (n, m), (n,), (batch, n)]]


@pytest.mark.parametrize("case", list(BY_HAND))
def test_small_cases_come_out_as_on_paper(AbsModel, rng, case):
    """On paper: h = ReLU(W1 x) has a number per neuron, y = ReLU(W2 h + b) one per feature. Which of these steps
    differs?"""
    W1, W2, b, y = BY_HAND[case]
    gain, x = rng.uniform(1, low=0.5, high=2), torch.tensor([[[1.0], [-1.0], [0.0]]]) * rng.uniform(1, low=0.5)
    assert_close(AbsModel(torch.tensor([W1]) * gain, torch.tensor([W2]) / gain, torch.full((1, 1), b))(x), y(x), **NEAR)


def test_each_instance_uses_its_own_weights(AbsModel, rng):
    "Keep the instance axis: beside other models each does what it does alone."
    case = [c.double() for c in random_case(rng, 3, 4, 5, 7)]
    alone = [AbsModel(*parts[:3])(parts[3]) for parts in zip(*(c.split(1) for c in case), strict=True)]
    assert_close(AbsModel(*case[:3])(case[3]), torch.cat(alone), **NEAR)


def test_training_reaches_every_weight(AbsModel, reference, rng):
    """Is `loss` as it was given? It compares with |x|, and reaches W1, W2 and b as they are: no `.data`, `.detach()` or
    `torch.no_grad()`."""
    case, importance = random_case(rng, 2, 4, 3, 6), rng.uniform(2, 3)
    model, right = AbsModel(*case[:3]), reference(*case[:3])
    model.loss(case[3], importance).backward(), right.loss(case[3], importance).backward()
    for got, expected in [(model.W1.grad, right.W1.grad), (model.W2.grad, right.W2.grad), (model.b.grad, right.b.grad)]:
        assert_close(0 * expected if got is None else got, expected, **NEAR)


def test_a_neuron_with_n_equal_weights_reads_n_features(features_per_neuron, rng):
    """n equal weights w in a row, the rest 0: (n w²)² / (n w⁴) is exactly n. Put them in; what else does your formula
    add?"""
    equal = (torch.arange(7) < torch.tensor([1, 2, 4, 7])[:, None]) * rng.normal(4, 7).sign()
    W1 = rng.uniform(4, 1, low=0.5, high=3) * equal[:, rng.permutation(7)]
    assert_close(features_per_neuron(W1), torch.tensor([1.0, 2.0, 4.0, 7.0]), **NEAR)


def test_the_gain_of_a_neuron_does_not_change_the_count(features_per_neuron, rng):
    "Numerator and denominator must grow alike when a row is multiplied by a number."
    W1, gain = rng.normal(5, 4), rng.uniform(5, 1, low=2, high=5) * rng.normal(5, 1).sign()
    assert_close(features_per_neuron(gain * W1), features_per_neuron(W1), **NEAR)


def test_a_weak_second_feature_counts_for_a_little(features_per_neuron, rng):
    "Weights enter by their squares: with weights 1 and s the count is (1 + s²)² / (1 + s⁴)."
    s = rng.uniform(6, low=-0.9, high=0.9)
    W1 = torch.stack([torch.ones(6), s, torch.zeros(6)], dim=1) * rng.uniform(6, 1, low=0.5, high=2)
    assert_close(features_per_neuron(W1), (1 + s**2) ** 2 / (1 + s**4), **NEAR)


def test_a_neuron_without_weights_reads_no_feature(features_per_neuron, rng):
    "A row of zeros gives 0/0: what should come out for it, and does it disturb the other neurons?"
    W1, order = rng.normal(3, 5), rng.permutation(4)
    with_zero = torch.cat([W1, torch.zeros(1, 5)])[order]
    expected = torch.cat([features_per_neuron(W1), torch.zeros(1)])[order]
    assert_close(features_per_neuron(with_zero), expected, **NEAR)


def test_agrees_with_the_reference_on_random_models(AbsModel, features_per_neuron, reference, rng):
    "Here are odd shapes: one instance, one sample, one feature, as many neurons as features, or more; float64."
    for k, sizes in enumerate([(1, 1, 1, 1), (2, 5, 3, 1), (3, 2, 6, 7), (1, 9, 4, 5), (2, 4, 4, 3), (3, 5, 5, 5)]):
        case = [c.double() if k % 2 else c for c in random_case(rng, *sizes)]
        assert_close(AbsModel(*case[:3])(case[3]), reference(*case[:3])(case[3]), **NEAR)
        assert_close(features_per_neuron(case[0][0]), reference.features_per_neuron(case[0][0]), **NEAR)
