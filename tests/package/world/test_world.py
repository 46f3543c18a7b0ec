"""The pocket world: its text, its labels and its entropy are what they say they are."""

import hashlib
import re
from collections import Counter

import numpy as np
import pytest
import torch

from saelab.scores import token_auc
from saelab.world import World
from saelab.world import words as w
from saelab.world.families.people import PAIRS
from saelab.world.tokenizer import tokenizer
from saelab.world.topical import CLASSES, PRIOR
from saelab.world.topics import TOPICS


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def text(world):
    return world.sample(2000, 128, seed=3)


def sentences(world, text, family):
    """(decoded sentence, rows of labels) of one family, whole ones only."""
    for n, t in zip(*np.nonzero(text.counted & (np.diff(text.sentence, prepend=-1, axis=1) != 0))):
        kind = world.kinds[text.kind[n, t]]
        if kind.family == family:
            yield n, slice(t, t + world.lengths[text.kind[n, t]])


def test_a_seed_gives_the_same_text_and_labels_for_ever(world):
    text = world.sample(64, 128, seed=0)
    content = text.tokens.astype("<i4").tobytes() + np.packbits(text.labels()).tobytes()
    assert hashlib.sha256(content).hexdigest()[:16] == "c0a1f5c7784175c4"


def test_another_seed_gives_another_text(world):
    assert (world.sample(4, 64, seed=1).tokens != world.sample(4, 64, seed=2).tokens).any()


def test_the_size_is_what_superposition_needs(world, text):
    labels = text.labels()[:, 1:]
    kinds = Counter(factor.kind for factor in world.factors)
    assert 400 <= len(world.factors) <= 800 and min(kinds.values()) >= 12
    assert set(kinds) == {"token", "context", "token in context", "predictive"}
    assert 5 <= labels.sum(-1).mean() <= 15
    assert labels.any((0, 1)).mean() > 0.98  # 250,000 tokens show nearly every factor


def test_labels_of_token_factors_follow_from_the_token(world, text):
    number = world.factor_numbers(["country of: rich Europe"])[0]
    expected = {" France", " Germany", " Italy", " Norway", " Spain"}
    assert {world.vocabulary[t] for t in np.flatnonzero(world.token_table[:, number])} == expected
    found = text.labels(["country of: rich Europe"])[..., 0]
    assert {world.vocabulary[t] for t in np.unique(text.tokens[found])} == expected


def test_a_repeated_name_is_one_that_the_sentence_has_had(world, text):
    label = text.labels(["role: repeated name", "role: receiver"])
    seen = 0
    for n, where in sentences(world, text, "ioi"):
        tokens, (repeated, receiver) = text.tokens[n, where], label[n, where].T
        assert repeated.sum() == receiver.sum() == 1
        s, io = int(np.flatnonzero(repeated)[0]), int(np.flatnonzero(receiver)[0])
        assert tokens[s] in tokens[:s] and tokens[io] in tokens[:s] and tokens[s] != tokens[io]
        seen += 1
    assert seen > 500


def test_what_was_said_before_is_a_repetition(world, text):
    label = text.labels(["repeat: said before"])[..., 0]
    seen = 0
    for n, where in sentences(world, text, "repeat"):
        tokens, again = text.tokens[n, where], label[n, where]
        half = int(again.sum())
        assert (tokens[again] == tokens[2 : 2 + half]).all()
        seen += 1
    assert seen > 100


@pytest.mark.parametrize(("family", "slots"), [("pronoun", 2), ("story_with_name", 1), ("profession", 1)])
def test_pronouns_agree_with_the_gender_label(world, text, family, slots):
    label = text.labels(["gender: woman", "gender: man"])
    women = {world.encode(x)[1] for x in ("she", "her")}
    men = {world.encode(x)[1] for x in ("he", "his", "him")}
    seen = 0
    for n, where in sentences(world, text, family):
        for t in range(where.start, where.stop):
            if text.tokens[n, t] in women | men and label[n, t].any():
                assert label[n, t].tolist() == [text.tokens[n, t] in women, text.tokens[n, t] in men]
                seen += 1
    assert seen > 100


