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
    """Divide by the square root of the sum of squares of *one* example: not of a batch, and not by the sum itself."""
    p = torch.cat([torch.ones(3, 1), rng.uniform(3, 6)], dim=1)  # feature 0 is always on: no example is empty
    assert_close(training_set(3, 50, p).norm(dim=-1), torch.ones(3, 50))


def test_empty_examples_are_drawn_again_as_a_whole(training_set):
    """Examples without a feature are neither kept nor repaired. Then how many of the others have a single one?"""
    single = ((training_set(1, 6000, torch.full((1, 4), 0.2)) > 0).sum(dim=-1) == 1).double().mean()
    told = f"Expected  a single feature in 69.4% ± 3.6% of the examples at p = 0.2\nGot       {single:.1%}"
    assert abs(single - 0.8 * 0.8**3 / (1 - 0.8**4)) < 0.036, told  # 6 standard errors


def test_the_features_of_an_example_differ_in_size(training_set):
    """How large is a feature that is on? As in `toy.generate_batch`: a magnitude of its own from U[0, 1], not just
    1."""
    kinds = len(training_set(1, 40, torch.ones(1, 3))[0].unique(dim=0))
    assert kinds > 1, f"Expected 40 different examples of three features that are always on, got {kinds}."


@pytest.mark.parametrize("density", [0.9, 0.1], ids=["mostly full", "mostly empty"])
def test_no_example_is_a_copy_of_another(training_set, density):
    """Do two instances have the same numbers, or two examples of one? What does an empty example become?"""
    X = training_set(4, 100, torch.full((1, 9), density)).flatten(0, 1)
    X = X[(X > 0).sum(dim=-1) > 1]  # examples with a single feature look alike once they have length one
    copies = len(X) - len(X.unique(dim=0))
    assert not copies, f"Expected  {len(X)} different examples with two features or more\nGot       {copies} copies"


def test_every_call_draws_a_new_training_set(training_set):
    """Is there a seed inside? Then the "fresh" examples of a test are the training examples again."""
    same = torch.equal(*(training_set(2, 20, torch.full((1, 9), 0.5)) for _ in range(2)))
    assert not same, "Expected two calls to differ; both gave the same examples."


def test_a_seed_makes_the_same_training_set_again(training_set):
    """Where do the random numbers come from? From torch's global generator, so that `torch.manual_seed` decides
    them."""
    sets = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        sets.append(training_set(2, 20, torch.full((1, 9), 0.5)))
    assert torch.equal(sets[0], sets[2]), "Expected the same examples after the same `torch.manual_seed`; they differ."


def test_a_training_set_has_the_dtype_of_p(training_set, rng):
    """Results keep the dtype of what they are given: p decides."""
    for dtype in (torch.float32, torch.float64):
        got = training_set(2, 3, rng.uniform(1, 4, low=0.5).to(dtype)).dtype
        assert got == dtype, f"Expected examples in {dtype}, like p, got {got}."


def test_each_instance_uses_its_own_row_of_p(training_set):
    """Row k of p belongs to instance k: here instance k has feature k, always, and no other."""
    assert_close(training_set(3, 4, torch.eye(3)), torch.eye(3)[:, None].expand(3, 4, 3))


@pytest.mark.parametrize("size,n_inst", [(0.0, 1), (1.0, 1), (1.0, 3)], ids=["zero model", "one model", "three models"])
def test_a_loss_sums_over_features_and_averages_over_examples(train_and_test_loss, rng, size, n_inst):
    """‖x − x̂‖² with x̂ = ReLU(WᵀWx + b): squared, summed over features, averaged over the examples of one instance.
    First the loss on X, then the one on fresh examples; a model that outputs zero has loss one on both."""
    W, b, X = size * rng.normal(n_inst, 2, 5), size * rng.normal(n_inst, 5), rng.uniform(n_inst, 4, 5)
    X = X / X.norm(dim=-1, keepdim=True)
    expected = torch.stack([((x @ w.T @ w + c).relu() - x).pow(2).sum() / 4 for w, c, x in zip(W, b, X)])
    train, test = train_and_test_loss(W, b, X, torch.full((1, 5), 0.5), 7)
    assert_close((train, test if size == 0 else expected), (expected, expected), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("rows_of_p", [1, 3], ids=["one p for all", "a p for each"])
def test_the_test_examples_are_fresh_and_of_the_same_kind(train_and_test_loss, rows_of_p):
    """Where do they come from? Each instance stores one feature, its training set has nothing else, p may have."""
    stored, met = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])[-rows_of_p:]
    W, X = torch.eye(2)[stored][:, None], torch.eye(2)[stored][:, None].repeat(1, 4, 1)
    train, test = train_and_test_loss(W, torch.zeros(3, 2), X, torch.eye(2)[met], 20)
    assert_close((train, test), (torch.zeros(3), (stored != met).float()))


