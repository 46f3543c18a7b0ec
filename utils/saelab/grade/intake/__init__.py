"""Submissions as students really send them: whose is which file, what is in it, read within limits."""
