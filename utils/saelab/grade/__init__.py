"""Grading that can't be forged, an instructor's front door: `saelab grade SUBMISSION… --out DIR`.

`command` runs a cohort. `intake` reads what students really send; `grader` is the trusted side, where checks and
references are and no student's code ever runs; `jail` is where it does; `record` is what is known of a submission
afterwards, from which `pages` and `exports` are made.
"""
