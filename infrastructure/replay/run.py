"""Reads logs line by line and sends what counts; a bounded number of arrays is under way."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from infrastructure.problem import Problem
from infrastructure.progress import Report
from infrastructure.replay.access_line import AccessLine, read_line
from infrastructure.replay.counting import SENT, Counting, Verdict
from infrastructure.replay.delivery import Delivery, GaveUp
from infrastructure.replay.line_identity import LineIdentities
from infrastructure.replay.log_file import LogFile
from infrastructure.replay.pace import Pace
from infrastructure.replay.parcel import Parcel
from infrastructure.replay.server_event import Website
from infrastructure.replay.tally import Tally

_AT_ONCE = 4
_REPORT_EVERY_LINES = 500


@dataclass
class Replay:
    """One run over `files`. `tally` is true at any moment, also after a failure."""

    files: Sequence[LogFile]
    website: Website
    counting: Counting
    delivery: Delivery
    speed: float | None
    report: Report
    tally: Tally = field(default_factory=Tally)
    _parcels: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(2 * _AT_ONCE))
    _parcel: Parcel = field(default_factory=Parcel)

    async def run(self) -> None:
        """Send every line that counts. Raises GaveUp, and Problem for what cannot succeed."""
        senders = [asyncio.create_task(self._send_all()) for _ in range(_AT_ONCE)]
        reader = asyncio.create_task(self._read_all())
        try:
            await asyncio.wait([reader, *senders], return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                await reader
                await self._drained(senders)
            _raise_first(senders)
        finally:
            for task in (reader, *senders):
                task.cancel()
            await asyncio.gather(reader, *senders, return_exceptions=True)

    async def _drained(self, senders: list[asyncio.Task[None]]) -> None:
        joined = asyncio.create_task(self._parcels.join())
        await asyncio.wait([joined, *senders], return_when=asyncio.FIRST_COMPLETED)
        joined.cancel()

    async def _read_all(self) -> None:
        pace = Pace(self.speed, time.monotonic())
        for file in self.files:
            identities = LineIdentities()
            for number, raw in enumerate(file.lines(), start=1):
                await self._take_line(raw, f"{file.name}, line {number}", identities, pace)
                if number % _REPORT_EVERY_LINES == 0:
                    self._report()
            if file.cut_short:
                self.tally.cut_short.append(file.name)
        await self._flush(self._parcel.take())
        self._report()

    async def _take_line(
        self, raw: bytes, where: str, identities: LineIdentities, pace: Pace
    ) -> None:
        if not raw.strip():
            return
        line_id = identities.identify(raw)
        line = read_line(raw)
        verdict = self.counting.verdict(line)
        self._count(verdict, line, where)
        if line is None or verdict not in SENT:
            return
        await self._wait_until_due(line, pace)
        await self._flush(self._parcel.add(self.website.event(line, line_id)))

    def _count(self, verdict: Verdict, line: AccessLine | None, where: str) -> None:
        self.tally.lines[verdict] += 1
        if verdict is Verdict.ERROR and line is not None:
            self.tally.statuses[line.status] += 1
        if verdict is Verdict.UNREADABLE and not self.tally.first_unreadable:
            self.tally.first_unreadable = where

    async def _wait_until_due(self, line: AccessLine, pace: Pace) -> None:
        wait_s = pace.wait_s(line.ts_ms, time.monotonic())
        if wait_s > 0:
            await self._flush(self._parcel.take())
            await asyncio.sleep(wait_s)

    async def _flush(self, body: bytes | None) -> None:
        if body is not None:
            await self._parcels.put(body)

    async def _send_all(self) -> None:
        while True:
            taken = await self.delivery.send(await self._parcels.get())
            self.tally.taken += taken.accepted + taken.dropped
            self.tally.dropped += taken.dropped
            self.tally.faults.update(str(fault.code) for fault in taken.faults)
            self._parcels.task_done()

    def _report(self) -> None:
        total = sum(file.size or 0 for file in self.files)
        self.report(sum(file.bytes_read() for file in self.files), total)


def _raise_first(senders: list[asyncio.Task[None]]) -> None:
    for task in senders:
        if task.done() and not task.cancelled():
            error = task.exception()
            if isinstance(error, (GaveUp, Problem)):
                raise error
            task.result()
