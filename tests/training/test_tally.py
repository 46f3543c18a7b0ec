"""Which of the diary's numbered lines hold a mistake?"""

import pytest

LINES = {"Monday": 7, "Tuesday": 7, "Wednesday": 4, "Thursday": 3}  # how many have a number


def accused(tally, day):
    """The lines that the tally names for a day."""
    found = tally()
    assert isinstance(found, dict) and set(found) == set(LINES), f"Expected the days {list(LINES)}, got {found!r:.99}."
    lines = found[day]
    fits = isinstance(lines, (list, tuple, set)) and all(type(n) is int and 1 <= n <= LINES[day] for n in lines)
    assert fits, f"{day}: expected a list of numbers from 1 to {LINES[day]}, got {lines!r:.99}."
    return set(lines)


@pytest.mark.parametrize("day", LINES)
def test_every_wrong_line_of_the_day_is_found(tally, reference, day):
    "Read once more the lines that you acquitted: what does each of them let in, and what does it leave out?"
    mine, wrong = accused(tally, day), set(reference()[day])
    assert wrong <= mine, f"{day} has {len(wrong)} wrong lines; {len(wrong & mine)} of them are in the tally."


@pytest.mark.parametrize("day", LINES)
def test_no_right_line_of_the_day_is_accused(tally, reference, day):
    "Take one accused line at a time: which wrong figure would it cause? If you find none, acquit it."
    more = accused(tally, day) - set(reference()[day])
    assert not more, f"{day}: {len(more)} of the lines in the tally do what they should."
