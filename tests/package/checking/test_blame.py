"""Of an exercise in several parts: which one a failed test is about, what waits, and what is named."""

import pytest
import torch

from saelab import checking, content

SOURCE = """

# %% [markdown]
# ## There and back

# %% exercise="Codec" points=2 minutes=5
def encode(x: Float[Tensor, "batch feats"]) -> Float[Tensor, "batch feats"]:
    # BEGIN SOLUTION
    return 2 * x + 1
    # END SOLUTION


def decode(z: Float[Tensor, "batch feats"]) -> Float[Tensor, "batch feats"]:
    # BEGIN SOLUTION
    return (z - 1) / 2
    # END SOLUTION


def Codec(x: Float[Tensor, "batch feats"]) -> Float[Tensor, "batch feats"]:
    # BEGIN SOLUTION
    return decode(encode(x)) - x
    # END SOLUTION


def shuffled(x: Float[Tensor, "batch feats"], seed: int) -> Float[Tensor, "batch feats"]:
    # BEGIN SOLUTION
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))]
    # END SOLUTION


# %%
check(encode, decode, Codec, shuffled)

# %% [markdown] hint=1
# Back is the other way round.


# %% misconception="Codec" part="encode"
def no_offset(x):
    "You forgot the offset."
    return 2 * x


# %% misconception="Codec" part="decode"
def keeps_the_offset(z):
    "Take the offset off before you halve."
    return z / 2 - 1


# %% misconception="Codec" part="decode"
def by_the_encoder(z):
    "You multiplied where you should divide."
    return encode(z) - 2


# %% misconception="Codec" part="shuffled"
def with_repeats(x, seed):
    "Rows came twice: that is drawing, not shuffling."
    return x[torch.randint(len(x), (len(x),), generator=torch.Generator().manual_seed(seed))]
"""
CHECK = """
import torch
from torch.testing import assert_close

def test_the_encoder_is_a_line(encode, rng):
    x = rng.normal(3, 4)
    assert_close(encode(x), 2 * x + 1)

def test_the_decoder_inverts_the_line(decode, rng):
    z = rng.normal(3, 4)
    assert_close(decode(z), (z - 1) / 2)

def test_there_and_back(encode, decode, rng):
    x = rng.normal(3, 4)
    assert_close(decode(encode(x)), x)

def test_nothing_is_left(Codec, rng):
    assert_close(Codec(rng.normal(3, 4)), torch.zeros(3, 4), atol=1e-5, rtol=0)

def test_every_row_comes_once(shuffled):
    x = torch.arange(40.0)[:, None]
    assert_close(shuffled(x, 3).sort(0).values, x)

def test_another_seed_gives_another_order(shuffled):
    x = torch.arange(40.0)[:, None]
    assert not torch.equal(shuffled(x, 3), shuffled(x, 4)), "the order should depend on the seed"
"""
ENCODE, DECODE = "def encode(x): return x + x + 1", "def decode(z): return 0.5 * (z - 1)"
CODEC = "def Codec(x): return decode(encode(x)) - x"
SHUFFLED = """
def shuffled(x, seed):
    torch.manual_seed(seed)
    return x[torch.randperm(len(x))]
"""
UNWRITTEN = "def {}(*args): raise NotImplementedError('Codec')"


@pytest.fixture
def codec(small_course):
    path = small_course / "chapters/small/01_small.py"
    path.write_text(path.read_text() + SOURCE)
    (small_course / "tests/small/test_Codec.py").write_text(CHECK)

    def report(**codes: str):
        namespace = {"torch": torch}
        written = {"encode": ENCODE, "decode": DECODE, "Codec": CODEC, "shuffled": SHUFFLED} | codes
        for name, code in written.items():
            exec(code or UNWRITTEN.format(name), namespace)
        return checking.run(content.find("Codec"), {name: namespace[name] for name in written})

    return report


def outcomes(report) -> dict[str, str]:
    return {test.name.removeprefix("test_"): test.outcome for test in report.tests if test.outcome != "passed"}


def test_a_right_answer_with_its_own_random_numbers_passes(codec):
    assert codec().passed, str(codec())


def test_what_needs_a_wrong_part_waits_for_it(codec):
    report = codec(encode="def encode(x): return 2 * x")
    expected = {"the_encoder_is_a_line": "failed", "there_and_back": "skipped", "nothing_is_left": "skipped"}
    assert outcomes(report) == expected, str(report)
    assert "nothing is left (it needs `encode`, which is not right yet)" in str(report)
    assert report.misconception == "no_offset" and report.certain


def test_what_needs_an_unwritten_part_waits_and_the_others_are_checked(codec):
    report = codec(encode="")
    assert set(outcomes(report).values()) == {"skipped"} and len(outcomes(report)) == 3
    assert report.status == "failed" and not report.failures
    assert "nothing is left (`encode` is not written yet)" in str(report)  # not Codec, which only calls it
    assert "✗ small/Codec: 3 of 6 checks pass." in str(report)


def test_a_part_that_is_wrong_by_itself_is_not_excused(codec):
    report = codec(Codec="def Codec(x): return encode(decode(x))")
    assert outcomes(report) == {"nothing_is_left": "failed"}


@pytest.mark.parametrize("other", ["def encode(x): return x * x", "", ENCODE])
def test_a_misconception_is_named_whatever_the_other_parts_are(other, codec):
    report = codec(encode=other, decode="def decode(z): return 0.5 * z - 1")
    assert report.misconception == "keeps_the_offset" and report.certain, str(report)


def test_a_misconception_that_uses_another_part_is_named_beside_the_students_own(codec):
    wrong = "def decode(z): return encode(z) - 2"
    assert codec(decode=wrong).misconception == "by_the_encoder"
    assert codec(encode="def encode(x): return 3 * x", decode=wrong).misconception == "by_the_encoder"


def test_a_right_part_beside_a_wrong_one_holds_no_misconception(codec):
    assert codec(Codec="def Codec(x): return encode(decode(x))").misconception is None


def test_a_private_generator_is_judged_by_what_fails_not_by_the_draws(codec):
    drawn = SHUFFLED.replace("torch.randperm(len(x))", "torch.randint(len(x), (len(x),))")
    report = codec(shuffled=drawn)
    assert report.misconception == "with_repeats" and not report.certain, str(report)
    beside = codec(shuffled=drawn, encode="def encode(x): return 2 * x - 7")
    assert beside.misconception == "with_repeats", str(beside)
    assert codec(shuffled="def shuffled(x, seed): return x.flip(0)").misconception is None


def test_parts_are_listed_together(codec):
    lines = str(codec(decode="def decode(z): return z / 2")).splitlines()
    assert [line.strip() for line in lines if line.endswith(":")][:4] == ["encode:", "decode:", "Codec:", "shuffled:"]
