"""An exercise's tests against an implementation: a Report in a student's words, and the audit of the content.

    from saelab import checking
    checking.run(exercise, parts, seed=0)         # parts: name → function or class → Report
    checking.check_with_dependencies(exercise, parts)   # a wrong earlier answer does not cost this one

`contract` says what a result must be like, `watched` notes every call, `runner` runs the check files, `explain` puts a
failure into words, `diagnose` finds the misconception behind it; `recipes` names the models, dictionaries and
callables that checks hand out. What check files import is in `saelab.testing`. An
implementation may run here or in another process: nothing in this wing knows which.
"""

from .altered import EMPTY, alter
from .ambient import settle, settled
from .compare import give_ours
from .contract import Complaint, Damaged, NotDifferentiable, WrongSignature
from .derivatives import gradients
from .earlier import check_with_dependencies, note_on_solved
from .earning import credit, guessers_points
from .explain import in_words, own_line
from .randomness import Rng, seed_everything, seed_of_student
from .recipes import begin_test, harm, lend, made_of, note, recipe, recipe_of, runs, take_back, told
from .runner import CheckError, Reference, run, tests_of
from .things import Recipe
from .values import tensors_in
from .watched import Call, Gone, watch

__all__ = [
    "Call", "CheckError", "Complaint", "Damaged", "EMPTY", "Gone", "NotDifferentiable", "Recipe", "Reference",
    "Rng", "WrongSignature", "alter", "begin_test", "check_with_dependencies", "credit", "give_ours", "gradients",
    "guessers_points", "harm",
    "in_words", "lend", "made_of", "note", "note_on_solved", "own_line", "recipe", "recipe_of", "run", "runs",
    "seed_everything", "seed_of_student", "settle", "settled", "take_back", "tensors_in", "tests_of", "told", "watch",
]  # fmt: skip
