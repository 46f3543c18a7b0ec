"""A student's front door: `check` and `hint` in a notebook, the commands in a terminal, and pytest.

`notebook` has the two names that notebooks use, `commands` what start, status, check, solution, reset and watch do,
`keeping` what carries progress from one Colab runtime to the next, `doctor` what `saelab doctor` looks at,
`pytest_plugin` the fixtures of `pytest tests/superposition`.
"""
