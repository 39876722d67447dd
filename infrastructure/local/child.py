"""A process that we start, can stop, pause and kill, and that dies when we do."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from infrastructure.local.account import Account

_PR_SET_PDEATHSIG = 1
# Loaded here, since a forked child must not load libraries.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Child:
    """One started process; its output goes to a log file.

    The kernel sends it `dies_by` when we end, even by SIGKILL. That holds for the *thread* that
    starts it, so start children from a thread that stays.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
        folder: Path | None = None,
        dies_by: signal.Signals = signal.SIGKILL,
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                # A session of its own: Ctrl-C at the terminal reaches us alone, and we decide.
                start_new_session=True,
                preexec_fn=_bind_to_parent(os.getpid(), dies_by),
            )
        self.log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The code it ended with, negative for a signal; None while it runs."""
        return self._process.poll()

    def pause(self) -> None:
        """SIGSTOP, until it stands still: by itself the signal arrives a moment later."""
        self._process.send_signal(signal.SIGSTOP)
        if sys.platform == "linux" and self.running:
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def kill_group(self) -> None:
        """Kill it together with the processes that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, by: signal.Signals = signal.SIGTERM, within_s: float = 20.0) -> int:
        """Ask it to end, wait, and kill it when it does not; returns its exit code."""
        self._process.send_signal(by)
        self.resume()
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def wait(self, within_s: float) -> int:
        """Its exit code; `subprocess.TimeoutExpired` when it still runs after `within_s`."""
        return self._process.wait(within_s)


def _bind_to_parent(parent: int, dies_by: signal.Signals) -> Callable[[], None]:
    def bind() -> None:
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, int(dies_by))
        if os.getppid() != parent:
            os._exit(1)

    return bind
