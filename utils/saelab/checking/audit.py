"""Prove the content: references pass, starters fail, misconceptions are caught and named back.

Behind `saelab audit`. One process an exercise, as many at a time as there are cores.
"""

import contextlib
import doctest
import io
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from saelab import content
from saelab.content import Exercise

COUNTS = ("exercises", "checks", "hints", "points", "minutes", "reference_passes", "starter_fails", "guesser")


def audit(
    names: list[str], seeds: int, jobs: int | None = None, progress: bool = True, wrong_seeds: int | None = None
) -> tuple[dict, list[str]]:
    """Audit exercises by id; returns (the counts of design.md as a dict, problems as sentences).

    Right answers are run at `seeds` seeds, misconceptions at `wrong_seeds`, which are as many unless said otherwise.
    """
    from tqdm import tqdm

    started, rows, problems = time.perf_counter(), {}, []
    jobs = jobs or min(len(names), os.cpu_count() or 1) or 1
    fresh = multiprocessing.get_context("spawn")  # a fork of a process that has used torch's threads may hang
    with ProcessPoolExecutor(jobs, mp_context=fresh, initializer=_one_thread) as pool:
        futures = {pool.submit(audit_one, name, seeds, wrong_seeds or seeds): name for name in names}
        for future in tqdm(as_completed(futures), total=len(names), disable=not progress, unit="exercise"):
            row, found = future.result()
            rows[futures[future]] = row
            problems += found
    chapters: dict[str, dict] = {}
    for name in names:
        _add(chapters.setdefault(name.split("/")[0], _empty(seeds)), rows[name])
    total = _empty(seeds)
    for row in chapters.values():
        _add(total, row)
    total["wall_seconds"] = round(time.perf_counter() - started, 1)
    return {"chapters": chapters, "total": total}, problems


def audit_one(name: str, seeds: int, wrong_seeds: int) -> tuple[dict, list[str]]:
    """Counts and problems of one exercise."""
    from . import earning, runner

    started, exercise = time.perf_counter(), content.find(name)
    row, problems = _empty(seeds), []

    def note(problem: str, variant=None) -> None:
        line = variant.line if variant else exercise.line
        problems.append(f"{exercise.path}:{line}: {exercise.id}: {problem}")

    row |= {"exercises": 1, "hints": len(exercise.hints), "points": exercise.points, "minutes": exercise.minutes}
    try:
        row["checks"] = sum(1 for _ in runner.tests_of(exercise))
    except runner.CheckError as error:
        return row, [str(error)]
    bad = _failing_seed(exercise, content.reference_parts(exercise), seeds)
    example = failing_examples(exercise)
    row["reference_passes"] = int(bad is None and not example)
    if bad:
        note(f"the reference fails {bad}")
    if example:
        note(f"the docstring's example fails:\n{example}")
    row["starter_fails"] = int(runner.run(exercise, content.starter_parts(exercise)).status == "not-started")
    if not row["starter_fails"]:
        note("the starter is not told that it is not written yet")
    for variant in exercise.misconceptions:
        row["misconceptions"]["written"] += 1
        survived = _surviving_seed(exercise, variant, wrong_seeds)
        if survived is not None:
            note(f"{variant.name} passes every named test at seed {survived}", variant)
        row["misconceptions"]["caught"] += survived is None
        told = None
        for column, parts in _company(exercise, variant).items():
            told = runner.run(exercise, parts).misconception if parts else told
            row["misconceptions"][column] += told == variant.name
            if parts and told != variant.name and (told or column != "named_unfinished"):  # too little may be left
                note(f"{variant.name} is told back as {told} ({column.replace('_', ' ')})", variant)
    for variant in exercise.alternatives:
        row["alternatives"]["written"] += 1
        bad = _failing_seed(exercise, content.variant_parts(exercise, variant), seeds)
        row["alternatives"]["accepted"] += bad is None
        if bad:
            note(f"the alternative {variant.name} fails {bad}", variant)
    for told, how in _undescribed(exercise):
        row["undescribed"]["tried"] += 1
        row["undescribed"]["named"] += told is not None
        if told:
            note(f"{how} is told it is {told}, which it isn't")
    row["guesser"] = earning.guessers_points(exercise)
    if row["guesser"]:
        note(f"a guesser gets {row['guesser']:g} points: a test needs several cases that look alike, in random order")
    row["seconds"] = round(time.perf_counter() - started, 2)
    return row, problems


