"""Do the scores agree with slow, plain counting, and do they say so when they know nothing?"""

import math

import pytest
import torch

from saelab import scores
from saelab.checking import Rng
from saelab.scores import reconstruction
from saelab.scores.detection import _candidates, _positive_entries

torch.set_num_threads(1)


# Plain implementations: loops over pairs, no tricks.


def plain_auc(scores_, labels) -> float:
    wins = [(p > n) + (p == n) / 2 for p in scores_[labels].tolist() for n in scores_[~labels].tolist()]
    return sum(wins) / len(wins) if wins else math.nan


def plain_f1(said, true) -> tuple[float, float, float]:
    hits = sum(1 for s, t in zip(said.tolist(), true.tolist()) if s and t)
    precision = hits / max(int(said.sum()), 1)
    recall = hits / int(true.sum())
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


def plain_best(latents, labels) -> float:
    """The best F1 on these tokens over all latents and all thresholds."""
    return max(plain_f1(column > t, labels)[2] for column in latents.T for t in {0.0, *column[column > 0].tolist()})


def sparse_latents(rng: Rng, n: int, d_sae: int, rate: float = 0.2) -> torch.Tensor:
    """Few distinct values, so that ties are everywhere."""
    return (rng.uniform(n, d_sae) < rate) * (rng.uniform(n, d_sae) * 6).ceil() / 2


# auc


def test_auc_agrees_with_counting_pairs_ties_included():
    rng = Rng(0)
    x, labels = (3 * rng.normal(60, 5)).round(), rng.uniform(60, 5) < 0.3
    expected = [plain_auc(x[:, f], labels[:, f]) for f in range(5)]
    assert scores.auc(x, labels).tolist() == pytest.approx(expected, abs=1e-12)


def test_auc_of_equal_scores_is_a_half_and_of_one_class_unknown():
    labels = torch.tensor([[True, False, True], [False, False, True], [True, False, True]])
    got = scores.auc(torch.zeros(3, 3), labels)
    assert got[0] == 0.5 and got[1:].isnan().all()


def test_auc_counts_only_tokens_where_the_question_is_asked():
    rng = Rng(1)
    x, labels, mask = rng.normal(40, 3), rng.uniform(40, 3) < 0.5, rng.uniform(40, 3) < 0.6
    expected = [plain_auc(x[mask[:, f], f], labels[mask[:, f], f]) for f in range(3)]
    assert scores.auc(x, labels, mask).tolist() == pytest.approx(expected)
    assert scores.auc(x, labels, mask[:, 0]).tolist() == pytest.approx(
        scores.auc(x[mask[:, 0]], labels[mask[:, 0]]).tolist()
    )


def test_one_column_of_scores_serves_every_factor_and_nan_is_not_ranked():
    labels = Rng(2).uniform(20, 2) < 0.5
    x = torch.arange(20.0)[:, None]
    assert scores.auc(x, labels).tolist() == pytest.approx([plain_auc(x[:, 0], labels[:, f]) for f in range(2)])
    x[3] = torch.nan
    assert scores.auc(x, labels).isnan().all()


# factor_f1


def test_reported_scores_are_those_of_the_chosen_latent_on_the_other_half():
    rng = Rng(3)
    latents, labels = sparse_latents(rng, 301, 12), rng.uniform(301, 7) < 0.15
    got = scores.factor_f1(latents, labels)
    for f in range(7):
        said = latents[150:, got.latent[f]] > got.threshold[f]
        expected = plain_f1(said, labels[150:, f])
        assert (float(got.precision[f]), float(got.recall[f]), float(got.f1[f])) == pytest.approx(expected, abs=1e-6)
    assert got.frequency.tolist() == pytest.approx(labels[150:].float().mean(0).tolist())


