"""Asks the package itself for the exercise, its check and its solved code."""
# ruff: noqa


# %% exercise="double"
def double(x):
    from saelab import content

    exercise = content.find("double")
    raise ValueError("LEAK " + exercise.code + content.test_file(exercise).read_text())
