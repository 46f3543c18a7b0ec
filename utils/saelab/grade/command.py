"""`saelab grade SUBMISSION… --out DIR`: from what students sent to a gradebook."""

import argparse
import math
import os
import sys
from pathlib import Path

from saelab import content

from . import cohort, folder, limits, needs, policy
from .exports import gradebooks, nbgrader
from .intake import handed_in
from .intake.reading import Entry
from .jail import LAYERS, Limits
from .pages import cohort_page, feedback
from .record import Record, RecordError
from .record import load as load_record
from .settings import Settings

SHOWN = 20  # students to look at that are listed; the page has all
CONTAINER = (
    "On macOS and Windows, and where namespaces are forbidden, grade in the container: see docs/grading.md. "
    "Or, only if you trust every submission: --unsafe-no-sandbox."
)


class GradeError(Exception):
    """Something the instructor asked for that can't be done: one sentence with what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, cores = parser.add_argument, os.cpu_count() or 1
    what = "notebooks, scripts, folders or zips; the download of a whole class"
    add("submissions", nargs="+", type=Path, metavar="SUBMISSION", help=what)
    add("--out", type=Path, required=True, metavar="DIR", help="folder for records, feedback and gradebook")
    add("--chapter", action="append", metavar="CHAPTER", help="exercises of this chapter (default: all)")
    add("--exercise", action="append", metavar="EXERCISE", help="this exercise; may be repeated")
    add("--only", action="append", metavar="STUDENT", help="grade just this student; may be repeated")
    add("--policy", type=Path, metavar="FILE", help="late policy and adjustments (a .toml file)")
    add("--no-policy", action="store_true", help="take back what an earlier --policy has changed")
    add("--jobs", type=_count, default=cores, metavar="N", help="grader processes (default: all cores)")
    add("--seed", help="seed of the hidden numbers (default: a secret one, kept in DIR/grading.json)")
    add("--trials", type=_count, default=2, metavar="N", help="runs of each check, with new numbers (default 2)")
    add("--seconds", type=_amount, default=60, metavar="S", help="limit for one exercise (default 60)")
    add("--deadline", type=_amount, default=300, metavar="S", help="limit for one submission (default 300)")
    add("--memory", type=_amount, default=4, metavar="GB", help="limit for one submission's process (default 4)")
    add("--no-partial", action="store_true", help="points only for exercises that pass")
    add("--regrade", action="store_true", help="grade again what has a record already")
    add("--nbgrader", action="store_true", help="also write notebooks with nbgrader's metadata")
    add("--unsafe-no-sandbox", action="store_true", help="run students' code with no jail around it")


def _count(text: str) -> int:
    """A whole number from 1 on, from the command line."""
    if not text.isdecimal() or not 1 <= int(text) <= 10**6:
        raise argparse.ArgumentTypeError(f"{text} has to be a whole number from 1 on")
    return int(text)


def _amount(text: str) -> float:
    """A number above 0, from the command line."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < 10**9:
        raise argparse.ArgumentTypeError(f"{text} has to be a number above 0")
    return number


def run(arguments: argparse.Namespace) -> int:
    """Grade, apply the policy, write everything; 0 if all went well, 1 if a person has to look."""
    exercises = _exercises(arguments.chapter, arguments.exercise)
    needs.demand([content.find(name) for name in exercises])
    rules = _rules(arguments)
    out = arguments.out
    _check(out, arguments.submissions)
    with limits.memory(limits.FINDING):
        found, left_out = handed_in.find(arguments.submissions, out)
    if not found:
        raise GradeError(" ".join(left_out) or _nothing(arguments.submissions))
    print(_guesses(found), flush=True)
    _say(left_out)
    entries = _chosen(found, arguments.only)
    out.mkdir(parents=True, exist_ok=True, mode=0o700)  # grades are nobody else's business
    with folder.alone(out):
        if not folder.settings(out) and any((out / cohort.RECORDS).glob("*.json")):
            _say([f"{out / folder.SETTINGS} is gone, so everything is graded again, with other numbers."])
        seed = folder.begin(out, arguments.seed, exercises, arguments.regrade)
        settings = Settings(
            seed, exercises, arguments.trials, arguments.seconds, arguments.deadline, not arguments.no_partial,
            not arguments.unsafe_no_sandbox, Limits(memory=int(arguments.memory * 2**30)),
        )  # fmt: skip
        try:
            layers = cohort.grade(entries, out, settings, arguments.jobs, arguments.submissions, arguments.regrade)
        except cohort.CohortError as error:
            raise GradeError(f"{error} {CONTAINER}" if "jail" in str(error) else str(error)) from None
        except KeyboardInterrupt:
            print("Stopped. Give the same command to go on where it was.", file=sys.stderr)
            return 130
        records, broken = _records(out)
        if rules:
            records = _apply(rules, records, out)
            folder.remember(out, policy=str(arguments.policy or ""))
        _write(records, arguments)
    print("\n".join([*_summary(records, layers, settings.jailed), f"See {out / 'cohort.html'}."]))
    _say([*left_out, *broken, *_strangers(records, found, out)])
    return 1 if left_out or broken or any(record.to_look_at for record in records) else 0


def _guesses(entries: list[Entry]) -> str:
    """How students are known, most of them first; three names of each kind, so that a wrong guess is seen."""
    kinds: dict[str, list[str]] = {}
    for entry in entries:
        kinds.setdefault(entry.known_by or "the name of what can't be read", []).append(entry.student)
    told = [
        f"{len(names)} by {kind} ({', '.join(names[:3])}{' …' * (len(names) > 3)})"
        for kind, names in sorted(kinds.items(), key=lambda pair: -len(pair[1]))
    ]
    return f"Who is who, as far as names tell: {'; '.join(told)}."


