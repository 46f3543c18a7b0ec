"""The cohort page's drawings, as HTML and SVG: histogram of totals, bar of statuses, heat map."""

from collections import Counter
from itertools import groupby

from ..record import STATUSES, Grade, Record
from .cohort_figures import LOOK, Figures
from .feedback import link
from .labels import MARKS, WORDS, chapter_title, escaped, one_line, points

STYLE = """
:root { --c0: #e08344; --c1: #f1c69f; --c2: #ece5d6; --c3: #a8c7e5; --c4: #2f6fb0; --on-c0: #301503; --on: #2a2a2a;
  --on-c4: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --c0: #c26a30; --c1: #7c5334; --c2: #4d4b46; --c3: #3c648b; --c4: #69a8e4;
  --on-c0: #150a02; --on: #efece6; --on-c4: #07131f; } }
.c0 { background: var(--c0); color: var(--on-c0); } .c1 { background: var(--c1); color: var(--on); }
.c2 { background: var(--c2); color: var(--on); } .c3 { background: var(--c3); color: var(--on); }
.c4 { background: var(--c4); color: var(--on-c4); }
.status-bar { display: flex; gap: 1px; height: 1.35rem; font-size: .75rem; line-height: 1.35rem; border-radius: .2rem;
  overflow: hidden; }
.status-bar i { font-style: normal; min-width: 2px; text-align: center; white-space: nowrap; overflow: hidden;
  print-color-adjust: exact; }
.status-bar .passed { background: var(--c4); color: var(--on-c4); }
.status-bar .failed, .status-bar .error { background: var(--c0); color: var(--on-c0); }
.status-bar .missing { background: var(--none-soft); color: var(--none); }
.status-bar .timeout, .status-bar .not-run { background: var(--look-soft); color: var(--look); }
.histogram { width: 100%; max-width: 30rem; height: auto; }
.histogram rect { fill: var(--bar); } .histogram text { fill: var(--soft); font-size: 11px; text-anchor: middle; }
.histogram line { stroke: var(--soft); }
.scroll { overflow: auto; max-height: 88vh; width: fit-content; max-width: 100%;
  border: 1px solid var(--line); border-radius: .4rem; background: var(--card); }
.map { border-collapse: separate; border-spacing: 1px; font-size: .75rem; line-height: 1.2rem; }
.map th { font-weight: 400; background: var(--card); position: sticky; }
.map thead th { z-index: 2; text-align: center; padding: .1rem 0; white-space: nowrap; font-size: .6875rem; }
.map thead tr:first-child th { top: 0; height: 1.5rem; }
.map thead tr:last-child th { top: 1.5rem; }
.map .chapter { text-align: left; padding-left: .3rem; border-left: 2px solid var(--line); white-space: nowrap; }
.map .name { left: 0; z-index: 1; text-align: left; padding: 0 .5rem; max-width: 13rem; min-width: 9rem;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.map thead .name { z-index: 3; padding: 0 .5rem; }
.map td { min-width: 1.7rem; text-align: center; print-color-adjust: exact; }
.map .total { text-align: right; padding: 0 .5rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.map .missing { color: var(--none); }
.map .look, .key .look { box-shadow: inset 0 0 0 2px var(--look); background: var(--look-soft); color: var(--look);
  font-weight: 700; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .5rem 0; font-size: .875rem; color: var(--soft); }
.key b { display: inline-block; min-width: 1.5rem; text-align: center; margin-right: .35rem; border-radius: .15rem;
  font-weight: 400; print-color-adjust: exact; }
@media screen and (max-width: 40rem) { .map .name { min-width: 6rem; max-width: 6.5rem; } }
@media print { .scroll { max-height: none; overflow: visible; } .map { font-size: 6pt; line-height: 1.3; }
  .map th { position: static; }
  .map td { min-width: 0; } }
"""
LONGEST_NAME = 60  # characters


def histogram(figures: Figures, width: int = 360, height: int = 120) -> str:
    """How many students have which share of the points."""
    counts = figures.bins()
    step, base, top = width / len(counts), height - 16, 16
    scale = (base - top) / max([1, *counts])
    parts = []
    for i, count in enumerate(counts):
        tall = count * scale
        what = f"{10 * i} to {10 * i + 10}% of the points: {count}"
        parts.append(
            f"<rect x='{i * step + 1:.1f}' y='{base - tall:.1f}' width='{step - 2:.1f}' height='{tall:.1f}'>"
            f"<title>{what}</title></rect>"
        )
        if count:
            parts.append(f"<text x='{(i + 0.5) * step:.1f}' y='{base - tall - 4:.1f}'>{count}</text>")
    for share in range(0, 101, 20):
        x = min(width - 18, max(10, share / 100 * width))
        parts.append(f"<text x='{x:.1f}' y='{height - 3}'>{share}%</text>")
    label = f"Students by share of the points, in steps of a tenth: {', '.join(map(str, counts))}"
    return (
        f"<svg class='histogram' viewBox='0 0 {width} {height}' role='img' aria-label='{label}'>"
        f"<line x1='0' x2='{width}' y1='{base}' y2='{base}'/>{''.join(parts)}</svg>"
    )


