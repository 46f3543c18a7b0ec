"""Write feedback and cohort pages of a made-up class into a folder, for the pictures in the instructor's guide.

python build/grade_pictures.py FOLDER [STUDENTS [CHAPTER]]

The students are invented; what their answers fail is not: every mistake is a misconception of the course, run through
its check. For the pictures in docs/plots: 24 students and the chapter superposition, then
`chromium --headless --hide-scrollbars --screenshot=cohort.png --window-size=1200,2440 FOLDER/cohort.html`, the page
that is named at the end likewise with 760,1300, and `pngquant --speed 1 32` on both.
"""

import random
import sys
from pathlib import Path

from saelab import checking, content
from saelab.content import Exercise
from saelab.grade.pages import cohort_page, feedback
from saelab.grade.record import Change, Grade, Record, Test

FIRST = (
    "Ada Amir Bea Carlos Dilek Emil Fatou Goran Hana Ines Jun Kofi Lena Maya Nils Olga Priya Quentin Rosa Sami Tilda"
)
LAST = (
    "Abe Berg Cruz Diallo Ek Fischer Gupta Haddad Ito Jansen Kaya Lopez Mbeki Novak Okoro Petrov Rossi Silva Tran Weiss"
)


def mistakes(exercise: Exercise) -> list[Grade]:
    """What each misconception earns, with the check's own words."""
    found = []
    for variant in exercise.misconceptions[:4]:
        report = checking.run(exercise, content.variant_parts(exercise, variant))
        tests = [Test(test.name, test.outcome) for test in report.tests]
        share = sum(test.outcome == "passed" for test in tests) / max(1, len(tests))
        first = report.failures[0]
        message = f"{first.sentence}\n{first.message}"
        grade = Grade(exercise.id, "failed", round(exercise.points * share, 2), exercise.points, tests, message)
        grade.misconception, grade.diagnosis = report.misconception, report.diagnosis
        found.append(grade)
    return found


def made_up_class(students: int, chapter: str | None = None) -> list[Record]:
    """Records of a class whose students differ in what they can do and in how far they get."""
    rng = random.Random(students)
    exercises = content.exercises(chapter)
    wrong = {exercise.id: mistakes(exercise) for exercise in exercises}
    names = rng.sample([f"{first} {last}" for first in FIRST.split() for last in LAST.split()], students)
    return [_student(name, exercises, wrong, rng) for name in names]


def _student(name: str, exercises: list[Exercise], wrong: dict[str, list[Grade]], rng: random.Random) -> Record:
    skill, reach = rng.gauss(1.1, 1.0), rng.choice([1, 1, 1, 1, 0.9, 0.7, 0.4]) * len(exercises)
    login = name.lower().replace(" ", ".")
    record = Record(login, name, [], {f"{login}.zip": f"{rng.getrandbits(256):064x}"}, "2026-11-20T17:42:00+01:00")
    hints = rng.random() < 0.7
    for position, exercise in enumerate(exercises):
        passes = rng.random() < 1 / (1 + 2.718 ** -(skill + 1.3 - 0.055 * position + 0.9 * (position % 5 - 2) / 2))
        record.grades.append(_grade(exercise, wrong[exercise.id], position < reach, passes, rng))
        if hints:
            record.hints[exercise.id] = min(3, max(0, round(rng.gauss(0.5 if passes else 2, 0.8))))
    if rng.random() < 0.12:
        record.changes.append(Change(-round(0.1 * record.earned, 2), "one day late: a tenth of the points"))
    if rng.random() < 0.04:
        record.changes.append(Change(1, "a clear argument in the text", record.grades[3].exercise))
    return record


def _grade(exercise: Exercise, wrong: list[Grade], reached: bool, passes: bool, rng: random.Random) -> Grade:
    if not reached:
        return Grade(exercise.id, "missing", 0, exercise.points, message=f"There is no cell for `{exercise.name}`.")
    if passes:
        tests = [Test(test.name, "passed") for test in wrong[0].tests]
        return Grade(exercise.id, "passed", exercise.points, exercise.points, tests)
    if rng.random() < 0.06:
        what = "It was stopped after 60 s. A right solution takes less than a second."
        return Grade(exercise.id, "timeout", 0, exercise.points, message=what)
    if rng.random() < 0.05:
        what = "Cell 7, line 4: '(' was never closed."
        return Grade(exercise.id, "error", 0, exercise.points, message=what)
    return rng.choices(wrong, [2**-i for i in range(len(wrong))])[0]


if __name__ == "__main__":
    folder, students, chapter = Path(sys.argv[1]), int((sys.argv[2:] or ["60"])[0]), (sys.argv[3:] or [None])[0]
    records = made_up_class(students, chapter)
    cohort_page.write(records, folder)
    feedback.write_all(records, folder)
    late = [record for record in records if record.changes] or records
    print(
        folder / feedback.link(max(late, key=lambda record: sum(grade.status == "failed" for grade in record.grades)))
    )
