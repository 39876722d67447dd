"""What the demo shows: a panel that lives on a terminal, a line now and then elsewhere."""

import math
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from infrastructure.demo.account import Account
from infrastructure.demo.sight import Sight
from infrastructure.traffic.send_log import SendLog

_LINE_EVERY_S = 3.0
_REFRESH_PER_S = 4


@dataclass
class Screen:
    """A context manager: while it lasts, `show` says how things stand and `say` what happens."""

    console: Console
    _live: Live | None = field(default=None, init=False)
    _line_at_s: float = field(default=-math.inf, init=False)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=_REFRESH_PER_S)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, what: str) -> None:
        """Tell something that happened; it stays on screen."""
        self.console.print(f"{time.strftime('%H:%M:%S')}  {what}")

    def show(self, log: SendLog, sight: Sight) -> None:
        """Show how things stand now."""
        if self._live is not None:
            self._live.update(_panel(log, sight))
        elif time.monotonic() - self._line_at_s >= _LINE_EVERY_S:
            self._line_at_s = time.monotonic()
            self.say(one_line(log, sight))


def one_line(log: SendLog, sight: Sight) -> str:
    """How things stand, where there is no terminal."""
    again = f" ({log.repeats:,} times again)" if log.repeats else ""
    return (
        f"sent {log.begun:,}{again}, accepted {log.accepted:,}, "
        f"stored {_stored(log, sight)}; "
        f"primary {'up' if sight.primary_up else 'DOWN'}, spool {sight.spooled:,} batches, "
        f"drained {sight.drained:,}; commit {sight.commit:,}"
    )


def _stored(log: SendLog, sight: Sight) -> str:
    """Never more than was sent: what is stored beyond it came from somebody else."""
    others = sight.stored - log.begun
    if others <= 0:
        return f"{sight.stored:,}"
    return f"{log.begun:,} and {others:,} of a visitor's own"


def account_table(account: Account) -> Table:
    """The closing account."""
    table = Table(title="Account, by event id", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    table.add_column("events", justify="right")
    table.add_column("")
    table.add_row("sent", f"{account.sent:,}", "")
    table.add_row("accepted", f"{account.accepted:,}", "a receipt was given")
    table.add_row("stored", f"{account.stored:,}", "of these, one row each is in the database")
    table.add_row("lost", _judged(account.lost), "accepted and not stored")
    table.add_row("duplicated", _judged(account.duplicated), "rows beyond the one of each event")
    if account.unanswered:
        kept = f"no receipt; {account.kept_all_the_same:,} of them stored all the same"
        table.add_row("unanswered", f"{account.unanswered:,}", kept)
    return table


def _judged(count: int) -> str:
    return f"[bold green]{count:,}[/]" if count == 0 else f"[bold red]{count:,}[/]"


def _panel(log: SendLog, sight: Sight) -> Panel:
    state = "[green]up[/]" if sight.primary_up else "[bold red]stopped[/]"
    table = Table.grid(padding=(0, 3))
    for _ in range(4):
        table.add_column(justify="left")
    table.add_row("sent", f"{log.begun:,}", "primary Redis", state)
    table.add_row("accepted", f"{log.accepted:,}", "spool", _batches(sight.spooled))
    table.add_row("stored", _stored(log, sight), "drained", _batches(sight.drained))
    table.add_row("sent again", f"{log.repeats:,}", "last commit", f"{sight.commit:,}")
    return Panel(table, title="Millrace", title_align="left", expand=False)


def _batches(count: int) -> str:
    return f"{count:,} batch{'' if count == 1 else 'es'}"
