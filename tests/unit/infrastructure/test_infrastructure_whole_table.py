"""A table that is compared by eye cuts nothing off, however narrow the place it is printed to."""

from collections.abc import Sequence
from io import StringIO

import pytest
from rich.console import Console

from infrastructure.whole_table import print_table

NAMES = ["edge", "received", "stored", "dropped"]
ROWS = [
    ("e1", "2000000005", "1999999999", "5 bot, 1 dnt, 12345678 outside_of_all_and_every_range"),
    ("[red]e2:smile:\x1b[2J", "7", "7", "0"),
]


def printed(rows: Sequence[tuple[str, ...]], *, width: int, is_terminal: bool) -> str:
    file = StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=is_terminal,
        color_system=None,
        markup=False,
        emoji=False,
        highlight=False,
    )
    print_table(NAMES, rows, console)
    return file.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_every_cell_stands_there_whole(width: int, is_terminal: bool) -> None:
    text = printed(ROWS, width=width, is_terminal=is_terminal)
    for cell in (*NAMES, *ROWS[0], "[red]e2:smile:\\x1b[2J"):
        assert cell in text
    assert "…" not in text
    assert "\x1b" not in text


def test_a_pipe_gets_one_line_a_row_however_narrow_the_screen_behind_it() -> None:
    lines = printed(ROWS, width=40, is_terminal=False).splitlines()
    assert len([line for line in lines if "2000000005" in line and "12345678" in line]) == 1


def test_a_narrow_terminal_gets_one_value_a_line() -> None:
    lines = printed(ROWS, width=40, is_terminal=True).splitlines()
    assert "received  2000000005" in lines
    assert "edge      e1" in lines


def test_no_row_is_an_empty_table() -> None:
    for width in (10, 80):
        printed([], width=width, is_terminal=True)
