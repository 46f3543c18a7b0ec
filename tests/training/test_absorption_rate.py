"""Is an absorbed parent told from a missed one, on tokens that had no say in the choice?"""

import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

NONE, ALONE, CHILD = 0, 1, 2  # what a token is: without the parent, with the parent alone, with parent and child


class Scene:
    "128 tokens, in each half 20 of NONE, 26 ALONE, 18 CHILD; along Q[0] the parent, Q[1] the child, Q[2] all tokens."

    def __init__(self, rng, Q=None):
        order, kinds = rng.permutation(128), torch.tensor([NONE] * 20 + [ALONE] * 26 + [CHILD] * 18).repeat(2)
        self.kind, self.fit, self.rng, self.Q = kinds[order], order < 64, rng, rng.rotation(6) if Q is None else Q
        self.parent, self.child = self.kind > 0, self.kind == CHILD
        self.scored = self.child & ~self.fit  # 18 of them
        self.some, self.more = (self.scored & (self.scored.cumsum(0) % 3 == i) for i in (0, 1))  # 6 each
        what = torch.stack([self.parent, self.child, self.kind > -1], dim=1) * torch.tensor([1.0, 1.5, 2.0])
        self.x = (what * rng.uniform(128, 3, low=0.8, high=1.2)) @ self.Q[:3]

    def rate(self, fn, *latents, c=0.3, double=False, child=None):
        "Each latent: the tokens where it is on, the cosine of its row with the parent (the rest: child), its length."
        latents = [latents[i] for i in self.rng.permutation(len(latents))]
        on, cos = torch.stack([where for where, *_ in latents], dim=1), torch.tensor([[row[1]] for row in latents])
        W_dec = (cos * self.Q[0] + (1 - cos**2).sqrt() * self.Q[1]) * torch.tensor([[row[2]] for row in latents])
        given = self.x, on * 10 ** self.rng.uniform(*on.shape, low=-4.0, high=0.3), W_dec
        labels = self.parent, self.child if child is None else child, self.fit
        return fn(*[t.double() if double else t for t in given], *labels, c)


def test_the_direction_leads_from_no_parent_to_the_parent_alone(find_parent, rng):
    "Which tokens are in each of the two means? Neither the child nor what all tokens share may remain in the step."
    s = Scene(rng)
    exact = normalize(s.x[s.kind == ALONE].mean(0) - s.x[s.kind == NONE].mean(0), dim=0)
    for x in (s.x, s.x.double()):
        assert_close(find_parent(x, s.parent[:, None].to(x), s.parent, s.child)[1], exact.to(x), atol=1e-5, rtol=1e-4)


def test_the_latent_with_the_best_f1_is_chosen(find_parent, rng):
    "F1 counts tokens where a latent is on: wrong ones and missed ones both cost, strength doesn't matter."
    s, order = Scene(rng), rng.permutation(6)
    one, few = ((s.kind == NONE) & ((s.kind == NONE).cumsum(0) <= n) for n in (1, 4))  # of 40
    on = [(s.parent & ~s.some) | few, s.kind > -1, s.child | few, s.some, (s.kind == ALONE) | one, s.kind == NONE]
    f = torch.stack(on, dim=1) * rng.uniform(128, 6, low=0.5) * torch.tensor([0.05, 0.08, 9.0, 2.0, 0.3, 5.0])
    for kept in (order, order[order > 0]):  # F1 .94, .81, .56, .13, .74, 0: without 0 it is 1, which is always on
        main, expected = find_parent(s.x, f[:, kept], s.parent, s.child)[0], int(kept.argmin())
        assert main == expected, f"expected latent {expected}, the one with the highest F1, got {main}"


def test_a_parent_whose_latent_is_on_is_not_absorbed(absorption_rate, rng):
    "The first of the two conditions: where the parent's latent is on, nothing is absorbed."
    s = Scene(rng)
    rate = s.rate(absorption_rate, (s.parent, 1.0, 1.0), (s.child, 0.7, 1.0))
    assert rate == 0, f"The parent's latent is on at every child token: expected 0, got {rate:.3f}."


