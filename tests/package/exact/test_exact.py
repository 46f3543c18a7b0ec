"""Is the truth about the hand-written model true? Every subset of its nodes and every one of its edges is tried."""

import pytest
import torch

from saelab import exact
from saelab.exact import ablation, mechanism
from saelab.exact.ablation import EDGES, NODES, cut_edges, keep_every_subset, logit_difference, outputs

torch.set_num_threads(1)
BEHAVIOURS = ["ioi", "induction", "facts"]
OUTSIDE_ALL = [n for n in NODES if not any(n in c["nodes"] for c in exact.circuit().values())]
TWINS = [("a0.2", "a0.3"), ("a1.1", "a1.2"), ("a2.0", "a2.2")]  # (busy for nobody, in a circuit)
every_behaviour = pytest.mark.parametrize("behaviour", BEHAVIOURS)


@pytest.fixture(scope="module")
def model():
    return exact.model()


def prompts_of(behaviour, n=4, seed=0):
    return exact.prompts(n, seed)[behaviour]


def subsets_with_the_circuit(behaviour):
    mask = sum(1 << NODES.index(node) for node in exact.circuit()[behaviour]["nodes"])
    return (torch.arange(2 ** len(NODES)) & mask) == mask


@every_behaviour
def test_every_answer_is_right_and_ten_logits_ahead(model, behaviour):
    prompts = prompts_of(behaviour, n=100)
    logits = model(prompts.tokens).logits[:, -1]
    assert logits.argmax(-1).equal(prompts.answer)
    torch.testing.assert_close(logit_difference(logits, prompts), torch.full((100,), 10.0), atol=1e-4, rtol=0)


@every_behaviour
def test_of_all_subsets_of_nodes_exactly_those_with_the_circuit_keep_the_behaviour(model, behaviour):
    prompts = prompts_of(behaviour)
    logits, clean = keep_every_subset(model, prompts), model(prompts.tokens).logits[:, -1]
    kept, has_circuit = logit_difference(logits, prompts) / 10, subsets_with_the_circuit(behaviour)
    assert (logits[has_circuit] - clean).abs().max() < 1e-3
    assert kept[~has_circuit].max() < 0.1


def test_a_head_that_takes_over_is_found_out(monkeypatch):
    heads = mechanism.heads()
    monkeypatch.setattr(mechanism, "heads", lambda: {**heads, "a0.2": heads["a0.3"]})
    prompts = prompts_of("ioi", n=2)
    kept = logit_difference(keep_every_subset(exact.model(), prompts), prompts) / 10
    assert kept[~subsets_with_the_circuit("ioi")].max() > 0.9


@every_behaviour
def test_every_declared_edge_matters_and_no_other_does(model, behaviour):
    prompts = prompts_of(behaviour, n=3)
    declared = torch.tensor([edge in exact.circuit()[behaviour]["edges"] for edge in EDGES])
    assert declared.sum() == len(exact.circuit()[behaviour]["edges"]), "an edge is declared that does not exist"
    single = torch.eye(len(EDGES), dtype=torch.bool)
    kept = logit_difference(cut_edges(model, prompts, single), prompts) / 10
    assert kept[declared].max() < 0.1
    assert kept[~declared].min() > 0.999
    alone = cut_edges(model, prompts, torch.cat([~declared[None], ~declared | single[declared]]))
    assert (alone[0] - model(prompts.tokens).logits[:, -1]).abs().max() < 1e-3, "the declared edges are not enough"
    assert (logit_difference(alone[1:], prompts) / 10).max() < 0.1


def test_two_nodes_serve_two_behaviours_each():
    served = [node for circuit in exact.circuit().values() for node in circuit["nodes"]]
    assert sorted(n for n in set(served) if served.count(n) == 2) == ["a0.1", "a2.2"]


def test_each_edge_joins_nodes_of_its_circuit():
    for circuit in exact.circuit().values():
        ends = {end.rsplit(".", 1)[0] if end[-1] in "qkv" else end for e in circuit["edges"] for end in e.split(" -> ")}
        assert ends == {*circuit["nodes"], "embed", "logits"}


def test_the_plain_forward_pass_is_the_models(model):
    for prompts in exact.prompts(4).values():
        with torch.no_grad():
            plain = ablation.unembed(model, sum(outputs(model, prompts.tokens).values()))
        torch.testing.assert_close(plain, model(prompts.tokens).logits, atol=1e-4, rtol=0)


def test_layernorm_changes_nothing_but_by_a_hundred_thousandth(model):
    for prompts in exact.prompts(20).values():
        x = sum(outputs(model, prompts.tokens).values())
        torch.testing.assert_close(x.norm(dim=-1), torch.full(x.shape[:2], mechanism.BALLAST), rtol=1e-5, atol=0)
        read = mechanism.BASIS[1:].T
        torch.testing.assert_close(model.transformer.ln_f(x) @ read, x @ read, atol=1e-3, rtol=1e-5)


