"""What verbs ask for, where somebody can answer: at a real terminal."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.local.folders import CHECKOUT

WITHIN_S = 60
CTRL_C = "\x03"


class Terminal:
    """A verb at a terminal; `shown` is everything so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", master: int) -> None:
        self.process = process
        self.shown = ""
        self._master = master

    def until(self, text: str) -> None:
        """Reads on until it stands there; fails at the end of the process."""
        while text not in self.shown:
            more = self._read()
            assert more, f"{text!r} never came: {self.shown}"
            self.shown += more

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Reads the rest, so that nothing blocks; the exit code."""
        while more := self._read():
            self.shown += more
        return self.process.wait(WITHIN_S)

    def _read(self) -> str:
        """What comes next; nothing at the end, or where nothing comes for long."""
        if not select.select([self._master], [], [], WITHIN_S)[0]:
            return ""
        try:
            return os.read(self._master, 4_096).decode(errors="replace")
        except OSError:
            return ""


@contextmanager
def terminal(database: str, state: Path, *words: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "infrastructure.cli", *words],
        env={
            **kept,
            "MILLRACE_STATE": str(state),
            "MILLRACE_POSTGRES_URL": database,
            "PYTHONPATH": str(CHECKOUT),
            "TERM": "xterm",
            "COLUMNS": "160",
            "TZ": "Asia/Tokyo",
        },
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=_own_terminal,
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            os.close(master)


def _own_terminal() -> None:
    """Ctrl-C reaches only who has the terminal as its own."""
    os.close(os.open(os.ttyname(0), os.O_RDWR))


def test_a_new_site_is_proposed_the_machines_zone_and_ctrl_c_ends_its_waiting(
    database: str, tmp_path: Path
) -> None:
    with terminal(database, tmp_path, "site", "add", "example.com") as verb:
        verb.until("[Asia/Tokyo]")
        verb.type("Europe/Berlin\n")
        verb.until('data-site="example.com"')
        verb.until("Waiting for the first event")
        verb.type(CTRL_C)
        verb.until("site show example.com")
        assert verb.end() == 0, verb.shown
    assert "its days in Europe/Berlin" in verb.shown


def test_enter_takes_the_proposed_zone(database: str, tmp_path: Path) -> None:
    with terminal(database, tmp_path, "site", "add", "example.com", "--no-wait") as verb:
        verb.until("[Asia/Tokyo]")
        verb.type("\n")
        assert verb.end() == 0, verb.shown
    assert "its days in Asia/Tokyo" in verb.shown


def test_an_owner_is_asked_for_address_and_password_which_is_never_shown(
    database: str, tmp_path: Path
) -> None:
    with terminal(database, tmp_path, "owner", "add") as verb:
        verb.until("E-mail address")
        verb.type("you@example.com\n")
        verb.until("Password (10 characters or more)")
        verb.type("a long enough password\n")
        verb.until("Repeat")
        verb.type("a long enough password\n")
        assert verb.end() == 0, verb.shown
    assert "you@example.com can sign in now" in verb.shown
    assert "enough" not in verb.shown


def test_a_password_that_is_too_short_is_said_at_once_and_asked_for_again(
    database: str, tmp_path: Path
) -> None:
    with terminal(database, tmp_path, "owner", "add", "you@example.com") as verb:
        verb.until("Password (")
        verb.type("short\n")
        verb.until("a password has 10 to")
        assert "Repeat" not in verb.shown
        # What is typed before the question is thrown away.
        for prompt in ("characters\r\nPassword (10 characters or more): ", "Repeat"):
            verb.until(prompt)
            verb.type("a long enough password\n")
        assert verb.end() == 0, verb.shown


def test_an_address_that_is_none_is_refused_before_a_password_is_asked_for(
    database: str, tmp_path: Path
) -> None:
    with terminal(database, tmp_path, "owner", "add", "x@y.de\x1b[31m") as verb:
        assert verb.end() == 1
    assert "is not an e-mail address" in verb.shown
    assert "Password" not in verb.shown
    assert "\x1b[31m" not in verb.shown
