"""A student's work, read from what they hand in: a submission is a file, an answer is what it has for an exercise.

    from saelab import answers
    answer = answers.read(Path("02_geometry.ipynb")).answer(exercise)   # pieces of code, or why there are none
    answers.define(answer.pieces, exercise.parts)                       # name → function, run in this process

Only `define` runs a student's code. `progress` is the file in which a student's folder remembers what has passed.
Nothing here imports torch.
"""

from .cells import CODE, FILE_BYTES, StudentCell, SubmissionError
from .definition import AnswerError, define, quiet, student_line
from .magics import without_magics
from .statements import Digest, Statement, examine, names_of
from .submission import Answer, Piece, Submission, find_notebooks, from_bytes, merge, read

__all__ = [
    "CODE", "FILE_BYTES", "Answer", "AnswerError", "Digest", "Piece", "Statement", "StudentCell", "Submission",
    "SubmissionError", "define", "examine", "find_notebooks", "from_bytes", "merge", "names_of", "quiet", "read",
    "student_line", "without_magics",
]  # fmt: skip