def test_the_choice_is_the_best_of_all_latents_and_all_thresholds_of_the_first_half():
    rng = Rng(4)
    latents, labels = sparse_latents(rng, 200, 12), rng.uniform(200, 6) < 0.15
    got = scores.factor_f1(latents, labels)  # all 12 latents are candidates
    for f in range(6):
        said = latents[:100, got.latent[f]] > got.threshold[f]
        assert plain_f1(said, labels[:100, f])[2] == pytest.approx(plain_best(latents[:100], labels[:100, f]))


def test_the_second_half_has_no_say_in_the_choice():
    rng = Rng(5)
    latents, labels = sparse_latents(rng, 200, 12), rng.uniform(200, 6) < 0.15
    before = scores.factor_f1(latents, labels)
    changed = latents.clone()
    changed[100:] = sparse_latents(rng, 100, 12)
    after = scores.factor_f1(changed, labels)
    assert torch.equal(before.latent, after.latent) and torch.equal(before.threshold, after.threshold)
    assert not torch.equal(before.f1, after.f1)


def test_pure_chance_is_not_reported_as_skill():
    rng = Rng(6)
    labels = rng.uniform(4000, 20) < 0.02
    got = scores.factor_f1(sparse_latents(rng, 4000, 200, 0.02), labels)
    assert got.f1.mean() < 2 * got.chance.mean()


def test_a_dense_latent_with_a_high_threshold_is_found_among_many():
    rng = Rng(7)
    labels = rng.uniform(4000, 30) < 0.01
    latents = rng.uniform(4000, 300, high=1.0)  # every latent fires on every token
    latents[:, 200:230] += labels  # and thirty of them more strongly with their factor
    got = scores.factor_f1(latents, labels)
    assert got.latent.tolist() == list(range(200, 230)) and got.f1.min() > 0.95


def test_candidates_are_ranked_by_true_f1_at_geometric_ranks():
    rng = Rng(8)
    latents, labels = rng.uniform(512, 40), rng.uniform(512, 3) < 0.1
    entries, _ = _positive_entries(torch.cat([latents, latents]), torch.cat([labels, labels]), None)
    both = torch.cat([labels, labels])
    chosen = _candidates(entries, both, torch.ones_like(both), labels.sum(0), 5)
    ranks = [math.floor(512 * 2 ** (-q / 2)) for q in range(20)]
    for f in range(3):
        best = []
        for column in latents.T:
            order = column.argsort(descending=True)
            best.append(max(2 * int(labels[order[:k], f].sum()) / (k + int(labels[:, f].sum())) for k in ranks if k))
        top = sorted(best, reverse=True)[:5]
        assert sorted((best[i] for i in chosen[:, f].tolist()), reverse=True) == pytest.approx(top)


def test_chunks_of_any_size_give_what_the_whole_gives():
    rng = Rng(9)
    latents, labels = sparse_latents(rng, 203, 15), rng.uniform(203, 6) < 0.15
    whole, pieces = scores.factor_f1(latents, labels), scores.factor_f1(iter(latents.split(17)), labels)
    for name in vars(whole):
        assert torch.equal(getattr(whole, name), getattr(pieces, name)), name


def test_a_factor_without_positives_is_nan_and_one_without_a_latent_is_zero():
    labels = torch.zeros(40, 4, dtype=torch.bool)
    labels[::4, 0] = True  # has a latent
    labels[1::4, 1] = True  # nothing fires with it
    labels[:20:4, 2] = True  # has a latent, never occurs in the second half; factor 3 never occurs
    latents = torch.stack([labels[:, 0].float(), torch.zeros(40)], 1)  # and one latent is dead
    got = scores.factor_f1(latents, labels)
    assert got.latent.tolist() == [0, -1, 0, -1]
    assert got.f1[:2].tolist() == [1.0, 0.0] and got.f1[2:].isnan().all() and got.recall[2:].isnan().all()


