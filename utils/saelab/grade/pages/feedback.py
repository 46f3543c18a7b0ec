"""One page a student: what each exercise earned, which checks failed, and why."""

from pathlib import Path

from saelab.files import write_atomically

from ..filenames import safe_name
from ..record import Change, Grade, Record
from .labels import (
    MARKS,
    WORDS,
    Label,
    chapter_title,
    clipped,
    escaped,
    labels,
    lead,
    moment,
    one_line,
    points,
    prose,
    signed,
    tests_of,
)
from .page import page

FOLDER = "feedback"
STYLE = """
body { max-width: 46rem; }
.total { display: flex; align-items: baseline; gap: .5rem; margin: .8rem 0 .4rem; }
.total b { font-size: 2.6rem; line-height: 1; letter-spacing: -.02em; }
.bar { height: .6rem; border-radius: .3rem; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--bar); print-color-adjust: exact; }
.sum { border-collapse: collapse; margin: 1rem 0; width: 100%; }
.sum td, .sum th { padding: .3rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
.sum td:last-child { text-align: right; white-space: nowrap; padding-left: 1rem; font-variant-numeric: tabular-nums; }
.sum tr:last-child > * { font-weight: 600; border-top: 2px solid var(--soft); }
.problem { background: var(--look-soft); border-left: .3rem solid var(--look); border-radius: .3rem;
  padding: .5rem .8rem; margin: .6rem 0; }
.strip { display: flex; flex-wrap: wrap; gap: .3rem; padding: 0; margin: 1rem 0; list-style: none; }
.strip a { display: block; min-width: 2.9rem; padding: .2rem .4rem; border-radius: .3rem; text-align: center;
  text-decoration: none; color: var(--tone); background: var(--tint); font-size: .8125rem; line-height: 1.3;
  print-color-adjust: exact; }
.strip b { display: block; }
article { background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--tone);
  padding: .55rem 1rem; border-radius: .4rem; margin: .6rem 0; scroll-margin-top: 1rem; }
.head { display: flex; gap: 1rem; justify-content: space-between; }
.head .worth { white-space: nowrap; font-weight: 600; font-variant-numeric: tabular-nums; }
article > p, article > details { margin: .15rem 0 0; font-size: .9375rem; }
.status { color: var(--tone); font-weight: 600; margin-right: .4rem; }
.checks { list-style: none; padding: 0; margin: .4rem 0; font-size: .9375rem; }
.checks li { padding-left: 1.5rem; text-indent: -1.5rem; }
.checks b { display: inline-block; width: 1.5rem; text-indent: 0; color: var(--tone); }
.checks .passed { color: var(--soft); }
pre { margin: .6rem 0; padding: .6rem .8rem; background: var(--code); border-radius: .3rem; white-space: pre-wrap; }
article > .why { margin: .6rem 0; padding: .5rem .8rem; background: var(--tint); border-radius: .3rem;
  print-color-adjust: exact; }
summary { cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary::after { content: " ▸"; color: var(--soft); } details[open] > summary::after { content: " ▾"; }
@media print { :root { font-size: 9.5pt; } body { max-width: none; padding: 0; } .strip { display: none; }
  article { break-inside: avoid; } }
"""


def write_all(records: list[Record], out: Path) -> None:
    """Write feedback/NAME.html for every record."""
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    known = labels(records)
    for record in records:
        write_atomically(out / link(record), feedback_page(record, known))


def link(record: Record) -> str:
    """Where a student's page lies, seen from the folder of the results."""
    return f"{FOLDER}/{safe_name(record.student)}.html"


def feedback_page(record: Record, known: list[Label]) -> str:
    """The page as HTML. It shows nothing but the record: no solution, no seed, no other student."""
    name = one_line(record.name) or one_line(record.student)
    grades = {grade.exercise: grade for grade in record.grades}
    mine = [label for label in known if label.id in grades]
    body = f"<header>\n<h1>Feedback for <bdi>{escaped(name)}</bdi></h1>\n{_total(record, mine)}</header>\n<main>\n"
    body += "".join(f"<p class='problem'>{prose(problem)}</p>\n" for problem in record.problems)
    body += "".join(f"<p>{prose(note)}</p>\n" for note in record.notes if note not in record.problems)
    mine = [] if record.is_ungraded and record.problems else mine
    body += _strip(mine, grades)
    for chapter in dict.fromkeys(label.chapter for label in mine):
        inside = [label for label in mine if label.chapter == chapter]
        earned, out_of = sum(grades[e.id].points for e in inside), sum(grades[e.id].out_of for e in inside)
        worth = f"<span class='soft small'>{points(earned)} of {out_of} points</span>"
        body += f"<h2>{escaped(chapter_title(chapter))} {worth}</h2>\n"
        for label in inside:
            changes = [change for change in record.changes if change.exercise == label.id]
            body += _item(label, grades[label.id], changes)
    return page(f"Feedback for {name}", f"{body}</main>\n{_footer(record)}", STYLE)


