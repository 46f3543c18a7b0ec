"""Does the policy file take off and add what it says, in words a student understands, and never twice?"""

import copy
import datetime

import pytest

from saelab.grade import policy
from saelab.grade.record import Change, Grade, Record

FILE = """
due = 2026-12-01T23:59:00+01:00
[late]
per_day = 10
grace_minutes = 15
at_most = 50
[extensions]
ada = 2026-12-05T23:59:00+01:00
[submitted]
carl = 2026-12-02T08:00:00+01:00
[[adjust]]
student = "ada"
exercise = "double"
points = 1
why = "right idea, a typo in the file"
[[adjust]]
student = "Zoë"
points = -0.5
why = "name missing"
"""


@pytest.fixture
def rules(small_course, tmp_path):
    """The policy above, read from a file."""
    return load(tmp_path, FILE)


def load(folder, text: str) -> policy.Policy:
    (folder / "policy.toml").write_text(text, encoding="utf-8")
    return policy.load(folder / "policy.toml")


def record(student: str = "bob", submitted: str = "", points: float = 4.5) -> Record:
    grades = [Grade("small/double", "passed", 2, 2), Grade("small/Scale", "failed", points - 2, 3)]
    return Record(student, student, grades, submitted=submitted)


TIMES = {
    "2026-12-01T20:00:00+00:00": None,  # before the due date
    "2026-12-01T22:59:00+00:00": None,  # to the minute
    "2026-12-01T23:14:00+00:00": None,  # at the end of the minutes for free
    "2026-12-01T23:14:01+00:00": (-0.45, "1 day late (due 2026-12-01 23:59): −10 %"),
    "2026-12-02T23:59:00+01:00": (-0.45, "1 day late (due 2026-12-01 23:59): −10 %"),
    "2026-12-02T23:59:01+01:00": (-0.9, "2 days late (due 2026-12-01 23:59): −20 %"),
    "2026-12-06T23:00:00+01:00": (-2.25, "5 days late (due 2026-12-01 23:59): −50 %"),
    "2027-03-01T00:00:00+01:00": (-2.25, "90 days late (due 2026-12-01 23:59): −50 %, which is the most"),
}


@pytest.mark.parametrize("time", TIMES)
def test_a_late_submission_loses_for_each_day_begun(time, rules):
    changes = policy.apply(rules, record(submitted=time)).changes
    assert changes == ([Change(*TIMES[time])] if TIMES[time] else [])


def test_points_after_the_deduction_are_those_of_the_record(rules):
    late = policy.apply(rules, record(submitted="2026-12-03T12:00:00+01:00"))
    assert (late.earned, late.total) == (4.5, 3.6)


def test_an_extension_is_the_students_own_due_date(rules):
    assert policy.apply(rules, record("ada", "2026-12-05T20:00:00+01:00")).changes == [
        Change(1, "right idea, a typo in the file", "small/double")
    ]
    late = policy.apply(rules, record("ada", "2026-12-06T20:00:00+01:00")).changes[0]
    assert late.why == "1 day late (due 2026-12-05 23:59): −10 %"


def test_without_a_time_nothing_is_taken_off_and_a_note_says_so(rules):
    for unknown in ("", "yesterday", "2026-12-09T12:00:00"):
        found = policy.apply(rules, record(submitted=unknown))
        assert found.changes == [] and found.notes == [policy.UNKNOWN_TIME]
    assert policy.apply(rules, record("carl")).changes[0].why.startswith("1 day late")
    assert policy.apply(policy.Policy(), record()).notes == []


def test_twice_is_the_same_as_once_and_the_record_given_is_left_alone(rules):
    for student in ("bob", "ada", "carl", "Zoë"):
        for submitted in ("", "2026-12-04T12:00:00+01:00"):
            before = record(student, submitted)
            kept = copy.deepcopy(before)
            once = policy.apply(rules, before)
            assert before == kept
            assert policy.apply(rules, once) == once
            assert policy.apply(policy.Policy(), once) == kept


def test_names_are_the_same_however_their_letters_are_composed(rules):
    assert [c.points for c in policy.apply(rules, record("Zoe\u0308")).changes] == [-0.5]


def test_a_total_is_never_below_nothing(rules):
    assert policy.apply(rules, record("Zoë", points=0.0)).total >= 0
    nothing = Record("eve", "eve", [Grade("small/double", "failed", 0, 2)], submitted="2026-12-09T12:00:00+01:00")
    assert str(policy.apply(rules, nothing).changes[0].points) == "0.0"


def test_students_in_the_file_who_are_in_no_record_are_told_once(rules):
    there = [record("ada"), record("carla"), Record("17", "Zoë", [])]
    assert rules.unused(there) == [
        "policy.toml names carl, who has handed in nothing here. Did you mean carla?",
        "policy.toml names Zoë, who has handed in nothing here. Did you mean 17 (Zoë)?",
    ]
    assert rules.unused([record("ada"), record("carl"), record("Zoë")]) == []
    assert len(rules.unused([])) == 3


