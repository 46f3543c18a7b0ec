"""Raises an error whose text is control characters, markup and half characters."""
# ruff: noqa


# %% exercise="double"
def double(x):
    raise ValueError("\x1b[2J\x00\x07\ud800\u202e</pre><script>alert(1)</script>]]>&amp;")
