"""``python -m writer.rollups``: the stage as a process of the writer's, which ends with it.

Its first line of input says where the database is; each further byte, that something was committed;
the end of its input, that the writer has ended. Each line of its output is a ``Told``.
"""

import os
import select
import signal
from time import monotonic

import msgspec

from writer.rollups.follow import Follower, Turn
from writer.rollups.wire import Given

_INPUT, _OUTPUT, _LOG = 0, 1, 2
_MUCH = 1 << 16


def main() -> None:
    """Turn after turn until the writer ends, however it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    follower = Follower(_read_given())
    output = os.dup(_OUTPUT)
    # Whatever else prints something does not speak to the writer.
    os.dup2(_LOG, _OUTPUT)
    try:
        while True:
            turn = follower.turn()
            os.write(output, msgspec.json.encode(turn.told) + b"\n")
            if not _rest(turn):
                return
    except BrokenPipeError:
        return
    finally:
        follower.close()


def _read_given() -> Given:
    # Unbuffered: what follows the line is for `select`.
    with open(_INPUT, "rb", buffering=0, closefd=False) as first:
        return msgspec.json.decode(first.readline(), type=Given)


def _rest(turn: Turn) -> bool:
    """Whether the writer is still there."""
    until = monotonic() + turn.rest_s
    while select.select([_INPUT], [], [], max(0.0, until - monotonic()))[0]:
        if not os.read(_INPUT, _MUCH):
            return False
        if turn.wakes:
            break
    return True


if __name__ == "__main__":
    main()
