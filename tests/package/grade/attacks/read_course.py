"""Asks the package itself for the exercise, its check and its solved code."""
# ruff: noqa


# %% exercise="double"
def double(x):
    from saelab import checks, course

    exercise = course.find("double")
    raise ValueError("LEAK " + exercise.code + course.test_file(exercise).read_text())
