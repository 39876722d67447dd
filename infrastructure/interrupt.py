"""Ctrl-C while a verb is still being imported ends it without a traceback.

To be imported before whatever takes time to import. Nothing has been begun yet that would have to
be ended, so the signal may end the process by itself, as it does a program in C.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)


def hear_again() -> None:
    """From now on Ctrl-C is an exception that verbs can answer."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