def test_a_verb_agrees_with_the_number_of_its_subject(world, text):
    label = text.labels(["number: singular subject", "number: plural subject"])
    forms = {world.encode(x)[1]: i for i, pair in enumerate((("is", "was"), ("are", "were"))) for x in pair}
    for n, where in sentences(world, text, "agreement"):
        (t,) = [t for t in range(where.start, where.stop) if text.tokens[n, t] in forms]
        assert label[n, t - 1].argmax() == forms[int(text.tokens[n, t])] and label[n, t - 1].sum() == 1


@pytest.mark.parametrize("what", ["place", "thing", "capital", "number", "sport"])
def test_a_predictive_factor_tells_the_class_of_the_next_token(world, text, what):
    upcoming, carried = text.labels([f"next: {what}", f"class: {what}"]).transpose(2, 0, 1)
    n, t = np.nonzero(upcoming[:, :-1])
    assert len(n) > 50 and carried[n, t + 1].all()


def test_topics_exclude_each_other_and_imply_their_theme(world, text):
    named = [name for name, topic in TOPICS.items() if topic.parent != name]
    topics = text.labels([f"topic: {name}" for name in named])
    assert topics.sum(-1).max() == 1
    for i, name in enumerate(named):
        theme = text.labels([f"theme: {TOPICS[name].parent}"])[..., 0]
        assert (theme | ~topics[..., i]).all()
        assert 0.05 <= topics[..., i].sum() / theme.sum() <= 0.4, f"{name}: P(child | parent)"
    theme = text.labels(["theme: sport"])[..., 0]  # a parent without any child is there too
    of_sport = topics[..., [TOPICS[name].parent == "sport" for name in named]].any(-1)
    assert 0.03 < (theme & ~of_sport).sum() / theme.sum() < 0.5


def test_every_topic_has_many_words_and_every_word_many_topics():
    of_word = Counter(word for topic in TOPICS.values() for part in topic[1:] for word in part.split())
    assert min(of_word.values()) >= 3
    assert all(len(" ".join(topic[1:]).split()) >= 10 for topic in TOPICS.values())


def test_no_context_factor_can_be_told_from_the_token_alone(world, text):
    names = [factor.name for factor in world.factors if factor.kind == "context"]
    labels = torch.from_numpy(text.labels(names)[:, 1:]).flatten(0, 1)
    auc = token_auc(torch.from_numpy(text.tokens[:, 1:]).flatten(), labels)
    assert len(names) >= 24
    assert auc.max() < 0.75, f"{names[int(auc.argmax())]} has an AUC of {auc.max():.3f}"


# --- entropy -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "template"), [("calendar", 2), ("country", 0), ("spelling", 0), ("pronoun", 4)])
def test_sentences_come_as_often_as_their_chance_says(world, family, template):
    kind = next(k for k in world.kinds if (k.family, k.template) == (family, template))
    d = world.write(kind, np.random.default_rng(5), np.zeros(40_000, int))
    names = [i for i in range(len(d.columns)) if i not in d.settled.get("topic", ())]  # the words that no topic chooses
    rows, first, count = np.unique(d.tokens()[:, names], axis=0, return_index=True, return_counts=True)
    expected = np.exp(d.log_p[first]) * d.n
    assert abs(expected.sum() / d.n - 1) < 0.03  # nothing else can be said
    assert (((count - expected) ** 2 / expected).sum()) < len(rows) + 6 * np.sqrt(2 * len(rows))


def test_distinct_picks_come_as_often_as_their_chance_says(world):
    d = world.write(
        next(k for k in world.kinds if k.family == "ask_not"), np.random.default_rng(6), np.zeros(40_000, int)
    )
    rows, first, count = np.unique(d.drawn["names"], axis=0, return_index=True, return_counts=True)
    expected = np.exp(d.log_p[first]) * d.n
    often = expected > 10
    assert (rows[:, 0] != rows[:, 1]).all()
    assert (((count - expected) ** 2 / expected)[often].sum()) < often.sum() + 6 * np.sqrt(2 * often.sum())


def test_the_same_sentence_has_one_chance_however_it_came_about(world):
    seen, rng = {}, np.random.default_rng(0)
    for kind in world.kinds:
        d = world.write(kind, rng, rng.integers(0, len(TOPICS), 1500))
        for row, log_p in zip(map(bytes, d.tokens()), d.log_p + np.log(kind.share)):
            assert abs(seen.setdefault(row, log_p) - log_p) < 1e-9, world.decode(np.frombuffer(row, np.int32))