def test_another_split_is_honoured():
    rng = Rng(10)
    latents, labels, fit = sparse_latents(rng, 200, 8), rng.uniform(200, 5) < 0.2, rng.uniform(200) < 0.5
    order = torch.cat([fit.nonzero()[:, 0], (~fit).nonzero()[:, 0]])
    got = scores.factor_f1(latents, labels, fit=fit)
    same = scores.factor_f1(latents[order], labels[order], fit=torch.arange(200) < fit.sum())
    assert torch.equal(got.latent, same.latent) and torch.equal(got.f1, same.f1)


def test_tokens_that_are_not_asked_count_neither_way():
    rng = Rng(11)
    latents, labels, mask = sparse_latents(rng, 400, 8), rng.uniform(400, 5) < 0.2, rng.uniform(400, 5) < 0.6
    got = scores.factor_f1(latents, labels, mask=mask)
    for f in range(5):
        here = mask[:, f]
        alone = scores.factor_f1(latents[here], labels[here][:, [f]], fit=torch.arange(400)[here] < 200)
        for name in vars(got):
            assert torch.equal(getattr(got, name)[[f]], getattr(alone, name)), name


# token_auc and probes


def test_token_auc_is_that_of_counted_probabilities_on_the_other_half():
    rng = Rng(11)
    tokens = (rng.uniform(121) * 7).long()
    labels, mask = rng.uniform(121, 4) < 0.1 + 0.1 * tokens[:, None], rng.uniform(121, 4) < 0.8
    expected = []
    for f in range(4):
        rows = [i for i in range(60) if mask[i, f]]
        base = sum(bool(labels[i, f]) for i in rows) / len(rows)
        guess = torch.zeros(121)
        for i in range(60, 121):
            same = [bool(labels[j, f]) for j in rows if tokens[j] == tokens[i]]
            guess[i] = (sum(same) + base) / (len(same) + 1)
        asked = mask[:, f] & (torch.arange(121) >= 60)
        expected.append(plain_auc(guess[asked], labels[asked, f]))
    assert scores.token_auc(tokens, labels, mask).tolist() == pytest.approx(expected, abs=1e-6)


def test_token_auc_is_one_for_a_token_factor_and_a_half_for_a_context_factor():
    rng = Rng(12)
    tokens = (rng.uniform(6000) * 50).long()
    labels = torch.stack([tokens < 5, rng.uniform(6000) < 0.3, torch.zeros(6000, dtype=torch.bool)], 1)
    got = scores.token_auc(tokens, labels)
    assert got[0] == 1 and abs(got[1] - 0.5) < 0.05 and got[2].isnan()


def test_probes_are_least_squares_with_both_classes_weighing_alike():
    rng = Rng(13)
    acts, labels, mask = rng.normal(300, 6) + 5, rng.uniform(300, 3) < 0.2, rng.uniform(300, 3) < 0.7
    got = scores.probe_directions(acts, labels, mask, ridge=0)
    for f in range(3):
        yes, no = labels[:, f] & mask[:, f], ~labels[:, f] & mask[:, f]
        target = yes / yes.sum() - no / no.sum()
        solution = torch.linalg.lstsq(torch.cat([acts, torch.ones(300, 1)], 1), target[:, None]).solution[:6, 0]
        assert torch.cosine_similarity(got[f], solution, dim=0) > 1 - 1e-5


def test_a_linear_probe_sees_past_correlated_noise_and_is_scored_held_out():
    rng = Rng(14)
    labels = rng.uniform(2000, 3) < 0.3
    noise = 20 * rng.normal(2000, 1) * torch.ones(8)  # hides the factor from the difference of the means
    acts = noise + labels[:, :2].float() @ rng.normal(2, 8) + 0.1 * rng.normal(2000, 8)
    got = scores.linear_probe_auc(acts, labels)
    assert (got[:2] > 0.99).all() and abs(got[2] - 0.5) < 0.06
    wrong = labels.clone()
    wrong[1000:] = ~labels[1000:]
    assert (scores.linear_probe_auc(acts, wrong)[:2] < 0.01).all()


