"""The instructor's page: how the class did, what it misunderstands, where it is stuck."""

from collections.abc import Sequence
from pathlib import Path

from saelab.files import write_atomically

from ..record import STATUSES, Record
from .cohort_drawings import STYLE as DRAWINGS
from .cohort_drawings import heat_map, histogram, key, status_bar, student_link
from .cohort_figures import MANY_HINTS, ExerciseFigures, Figures, Held, figures
from .labels import MARKS, WORDS, escaped, one_line, points, prose
from .page import page

FILE = "cohort.html"
SHOWN = 6  # entries of a list before the rest is folded
STYLE = (
    DRAWINGS
    + """
body { max-width: 76rem; }
.top { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; align-items: center; margin: 1rem 0; }
.numbers { display: flex; flex-wrap: wrap; gap: 1rem 1.8rem; margin: 0; flex: 1 1 24rem; }
.numbers dt { color: var(--soft); font-size: .875rem; } .numbers dd { margin: 0; font-size: 1.7rem; line-height: 1.2; }
.numbers small { font-size: .9rem; color: var(--soft); }
.top figure { margin: 0; flex: 0 1 24rem; }
figcaption { font-size: .875rem; color: var(--soft); }
.two { display: grid; gap: 0 3rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
.alarm { background: var(--look-soft); border-left: .3rem solid var(--look); border-radius: .3rem;
  padding: .6rem 1rem; margin: .8rem 0; }
.look-at { padding: .15rem 0; } .look-at a { font-weight: 600; margin-right: .4rem; }
.exercise { border-top: 1px solid var(--line); } .exercise:last-of-type { border-bottom: 1px solid var(--line); }
.exercise > summary { display: grid; gap: .2rem 1rem; align-items: center; padding: .35rem .2rem;
  grid-template-columns: 15rem minmax(8rem, 1fr) 5.6rem 7rem 6.6rem 4rem; font-size: .875rem; list-style: none; }
.exercise > summary:hover { background: var(--card); }
.exercise > summary::-webkit-details-marker { display: none; }
.exercise .who::before { content: "▸ "; color: var(--soft); } .exercise[open] .who::before { content: "▾ "; }
.exercise .who b { font-weight: 600; }
.exercise .number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.inside { padding: .2rem 0 1rem 1.2rem; display: grid; gap: .5rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); }
.inside h3 { margin: .3rem 0; font-size: .9375rem; }
.held { display: grid; font-size: .9375rem; grid-template-columns: 6.2rem 1fr; gap: 0 1rem; padding: .45rem 0;
  border-top: 1px solid var(--line); }
.held .share { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.held .share b { font-size: 1.1rem; }
.held .share i { display: block; height: .35rem; border-radius: .2rem; background: var(--c0); margin: .15rem 0 0 auto;
  print-color-adjust: exact; }
summary { cursor: pointer; } .students { font-size: .875rem; } .students summary { color: var(--soft); }
.students:not([open]) { display: inline-block; margin-left: .5rem; }
.students a { margin-right: .8rem; display: inline-block; }
@media screen and (max-width: 48rem) {
  .exercise > summary { grid-template-columns: repeat(4, auto); justify-content: space-between; }
  .exercise .who, .exercise .status-bar { grid-column: 1 / -1; } .held { grid-template-columns: 4.2rem 1fr; } }
@media print { :root { font-size: 8.5pt; } body { max-width: none; } .held, .exercise { break-inside: avoid; } }
"""
)


def write(records: list[Record], out: Path) -> None:
    """Write cohort.html into `out`; the links lead to the pages that `feedback.write_all` writes there."""
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / FILE, cohort_page(records))


def cohort_page(records: list[Record]) -> str:
    """The page as HTML."""
    if not records:
        body = "<h1>The class</h1>\n<p>No submission has been graded yet.</p>"
        return page("The class", body, STYLE)
    found = figures(records)
    teach = f"<div class='two'>{_misconceptions(found)}{_stuck(found)}</div>\n"
    body = _top(found) + _alarms(found) + teach + _exercises(found) + _students(found)
    return page("The class", f"<main>\n{body}</main>", STYLE)


