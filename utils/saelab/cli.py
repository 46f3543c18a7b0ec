"""`saelab`: the commands of student and author. Heavy imports wait until a command needs them."""

import argparse
import difflib
import json
import os
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

from saelab import __version__, answers, content
from saelab.answers import progress
from saelab.content import SourceError
from saelab.desk import commands, compared, contents, dispute, resetting, submitting, terminal, watching
from saelab.files import trouble


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status. A user's mistake ends in one sentence and status 2."""
    argv = sys.argv[1:] if argv is None else argv
    terminal.speak_plainly()
    try:
        arguments = _parser(argv).parse_args(argv)
        return arguments.run(arguments)
    except (
        content.UnknownExercise,
        content.NoCourse,
        SourceError,
        commands.StudentError,
        answers.SubmissionError,
    ) as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 – nobody reads on, and closing would complain
        return 0
    except OSError as error:
        print(trouble(error), file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    """One that says what is wrong in a sentence, as the commands do."""

    def error(self, message: str):
        unknown = re.match(r"argument COMMAND: invalid choice: '(.*?)' ", message)
        if unknown:
            known = [action.choices for action in self._actions if isinstance(action, argparse._SubParsersAction)][0]
            near = difflib.get_close_matches(unknown[1].lower(), list(known), 1, 0.6)
            remedy = f"Did you mean {near[0]}?" if near else "`saelab --help` lists them all."
            raise commands.StudentError(f"No command {unknown[1]}. {remedy}")
        raise commands.StudentError(f"{message[:1].upper()}{message[1:]}. `{self.prog} --help` shows how.")


def _parser(argv: list[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        "saelab", description="A checked course on sparse autoencoders. Without a command: where you are, what is next."
    )
    parser.add_argument("--version", action="version", version=f"saelab {__version__}")
    parser.set_defaults(run=run_status, all=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, run, text: str, exercise: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        if exercise:
            sub.add_argument("exercise", nargs=exercise if exercise in "?*" else None, metavar="EXERCISE")
        sub.set_defaults(run=run)
        return sub

    sub = command("start", run_start, "write the notebooks into a folder (default: saelab-course)")
    sub.add_argument("folder", nargs="?", default="saelab-course", type=Path)
    command("status", run_status, "one line an exercise, and what is next").set_defaults(all=True)
    sub = command("check", run_check, "check your notebooks, or one exercise, section or chapter", "?")
    sub.add_argument("--submission", action="append", type=Path, metavar="FILE", help="check this notebook or script")
    sub.add_argument("--seed", default="0", help="seed of the checks' random numbers (default 0)")
    sub.add_argument("--separate", action="store_true", help="run the code in a process of its own that gets data only")
    sub.add_argument("--json", action="store_true", help="print the reports as JSON")
    command("watch", run_watch, "check each notebook when you save it, until Ctrl-C")
    sub = command("hint", run_hint, "the next hint of an exercise", "1")
    sub.add_argument("--all", action="store_true", help="all its hints at once")
    sub = command("solution", run_solution, "the solution, once you have passed", "1")
    sub.add_argument("--give-up", action="store_true", help="show it although you have not passed")
    sub = command("submit", run_submit, "one zip of a chapter, or of all, for your instructor", "?")
    sub._actions[-1].metavar = "CHAPTER"
    sub.add_argument("--out", type=Path, metavar="FILE", help="write it here (default: beside the course folder)")
    sub = command("dispute", run_dispute, "is the check wrong? write a report of your answer to pass on", "1")
    sub.add_argument("--seed", default="0", help="seed of the checks' random numbers (default 0)")
    command("reset", run_reset, "put an exercise's cell back to its start; your notebook is kept", "1")
    command("doctor", run_doctor, "is everything installed and in order?")
    if argv[:1] == ["grade"]:  # its arguments are known to the grader alone
        from saelab.grade.command import add_arguments

        add_arguments(command("grade", run_grade, "for instructors: grade submissions in a jail"))
    else:
        command("grade", run_grade, "for instructors: grade submissions in a jail")
    sub = command("new", run_new, "for authors: the skeleton of an exercise")
    sub.add_argument("name", metavar="CHAPTER/NAME")
    sub.add_argument("--file", default="", help="the source to put it in (default: the chapter's last)")
    sub = command("build", run_build, "for authors: make notebooks and reference modules from the sources")
    sub.add_argument("--check", action="store_true", help="write nothing; list what is stale, missing or unexpected")
    sub = command("audit", run_audit, "for authors: prove the references, starters, misconceptions and alternatives")
    sub.add_argument("--chapter")
    sub.add_argument("--exercise", action="append")
    sub.add_argument("--seeds", type=int, default=20)
    sub.add_argument("--jobs", type=int)
    sub.add_argument("--json", action="store_true")
    return parser


def run_start(arguments) -> int:
    try:
        lines = commands.start(arguments.folder)
    except commands.Nested as nested:
        if not sys.stdin.isatty():
            raise
        print(f"You are in a course folder already: {nested.around}.")
        if input(f"Make another one inside it, {arguments.folder}? [y/N] ").strip().lower() not in ("y", "yes"):
            print("Nothing was written.")
            return 0
        lines = commands.start(arguments.folder, inside=True)
    print("\n".join(lines))
    return 0


def run_status(arguments) -> int:
    show = commands.details if arguments.all else commands.overview
    print("\n".join(show(commands.home())))
    return 0


def run_check(arguments) -> int:
    exercises = content.named(arguments.exercise) if arguments.exercise else content.exercises()
    folder = None if arguments.submission else progress.folder()
    problems: list[str] = []
    notes: list[str] = []
    if arguments.submission:
        merged = answers.merge([answers.read(path) for path in arguments.submission])
        work = {e.chapter: merged for e in exercises}
    elif folder:
        work, problems = commands.work_in(folder, exercises)
        if progress.restore(folder):
            rest = "" if len(exercises) == len(content.exercises()) else " Run `saelab check` to look at all notebooks."
            print(f"{progress.FILE} was missing. What passes now is written into a new one.{rest}", file=sys.stderr)
    else:
        commands.home()  # says that there is none
    _one_thread()
    reports = []
    with terminal.stoppable() as go_on:
        for exercise in exercises:
            report = commands.check(exercise, work[exercise.chapter], arguments.seed, arguments.separate)
            go_on()
            notes += progress.record(report.exercise, report.status, folder) if folder else []
            reports.append(report)
            if not arguments.json:
                report.notes += _offer(report, arguments.seed) if folder else []
                print(report if len(exercises) == 1 or report.status in ("failed", "error") else report.brief)
    if folder:
        contents.refresh(folder)
    if arguments.json:
        print(json.dumps([report.to_dict() for report in reports], indent=1))
    elif folder and any(report.passed for report in reports):
        passed = {report.exercise: progress.Entry("passed") for report in reports if report.passed}
        print("\n".join(["", *commands.whats_next(progress.load(folder)[0] | passed)]), flush=True)
    print("".join(f"{line}\n" for line in dict.fromkeys([*problems, *notes])), end="", file=sys.stderr)
    return 0 if all(report.passed for report in reports) and not problems else 1


def _offer(report, seed: str) -> list[str]:
    """How to dispute this report, with the seed that it came of."""
    seeded = "" if seed == "0" else f" --seed {shlex.quote(seed)}"
    return dispute.offer(report, f"saelab dispute {report.exercise.partition('/')[2]}{seeded}")


def run_watch(_arguments) -> int:
    folder = commands.home()
    happened = watching.events(folder, watching.typed())
    print(f"Watching {folder}. Save a notebook to have it checked; Ctrl-C ends this.", flush=True)
    _one_thread()
    with terminal.stoppable() as go_on:
        watching.Watcher(folder, go_on, sys.stdin.isatty()).follow(happened)
    return 0


def run_hint(arguments) -> int:
    exercise, folder = content.find(arguments.exercise), commands.home()
    tier = len(exercise.hints) if arguments.all else progress.next_hint(exercise, folder)
    print(f"Hint {tier} of {len(exercise.hints)} · {exercise.id}\n")
    print("\n\n".join(exercise.hints[:tier]))
    if not arguments.all and progress.load(folder)[0].get(exercise.id, progress.Entry()).hints < tier:
        print("\nIt could not be written down that you saw this hint. To see the next ones: --all.", file=sys.stderr)
    return 0


def run_solution(arguments) -> int:
    try:
        own, ours = commands.solution(content.find(arguments.exercise), progress.folder(), arguments.give_up)
        print(compared.beside(own, ours, shutil.get_terminal_size().columns) if own else ours)
    except commands.NotPassed as error:
        sentence = error.sentence(f"saelab hint {error.exercise.name}", "--give-up")
        raise commands.StudentError(sentence) from None
    return 0


def run_submit(arguments) -> int:
    folder, chapters = commands.home(), submitting.chapters_of(arguments.exercise or "")
    path = submitting.target(folder, chapters, arguments.out)
    files = submitting.gather(folder, chapters)
    entries = progress.load(folder)[0]
    there = [c for c in chapters if any(file.name.startswith(f"{c}/") for file in files)]
    print("\n".join(submitting.contents_of(there, files, entries)))
    if warned := submitting.warnings(there, files, entries):
        print("\n".join(["", "Look at this before you hand it in:", *(f"- {sentence}" for sentence in warned)]))
    print("\n".join(["", *submitting.write(folder, files, path)]))
    if arguments.out is None:
        again = " ".join(["saelab submit", *filter(None, [arguments.exercise]), "--out NAME.zip"])
        print(f"If you send it by mail, put your name on it: {again}")
    return 0


def run_dispute(arguments) -> int:
    exercise, folder = content.find(arguments.exercise), commands.home()
    _one_thread()
    print("\n".join(commands.disputed(exercise, folder, arguments.seed)))
    return 0


def run_reset(arguments) -> int:
    print("\n".join(resetting.reset(content.find(arguments.exercise), commands.home())))
    return 0


def run_doctor(_arguments) -> int:
    from saelab.desk.doctor import examine

    found = examine(progress.folder())
    print("\n".join(f"{'✓' if well else '✗'} {sentence}" for well, sentence in found))
    return 0 if all(well for well, _ in found) else 1


def run_grade(arguments) -> int:
    from saelab.grade import command, folder, needs, policy

    try:
        return command.run(arguments)
    except (command.GradeError, folder.FolderError, needs.NotInstalled, policy.PolicyError) as error:
        raise commands.StudentError(str(error)) from None


def run_new(arguments) -> int:
    return _author("new_exercise.py", [arguments.name, arguments.file])


def run_build(arguments) -> int:
    return _author("notebooks.py", ["--check"] if arguments.check else [])


def run_audit(arguments) -> int:
    from saelab.checking import audit

    names = [content.find(name).id for name in arguments.exercise or []]
    names = names or [e.id for e in content.exercises(arguments.chapter)]
    return audit.main(names, arguments.seeds, arguments.json, arguments.jobs)


def _author(script: str, arguments: list[str]) -> int:
    """Run a program of build/, which is there in a checkout only."""
    if not content.is_checkout():
        raise commands.StudentError(
            "This command needs a checkout of the course's repository, not the installed package."
        )
    _one_thread()
    return runpy.run_path(str(content.root() / "build" / script))["main"](arguments)


def _one_thread() -> None:
    """Two busy threads are slower than one on small tensors and small machines."""
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    sys.exit(main())