# quality and the random dictionary


class Toy:
    """Two thirds of the first three coordinates, around 1; the fourth latent never fires."""

    def encode(self, x):
        return torch.cat([(x[..., :3] - 1).relu(), torch.zeros_like(x[..., :1])], -1)

    def decode(self, f):
        return torch.cat([f[..., :3] / 1.5, torch.zeros_like(f[..., :2])], -1) + 1


def test_quality_agrees_with_formulas_on_the_whole_and_does_not_depend_on_chunks():
    x = 2 * Rng(15).normal(203, 5) + torch.tensor([1.0, 2.0, 0.0, 1.5, 0.5])
    sae = Toy()
    f, x_hat = sae.encode(x), sae.decode(sae.encode(x))
    mean = x.mean(0)
    got = scores.quality(sae, x.split(20))
    assert got.tokens == 203
    assert got.fvu == pytest.approx(float(((x - x_hat) ** 2).sum() / ((x - mean) ** 2).sum()), rel=1e-4)
    assert got.l0 == pytest.approx(float((f > 0).sum(1).float().mean()))
    assert got.dead == 0.25 and torch.allclose(got.frequency, (f > 0).float().mean(0))
    assert got.cosine == pytest.approx(float(torch.cosine_similarity(x, x_hat).mean()), rel=1e-5)
    length = ((x_hat - mean) ** 2).sum() / ((x_hat - mean) * (x - mean)).sum()
    assert got.shrinkage == pytest.approx(float(length), rel=1e-4)


class Scaled:
    def __init__(self, scale, mean):
        self.scale, self.mean = scale, mean

    def encode(self, x):
        return (x - self.mean) * self.scale

    def decode(self, f):
        return f + self.mean


@pytest.mark.parametrize("scale", [1.0, 0.7, 0.0])
def test_a_reconstruction_that_is_too_short_shows_its_factor_whatever_the_mean(scale):
    x = Rng(16).normal(500, 4) + 50
    got = scores.quality(Scaled(scale, x.mean(0)), x)
    assert got.fvu == pytest.approx((1 - scale) ** 2, abs=1e-5)
    assert got.shrinkage == pytest.approx(scale, abs=1e-5) if scale else not got.shrinkage > 1e-3


def test_a_transcoder_is_measured_against_its_output_and_a_skip_counts():
    class Skip(Toy):
        def __call__(self, x):
            return self.decode(self.encode(x)) + x

    x, sae = Rng(17).normal(100, 5), Skip()
    pairs = [(part, sae(part)) for part in x.split(30)]
    assert scores.quality(sae, pairs).fvu == pytest.approx(0, abs=1e-9)
    assert scores.quality(Toy(), pairs).fvu > 0.1


