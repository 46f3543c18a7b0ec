"""One submission graded: the trusted side, where checks and references are and no student's code ever runs."""

import hmac
import importlib
import time
from pathlib import Path

import torch

from saelab import checking, content
from saelab.answers import Answer, AnswerError, Piece
from saelab.apart import RemoteParts
from saelab.checking import Gone, note_on_solved
from saelab.content import Exercise, read
from saelab.report import Report

from . import jail
from .intake.examiner import Examiner
from .intake.reading import Entry, Work, load
from .jail.keeper import Child, JailError, Warm, WarmGone
from .jail.probe import escapes
from .needs import needed
from .record import Grade, Record, Test
from .settings import Settings

UNWRITTEN = "Not written yet."
UNREAD = "`{name}` is not in what could be read; it may be in {files}. A person has to look."
NOTHING_FOUND = "None of the exercises is in it ({files}). Is it the right file?"
KILLED = 8  # times that a child may be killed from outside before it is taken for the answer's own doing


class Grader:
    """Grades submissions one after the other with one warm process; use as a context manager.

    `hidden` are folders and files that no submission may see, wherever they lie: all submissions, and the results.
    """

    def __init__(self, settings: Settings, hidden: list[Path]):
        self.settings, self._hidden = settings, hidden
        self._exercises = [content.find(name) for name in settings.exercises]
        self._warm: Warm | None = None
        self._examine = Examiner()
        torch.set_num_threads(1)
        importlib.import_module(
            "torch._dynamo"
        )  # what the first optimiser of a check imports; here it costs no one time

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_) -> None:
        self.end_warm()
        self._examine.close()

    @property
    def warm(self) -> Warm:
        """The warm process, started when it is first needed, and again when it has died."""
        if self._warm is None:
            imports, models = needed(self._exercises)
            hidden = [content.PACKAGE / "_course", *_checkout(), *self._hidden]
            self._warm = Warm(imports, models, hidden, self.settings.limits, self.settings.jailed)
        return self._warm

    def probe(self, secrets: list[Path]) -> dict[str, bool]:
        """Try the jail with a child that behaves badly; which layers hold.

        Raises JailError where one that is needed does not, or where something could be done that should not.
        """
        if not self.settings.jailed:
            return dict.fromkeys(jail.LAYERS, False)
        for _ in range(KILLED):
            try:
                return self._tried(secrets)
            except (Gone, WarmGone):  # something outside killed it
                self.end_warm()
        raise JailError("The jail can't be tried here: its processes are killed again and again.")

    def _tried(self, secrets: list[Path]) -> dict[str, bool]:
        child = self.warm.child(self.settings.seconds)
        missing = [layer for layer in jail.REQUIRED if not child.layers.get(layer)]
        if child.layers and missing:
            raise JailError(f"The jail has no {', '.join(missing)} here.")
        found = escapes(child, secrets)
        child.close()
        if found:
            raise JailError(f"The jail has holes here: code in it could {', '.join(found)}.")
        return child.layers

    def end_warm(self) -> None:
        if self._warm:
            self._warm.close()
            self._warm = None

    def grade(self, entry: Entry) -> Record:
        """All exercises of one submission."""
        until = time.monotonic() + self.settings.deadline
        work = load(entry, self._examine)
        record = Record(
            entry.student, entry.name, [], dict(entry.hashes), entry.submitted, work.hints, notes=work.notes
        )
        record.system, record.problems = entry.system, work.problems
        record.grader = {**self.settings.fingerprint, "submission": entry.sha256}
        sitting = _Sitting(self, work, entry.sha256, until)
        try:
            record.grades = [sitting.grade(exercise) for exercise in self._exercises]
            _count_together(record.grades)
            if not work.problems and sitting.found_nothing():
                work.tell(NOTHING_FOUND.format(files=", ".join(list(record.files)[:4])), [])
        finally:
            sitting.let_child_go()
        record.jail = sitting.layers
        return record


