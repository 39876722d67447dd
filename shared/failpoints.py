"""Places on a batch's way at which a test can have the process die, as by SIGKILL.

``MILLRACE_FAILPOINT=spooled`` ends the process the first time it gets there, ``spooled:7`` the
seventh time. It is for tests and no setting; where it is not set a failpoint costs a comparison.
"""

import asyncio
import os
import signal

VARIABLE = "MILLRACE_FAILPOINT"
NAMES = (
    "received", "spooled", "replied", "drained", "trimmed", "committed", "acked",
    "summed", "rolled_up",
)  # fmt: skip
"""Captured, stored nowhere yet · fsynced in the spool, unanswered · answered · at the primary,
still in the spool · deleted from the spool · in the database, unacknowledged · acknowledged ·
added to the rollups, uncommitted · committed there."""
ARCHIVE = (
    "archive_read", "archive_made", "archive_named", "archive_recording", "archive_recorded",
)  # fmt: skip
"""A site-day's rows are read · its file is written, without a name · has its name, unrecorded · is
recorded, uncommitted · committed, the old version still there."""
_SENT_AFTER_S = 0.005


def _read(text: str) -> tuple[str, int]:
    name, _, nth = text.partition(":")
    if name and name not in NAMES + ARCHIVE:
        raise ValueError(f"{VARIABLE} names no failpoint: {', '.join(NAMES + ARCHIVE)}")
    return name, int(nth or 1)


_armed, _left = _read(os.environ.get(VARIABLE, ""))


def reach(name: str) -> None:
    """Die here, if a test asked for it."""
    global _left
    if name == _armed:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def reach_once_sent(name: str) -> None:
    """The same a moment later: what was just written to a socket has left by then."""
    if name == _armed:
        asyncio.get_running_loop().call_later(_SENT_AFTER_S, reach, name)
