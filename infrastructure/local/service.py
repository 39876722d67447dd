"""One service of the manifest as a process that can be killed, paused and started again."""

import os
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.local.child import Child
from infrastructure.local.folders import CHECKOUT
from infrastructure.manifest import ServiceEntry
from infrastructure.problem import Problem
from shared.settings import PREFIX

_POLL_S = 0.05
_ASK_WITHIN_S = 2.0


@dataclass
class Service:
    """`settings` are all the installation's; the process gets those that it reads, no others."""

    entry: ServiceEntry
    settings: Mapping[str, str] = field(repr=False)
    log: Path
    ready_path: str
    _child: Child | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def ops_url(self) -> str:
        """Where /healthz, /readyz and /metrics are."""
        return f"http://127.0.0.1:{self.settings[self.entry.ops.setting]}"

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        return self._started().pid

    def start(self) -> None:
        """Start it and return at once; `wait_until_ready` waits."""
        if self.running:
            return
        if self._child:
            # Its own children may have outlived it, and hold its port.
            self._child.kill_group()
        _, *arguments = self.entry.command
        self._child = Child(
            [sys.executable, "-P", *arguments], self.log, environment=self._environment()
        )

    def wait_until_ready(self, within_s: float = 180.0) -> None:
        """Until /readyz says yes. Raises Problem with the log's end when it has ended instead."""
        deadline = time.monotonic() + within_s
        while not self.is_ready():
            if not self.running or time.monotonic() > deadline:
                raise Problem(
                    f"The {self.name} did not become ready; its log {self.log} ends with:\n"
                    f"{self.log_end()}"
                )
            time.sleep(_POLL_S)

    def is_ready(self) -> bool:
        url = f"{self.ops_url}{self.ready_path}"
        try:
            with urllib.request.urlopen(url, timeout=_ASK_WITHIN_S) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> int | None:
        """SIGTERM, then its exit code; None when it was never started."""
        if self._child is None:
            return None
        return self._child.stop() if self._child.running else self._child.exit_code

    def kill(self) -> None:
        """SIGKILL to it and every process it has started, as when the machine loses power."""
        self._started().kill_group()

    def pause(self) -> None:
        self._started().pause()

    def resume(self) -> None:
        self._started().resume()

    def log_end(self, lines: int = 12) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _started(self) -> Child:
        if self._child is None:
            raise Problem(f"The {self.name} was never started.")
        return self._child

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in self.settings.items() if name in self.entry.reads}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return {**kept, "PYTHONPATH": str(CHECKOUT), **ours}