def _top(found: Figures) -> str:
    full = sum(total >= found.out_of for total in found.totals)
    ungraded = len(found.records) - len(found.graded)
    numbers = [
        ("Submissions", str(len(found.records)), f"{ungraded} not graded" if ungraded else ""),
        ("Mean", points(round(found.mean, 1)), _of(found.mean, found.out_of)),
        ("Median", points(round(found.median, 1)), _of(found.median, found.out_of)),
        ("All points", str(full), _percent(full, len(found.graded))),
        ("To look at", str(found.to_look_at), "student" + "s" * (found.to_look_at != 1)),
    ]
    items = "".join(
        f"<div><dt>{name}</dt><dd>{value} <small>{more}</small></dd></div>" for name, value, more in numbers
    )
    return (
        "<header><h1>The class</h1>\n"
        f"<p class='soft'>{_count(found.exercises, 'exercise')}, {found.out_of} points</p></header>\n"
        f"<div class='top'><dl class='numbers'>{items}</dl>\n<figure>{histogram(found)}"
        "<figcaption>Students by share of the points, with late policy and adjustments</figcaption></figure></div>\n"
    )


def _alarms(found: Figures) -> str:
    text = ""
    if found.open_layers:
        layers = ", ".join(escaped(layer) for layer in found.open_layers)
        text += f"<p class='alarm'><b>Not everything that keeps submissions apart held:</b> {layers}.</p>\n"
    if found.with_problems:
        items = [
            f"<div class='look-at'>{student_link(record)} {' '.join(map(prose, record.problems))}</div>\n"
            for record in sorted(found.with_problems, key=lambda record: record.name.casefold())
        ]
        text += "<div class='alarm'><b>Look at these submissions.</b> What could not be read is not graded, and has "
        text += "no points so far. Once you have the right file, give it with the others and run the same command.\n"
        text += f"<div class='small'>\n{_folded(items, 'more', 3 * SHOWN)}</div></div>\n"
    if found.look:
        items = [
            f"<div><b>{escaped(label.short)}</b>, {WORDS[status]}: {_few(students)}</div>\n"
            for label, status, students in found.look
        ]
        text += "<div class='alarm'><b>Look at these answers.</b> A right one may have been slow, or the grader busy. "
        text += "Grade them again (<code>--only STUDENT --regrade</code>), or adjust by hand (<code>--policy</code>).\n"
        text += f"<div class='small'>\n{_folded(items, 'more')}</div></div>\n"
    return text


def _misconceptions(found: Figures) -> str:
    everything = found.misconceptions
    if not everything:
        return ""
    students = len({id(record) for held in everything for record in held.holders})
    note = f"{_count(everything, 'different mistake')} recognised, in the work of {students} of {len(found.graded)}."
    most = len(everything[0].holders)
    items = [_held(held, len(found.graded), most, with_exercise=True) for held in everything]
    body = _folded(items, "rarer ones")
    return f"<section><h2>What the class misunderstands</h2>\n<p class='soft small'>{note}</p>\n{body}</section>\n"


def _held(held: Held, students: int, most: int, with_exercise: bool) -> str:
    """One misconception; the bar is as long as it may be where `most` students hold it."""
    n = len(held.holders)
    where = f"<b>{escaped(held.label.short)}</b> " if with_exercise else ""
    return (
        f"<div class='held'><div class='share'><b>{n}</b> <span class='soft small'>{_percent(n, students)}</span>"
        f"<i style='width:{100 * n / most:.0f}%'></i></div>\n"
        f"<div>{where}{prose(held.text)} <code class='soft'>{escaped(held.name)}</code>{_who(held.holders)}</div>"
        "</div>\n"
    )


