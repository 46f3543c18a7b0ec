"""A student's front door: `check` and `hint` in a notebook, the commands in a terminal, and pytest.

`notebook` has the names that notebooks use, `commands` what start, status, check and solution do; `resetting`,
`watching` and `submitting` what reset, watch and submit do; `contents` is the page of all sections, `compared` an
answer beside ours, `dispute` the report of a check that may be wrong, `predictions` guesses, `keeping` what carries
progress from one Colab runtime to the next, `doctor` what `saelab doctor` looks at, `pytest_plugin` the fixtures of
`pytest tests/superposition`.
"""
