"""A student's code in another process, behind the same interface as a function here.

    from saelab import apart
    with contextlib.closing(apart.SeparateProcess()) as peer:
        checking.run(exercise, apart.RemoteParts(answer, peer))

`wire` turns values into bytes and back, and nothing but data; `remote` is the side that asks; `worker` is the process
that answers (`python -m saelab.apart.worker FD`, or a jailed child of the grader's warm process). Nothing that comes
from there is trusted.
"""

from .peer import Peer, SeparateProcess, environment
from .remote import RemoteParts
from .wire import WireError, decode, encode, receive, send

__all__ = [
    "Peer", "RemoteParts", "SeparateProcess", "WireError", "decode", "encode", "environment", "receive", "send",
]  # fmt: skip