def test_nodes_outside_of_all_circuits_are_as_loud_as_those_inside(model):
    loudest = dict.fromkeys(NODES, 0.0)
    for prompts in exact.prompts(10).values():
        clean, other = outputs(model, prompts.tokens), outputs(model, prompts.corrupted)
        for node in NODES:
            loudest[node] = max(loudest[node], (clean[node] - other[node]).norm(dim=-1).max().item())
    assert len(OUTSIDE_ALL) == 9
    assert min(loudest[node] for node in OUTSIDE_ALL if node != "a2.3") > 0.99, loudest  # a2.3 averages over all
    assert min(loudest[node] for node in NODES) > 0.3, loudest


def test_the_twins_look_where_the_circuit_looks():
    heads = mechanism.heads()
    for twin, real in TWINS:
        assert heads[twin]["Q"].equal(heads[real]["Q"]) and heads[twin]["K"].equal(heads[real]["K"])
        assert not heads[twin]["O"].equal(heads[real]["O"])


def test_each_person_is_known_by_one_neuron():
    model, facts = exact.model(), prompts_of("facts", n=60)
    found = {}
    for neuron in range(24):
        row = model.transformer.h[1].mlp.c_proj.weight[neuron]
        before = row.clone()
        row.zero_()
        wrong = logit_difference(model(facts.tokens).logits[:, -1], facts) < 5
        row.copy_(before)
        found[neuron] = {text for text, is_wrong in zip(facts.texts, wrong) if is_wrong}
    assert all(len(people) <= 1 for people in found.values()), found
    assert set().union(*found.values()) == set(facts.texts)


def attribution_patching(model, prompts):
    """Node → gradient of the logit difference times the change that ablation makes, mean over prompts."""
    other, found = outputs(model, prompts.corrupted), {"embed": ablation.embed(model, prompts.tokens)}
    found["embed"].requires_grad_()
    for node in NODES:
        x = torch.stack([found[s] for s in ablation.senders(node)]).sum(0)
        found[node] = ablation.output(model, node, [x] * len(ablation.receivers(node)))
    difference = logit_difference(ablation.unembed(model, sum(found.values())[:, -1]), prompts)
    gradients = torch.autograd.grad(difference.sum(), [found[node] for node in NODES])
    return {n: ((found[n] - other[n]) * g).sum((1, 2)).mean().abs().item() for n, g in zip(NODES, gradients)}


def test_attribution_patching_is_blind_to_saturated_heads_and_sees_soft_ones(model):
    blind = attribution_patching(model, prompts_of("ioi", n=20))
    assert blind["a2.2"] > 9 and max(blind["a0.3"], blind["a1.2"]) < 1e-3, blind
    soft = exact.model(sharp=2)
    for behaviour in BEHAVIOURS:
        prompts, inside = prompts_of(behaviour, n=20), exact.circuit()[behaviour]["nodes"]
        assert soft(prompts.tokens).logits[:, -1].argmax(-1).equal(prompts.answer)
        scores = attribution_patching(soft, prompts)
        assert min(scores[n] for n in inside) > 3 * max(scores[n] for n in NODES if n not in inside), scores


def test_transformer_lens_boots_it_with_the_same_logits_also_with_layernorm_folded(model, tmp_path):
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(str(exact.save(tmp_path / "exact")), device="cpu")
    for prompts in exact.prompts(4).values():
        assert bridge.to_tokens(prompts.texts).equal(prompts.tokens)
        torch.testing.assert_close(bridge(prompts.tokens), model(prompts.tokens).logits, atol=2e-4, rtol=0)
    bridge.enable_compatibility_mode(disable_warnings=True)
    for prompts in exact.prompts(4).values():
        folded, plain = bridge(prompts.tokens), model(prompts.tokens).logits
        torch.testing.assert_close(folded.log_softmax(-1), plain.log_softmax(-1), atol=2e-4, rtol=0)


def test_saving_never_overwrites_and_leaves_nothing_half_done(tmp_path):
    exact.save(tmp_path / "one")
    with pytest.raises(ValueError, match="another folder"):
        exact.save(tmp_path / "one")
    (tmp_path / "empty").mkdir()
    assert (exact.save(tmp_path / "empty", sharp=2) / "model.safetensors").is_file()
    with pytest.raises(ValueError, match="positive"):
        exact.save(tmp_path / "two", sharp=0)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "here") == ["empty", "one"]


def test_the_same_seed_gives_the_same_prompts_and_another_gives_others():
    first, again, other = exact.prompts(8, 1), exact.prompts(8, 1), exact.prompts(8, 2)
    assert all(first[b].texts == again[b].texts != other[b].texts for b in BEHAVIOURS)
    with pytest.raises(ValueError, match="at least one"):
        exact.prompts(0)


@every_behaviour
def test_a_corrupted_prompt_does_not_give_the_answer_away(model, behaviour):
    prompts = prompts_of(behaviour, n=50)
    assert prompts.corrupted.shape == prompts.tokens.shape
    assert (prompts.corrupted != prompts.answer[:, None]).all()
    logits = model(prompts.corrupted).logits[:, -1]
    assert logits[torch.arange(50), prompts.answer].max() < 1
