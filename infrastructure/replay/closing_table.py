"""The table that closes a replay: what each line of the log was taken for, and what was sent."""

from collections import Counter

from rich.console import Console
from rich.table import Table

from infrastructure.replay.counting import Verdict
from infrastructure.replay.tally import Tally

_MEANING = {
    Verdict.COUNTED: "page views, sent",
    Verdict.BOT: "known crawlers: sent, and shown apart from the numbers",
    Verdict.ASSET: "files that pages are made of; --include counts some",
    Verdict.ERROR: "neither 2xx nor 304",
    Verdict.OTHER_METHOD: "not GET",
    Verdict.OTHER_HOST: "another virtual host's",
    Verdict.OUT_OF_BOUNDS: "a path over 1,748 bytes, before 2000 or in the future",
    Verdict.UNREADABLE: "not in combined format",
}
_SELDOM = (Verdict.OTHER_HOST, Verdict.OUT_OF_BOUNDS)
"""Shown only where there are some."""
_MOST_STATUSES = 4


def print_closing(tally: Tally, console: Console) -> None:
    """Print the table, and below it what the edge took."""
    table = Table(box=None, pad_edge=False)
    table.add_column("Lines")
    table.add_column("", justify="right")
    table.add_column("")
    for verdict, meaning in _MEANING.items():
        if tally.lines[verdict] or verdict not in _SELDOM:
            table.add_row(verdict, f"{tally.lines[verdict]:,}", meaning + _detail(verdict, tally))
    console.print(table)
    console.print(f"Sent: {tally.taken:,} events taken by the edge{_left_out(tally)}.")
    for name in tally.cut_short:
        console.print(f"{name} breaks off in the middle: it was read up to there.")


def _detail(verdict: Verdict, tally: Tally) -> str:
    if verdict is Verdict.ERROR and tally.statuses:
        return f": {_counts(tally.statuses)}"
    if verdict is Verdict.UNREADABLE and tally.first_unreadable:
        return f"; the first: {tally.first_unreadable}"
    return ""


def _left_out(tally: Tally) -> str:
    parts = ""
    if tally.dropped:
        parts += f", {tally.dropped:,} of them dropped by the site's settings"
    if tally.refused:
        parts += f"; {tally.refused:,} refused ({_counts(tally.faults)})"
    if tally.unsent:
        parts += f"; {tally.unsent:,} not sent"
    return parts


def _counts(counter: Counter[str] | Counter[int]) -> str:
    most = counter.most_common(_MOST_STATUSES)
    shown = ", ".join(f"{name}: {count:,}" for name, count in most)
    return shown + (", …" if len(counter) > len(most) else "")
