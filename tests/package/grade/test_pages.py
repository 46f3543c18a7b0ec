"""Do the feedback and the cohort page say what is in the records, to everybody, and run nothing of a student's?"""

import importlib
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from saelab import content
from saelab.grade.pages import cohort_page, feedback
from saelab.grade.pages.cohort_drawings import shade
from saelab.grade.pages.cohort_figures import figures
from saelab.grade.pages.labels import LONGEST, WORDS, labels, moment, prose
from saelab.grade.pages.page import COLOURS
from saelab.grade.record import STATUSES, Change, Grade, Record
from saelab.grade.record import Test as OneTest

sys.path.insert(0, str(Path(__file__).parent))
made_up = importlib.import_module("made_up_grades")
NASTY = made_up.NASTY
VOID = {"meta", "br"}
KNOWN = {
    "html",
    "head",
    "title",
    "style",
    "body",
    "main",
    "header",
    "footer",
    "section",
    "article",
    "nav",
    "div",
    "span",
}
KNOWN |= {
    "h1",
    "h2",
    "h3",
    "p",
    "a",
    "b",
    "i",
    "em",
    "code",
    "pre",
    "small",
    "bdi",
    "ul",
    "li",
    "dl",
    "dt",
    "dd",
    "figure",
}
KNOWN |= {
    "figcaption",
    "details",
    "summary",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "svg",
    "rect",
    "line",
    "text",
    *VOID,
}


class Page(HTMLParser):
    """A page read back: its tags, its links, its text; fails on what is not closed or not known here."""

    def __init__(self, text: str):
        super().__init__()
        self.source, self.tags, self.links, self.words = text, Counter(), [], []
        self.headings, self.titles, self.anchors, self.open = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        assert tag in KNOWN, tag
        assert not any(name.startswith("on") or name in ("src", "srcset", "action") for name, _ in attributes), (
            attributes
        )
        given = dict(attributes)
        self.tags[tag] += 1
        self.links += [given["href"]] if "href" in given else []
        self.anchors += [given["id"]] if "id" in given else []
        self.titles += [given["title"]] if "title" in given else []
        self.headings += [int(tag[1])] if re.fullmatch(r"h\d", tag) else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)


def one_page(record: Record) -> Page:
    return Page(feedback.feedback_page(record, labels([record])))


def class_page(records: list[Record]) -> Page:
    return Page(cohort_page.cohort_page(records))


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_no_name_or_message_becomes_markup_or_hides_anything(text):
    record = made_up.nasty_record(text)
    for page in (one_page(record), class_page([record])):
        assert page.tags["script"] == 0 and page.tags["img"] == 0
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page.source)
        assert all(re.fullmatch(r"#e-[\w.-]+|feedback/[\w.-]+\.html", link) for link in page.links)
        page.source.encode("utf-8")


@pytest.mark.parametrize("made", [one_page, lambda record: class_page([record])], ids=["feedback", "cohort"])
def test_a_page_needs_nothing_from_elsewhere(made):
    page = made(made_up.cohort()[1])
    assert not re.search(r"https?:|//|url\(|@import|javascript:", page.source.replace("http-equiv", ""))
    assert "default-src 'none'" in page.source and '<html lang="en">' in page.source
    assert "prefers-color-scheme: dark" in page.source and "width=device-width" in page.source


@pytest.mark.parametrize("made", [one_page, lambda record: class_page([record])], ids=["feedback", "cohort"])
def test_headings_leave_out_no_level(made):
    page = made(made_up.cohort()[1])
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:]))


def test_the_feedback_says_what_happened_to_every_exercise():
    record = made_up.nasty_record("Called    gram(W)\nExpected  1.0\nGot       2.0")
    page = one_page(record)
    for exercise, grade in zip(content.exercises(), record.grades):
        assert f"{content.number(exercise)} {exercise.title}" in page.text
        assert WORDS[grade.status].capitalize() in page.text
    assert "Expected  1.0\nGot       2.0</pre>" in page.source
    assert "What happened: Called gram(W) Expected 1.0" in page.text
    assert page.text.count("agrees with the reference (big-1)") == len(record.grades)


def test_the_total_is_explained_where_something_was_changed():
    late = made_up.cohort()[3]
    text = one_page(late).text
    assert f"Exercises {late.out_of} two days late −10.25 well told +1 Total {late.out_of - 9.25:g}" in text
    assert "Exercises" not in one_page(made_up.cohort()[0]).text


def test_a_change_to_one_exercise_stands_beside_it():
    record = made_up.cohort()[0]
    record.changes = [Change(1.5, "found a gap in the text", record.grades[2].exercise)]
    item = one_page(record).source.split("<article")[3]
    assert "+1.5 points:</b> found a gap in the text" in item