def test_a_crosscoder_is_measured_over_both_activations():
    class Cross:
        def encode(self, x):
            return x[..., 0, :].relu()

        def decode(self, f):
            return torch.stack([f, 0 * f], -2)

    x = Rng(18).normal(50, 2, 4)
    expected = ((x - Cross().decode(Cross().encode(x))) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
    assert scores.quality(Cross(), x).fvu == pytest.approx(float(expected), rel=1e-5)


def test_a_random_dictionary_keeps_k_and_is_scaled_as_well_as_can_be():
    acts = Rng(19).normal(400, 16) * torch.linspace(0.1, 2, 16) + 3
    sae = scores.random_dictionary(acts, k=5, d_sae=64, seed=1)
    assert ((sae.encode(acts) > 0).sum(1) == 5).all()
    assert torch.allclose(sae.W_dec.norm(dim=1), torch.ones(64))
    got = scores.quality(sae, acts)
    assert got.fvu < 1 and got.shrinkage == pytest.approx(1, abs=1e-3)
    assert torch.equal(sae.W_dec, scores.random_dictionary(acts, 5, 64, seed=1).W_dec)
    assert not torch.equal(sae.W_dec, scores.random_dictionary(acts, 5, 64, seed=2).W_dec)


# ce_recovered


class Identity:
    def encode(self, x):
        return x

    def decode(self, f):
        return f


class Nothing(Identity):
    def decode(self, f):
        return torch.zeros_like(f)


class Broken(Identity):
    def decode(self, f):
        raise RuntimeError("broken")


class Tiny:
    """logits = activation at "site" times U, with TransformerLens's way of hooking; it notes what was left hooked."""

    def __init__(self, rng: Rng, vocab: int = 11):
        self.E, self.U = rng.normal(vocab, 2, 3), rng.normal(6, vocab)

    def run_with_hooks(self, tokens, fwd_hooks, return_type):
        x = self.E[tokens]
        for name, hook in fwd_hooks:
            if name == "site":
                new = hook(x, hook=None)
                x = x if new is None else new
        return x.flatten(2) @ self.U


def test_cross_entropies_agree_with_a_loop_and_leave_bos_alone():
    rng = Rng(20)
    model, tokens = Tiny(rng), (rng.uniform(7, 6) * 10).long() + 1
    tokens[:, 0] = 0
    got = scores.ce_recovered(model, "site", Nothing(), tokens, batch=3)

    def loop(ablated) -> float:
        losses = []
        for row in tokens:
            for i in range(1, 5):  # BOS predicts nothing here, the last token has nothing to predict
                x = model.E[row[i]].flatten() if ablated is None else ablated
                losses.append(-float((x @ model.U).log_softmax(-1)[row[i + 1]]))
        return sum(losses) / len(losses)

    mean = model.E[tokens[:, 1:]].flatten(2).mean((0, 1))
    expected = (loop(None), loop(torch.zeros(6)), loop(torch.zeros(6)), loop(mean))
    assert (got.clean, got.spliced, got.zero, got.mean) == pytest.approx(expected, rel=1e-5)


def test_the_activation_of_bos_is_handed_on_untouched():
    seen = []

    class Watching(Tiny):
        def run_with_hooks(self, tokens, fwd_hooks, return_type):
            x = self.E[tokens]
            for _, hook in fwd_hooks:
                new = hook(x, hook=None)
                x = x if new is None else new
            seen.append((x - self.E[tokens]).abs().amax((0, 2, 3)))
            return x.flatten(2) @ self.U

    scores.ce_recovered(Watching(Rng(21)), "site", Nothing(), torch.arange(10).reshape(2, 5))
    assert all(change[0] == 0 for change in seen) and (seen[1][1:] > 0).all()


def test_scores_are_one_for_the_identity_zero_for_zero_and_nan_where_ablation_does_not_hurt():
    known = dict(clean=1.0, spliced=1.5, zero=3.0, mean=2.0)
    assert scores.CrossEntropy(**known).against_zero == pytest.approx(0.75)
    assert scores.CrossEntropy(**known).against_mean == pytest.approx(0.5)
    assert math.isnan(scores.CrossEntropy(**{**known, "zero": 0.9}).against_zero)


def test_a_wrong_hook_point_is_named_and_not_ignored():
    model, tokens = Tiny(Rng(22)), torch.arange(10).reshape(2, 5)
    with pytest.raises(ValueError, match="no activation 'sight'"):
        scores.ce_recovered(model, "sight", Identity(), tokens)
    with pytest.raises(ValueError, match="Nothing was read at 'sight'"):
        scores.ce_recovered(model, "site", Identity(), tokens, input_site="sight")
    with pytest.raises(ValueError, match="length ≥ 3"):
        scores.ce_recovered(model, "site", Identity(), tokens[0])


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    """A tiny random GPT-2, booted as the pocket model is."""
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    sizes = dict(vocab_size=20, n_positions=16, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=1)
    model = GPT2LMHeadModel(GPT2Config(**sizes, initializer_range=0.5))
    model.save_pretrained(folder)
    tokenizer(20).save_pretrained(folder)
    return TransformerBridge.boot_transformers(str(folder), device="cpu")


def tokenizer(size: int):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {word: i for i, word in enumerate(["<bos>", "<eos>", *(f"w{i}" for i in range(size - 2))])}
    plain = Tokenizer(models.WordLevel(words, unk_token="<eos>"))
    return PreTrainedTokenizerFast(tokenizer_object=plain, bos_token="<bos>", eos_token="<eos>", pad_token="<eos>")


@pytest.mark.parametrize("site", ["blocks.0.hook_resid_post", "blocks.1.hook_mlp_out", "blocks.0.attn.hook_z"])
def test_on_a_real_model_the_identity_loses_nothing_and_no_hook_stays(bridge, site):
    tokens = torch.randint(2, 20, (5, 9), generator=torch.Generator().manual_seed(0))
    tokens[:, 0] = 0
    before = bridge(tokens, return_type="logits").detach()
    same = scores.ce_recovered(bridge, site, Identity(), tokens, batch=2)
    nothing = scores.ce_recovered(bridge, site, Nothing(), tokens)
    expected = torch.nn.functional.cross_entropy(before[:, 1:-1].flatten(0, 1), tokens[:, 2:].flatten())
    assert same.clean == pytest.approx(float(expected), rel=1e-5)
    assert same.spliced == pytest.approx(same.clean, abs=1e-6)
    assert nothing.spliced == pytest.approx(nothing.zero, abs=1e-9) and nothing.zero != pytest.approx(nothing.clean)
    with pytest.raises(RuntimeError, match="broken"):
        scores.ce_recovered(bridge, site, Broken(), tokens)
    assert torch.equal(bridge(tokens, return_type="logits"), before), "a hook was left on the model"


def test_a_hook_of_the_caller_survives_and_a_transcoder_reads_where_it_should(bridge):
    tokens, seen = torch.randint(2, 20, (3, 6), generator=torch.Generator().manual_seed(1)), []

    class Copies(Identity):
        def encode(self, x):
            seen.append(x)
            return x

    calls = []
    with bridge.hooks(fwd_hooks=[("blocks.0.hook_resid_mid", lambda x, hook: calls.append(1))]):
        scores.ce_recovered(bridge, "blocks.1.hook_mlp_out", Copies(), tokens, input_site="blocks.0.hook_resid_post")
        calls.clear()
        bridge(tokens)
        assert calls == [1]
    _, cache = bridge.run_with_cache(tokens)
    assert torch.allclose(seen[0], cache["blocks.0.hook_out"][:, 1:], atol=1e-5)


# superposition


def world(rng: Rng, n: int, n_factors: int, d: int):
    labels = rng.uniform(n, n_factors) < 0.05
    directions = torch.nn.functional.normalize(rng.normal(n_factors, d), dim=1)
    return labels, directions, labels.float() @ directions + 0.02 * rng.normal(n, d)


def test_more_factors_than_dimensions_are_decoded_and_by_neither_null():
    rng = Rng(23)
    labels, directions, acts = world(rng, 6000, 60, 32)
    got = scores.superposition(acts, labels, random_acts=rng.normal(6000, 32))
    assert got.factors == 60 and got.d_model == 32
    assert got.decodable > 45 and got.decodable_shuffled == 0 and got.decodable_random_weights == 0
    assert got.welch < got.mean_squared_cosine and 20 < got.effective_rank <= 32
    assert scores.superposition(acts, labels).decodable_random_weights is None


def test_geometry_agrees_with_loops_and_tells_crowded_from_orthogonal_directions():
    rng = Rng(24)
    labels, directions, acts = world(rng, 500, 8, 8)
    directions[3] = torch.nan  # a factor without a direction is left out
    got = scores.superposition(acts, labels, directions)
    kept = [v for i, v in enumerate(directions) if i != 3]
    cosines = [[abs(float(u @ v)) if u is not v else 0.0 for v in kept] for u in kept]
    assert got.mean_squared_cosine == pytest.approx(sum(c * c for row in cosines for c in row) / (7 * 6), rel=1e-4)
    assert got.nearest_cosine == pytest.approx(sum(max(row) for row in cosines) / 7, rel=1e-4)
    orthogonal = scores.superposition(acts, labels, torch.eye(8))
    assert orthogonal.nearest_cosine == pytest.approx(0, abs=1e-9) and orthogonal.null_mean_squared_cosine > 0.08


def test_random_directions_have_the_null_of_the_activations_they_lie_in():
    rng = Rng(25)
    spread = torch.linspace(0.2, 3, 24)
    acts, labels = rng.normal(3000, 24) * spread, rng.uniform(3000, 200) < 0.3
    got = scores.superposition(acts, labels, rng.normal(200, 24) * spread)
    assert got.mean_squared_cosine == pytest.approx(got.null_mean_squared_cosine, rel=0.1)
    assert got.null_mean_squared_cosine == pytest.approx(1 / got.effective_rank, rel=0.25)
    assert got.effective_rank == pytest.approx(float((spread**2).sum() ** 2 / (spread**4).sum()), rel=0.1)


# What the user does wrong


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda x, y: scores.factor_f1(x, y.float()), "bool tensor"),
        (lambda x, y: scores.factor_f1(x[:5], y), "5 rows of latents and 10 of labels"),
        (lambda x, y: scores.factor_f1(x * torch.nan, y), "nan or infinity"),
        (lambda x, y: scores.factor_f1(x, y, fit=torch.ones(10, dtype=torch.bool)), "one is empty"),
        (lambda x, y: scores.linear_probe_auc(x, y, fit=torch.ones(9)), "`fit` says"),
        (lambda x, y: scores.auc(x[:, :2], y, mask=torch.ones(3)), "mask must be bool"),
        (lambda x, y: scores.token_auc(x[:7, 0].long(), y), "7 rows of tokens and 10 of labels"),
        (lambda x, y: scores.linear_probe_auc(x[:7], y), "7 rows of activations"),
        (lambda x, y: scores.quality(Toy(), []), "at least one chunk"),
        (lambda x, y: scores.superposition(x, y[:, :1]), "at least two"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence) as error:
        call(torch.ones(10, 4), torch.arange(20).reshape(10, 2) % 3 == 0)
    assert "\n" not in str(error.value)