def _company(exercise: Exercise, variant) -> dict[str, dict | None]:
    """Column → the parts to run: a misconception beside the reference's parts, other right ones, unwritten ones.

    None where there is nothing else: the same as the column before.
    """
    own = content.variant_parts(exercise, variant)
    right = own | {one.part: content.variant_parts(exercise, one)[one.part] for one in exercise.alternatives}
    right[variant.part] = own[variant.part]
    unwritten = content.starter_parts(exercise) | {variant.part: own[variant.part]}
    several = len(exercise.parts) > 1
    return {
        "named": own,
        "named_beside_others": right if right != own else None,
        "named_unfinished": unwritten if several else None,
    }


def _undescribed(exercise: Exercise) -> Iterator[tuple[str | None, str]]:
    """(what is named, how) of answers wrong in ways that no misconception describes; passing ones left out."""
    from . import altered, runner

    for change in (altered.noise, altered.stretched, altered.flattened, altered.now_and_then()):
        parts = content.reference_parts(exercise)
        parts[exercise.name] = altered.alter(parts[exercise.name], change)
        report = runner.run(exercise, parts)
        if not report.passed:
            yield report.misconception, f"a reference made wrong by `{change.__qualname__.partition('.')[0]}`"


def failing_examples(exercise: Exercise) -> str:
    """What doctest says of the worked values in the docstrings of the reference; empty if all is well."""
    said = io.StringIO()
    namespace = content.solved(content.read(exercise.path))
    for part in exercise.parts:
        for test in doctest.DocTestFinder(recurse=True).find(namespace[part], part, False, namespace):
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
            with contextlib.redirect_stdout(said):
                runner.run(test)
    return said.getvalue()


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _failing_seed(exercise: Exercise, parts: dict, seeds: int) -> str | None:
    """`test at seed N: message` of the first failure, or None when every seed passes."""
    from . import runner

    for seed in range(seeds):
        report = runner.run(exercise, parts, seed)
        if not report.passed:
            first = next(iter(report.failures), None)
            return f"{first.name if first else report.status} at seed {seed}: {first.message if first else ''}"
    return None


def _surviving_seed(exercise: Exercise, variant, seeds: int) -> int | None:
    """The first seed at which no named test catches the misconception."""
    from . import runner

    parts = content.variant_parts(exercise, variant)
    for seed in range(seeds):
        if not runner.run(exercise, parts, seed, named_only=True).failures:
            return seed
    return None


def _empty(seeds: int) -> dict:
    counts = {key: 0 for key in COUNTS}
    misconceptions = ("written", "caught", "named", "named_beside_others", "named_unfinished")
    return counts | {
        "misconceptions": {key: 0 for key in misconceptions},
        "alternatives": {"written": 0, "accepted": 0},
        "undescribed": {"tried": 0, "named": 0},
        "seeds": seeds,
        "seconds": 0.0,
    }


def _add(total: dict, row: dict) -> None:
    for key in (*COUNTS, "seconds"):
        total[key] = round(total[key] + row[key], 2)
    for group in ("misconceptions", "alternatives", "undescribed"):
        for key in total[group]:
            total[group][key] += row[group][key]


def complete(row: dict) -> bool:
    """Nothing short: references pass, starters fail, all caught, named ≥ 95%, all accepted, none named falsely."""
    wrong, right = row["misconceptions"], row["alternatives"]
    named = min(wrong["named"], wrong["named_beside_others"], wrong["named_unfinished"])
    return (
        row["reference_passes"] == row["starter_fails"] == row["exercises"]
        and wrong["caught"] == wrong["written"]
        and named >= 0.95 * wrong["written"]
        and right["accepted"] == right["written"]
        and row["undescribed"]["named"] == 0
        and row["guesser"] == 0
    )


def main(names: list[str], seeds: int, as_json: bool, jobs: int | None = None) -> int:
    """Print the audit of these exercises; 1 when anything falls short."""
    result, problems = audit(names, seeds, jobs, progress=sys.stderr.isatty())
    for problem in problems:
        print(problem, file=sys.stderr)
    if as_json:
        print(json.dumps(result, indent=1))
    else:
        for chapter, row in [*result["chapters"].items(), ("total", result["total"])]:
            wrong, right = row["misconceptions"], row["alternatives"]
            print(
                f"{chapter}: {row['exercises']} exercises, {row['checks']} checks; references pass "
                f"{row['reference_passes']}, starters fail {row['starter_fails']}; misconceptions {wrong['caught']}/"
                f"{wrong['written']} caught, {wrong['named']} named ({wrong['named_beside_others']} beside other right "
                f"parts, {wrong['named_unfinished']} beside unwritten ones); undescribed {row['undescribed']['named']}/"
                f"{row['undescribed']['tried']} named; alternatives {right['accepted']}/"
                f"{right['written']} accepted; a guesser gets {row['guesser']:g} of {row['points']} points; "
                f"{row['seeds']} seeds, {row['seconds']:.0f} s"
            )
    return 0 if complete(result["total"]) else 1