def chance_of_word(topic, part, word):
    """P(word | topic), by the rule as it is told: a quarter from the whole class, the rest by 1 / (rank + 2)."""
    listed = getattr(topic, part).split()
    weights = {word: 1 / (rank + 2) for rank, word in enumerate(listed)}
    return 0.25 / len(CLASSES[part]) + 0.75 * weights.get(word, 0) / sum(weights.values())


def test_the_chance_of_a_story_sums_over_the_topics_it_may_have(world):
    text = world.sample(400, 2 * int(world.lengths.max()) + 1, seed=11)
    class_of = {word: part for part, bag in CLASSES.items() for word in bag.words}
    checked = 0
    for row in range(400):
        kinds = [world.kinds[k] for k in dict.fromkeys(text.kind[row, text.counted[row]].tolist())]
        if {kind.family for kind in kinds} != {"story"}:
            continue
        words = [world.vocabulary[t].strip() for t in text.tokens[row, text.counted[row]]]
        n_sentences = len(np.unique(text.sentence[row, text.counted[row]]))
        if n_sentences != len(kinds):
            continue
        chance = 0.0
        for z, topic in enumerate(TOPICS.values()):
            of_words = [chance_of_word(topic, class_of[word], word) for word in words if word in class_of]
            chance += PRIOR.p[z] * np.prod(of_words)
        chance *= np.prod([kind.share for kind in kinds])
        assert np.log(chance) == pytest.approx(text.log_p[row], abs=1e-6)
        checked += 1
    assert checked > 3


def test_a_model_of_single_words_is_worse_than_the_perfect_reader(text):
    p = np.bincount(text.tokens[:, 1:].ravel()) / text.tokens[:, 1:].size
    p = p[p > 0]
    assert 1.0 < text.entropy() < 0.5 * -(p * np.log(p)).sum()


# --- prompts, twins, tokens --------------------------------------------------------------------------------------


def test_pairs_of_names_that_are_held_out_never_stand_in_an_ioi_sentence(world, text):
    held_out = {frozenset(divmod(i, 64)) for i in np.flatnonzero(PAIRS[True].p)}
    names = {token: i for i, token in enumerate(world.encode(name)[1] for name in w.NAMES.words)}
    pair = lambda tokens: frozenset(names[t] for t in tokens.tolist() if t in names)  # noqa: E731
    met = {pair(text.tokens[n, where]) for n, where in sentences(world, text, "ioi")}
    assert len(met) > 300 and not met & held_out
    asked = {pair(row) for row in world.prompts.ioi(200, seed=1).tokens}
    assert asked <= held_out and 0.08 < len(held_out) / (64 * 63 / 2) < 0.12


def test_a_person_is_known_by_both_names_only():
    for names in (w.FIRST_OF, w.LAST_OF):
        for name in range(24):
            assert sorted(Counter(w.SPORT_OF[names == name]).values()) == [1, 1, 1, 1]
    assert len({*zip(w.FIRST_OF, w.LAST_OF)}) == 96