def test_chunks_are_small_pieces_of_a_tensor(monkeypatch):
    monkeypatch.setattr(reconstruction, "CHUNK", 3)
    assert [len(c) for c in reconstruction.chunks_of(torch.ones(7, 2))] == [3, 3, 1]


def test_what_is_spliced_in_between_attention_and_mlp_goes_on_in_the_residual_stream(bridge):
    """Against the layer written out: y = r + MLP(LN(r)) with r the reconstruction (BOS keeps its own)."""
    tokens = torch.randint(2, 20, (3, 10), generator=torch.Generator().manual_seed(1))
    model, constant = bridge.original_model, torch.linspace(-1, 1, 16)

    class Constant:
        encode = staticmethod(lambda x: x)
        decode = staticmethod(lambda f: constant.expand_as(f))

    with torch.no_grad():
        block = model.transformer.h[1]
        _, cache = bridge.run_with_cache(tokens, names_filter="blocks.1.hook_resid_mid")
        mid = cache["blocks.1.hook_resid_mid"].clone()
        mid[:, 1:] = constant
        y = mid + block.mlp(block.ln_2(mid))
        log_p = model.lm_head(model.transformer.ln_f(y))[:, 1:-1].log_softmax(-1)
    expected = -log_p.gather(-1, tokens[:, 2:, None]).mean()
    found = scores.ce_recovered(bridge, "blocks.1.hook_resid_mid", Constant(), tokens)
    assert found.spliced == pytest.approx(float(expected), abs=1e-4)