def test_the_rate_is_a_share_of_the_child_tokens_in_the_other_half(absorption_rate, rng):
    "The parent's latent is off on 12 of 18 scored child tokens, on 6 of them with two absorbers on, on 6 with none."
    s = Scene(rng)
    for fitted in (s.parent, s.kind == ALONE):  # on the fit half: never off, or off on every child token
        main = torch.where(s.fit, fitted, s.parent & ~s.some & ~s.more)
        for double in (False, True):
            latents = (main, 1.0, 0.5), (s.child & ~s.more, 0.7, 2.0), (s.child, 0.0, 1.0), (s.some, 0.8, 1.0)
            rate = s.rate(absorption_rate, *latents, double=double)
            assert abs(rate - 6 / 18) < 1e-6, f"expected 6/18 of the child tokens outside `fit`, got {rate:.4f}"


def test_without_a_row_along_the_parent_a_token_is_missed_and_not_absorbed(absorption_rate, rng):
    "Which latent is on instead, and where does its row point? Compare its cosine, with the sign, with the one given."
    s = Scene(rng, torch.eye(6))  # so that a cosine of 0 is exactly 0
    for cos, length, c in [(0, 1, 0.3), (0, 1, 0.0), (-0.9, 1, 0.3), (0.2, 9, 0.3), (0.4, 0.1, 0.3), (0.4, 3, 0.5)]:
        rate, expected = s.rate(absorption_rate, (s.kind == ALONE, 0.75, 1.0), (s.child, cos, length), c=c), cos > c
        told = f"the only latent that is on has cosine {cos} and length {length}, and the limit is {c}"
        assert rate == expected, f"{told}: expected {expected:d}, got {rate:.3f}"


def test_an_absorber_has_to_be_on_at_that_very_token(absorption_rate, rng):
    "An absorber that is on at other tokens explains nothing at this one."
    s = Scene(rng)
    for two in (s.kind < 0, s.some & (s.some.cumsum(0) < 3)):
        latents = (s.parent & ~s.some, 1.0, 1.0), (s.child & ~s.some, 0.9, 1.0), (two, 0.5, 1.0)
        rate, expected = s.rate(absorption_rate, *latents), int(two.sum()) / 18
        assert abs(rate - expected) < 1e-6, f"the parent is off with an absorber on: {expected:.3f}, not {rate:.3f}"


def test_the_scored_tokens_have_no_say_in_the_choice(absorption_rate, rng):
    "On the other half another latent detects the parent, which points elsewhere there. Which latent, which direction?"
    s = Scene(rng)
    s.x = s.x + 9 * (s.parent & ~s.fit)[:, None] * s.Q[3]
    rate = s.rate(absorption_rate, (s.fit & (s.kind == ALONE), 1.0, 1.0), (~s.fit & s.parent, 0.9, 1.0))
    assert rate == 1, f"The latent that detects the parent on the fit half is off on the other: 1, not {rate:.3f}."


def test_child_tokens_count_when_the_latent_is_chosen(absorption_rate, rng):
    "One latent misses 8 tokens, another one all the children. Leave the children out, and the second looks perfect."
    s = Scene(rng)
    missed = s.fit & (s.kind == ALONE) & ((s.fit & (s.kind == ALONE)).cumsum(0) <= 8)
    rate = s.rate(absorption_rate, (s.parent & ~missed, 1.0, 1.0), (s.kind == ALONE, 0.9, 1.0))
    assert rate == 0, f"The latent with the best F1 on the fit half is on at every child: expected 0, got {rate:.3f}."


def test_with_no_child_token_to_score_the_rate_is_nan(absorption_rate, rng):
    "0 of 0 tokens were absorbed. That is neither none nor all of them."
    s = Scene(rng)
    rate = s.rate(absorption_rate, (s.parent, 1.0, 1.0), (s.child, 0.7, 1.0), child=s.child & s.fit)
    assert rate != rate, f"No child token lies outside `fit`: expected nan, got {rate}."


def test_agrees_with_the_reference_on_random_labels(absorption_rate, reference, rng):
    "This tries everything at once, with latents that are on at random."
    for tokens, d_in, d_sae in [(150, 3, 5), (190, 7, 4), (164, 5, 1)]:
        parent, fit = rng.uniform(tokens) < 0.5, rng.uniform(tokens) < 0.5
        child = parent & (rng.uniform(tokens) < 0.5)
        x, f, W_dec = rng.normal(tokens, d_in), rng.normal(tokens, d_sae).relu(), rng.normal(d_sae, d_in)
        f[:, 0] = f[:, 0] * parent + (parent & (rng.uniform(tokens) < 0.6))  # of all the one with the best F1
        for given in ((x, f, W_dec), (x.double(), f.double(), W_dec.double())):
            args = *given, parent, child, fit, 0.1
            assert_close(absorption_rate(*args), reference(*args), atol=1e-6, rtol=0.0)
