"""`millrace spool repair`: a damaged append-only file, made one that Redis loads."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from infrastructure.aof.commands import Buffer
from infrastructure.aof.edits import Edit, Repair
from infrastructure.aof.files import Files, opened, replace
from infrastructure.aof.stream_ids import StreamIds
from infrastructure.problem import Problem
from infrastructure.progress import Report, step
from infrastructure.spoken import example

_SHOWN = 20


@click.group()
def command() -> None:
    """What a Redis of Millrace's has on its disk."""


@command.command(epilog=example("spool repair /var/lib/redis"))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def repair(folder: Path, yes: bool) -> None:
    """Make the append-only file below FOLDER (Redis's `dir`) one that Redis loads.

    For a spool or primary that does not start after damage to its disk. Stop it first. Every
    command that can be read stays; what cannot is put into a file of its own, and the file as it
    was stays beside it (.damaged). Says what it found, and asks before it changes anything.
    """
    files = Files(folder)
    if files.base:
        click.echo(
            f"{files.base} has a checksum that Redis verifies, and cannot be repaired. Where "
            "Redis's log names it, put it back from a backup."
        )
    if not files.repairable:
        raise Problem("There is no file of commands here.")
    damaged = _look(files)
    if not damaged:
        click.echo("Nothing is damaged that can be seen: Redis loads these files.")
        return
    if not yes:
        click.confirm("Repair? The files as they are stay beside (.damaged)", abort=True)
    _replace(files, damaged)
    click.echo("Start Redis. What was lost is named by `ledger` on the core.")


def _look(files: Files) -> set[Path]:
    """Those in which something has to change, each told."""
    walk, damaged = _new_walk(files), set()
    for path in files.repairable:
        with opened(path) as buffer, step(f"Reading {path.name}") as report:
            if _tell(path, _edits(walk, buffer, report)):
                damaged.add(path)
    return damaged


def _tell(path: Path, edits: Iterator[Edit]) -> bool:
    counts: Counter[str] = Counter()
    for edit in edits:
        counts[edit.why] += 1
        if counts.total() <= _SHOWN:
            click.echo(f"{path.name}, bytes {edit.at} to {edit.end}: {edit.why}")
    if counts.total() > _SHOWN:
        click.echo(f"{path.name}: and {counts.total() - _SHOWN} more")
    for why, count in counts.items():
        click.echo(f"{path.name}: {count} × {why}")
    return bool(counts)


def _replace(files: Files, damaged: set[Path]) -> None:
    walk = _new_walk(files)
    for path in files.repairable:
        with opened(path) as buffer, step(f"Writing {path.name}") as report:
            edits = _edits(walk, buffer, report)
            if path in damaged:
                beside = replace(path, buffer, edits)
                click.echo(f"Repaired {path}.")
                click.echo(f"As it was: {beside.damaged}")
                click.echo(f"What could not be read: {beside.unreadable}")
            else:
                for _ in edits:
                    pass


def _new_walk(files: Files) -> Repair:
    return Repair(StreamIds(files.since_ms, files.until_ms))


def _edits(walk: Repair, buffer: Buffer, report: Report) -> Iterator[Edit]:
    size, told = len(buffer), 0
    for found in walk.walk(buffer):
        if found.read - told >= size // 100:
            told = found.read
            report(told, size)
        if found.edit:
            yield found.edit