def _rules(arguments: argparse.Namespace) -> policy.Policy | None:
    """The policy to apply; None where there is none and never was one."""
    if arguments.policy and arguments.no_policy:
        raise GradeError("Give --policy or --no-policy, not both.")
    before = folder.settings(arguments.out).get("policy")
    if before and not (arguments.policy or arguments.no_policy):
        raise GradeError(
            f"{arguments.out} was graded with --policy {before}. Give that again, or --no-policy to take back its "
            "changes."
        )
    if arguments.policy:
        return policy.load(arguments.policy)
    return policy.Policy() if arguments.no_policy else None


def _say(sentences: list[str]) -> None:
    print("".join(f"{sentence}\n" for sentence in sentences), end="", file=sys.stderr, flush=True)


def _nothing(paths: list[Path]) -> str:
    """Why there is nothing to grade in what was given."""
    empty = [path for path in paths if path.is_dir() and not any(path.iterdir())]
    if empty:
        return f"There is no submission to grade: {empty[0]} is empty. Give notebooks, scripts, folders or zips."
    return "There is no submission to grade. Give notebooks, scripts, folders or zips."


def _strangers(records: list[Record], entries: list[Entry], out: Path) -> list[str]:
    """A sentence about records of students who have handed in nothing of what was given now."""
    here = {entry.student for entry in entries}
    names = [record.student for record in records if record.student not in here]
    if not names:
        return []
    first = cohort.record_path(out, names[0])
    return [
        f"{', '.join(names[:5])}{' …' * (len(names) > 5)}: graded earlier, but not in what was given now; still in the "
        f"gradebook. Whoever should not be there: delete the record (as {first}) and grade again."
    ]


def _exercises(chapters: list[str] | None, names: list[str] | None) -> tuple[str, ...]:
    wanted = [content.find(name) for name in names or []]
    if chapters or not names:
        wanted += [e for chapter in chapters or content.chapters() for e in content.exercises(chapter)]
    chosen = {e.id for e in wanted}
    return tuple(e.id for e in content.exercises() if e.id in chosen)


def _chosen(entries: list[Entry], only: list[str] | None) -> list[Entry]:
    if not only:
        return entries
    unknown = [name for name in only if name not in {e.student for e in entries}]
    if unknown:
        known = [e.student for e in entries]
        raise GradeError(f"There is no submission by {unknown[0]!r}.{content.nearest(unknown[0], known)}")
    return [e for e in entries if e.student in only]


def _check(out: Path, given: list[Path]) -> None:
    if out.exists() and not out.is_dir():
        raise GradeError(f"{out} is a file. Give another folder: --out DIR.")
    if any(out.resolve() == path.resolve() for path in given):
        raise GradeError(f"{out} has the submissions in it. Give another folder for the results: --out DIR.")


def _records(out: Path) -> tuple[list[Record], list[str]]:
    """All records of the folder, and a sentence for each that can't be read."""
    found, broken = [], []
    for path in sorted((out / cohort.RECORDS).glob("*.json")):
        try:
            record = load_record(path)
            if path != cohort.record_path(out, record.student):
                raise RecordError(f"{path} is a record of {record.student} under another name. Delete or rename it.")
            found.append(record)
        except RecordError as error:
            broken.append(str(error))
    return sorted(found, key=lambda record: record.student), broken


def _apply(rules: policy.Policy, records: list[Record], out: Path) -> list[Record]:
    changed = [policy.apply(rules, record) for record in records]
    for record in changed:
        record.save(cohort.record_path(out, record.student))
    _say([*rules.unused(changed), *rules.above(changed)])
    return changed


def _write(records: list[Record], arguments: argparse.Namespace) -> None:
    gradebooks.write_all(records, arguments.out)
    feedback.write_all(records, arguments.out)
    cohort_page.write(records, arguments.out)
    if arguments.nbgrader:
        graded = {grade.exercise.partition("/")[0] for record in records for grade in record.grades}
        nbgrader.write([c for c in content.chapters() if c in graded], arguments.out)


def _summary(records: list[Record], layers: dict[str, bool], jailed: bool) -> list[str]:
    graded = [record for record in records if not record.is_ungraded]
    lines = [f"{len(graded)} submission{'s' * (len(graded) != 1)} graded."]
    if len(graded) < len(records):
        lines[0] = f"{len(graded)} of {len(records)} submissions graded."
    if not jailed:
        lines.append("No jail: students' code could have done anything that you can do.")
    elif layers:
        held = [layer for layer in LAYERS if layers.get(layer)]
        weak = [layer for layer in LAYERS if not layers.get(layer)]
        lines.append(
            f"Layers of the jail that hold: {', '.join(held)}." + (f" Not here: {', '.join(weak)}." * bool(weak))
        )
    look = [record for record in records if record.to_look_at]
    if look:
        lines.append(f"A person has to look at {len(look)}:")
        lines += [f"  {record.student}: {' '.join(record.to_look_at)}" for record in look[:SHOWN]]
        lines += [f"  … and {len(look) - SHOWN} more, at the top of the page."] * (len(look) > SHOWN)
    slow = [record.student for record in records if any(grade.status == "timeout" for grade in record.grades)]
    if slow:
        lines.append(f"Stopped at a time limit: {', '.join(slow[:SHOWN])}{' …' * (len(slow) > SHOWN)}.")
    return lines