def status_bar(statuses: Counter) -> str:
    """One bar: how many students have which status; a mark and a number where there is room for them."""
    total = statuses.total() or 1
    parts = [
        f"<i class='{status}' style='flex:{statuses[status]}' title='{statuses[status]} {WORDS[status]}'>"
        f"{f'{MARKS[status]} {statuses[status]}' if statuses[status] / total > 0.07 else ''}</i>"
        for status in STATUSES
        if statuses[status]
    ]
    words = ", ".join(f"{statuses[status]} {WORDS[status]}" for status in STATUSES if statuses[status])
    return f"<span class='status-bar' role='img' aria-label='{words}'>{''.join(parts)}</span>"


def heat_map(figures: Figures) -> str:
    """Students down, exercises across; a cell's colour is the share of the points, its mark the status."""
    known = [exercise.label for exercise in figures.exercises]
    groups = [(chapter, len(list(inside))) for chapter, inside in groupby(known, key=lambda label: label.chapter)]
    chapters = "".join(
        f"<th class='chapter' scope='colgroup' colspan='{n}'>{escaped(chapter_title(c))}</th>" for c, n in groups
    )
    numbers = "".join(
        f"<th scope='col' title='{escaped(label.short)}: {escaped(label.title)}'>{escaped(label.number or '·')}</th>"
        for label in known
    )
    rows = "".join(_row(record, [label.id for label in known], figures) for record in figures.records)
    return (
        "<div class='scroll' tabindex='0' role='region' aria-label='Students and exercises'><table class='map'>\n"
        f"<thead><tr><th class='name'></th><th></th>{chapters}</tr>\n"
        f"<tr><th class='name' scope='col'>Student</th><th scope='col'>Points</th>{numbers}</tr></thead>\n"
        f"<tbody>\n{rows}</tbody></table></div>\n"
    )


def _row(record: Record, exercises: list[str], figures: Figures) -> str:
    grades = {grade.exercise: grade for grade in record.grades}
    names = {exercise.label.id: exercise.label.short for exercise in figures.exercises}
    cells = "".join(_cell(names[name], grades[name]) if name in grades else "<td></td>" for name in exercises)
    who = student_link(record)
    total = "?" if record.is_ungraded else points(record.total)
    return f"<tr><th class='name' scope='row'>{who}</th><td class='total'>{total}</td>{cells}</tr>\n"


def _cell(name: str, grade: Grade) -> str:
    kind = "look" if grade.status in LOOK else "missing" if grade.status == "missing" else shade(grade)
    held = f" ({grade.misconception})" if grade.misconception else ""
    what = f"{name}: {WORDS[grade.status]}, {points(grade.points)} of {grade.out_of}{held}"
    return f"<td class='{kind}' title='{escaped(what)}'>{MARKS[grade.status]}</td>"


def shade(grade: Grade) -> str:
    """The class for a share of the points: c0 for nothing, c4 for everything, three steps between."""
    share = grade.points / grade.out_of if grade.out_of else 1.0
    return "c0" if share <= 0 else "c4" if share >= 1 else f"c{1 + min(2, int(3 * share))}"


def student_link(record: Record) -> str:
    """A student's name with a link to the feedback page; the identity shows as a tooltip."""
    name = one_line(record.name) or one_line(record.student) or "(no name)"
    name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    return f"<a href='{link(record)}' title='{escaped(one_line(record.student))}'><bdi>{escaped(name)}</bdi></a>"


def key() -> str:
    """What the heat map's colours and marks mean."""
    shades = [
        ("c4", "✓", "passed"),
        ("c3", "✗", "not passed, most of the points"),
        ("c1", "✗", "few"),
        ("c0", "✗", "none"),
    ]
    shades.append(("c0", MARKS["error"], WORDS["error"]))
    others = [("missing", "–", WORDS["missing"]), *(("look", MARKS[s], WORDS[s]) for s in LOOK)]
    items = "".join(f"<span><b class='{kind}'>{mark}</b>{words}</span>" for kind, mark, words in shades + others)
    return f"<p class='key'>{items}</p>\n"
