"""Tables that cut nothing off: numbers that are compared by eye must stand there whole."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from infrastructure.plain_text import plain

_WIDEST = 1_000_000


def print_table(names: Sequence[str], rows: Iterable[Sequence[str]], console: Console) -> None:
    """As wide as it needs; on a terminal too narrow for it as one ``name  value`` a line."""
    cells = [[plain(cell) for cell in row] for row in rows]
    table = Table()
    for name in names:
        table.add_column(name, no_wrap=True, overflow="ignore")
    for row in cells:
        table.add_row(*row)
    wide = console.options.update(max_width=_WIDEST)
    width = Measurement.get(console, wide, table).maximum
    if not console.is_terminal:
        console.width = max(width, console.width)
    if width <= console.width:
        console.print(table)
    else:
        _print_records(names, cells, console)


def plain_console() -> Console:
    """Prints what it is given: no markup, no emoji, no colours of its own choice."""
    return Console(markup=False, emoji=False, highlight=False)


def _print_records(names: Sequence[str], rows: list[list[str]], console: Console) -> None:
    longest = max(map(len, names))
    for row in rows:
        for name, cell in zip(names, row, strict=True):
            console.print(f"{name:<{longest}}  {cell}", soft_wrap=True)
        console.print()
