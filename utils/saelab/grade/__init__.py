"""Grading that can't be forged: `saelab grade SUBMISSION… --out DIR`."""