class _Sitting:
    """One submission in front of the grader. Exercises of one section share a child while it lives."""

    def __init__(self, grader: Grader, work: Work, sha256: str, until: float):
        self.grader, self.settings, self.work, self.until = grader, grader.settings, work, until
        self.seed = seed_of(grader.settings.seed, sha256)
        self.child: Child | None = None
        self.section: Path | None = None
        self.layers: dict[str, bool] = {}
        self.late = 0  # exercises that took too long
        self.left = 0.0  # seconds that this one has

    def grade(self, exercise: Exercise) -> Grade:
        """One exercise. Whatever an answer makes the grader stumble over stays in its exercise."""
        self.left = self.settings.patience(self.late)
        try:
            return self._grade(exercise)
        except WarmGone:
            raise
        except Exception as error:
            self.let_child_go()
            why = f"The grader itself failed here ({type(error).__name__}). A person has to look."
            return self._without(exercise, "not-run", why, [])

    def _grade(self, exercise: Exercise) -> Grade:
        answer = self.work.submission.answer(exercise)
        if answer.missing and self.work.may_be_unread(exercise):
            files = ", ".join(dict.fromkeys(self.work.unread[:3]))
            return self._without(exercise, "not-run", UNREAD.format(name=exercise.name, files=files), answer.notes)
        if answer.problem:
            return self._without(exercise, "missing" if answer.missing else "error", answer.problem, answer.notes)
        if answer.unwritten:
            return self._without(exercise, "missing", UNWRITTEN, answer.notes)
        try:
            report = self._check(exercise, answer)
            if report.status == "failed" and answer.uses:
                report = self._with_solved(exercise, answer) or report
        except AnswerError as error:
            return self._without(exercise, "error", str(error), answer.notes)
        except Gone as gone:
            return self._ended(exercise, gone, answer.notes)
        return self._grade_of(exercise, report, answer)

    def found_nothing(self) -> bool:
        """Has the submission no cell for any exercise graded here? Of a single one it may just lack that."""
        asked = self.grader._exercises if len(self.grader._exercises) > 1 else content.exercises()
        return all(self.work.submission.answer(exercise).missing for exercise in asked)

    def _ended(self, exercise: Exercise, gone: Gone, notes: list[str]) -> Grade:
        """An exercise whose process was stopped, or ended by itself."""
        if gone.kind != "timeout":
            return self._without(exercise, "error", str(gone), notes)
        self.late += 1
        if time.monotonic() > self.until:
            up = f"The {self.settings.deadline:.0f} s for the whole submission were up."
            return self._without(exercise, "timeout", up, notes)
        before = self.late - 1
        why = f"It had less time than usual after {before} other{'s' * (before > 1)} that took too long."
        return self._without(exercise, "timeout", str(gone), notes + [why] * (before > 0))

    def _without(self, exercise: Exercise, status: str, message: str, notes: list[str]) -> Grade:
        return Grade(exercise.id, status, 0, exercise.points, message=message, notes=notes)

    def _check(self, exercise: Exercise, answer: Answer) -> Report:
        """Run the checks, again where the child was killed by something outside. Raises AnswerError, Gone.

        All tries together have the seconds of one exercise; those that the warm process needs to start do not count.
        """
        for _ in range(KILLED):
            began = None
            try:
                child, began = self._child_for(exercise), time.monotonic()
                child.seconds = self.settings.patience(self.late)
                child.until = min(self.until, began + self.left)
                return self._trials(exercise, answer, child)
            except Gone as gone:
                if self.end_child() != "killed" or gone.kind != "ended":
                    raise
            except WarmGone:
                self.child = None
                self.grader.end_warm()
            finally:
                self.left -= time.monotonic() - began if began else 0
        raise Gone("ended", "The process that runs the code was killed again and again: out of memory?")

    def _trials(self, exercise: Exercise, answer: Answer, child: Child) -> Report:
        wants_earlier = any("reference" in piece.code for piece in answer.pieces)
        parts = RemoteParts(answer, child, content.earlier(exercise) if wants_earlier else ())
        for trial in range(self.settings.trials):
            report = checking.run(exercise, parts, f"{self.seed}/{exercise.id}/{trial}", secret_order=True)
            if not report.passed:
                break
        return report

    def _with_solved(self, exercise: Exercise, answer: Answer) -> Report | None:
        """The same answer with the earlier exercises that it calls solved; None unless that passes.

        Only those that the student has tried: a later exercise, or a missing one, would do this one's work. A child
        of its own does it.
        """
        tried = [e for e in answer.uses if self._is_tried(e)]
        if not tried:
            return None
        solved = [Piece(f"the course's {e.name}", text) for e in tried for text in (*read(e.path).setup, e.code)]
        own = next(n for n, piece in enumerate(answer.pieces) if piece.own)
        mended = Answer(exercise, [*answer.pieces[:own], *solved, *answer.pieces[own:]])
        self.let_child_go()
        try:
            report = self._check(exercise, mended)
        except (AnswerError, Gone) as stopped:
            self.late += isinstance(stopped, Gone) and stopped.kind == "timeout"
            return None
        finally:
            self.let_child_go()
        report.notes.append(note_on_solved(tried))
        return report if report.passed else None

    def _is_tried(self, exercise: Exercise) -> bool:
        """Did the student write anything of their own for this exercise?"""
        answer = self.work.submission.answer(exercise)
        return not (answer.problem or answer.unwritten)

    def _child_for(self, exercise: Exercise) -> Child:
        """The child of the exercise's section. Another section gets another one: what is solved there differs."""
        if self.child is None or self.section != exercise.path:
            self.let_child_go()
            self.section = exercise.path
            self.child = self.grader.warm.child(self.settings.seconds)
            for layer, holds in self.child.layers.items():
                self.layers[layer] = self.layers.get(layer, True) and holds
        return self.child

    def let_child_go(self) -> None:
        """The child there is, if any, is needed no more."""
        child, self.child = self.child, None
        if child:
            child.let_go()

    def end_child(self) -> str:
        """End the child there is; how it had ended (see Warm.end_child)."""
        ended, child, self.child = "stopped", self.child, None
        if child:
            try:
                child.close()
                ended = child.ended
            except WarmGone:
                self.grader.end_warm()
                ended = "killed"
        return ended

    def _grade_of(self, exercise: Exercise, report: Report, answer: Answer) -> Grade:
        notes = [*answer.notes, *report.notes]
        if report.status == "not-started":
            return self._without(exercise, "missing", UNWRITTEN, notes)
        points = float(exercise.points) if report.passed else 0.0
        if not report.passed and self.settings.partial:
            points = checking.credit(exercise, report)
        grade = Grade(exercise.id, report.status, points, exercise.points, notes=notes)
        grade.tests = [Test(t.name, t.outcome) for t in report.tests]
        if report.failures:
            first = report.failures[0]
            grade.message = f"{first.sentence}\n{first.message}"
        grade.misconception, grade.diagnosis = report.misconception, report.diagnosis
        grade.certain = report.certain
        return grade


def _count_together(grades: list[Grade]) -> None:
    """Where an answer is only known or not, its points count beside another exercise's (`counts_with`)."""
    points = {grade.exercise: grade.points for grade in grades}
    for grade in grades:
        partner = content.counts_with(content.find(grade.exercise))
        if partner and grade.points and not points.get(partner.id):
            grade.points = 0.0
            grade.notes.append(f"Right, and its points count as soon as `{partner.name}` has earned some.")


def _checkout() -> list[Path]:
    """The folder of the course as a whole (its history holds solutions); of one beside the package only the content."""
    root = content.root()
    inside = [root / k for k in ("chapters", "solutions", "tests", "build", ".git")]
    return [*inside, root] if root != content.PACKAGE / "_course" else inside


def seed_of(secret: str, submission: str) -> str:
    """The seed of one submission, from the secret of the folder and the hash of what was handed in.

    Handed in again, an answer meets other numbers: what its feedback has told about the old ones is worth nothing.
    """
    return hmac.new(secret.encode(), submission.encode(), "sha256").hexdigest()