def _total(record: Record, mine: list[Label]) -> str:
    if record.is_ungraded:
        return f"<p class='total'><b>Not graded yet</b></p>\n<p class='soft'>of {record.out_of} points</p>\n"
    share = min(100, 100 * record.total / record.out_of) if record.out_of else 0
    head = f"<p class='total'><b>{points(record.total)}</b> of {record.out_of} points</p>\n"
    head += f"<div class='bar' aria-hidden='true'><i style='width:{share:.1f}%'></i></div>\n"
    if record.submitted:
        head += f"<p class='soft small'>Handed in {escaped(moment(record.submitted))}</p>\n"
    if not mine:
        return head + "<p>There is nothing in this submission that could be graded.</p>\n"
    return head + (_sum(record, {label.id: label.short for label in mine}) if record.changes else "")


def _sum(record: Record, names: dict[str, str]) -> str:
    """How the total comes about, where points were added or taken away."""
    rows = f"<tr><th scope='row'>Exercises</th><td>{points(record.earned)}</td></tr>\n"
    for change in record.changes:
        about = f"{names.get(change.exercise, change.exercise)}: " if change.exercise else ""
        rows += f"<tr><td>{prose(one_line(about + change.why))}</td><td>{signed(change.points)}</td></tr>\n"
    return f"<table class='sum'>\n{rows}<tr><th scope='row'>Total</th><td>{points(record.total)}</td></tr>\n</table>\n"


def _strip(mine: list[Label], grades: dict[str, Grade]) -> str:
    """A link to every exercise with its mark, for a look at the whole."""
    items = "".join(
        f"<li><a class='{grades[label.id].status}' href='#{_anchor(label)}' title='{escaped(label.name)}: "
        f"{WORDS[grades[label.id].status]}'>{escaped(label.number or label.name)}"
        f"<b>{MARKS[grades[label.id].status]}</b></a></li>\n"
        for label in mine
    )
    return f"<nav aria-label='Exercises'><ul class='strip'>\n{items}</ul></nav>\n" if len(mine) > 3 else ""


def _anchor(label: Label) -> str:
    return f"e-{safe_name(label.id)}"


def _item(label: Label, grade: Grade, changes: list[Change]) -> str:
    """One exercise; what passed is folded."""
    tests = tests_of(grade)
    done = sum(test.outcome == "passed" for test in tests)
    status = f"{MARKS[grade.status]} {WORDS[grade.status].capitalize()}"
    status += f" · {done} of {len(tests)} checks pass" if tests and grade.status != "passed" else ""
    checks = "".join(
        f"<li class='{test.outcome}'><b>{MARKS[test.outcome]}</b>{escaped(one_line(test.sentence))}</li>\n"
        for test in tests
    )
    checks = f"<ul class='checks'>\n{checks}</ul>\n" if checks else ""
    line = f"<span class='status'>{status}</span> <code class='soft'>{escaped(label.name)}</code>"
    if checks and grade.status == "passed":
        line += f" <span class='soft'>· {done} check{'s' * (done != 1)}</span>"
        body = f"<details><summary>{line}</summary>\n{checks}</details>\n"
    else:
        body = f"<p>{line}</p>\n{checks}"
    body += _message(clipped(grade.message)) if grade.message else ""
    if grade.diagnosis:
        body += f"<p class='why'><b>{lead(grade)}</b> {prose(grade.diagnosis)}</p>\n"
    body += "".join(f"<p class='soft small'>{prose(note)}</p>\n" for note in grade.notes)
    body += "".join(
        f"<p class='small'><b>{signed(c.points)} point{'s' * (abs(c.points) != 1)}:</b> {prose(c.why)}</p>\n"
        for c in changes
    )
    earned = "?" if grade.status == "not-run" else points(grade.points)
    title = f"<h3>{escaped(f'{label.number} {label.title}'.strip())}</h3>"
    return (
        f"<article class='{grade.status}' id='{_anchor(label)}'>\n"
        f"<div class='head'>{title}<span class='worth'>{earned} of {grade.out_of}</span></div>\n"
        f"{body}</article>\n"
    )


def _message(text: str) -> str:
    """What failed, with its columns kept; a single sentence as text."""
    return f"<pre>{escaped(text)}</pre>\n" if "\n" in text else f"<p>{prose(text)}</p>\n"


def _footer(record: Record) -> str:
    files = "".join(
        f"<br>{escaped(one_line(name))} <code>{escaped(digest[:12])}</code>" for name, digest in record.files.items()
    )
    return f"<footer>What was graded, with the first digits of its SHA-256:{files}</footer>" if files else ""