def _stuck(found: Figures) -> str:
    if not found.senders:
        return ""
    places = sorted((e for e in found.exercises if e.stuck), key=lambda e: -len(e.stuck))
    note = (
        f"Of the {_count(range(found.senders), 'student')} who sent the progress file, those who saw {MANY_HINTS} "
        "hints or more and did not pass."
    )
    items = [
        f"<div class='held'><div class='share'><b>{len(e.stuck)}</b> "
        f"<span class='soft small'>{_percent(len(e.stuck), e.senders)}</span></div>"
        f"<div><b>{escaped(e.label.short)}</b> <span class='soft'>{escaped(e.label.title)}</span>{_who(e.stuck)}</div>"
        "</div>\n"
        for e in places
    ]
    body = _folded(items, "more") or "<p>Nobody.</p>\n"
    return f"<section><h2>Where they are stuck</h2>\n<p class='soft small'>{note}</p>\n{body}</section>\n"


def _exercises(found: Figures) -> str:
    rows = "".join(_exercise(e) for e in found.exercises)
    marks = ", ".join(f"{MARKS[status]} {WORDS[status]}" for status in STATUSES)
    note = f"How many students have which status ({marks}). Open one for its mistakes and the checks that fail most."
    return f"<h2>Exercises</h2>\n<p class='soft small'>{note}</p>\n{rows}"


def _exercise(e: ExerciseFigures) -> str:
    hints = "" if e.mean_hints is None else f"{points(round(e.mean_hints, 1))} of {e.label.hints} hints"
    stuck = f"{len(e.stuck)} stuck" if e.stuck else ""
    cells = [f"{e.passed:.0%} passed", f"mean {points(round(e.mean, 1))} of {e.label.out_of}", hints, stuck]
    numbers = "".join(f"<span class='number'>{cell}</span>" for cell in cells)
    who = f"<b>{escaped(e.label.number)}</b> {escaped(e.label.name)}"
    who = f"<span class='who' title='{escaped(e.label.title)}'>{who}</span>"
    most = len(e.misconceptions[0].holders) if e.misconceptions else 0
    held = "".join(_held(held, e.graded, most, with_exercise=False) for held in e.misconceptions)
    failing = "".join(
        f"<div class='held'><div class='share'><b>{n}</b> <span class='soft small'>{_percent(n, e.ran)}</span></div>"
        f"<div>{escaped(one_line(sentence))}</div></div>\n"
        for sentence, n in e.failing.most_common(5)
    )
    held = held or "<p class='soft'>No known mistake was recognised.</p>"
    failing = failing or "<p class='soft'>None.</p>"
    inside = f"<section><h3>{escaped(e.label.title)}</h3>\n{held}</section>\n"
    inside += f"<section><h3>Checks that fail most</h3>\n{failing}</section>\n"
    return (
        f"<details class='exercise'><summary>{who}{status_bar(e.statuses)}{numbers}</summary>\n"
        f"<div class='inside'>{inside}</div></details>\n"
    )


def _students(found: Figures) -> str:
    return f"<h2>Students</h2>\n{key()}{heat_map(found)}"


def _who(records: Sequence[Record]) -> str:
    return f"<details class='students'><summary>who</summary>{' '.join(map(student_link, records))}</details>"


def _few(students: list[Record]) -> str:
    """Names, or a number to be opened where they are many."""
    if len(students) <= SHOWN + 2:
        return ", ".join(map(student_link, students))
    return f"{len(students)} students{_who(students)}"


def _folded(items: list[str], rest: str, shown: int = SHOWN) -> str:
    """A list of which only the start is shown, if it is long."""
    if len(items) <= shown + 2:
        return "".join(items)
    more = "".join(items[shown:])
    return f"{''.join(items[:shown])}<details><summary>{len(items) - shown} {rest}</summary>{more}</details>\n"


def _count(things: Sequence, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else ""


def _of(part: float, whole: float) -> str:
    return f"of {whole} · {_percent(part, whole)}"