def test_a_student_with_nothing_gets_a_page_all_the_same():
    assert "There is nothing in this submission that could be graded." in one_page(Record("ada", "Ada", [])).text
    missing = one_page(made_up.cohort()[2])
    assert "0 of" in missing.text and missing.text.count("Not answered") == len(content.exercises())


def test_a_page_shows_no_other_student_no_digest_of_the_checks_and_no_seed():
    record = made_up.cohort()[0]
    record.grader, record.jail = {"seed": "s3cr3t", "checks": "c" * 64}, {"landlock": True}
    page = one_page(record)
    assert not any(word in page.source for word in ("s3cr3t", "ccccc", "landlock", "Bo Cruz"))


def test_links_within_the_page_lead_somewhere():
    page = one_page(made_up.cohort()[1])
    assert {link.removeprefix("#") for link in page.links} == set(page.anchors)
    assert len(page.anchors) == len(set(page.anchors)) == len(content.exercises())


def test_an_endless_message_is_cut():
    record = Record("ada", "Ada", [Grade("old/gone", "failed", 0, 1, message="x" * 10**6)])
    source = feedback.feedback_page(record, labels([record]))
    assert len(source) < LONGEST + 10_000 and f"({10**6 - LONGEST} more characters)" in source


def test_every_link_of_the_cohort_page_leads_to_a_feedback_page(tmp_path):
    records = [*made_up.cohort(), *map(made_up.nasty_record, NASTY)]
    cohort_page.write(records, tmp_path)
    feedback.write_all(records, tmp_path)
    page = Page((tmp_path / "cohort.html").read_text("utf-8"))
    assert {tmp_path / link for link in page.links} == set(tmp_path.glob("feedback/*.html"))
    assert len(set(page.links)) == len(records)


def test_the_numbers_at_the_top_are_right():
    found = figures(made_up.cohort())
    out_of = sum(exercise.points for exercise in content.exercises())
    first = sum(exercise.points for exercise in content.exercises(content.chapters()[0]))
    assert sorted(found.totals) == sorted([out_of, out_of / 2, 0, out_of - 9.25, first])
    assert found.mean == pytest.approx(sum(found.totals) / 5) and found.median == sorted(found.totals)[2]
    assert sum(found.bins()) == 5 and found.bins()[0] == 1 and found.bins()[9] == 2
    assert [record.student for record in found.records[:2]] == ["ada", "di"]


def test_an_exercise_s_figures_count_those_who_were_graded_on_it():
    records = made_up.cohort()
    first, last = figures(records).exercises[0], figures(records).exercises[-1]
    assert (first.graded, last.graded) == (5, 4) and first.passed == 3 / 5 and last.passed == 2 / 4
    assert first.mean == pytest.approx(first.label.out_of * 3.5 / 5)
    assert first.failing == {"agrees with the reference (big-1)": 1} and first.ran == 4


def test_misconceptions_come_by_frequency_with_their_holders():
    records = made_up.cohort()
    for record in records[3:]:
        record.grades[1] = Grade(record.grades[1].exercise, "failed", 0, 2, misconception="rare", diagnosis="Often.")
    found = figures(records).misconceptions
    assert (found[0].name, found[0].text, len(found[0].holders)) == ("rare", "Often.", 2)
    page = class_page(records)
    assert page.text.index("Often.") < page.text.index("The mean is still in it.")


def test_stuck_is_who_saw_hints_and_did_not_pass():
    records = made_up.cohort()
    name = content.exercises()[0].id
    records[0].hints, records[1].hints, records[2].hints = {name: 3}, {name: 2}, {name: 1}
    first, second = figures(records).exercises[:2]
    assert [record.student for record in first.stuck] == ["bo"] and second.stuck == []
    assert first.mean_hints == 2 and first.senders == 3 and second.mean_hints == 0
    assert "Of the 3 students who sent the progress file" in class_page(records).text


def test_without_a_progress_file_nothing_is_said_of_hints():
    page = class_page(made_up.cohort())
    assert figures(made_up.cohort()).exercises[0].mean_hints is None and "hints" not in page.text


def test_what_a_person_should_look_at_stands_on_top():
    record = Record("ada", "Ada Berg", made_up.grades("timeout", content.chapters()[0]))
    page = class_page([record, *made_up.cohort()])
    first = labels([record])[0].short
    assert f"{first} , stopped at its time limit: Ada Berg" in page.text
    assert "Look at these" not in class_page(made_up.cohort()).text