DUE = "due = 2026-12-01T23:59:00+01:00\n"
MISTAKES = {
    "dew = 3": "has an unknown key 'dew'. Did you mean due?",
    f"{DUE}[late]\nperday = 10": "has an unknown key 'perday' in late. Did you mean per_day?",
    f"{DUE}[late]\ngrace_minutes = 10": "[late] says nothing of per_day. Add a line: per_day = 10",
    f"{DUE}[late]\nper_day = 'ten'": "per_day in late has to be a number, not 'ten'",
    f"{DUE}[late]\nper_day = true": "per_day in late has to be a number, not True",
    f"{DUE}[late]\nper_day = nan": "per_day in late has to be a number, not nan",
    f"{DUE}[late]\nper_day = 110": "per_day in late has to be between 0 and 100, not 110",
    f"{DUE}[late]\nper_day = 1\ngrace_minutes = -1": "grace_minutes in late has to be 0 or more, not -1",
    f"{DUE}late = 3": "late has to be a table, [late] with lines below it",
    "[late]\nper_day = 10": "has a table [late] but no due date. Add a line: due = 2026-12-01T23:59:00+01:00",
    "due = 2026-12-01T23:59:00": "due says no time zone. Write it like this: 2026-12-01T23:59:00+01:00",
    "due = 2026-12-01": "due has to be a date with a time, without quotes",
    "due = 'tomorrow'": "due has to be a date with a time, without quotes",
    "extensions = 3": "extensions has to be a table, [extensions] with a line for each student",
    f"{DUE}[extensions]\nada = 2026-12-05T23:59:00Z": "has extensions but no table [late], so they do nothing",
    "[submitted]\nada = 2026-12-05T23:59:00": "ada in submitted says no time zone",
    "[adjust]\nstudent = 'a'": "write each adjustment below a line of its own, [[adjust]] in two brackets",
    "[[adjust]]\npoints = 1\nwhy = 'x'": 'adjustment 1 needs a line student = "…"',
    "[[adjust]]\nstudent = 'a'\npoints = 1\nwhy = ' '": 'adjustment 1 needs a line why = "…"',
    "[[adjust]]\nstudent = 'a'\nwhy = 'x'": "adjustment 1 needs a line points = …",
    "[[adjust]]\nstudent = 'a'\nwhy = 'x'\npoints = inf": "points in adjustment 1 has to be a number, not inf",
    "[[adjust]]\nstudent = 'a'\nwhy = 'x'\npoints = 1\nexercise = 'doubel'": "Did you mean small/double?",
    "[[adjust]]\nstudent = 'a'\nwhy = 'x'\npoints = 1\nexercise = 3": "exercise in adjustment 1 has to be a name",
    "[[adjust]]\nstudent = 'a'\nwhy = 'x'\npoint = 1": "unknown key 'point' in adjustment 1. Did you mean points?",
    "[[adjust]]\nstudent = 'a'\nwhy = 'x'\npoints = 2.5\nexercise = 'double'": (
        "adjustment 1 gives 2.5 points for small/double, which is worth 2. Write at most that, or leave out the line"
    ),
    "[[adjust]]\nstudent = 'a'\nwhy = 'x'\npoints = -3\nexercise = 'double'": "gives -3 points for small/double",
    "due = ": "is not TOML",
    "a = " + "[" * 5_000: "is not TOML",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_the_file_is_one_sentence(text, small_course, tmp_path):
    with pytest.raises(policy.PolicyError) as caught:
        load(tmp_path, text)
    assert MISTAKES[text] in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "policy.toml")) and "Traceback" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_one_sentence(small_course, tmp_path):
    with pytest.raises(policy.PolicyError, match="There is no file"):
        policy.load(tmp_path / "none.toml")
    (tmp_path / "policy.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(policy.PolicyError, match="Save it as plain text"):
        policy.load(tmp_path / "policy.toml")


def test_an_empty_file_changes_nothing(small_course, tmp_path):
    rules = load(tmp_path, "")
    given = record(submitted=datetime.datetime.now(datetime.UTC).isoformat())
    assert policy.apply(rules, given) == given


def test_more_points_than_there_are_is_told_and_not_more_than_ten_times(rules):
    ada = policy.apply(rules, record("ada", points=2.5))
    end = "with policy.toml. Unless that is meant as a bonus, lower `points` in the adjustment."
    assert rules.above([ada, policy.apply(rules, record())]) == [f"ada has 3 of 2 points for small/double {end}"]
    full = policy.apply(rules, record("ada", points=5))
    assert rules.above([full])[1] == f"ada has 6 of 5 points in all {end}"
    assert rules.above([full] * 8)[-1] == "So it is with 6 more." and len(rules.above([full] * 8)) == 11


def test_an_adjustment_of_what_was_not_graded_is_told(rules):
    other = Record("ada", "ada", [Grade("small/Scale", "passed", 3, 3)])
    told = "policy.toml adjusts small/double of ada, which was not graded here."
    assert told in rules.unused([other]) and told not in rules.unused([record("ada")])
