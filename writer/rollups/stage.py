"""The rollup stage as the writer sees it: a process of its own, which is told of commits and tells
how far it has come.

In the writer's own process it would wait for Python's lock row by row while beacons come fast,
and fall behind just then.
"""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from time import monotonic

import msgspec

from shared.metrics import ROLLUP_BEHIND_SECONDS, ROLLUP_LAG_COMMITS, ROLLUP_STEP_SECONDS
from writer.database.connection import ANSWER_WITHIN_S
from writer.periodic import is_cancelled
from writer.rollups.pace import give_way_s
from writer.rollups.wire import Given, Told

log = logging.getLogger("writer")

STUCK_S = 60.0
_AGAIN_S, _LONGEST_AGAIN_S = 1.0, 30.0
_ENDS_WITHIN_S = 10.0
_SILENCE_S = 1.0
"""It says something more often where nothing is behind."""


class Stage:
    """Keeps the process running, and starts it anew when it ends."""

    def __init__(self, postgres_url: str, answer_s: float = ANSWER_WITHIN_S) -> None:
        self._given = Given(postgres_url, answer_s)
        self._child: Process | None = None
        self._is_woken = False
        self._heard_at = monotonic()
        self.told = Told()
        ROLLUP_BEHIND_SECONDS.set_function(self.behind_s)

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._child is None else self._child.pid

    async def run(self) -> None:
        """Until cancelled."""
        again_s = _AGAIN_S
        while not is_cancelled():
            heard_at = self._heard_at
            try:
                ended = await self._follow()
            except (OSError, ValueError, msgspec.MsgspecError) as error:
                ended = type(error).__name__
            again_s = _AGAIN_S if self._heard_at > heard_at else min(again_s * 2, _LONGEST_AGAIN_S)
            log.error("rollups: their process has ended (%s): anew in %.0f s", ended, again_s)
            await asyncio.sleep(again_s)

    def wake(self) -> None:
        """Something was committed: it need not wait for its next look."""
        if self._child is not None and self._child.stdin is not None and not self._is_woken:
            self._is_woken = True
            self._child.stdin.write(b"\n")

    def behind_s(self) -> float:
        """The age of the first commit that the rollups do not hold; 0: none."""
        silent_s = monotonic() - self._heard_at
        if self.told.commits or silent_s > _SILENCE_S:
            return self.told.behind_s + silent_s
        return 0.0

    def give_way_s(self, read_s: float) -> float:
        """For how long the writer rests after a read that took so long."""
        return 0.0 if self.told.trouble else give_way_s(self.behind_s(), read_s)

    def readiness(self) -> dict[str, object]:
        """What stands in its way; nothing while it keeps up."""
        if self.told.trouble:
            return {"rollups": f"wait ({self.told.trouble})"}
        if self.behind_s() > STUCK_S:
            return {"rollups": f"are {self.behind_s():.0f} s behind"}
        return {}

    async def _follow(self) -> str:
        """Hear one process out; says how it ended."""
        child = self._child = await _start(self._given)
        try:
            assert child.stdout is not None
            async for line in child.stdout:
                # The last one of a process that was killed may be cut short.
                if line.endswith(b"\n"):
                    self._hear(msgspec.json.decode(line, type=Told))
        finally:
            self._child = None
            await _end(child)
        return str(child.returncode)

    def _hear(self, told: Told) -> None:
        if bool(told.trouble) != bool(self.told.trouble):
            _log_change(told)
        self.told = told
        self._heard_at = monotonic()
        self._is_woken = False
        ROLLUP_LAG_COMMITS.set(told.commits)
        if told.step_s is not None:
            ROLLUP_STEP_SECONDS.observe(told.step_s)


async def _start(given: Given) -> Process:
    # It finds what this process finds.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "writer.rollups", stdin=PIPE, stdout=PIPE, env=environment
    )
    assert child.stdin is not None
    child.stdin.write(msgspec.json.encode(given) + b"\n")
    return child


async def _end(child: Process) -> None:
    """The end of its input ends it, after the step under way."""
    assert child.stdin is not None
    child.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_ENDS_WITHIN_S):
            await child.wait()
            return
    child.kill()
    await child.wait()


def _log_change(told: Told) -> None:
    if told.trace:
        log.error("rollups failed\n%s", told.trace)
    elif told.trouble:
        log.warning("rollups: wait (%s)", told.trouble)
    else:
        log.info("rollups: go on")