def test_a_submission_that_could_not_be_read_is_told_once_with_what_to_do_and_counts_in_no_mean():
    why = "eve.docx is a Word document, which can't be run. Hand in the notebook itself (.ipynb)."
    eve = Record("eve", "Eve", made_up.grades("not-run", message="No."), notes=[why, "Late."], problems=[why])
    found, page = figures([eve, *made_up.cohort()]), class_page([eve, *made_up.cohort()])
    assert "Look at these submissions." in page.text and f"Eve {why}" in page.text and page.text.count(why) == 1
    assert "Look at these answers" not in page.text and "To look at 1 student" in page.text
    assert "Submissions 6 1 not graded" in page.text and "Eve ? ?" in page.text
    before = figures(made_up.cohort())
    assert (found.mean, found.median, found.bins()) == (before.mean, before.median, before.bins())
    assert [e.passed for e in found.exercises] == [e.passed for e in before.exercises]
    assert found.records[-1] is eve
    half = Record("eve", "Eve", [*made_up.grades()[:1], *made_up.grades("not-run", message="No.")[1:]])
    assert "'worth'>? of" in one_page(half).source and "'worth'>0 of" not in one_page(half).source
    mine = one_page(eve)
    assert (
        "Not graded yet" in mine.text and "0 of" not in mine.text and mine.text.count(why) == 1 and "Late." in mine.text
    )


def test_a_jail_that_did_not_hold_is_told():
    records = made_up.cohort()
    records[1].jail = {"namespaces": True, "landlock": False}
    assert "held: landlock." in class_page(records).text
    records[1].jail = {"namespaces": True}
    assert "held:" not in class_page(records).text


def test_the_heat_map_tells_statuses_apart_without_colour():
    grades = made_up.grades("passed")[: len(STATUSES)]
    for grade, status in zip(grades, STATUSES):
        grade.status = status
    page = class_page([Record("ada", "Ada", grades)])
    cells = re.findall(r"<td class='\w+' title='[^']*'>(.)</td>", page.source)
    assert len(cells) == len(STATUSES) == len(set(cells))
    assert all(any(WORDS[status] in title for title in page.titles) for status in STATUSES)


@pytest.mark.parametrize(
    "points, kind", [(0, "c0"), (0.5, "c1"), (1.5, "c2"), (2.5, "c3"), (3, "c4"), (4, "c4"), (-1, "c0")]
)
def test_a_cell_s_shade_follows_the_share_of_the_points(points, kind):
    assert shade(Grade("a/b", "failed", points, 3)) == kind


def test_an_empty_cohort_and_a_cohort_of_one_have_a_page():
    assert "No submission has been graded yet." in class_page([]).text
    assert "Ada Berg" in class_page(made_up.cohort()[:1]).text


def test_three_hundred_students_are_shown_in_a_second_and_two_megabytes():
    one = made_up.cohort()
    records = [Record(f"s{i}", f"Student {i}", one[i % 4].grades) for i in range(300)]
    source = cohort_page.cohort_page(records)
    assert len(source) < 2_000_000 and source.count("<tr>") == 302


def test_text_is_told_apart_from_its_colour():
    """4.5 to 1 for text on its ground, as WCAG's level AA asks, in light and in dark."""
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6})", part)) for part in COLOURS.split("@media")[:2])
    for theme in (light, dark):
        for ink, ground in (
            *((ink, ground) for ink in ("ink", "soft", "link") for ground in ("page", "card")),
            *((tone, f"{tone}-soft") for tone in ("good", "bad", "look", "none")),
            *((tone, "card") for tone in ("good", "bad", "look", "none")),
            ("ink", "code"),
            ("ink", "bad-soft"),
            ("link", "look-soft"),
        ):
            assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_prose_has_code_and_stress_and_nothing_else():
    assert prose("use `a*b*c`, *not* <b>") == "use <code>a*b*c</code>, <em>not</em> &lt;b&gt;"
    assert prose("2*x*3 and a * b * c") == "2*x*3 and a * b * c"


def test_times_are_written_for_people():
    assert moment("2026-11-20T17:42:00+01:00") == "20 November 2026, 17:42 (UTC+01:00)"
    assert moment("yesterday") == "yesterday"


def test_a_test_that_broke_is_marked_as_such():
    record = Record("ada", "Ada", [Grade("old/gone", "failed", 0, 1, [OneTest("test_it", "error")])])
    assert "! it" in one_page(record).text


def test_a_diagnosis_that_is_a_guess_is_told_as_one():
    grade = Grade("old/gone", "failed", 0, 1, diagnosis="The mean is still in it.", certain=False)
    assert "A common mistake that fails just these checks: The mean is" in one_page(Record("ada", "Ada", [grade])).text
