"""Does the model give its dimensions to features, or to its training examples?"""

import pytest
import torch
from torch.testing import assert_close

FIFTHS = torch.arange(5) * 2 * torch.pi / 5
STORED = {  # hidden vectors, and the dimensionality of each
    "a fifth of a turn apart": (torch.stack([FIFTHS.cos(), FIFTHS.sin()], dim=1), [0.4] * 5),
    "back to back": (torch.tensor([[3.0, 0.0], [-3.0, 0.0]]), [0.5, 0.5]),
    "one of them twice as long": (torch.tensor([[0.0, 2.0], [0.0, 1.0]]), [0.8, 0.2]),
    "one alone": (torch.tensor([[0.0, -3.0]]), [1.0]),
    "one of them not at all": (torch.tensor([[0.0, 0.0], [2.0, 0.0]]), [0.0, 1.0]),
}


def test_every_example_has_length_one(training_set, rng):
    """the square root of the sum of squares of one example: not of a batch, and not the sum itself."""
    p = torch.cat([torch.ones(3, 1), rng.uniform(3, 6)], dim=1)  # feature 0 is always on: no example is empty
    assert_close(training_set(3, 50, p).norm(dim=-1), torch.ones(3, 50))


def test_empty_examples_are_drawn_again_as_a_whole(training_set):
    """examples without a feature are neither kept nor repaired, so how many of the others have a single one?"""
    single = ((training_set(1, 6000, torch.full((1, 4), 0.1)) > 0).sum(dim=-1) == 1).double().mean()
    told = f"Expected  a single feature in 84.8% ± 2.8% of the examples at p = 0.1\nGot       {single:.1%}"
    assert abs(single - 0.4 * 0.9**3 / (1 - 0.9**4)) < 0.028, told  # 6 standard errors


def test_every_example_of_every_instance_is_a_draw_of_its_own(training_set):
    """the same numbers in two instances, or twice in one."""
    X = training_set(4, 100, torch.full((1, 9), 0.9)).flatten(0, 1)
    copies = len(X) - len(X.unique(dim=0))
    assert not copies, f"Expected  400 different examples\nGot       {copies} copies among them"


def test_every_instance_has_its_own_densities(training_set):
    """row k of p belongs to instance k: here instance k has feature k, always, and no other."""
    assert_close(training_set(3, 4, torch.eye(3)), torch.eye(3)[:, None].expand(3, 4, 3))


@pytest.mark.parametrize("rows_of_p", [1, 3], ids=["one p for all", "a p for each"])
def test_the_test_examples_are_fresh_ones_of_the_same_kind(train_and_test_loss, rows_of_p):
    """where do they come from? Each instance stores one feature, its training set has nothing else, p may have."""
    stored, met = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])[-rows_of_p:]
    W, X = torch.eye(2)[stored][:, None], torch.eye(2)[stored][:, None].repeat(1, 4, 1)
    train, test = train_and_test_loss(W, torch.zeros(3, 2), X, torch.eye(2)[met], 20)
    assert_close((train, test), (torch.zeros(3), (stored != met).float()))


@pytest.mark.parametrize("size,n_inst", [(0.0, 1), (1.0, 1), (1.0, 3)], ids=["zero model", "one model", "three"])
def test_a_loss_is_the_squared_error_of_an_example_on_average(train_and_test_loss, rng, size, n_inst):
    """sum over features, average over the examples of one instance; so a model that outputs zero has loss one."""
    W, b, X = size * rng.normal(n_inst, 2, 5), size * rng.normal(n_inst, 5), rng.uniform(n_inst, 4, 5)
    X = X / X.norm(dim=-1, keepdim=True)
    expected = torch.stack([((x @ w.T @ w + c).relu() - x).pow(2).sum() / 4 for w, c, x in zip(W, b, X)])
    train, test = train_and_test_loss(W, b, X, torch.full((1, 5), 0.5), 7)
    assert_close((train, test if size == 0 else expected), (expected, expected), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("where", STORED)
def test_hidden_vectors_share_the_plane_as_features_do(memorisation, rng, where):
    """the shadows that the *other hidden vectors* cast on the direction of h = W x; a zero vector gets 0."""
    hidden, expected = STORED[where]
    hidden = rng.uniform(1, low=0.8, high=1.2) * hidden @ rng.rotation(2)  # turned and scaled, they share it as before
    W = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0]])  # the last feature is dropped
    X = hidden @ torch.linalg.pinv(W).T + (hidden == 0).all(dim=1, keepdim=True) * torch.tensor([0.0, 0.0, 1.0])
    examples = memorisation(W.repeat(2, 1, 1), torch.stack([X, torch.zeros_like(X)]))[1]
    assert_close(examples[0], torch.tensor(expected), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("which", ["features", "examples"])
def test_instances_share_nothing(memorisation, reference, rng, which):
    """each instance has its own weights, its own examples and a plane of its own."""
    W, X, part = rng.normal(3, 2, 7).double(), rng.uniform(3, 5, 7).double(), ["features", "examples"].index(which)
    W[:, :, 2] = 0.0
    alone = [reference(W[k : k + 1], X[k : k + 1])[part] for k in range(3)]
    assert_close(memorisation(W, X)[part], torch.cat(alone))
