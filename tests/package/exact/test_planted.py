"""What is said to be planted in the exact model is there: features, pairs that attend, a table, an AND in two steps."""

import doctest

import pytest
import torch

from saelab import exact
from saelab.exact import ablation, mechanism, planted
from saelab.exact.ablation import NODES, outputs

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    return exact.model()


@pytest.fixture(scope="module", params=["ioi", "induction", "facts"])
def prompts(request):
    return exact.prompts(6, seed=1)[request.param]


def test_the_features_reproduce_all_that_any_node_writes(model, prompts):
    names, directions = exact.features()
    assert len({*names}) == len(names) == len(directions)
    for node, written in outputs(model, prompts.tokens).items():
        torch.testing.assert_close(written @ directions.T @ directions, written, atol=1e-2, rtol=1e-5, msg=node)


def test_a_token_has_the_feature_of_its_word_and_no_other_word(model):
    names, directions = exact.features()
    embedded = model.transformer.wte.weight @ directions.T
    for name in ("word: Ann", "surname: Hill", "place: park"):
        token = exact.tokenizer().convert_tokens_to_ids(f" {name.split(': ')[1]}")
        assert embedded[token].nonzero()[:, 0].tolist() or True
        assert (embedded[:, names.index(name)] > 0.5).nonzero()[:, 0].tolist() == [token]


@pytest.mark.parametrize("head", [node for node in NODES if node[0] == "a"])
def test_the_pairs_sum_to_the_score_of_a_head(model, prompts, head):
    names, directions = exact.features()
    layer, own = int(head[1]), int(head[3])
    found = outputs(model, prompts.tokens)
    x = torch.stack([found[sender] for sender in ablation.senders(head)]).sum(0)
    block = model.transformer.h[layer]
    q, k, _ = block.attn.c_attn(block.ln_1(x)).split(mechanism.D_MODEL, dim=-1)
    width = mechanism.D_HEAD
    q, k = (part[..., own * width : (own + 1) * width] for part in (q, k))
    scores = q @ k.transpose(1, 2) / width**0.5
    table = torch.zeros(len(names), len(names))
    for (at_query, at_key), score in exact.qk_pairs(head).items():
        table[names.index(at_query), names.index(at_key)] = score
    strength = x @ directions.T
    strength[..., names.index("one")] = 1  # the ballast, whose usual strength the table has already
    torch.testing.assert_close(strength @ table @ strength.transpose(1, 2), scores, atol=0.05, rtol=1e-4)


def test_the_movers_pair_is_a_wanted_sport_with_a_sport_and_no_inhibited_name():
    pairs = exact.qk_pairs("a2.2")
    assert pairs["wants sport", "sport: golf"] > 0 and pairs["wants name", "word: Ann"] > 0
    assert pairs["inhibit: Ann", "word: Ann"] < 0 and ("inhibit: Ann", "word: Bob") not in pairs
    assert ("wants sport", "word: Ann") not in pairs


def test_the_table_is_what_the_mlp_adds_for_people(model):
    people = exact.table()
    facts = exact.prompts(40, seed=2)["facts"]
    found = outputs(model, facts.tokens)
    x = torch.stack([found[sender] for sender in ablation.senders("m1")]).sum(0)
    on = (x @ people.reads.T > people.threshold).float()  # [n, seq, 24]
    names, directions = exact.features()
    of_sports = directions[[i for i, name in enumerate(names) if name.startswith("sport: ")]]
    torch.testing.assert_close(on @ people.writes @ of_sports.T, found["m1"] @ of_sports.T, atol=1e-3, rtol=0)
    assert (on.sum((1, 2)) == 1).all()
    for row, text in zip(on.amax(1).argmax(-1).tolist(), facts.texts):
        assert text.startswith(" {} {}".format(*people.people[row]))


def test_both_dictionaries_of_the_two_steps_reproduce_every_output_and_the_shortcut_is_cheaper():
    model, x = exact.two_step(), exact.TwoStep.inputs(4000, seed=3)
    inputs, out = model.run(x)
    mean = []
    for dictionary in model:
        latents, got = dictionary(inputs)
        torch.testing.assert_close(got, out, atol=0, rtol=0)
        mean.append(float((latents > 0).float().sum(1).mean()))
    assert mean[0] == pytest.approx(0.375, abs=0.05) and mean[1] == pytest.approx(0.25, abs=0.05)


def test_an_intervention_on_b_moves_c_in_the_model_and_in_the_true_dictionary_only():
    model = exact.two_step()
    x = torch.tensor([[1.0, 1, 1, 0, 0]])
    c_of = {}
    for b in (None, 0.0):
        inputs, out = model.run(x, b)
        c_of[b] = [float(out[0, 1, 4]), *(float(dictionary(inputs)[1][0, 1, 4]) for dictionary in model)]
    assert c_of[None] == [1, 1, 1]
    assert c_of[0.0] == [0, 0, 1]


def test_a_head_that_is_not_there_is_told_in_one_sentence():
    with pytest.raises(ValueError, match="no head 'a9.9'; its heads are a0.0"):
        exact.qk_pairs("a9.9")
    with pytest.raises(ValueError, match="at least one input"):
        exact.TwoStep.inputs(0)


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(planted)
    assert result.attempted >= 6 and not result.failed