KINDS = [
    "ioi",
    "facts",
    "origin",
    "two_hop",
    "capital",
    "agreement",
    "gender",
    "profession",
    "spelling",
    "weekday",
    "month",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_twin_has_the_same_length_another_answer_and_one_change(world, kind):
    prompts = getattr(world.prompts, kind)(n=60, seed=2)
    assert (prompts.answers != prompts.wrong).all()
    assert prompts.tokens.shape == prompts.twin.shape
    changed = (prompts.tokens != prompts.twin).sum(1)
    assert (changed >= 1).all() and (changed <= 5).all()
    for i in range(0, 60, 7):
        stop = int(prompts.last[i]) + 1
        assert world.encode(prompts.text[i]) == prompts.tokens[i, :stop].tolist()
        assert (prompts.tokens[i, stop:] == 1).all()  # <pad>


def test_elicitation_sets_have_the_factor_and_do_not(world):
    have, have_not = world.elicit("scope: dream", n=10, length=24, seed=1)
    dreamed = world.encode("dreamed")[1]
    assert (have == dreamed).any(1).all() and not (have_not == dreamed).any()


def test_the_tokenizer_reads_what_the_world_writes(world, text):
    tk = tokenizer(world)
    for row in text.tokens[:50]:
        assert tk(world.decode(row))["input_ids"] == row.tolist() == world.encode(world.decode(row))
    assert tk("Mary went")["input_ids"] == tk(" Mary went")["input_ids"]
    assert tk("Mary xylophones")["input_ids"][-1] == tk.unk_token_id


def test_sentences_read_like_english(world, text):
    prose = world.decode(text.tokens[0])
    assert re.search(r"[a-z]\. [A-Z]", prose) and not re.search(r" [,.?]", prose)


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (lambda world: world.sample(0), "at least 1 sequence"),
        (lambda world: world.sample(1, 8).labels(["topic: cheese"]), "no factor called 'topic: cheese'"),
        (lambda world: world.encode("a xylophone"), "no word 'xylophone'"),
        (lambda world: world.prompts.ioi(2, template=9), "templates 0 to 5"),
        (lambda world: world.prompts.ioi(0), "at least 1 prompt"),
        (lambda world: world.elicit("person: Nora Bell", n=1, length=2), "met 0 times"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_sentence(world, mistake, told):
    with pytest.raises(ValueError, match=told):
        mistake(world)


def test_the_examples_in_the_docstrings_hold():
    import doctest

    from saelab.world import world as module

    result = doctest.testmod(module)
    assert result.attempted >= 5 and not result.failed


def test_the_page_about_the_world_is_up_to_date(world):
    import importlib.util
    from pathlib import Path

    build = Path(__file__).parents[3] / "build" / "world" / "world_page.py"
    spec = importlib.util.spec_from_file_location("world_page", build)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(world), "run python build/world/world_page.py"


# where factors are at work


def words_before(world, text, name):
    """The words that stand right after a token where a factor of this name would be at work."""
    n, t = np.nonzero(text.at_work([name])[:, :-1, 0])
    return {world.vocabulary[token].strip() for token in text.tokens[n, t + 1]}


def test_factors_are_at_work_just_before_the_word_that_they_settle(world, text):
    assert words_before(world, text, "gender: woman") == {"she", "he", "her", "his", "him"}
    assert words_before(world, text, "number: plural subject") == {"is", "are", "was", "were"}
    assert words_before(world, text, "profession: nurse") <= set(w.PROFESSIONS.words)
    assert words_before(world, text, "order: ABBA") <= set(w.NAMES.words)
    answers = {word for bag in (w.SPORTS, w.COUNTRIES, w.CAPITALS) for word in bag.words}
    assert words_before(world, text, "fact: plays golf") <= answers
    topical = {word for bag in (w.WHO, w.THING, w.PLACE, w.VERB, w.ADJ) for word in bag.words}
    assert words_before(world, text, "topic: war") <= topical
    assert text.at_work(["word: the", "class: noun", "language: French"])[:, 1:].all()


def test_where_the_gender_is_known_and_at_work_it_settles_the_pronoun(world, text):
    name = ["gender: woman"]
    labels, at_work = text.labels(name)[:, :-1, 0], text.at_work(name)[:, :-1, 0]
    assert 0.05 < (labels & at_work).sum() / labels.sum() < 0.3
    assert {world.vocabulary[token].strip() for token in text.tokens[:, 1:][labels & at_work]} == {"she", "her"}


def test_the_truth_leaves_out_idle_tokens_rare_factors_and_equal_ones(world, text):
    truth = text.truth(1e-3)
    labels = text.labels(truth.names)[:, 1:].reshape(-1, len(truth.names))
    at_work = text.at_work(truth.names)[:, 1:].reshape(-1, len(truth.names))
    assert (truth.labels == labels).all()
    assert (truth.asked == (at_work | ~labels)).all()
    assert labels.mean(0).min() >= 1e-3
    packed = {column.tobytes() for column in np.packbits(labels, axis=0).T}
    assert len(packed) == len(truth.names)
    others = [factor.name for factor in world.factors if factor.name not in truth.names]
    left = text.labels(others)[:, 1:].reshape(-1, len(others))
    assert {column.tobytes() for column in np.packbits(left[:, left.mean(0) >= 1e-3], axis=0).T} <= packed