@pytest.mark.parametrize("n_inst", [1, 3], ids=["one model", "three models"])
def test_the_test_loss_uses_the_same_W_and_b(train_and_test_loss, rng, n_inst):
    """Which W and b rebuild the fresh examples? Each instance's own, both of them, as for the training examples."""
    W, b, X = rng.normal(n_inst, 3, 4), rng.normal(n_inst, 4), torch.eye(4).expand(n_inst, 4, 4)
    met = torch.eye(4)[rng.permutation(4)[:n_inst]]  # one feature per instance is on, always: its example is known
    errors = [((x @ w.T @ w + c).relu() - x).pow(2).sum() for w, c, x in zip(W, b, met)]
    assert_close(train_and_test_loss(W, b, X, met, 3)[1], torch.stack(errors), atol=1e-4, rtol=1e-4)


def test_every_call_tests_on_new_examples(train_and_test_loss, rng):
    """Is there a seed inside? Fresh means fresh at every call."""
    model = rng.normal(2, 2, 6), rng.normal(2, 6), torch.eye(6).expand(2, 6, 6), torch.full((1, 6), 0.5)
    first, second = (train_and_test_loss(*model, 5)[1] for _ in range(2))
    assert not torch.equal(first, second), f"Expected two calls to differ a little, got {first.tolist()} twice."


@pytest.mark.parametrize("n_test", [1, 100], ids=["one example", "100 examples"])
def test_the_test_loss_averages_over_n_test_examples(train_and_test_loss, n_test):
    """How many fresh examples do you draw? `n_test` for each instance: few leave its loss to luck, many don't."""
    W, X, p = torch.eye(3)[None, :1].repeat(40, 1, 1), torch.eye(3).repeat(40, 1, 1), torch.full((1, 3), 0.2)
    spread = train_and_test_loss(W, torch.zeros(40, 3), X, p, n_test)[1].std().item()  # it stores one of three features
    told = f"Expected  40 losses that differ by about {0.44 / n_test**0.5:.2f}\nGot       {spread:.2f}"
    assert 0.5 < spread * n_test**0.5 / 0.44 < 1.7, told  # 0.44 for one example; 40 of them know it to 11%


@pytest.mark.parametrize("where", STORED)
def test_hidden_vectors_share_the_plane_as_features_do(memorisation, rng, where):
    """Which shadows fall on the direction of h = W x? Those of *all hidden vectors*; a zero vector gets 0."""
    hidden, expected = STORED[where]
    hidden = rng.uniform(1, low=0.8, high=1.2) * hidden @ rng.rotation(2)  # turned and scaled, they share it as before
    W = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0]])  # the last feature is dropped
    X = hidden @ torch.linalg.pinv(W).T + (hidden == 0).all(dim=1, keepdim=True) * torch.tensor([0.0, 0.0, 1.0])
    examples = memorisation(W.repeat(2, 1, 1), torch.stack([X, torch.zeros_like(X)]))[1]
    assert_close(examples[0], torch.tensor(expected), atol=1e-4, rtol=1e-4)


def test_an_example_that_is_there_three_times_counts_three_times(memorisation, rng):
    """Whose shadows do you count? Those of all examples of this instance: three in one direction have a third each."""
    x = rng.uniform(2, 1, 3, low=0.5).repeat(1, 3, 1)
    assert_close(memorisation(rng.normal(2, 1, 3) + 3, x)[1], torch.full((2, 3), 1 / 3), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("hidden", [1, 2, 5], ids=["one dimension", "two dimensions", "five dimensions"])
def test_any_number_of_dimensions_can_be_shared(memorisation, reference, rng, hidden):
    """h = W x with the instance's own W, all its rows: compare one instance's numbers with `dimensionality` by hand."""
    W, X = rng.normal(2, hidden, 4), rng.uniform(2, 6, 4)
    assert_close(memorisation(W, X), reference(W, X), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("which", ["features", "examples"])
def test_instances_share_nothing(memorisation, reference, rng, which):
    """Each instance has its own weights, its own examples and a plane of its own."""
    W, X, part = rng.normal(3, 2, 7).double(), rng.uniform(3, 5, 7).double(), ["features", "examples"].index(which)
    W[:, :, 2] = 0.0
    alone = [reference(W[k : k + 1], X[k : k + 1])[part] for k in range(3)]
    assert_close(memorisation(W, X)[part], torch.cat(alone))
