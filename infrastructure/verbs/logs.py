"""`./run logs`: the logs of services and servers as one, their end or as they grow."""

import heapq
import time
from collections.abc import Iterable
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from infrastructure.local.folders import state_folder
from infrastructure.local.running import PURPOSES, read_running
from infrastructure.logs.file import LogFile
from infrastructure.logs.line import EARLIEST, Line
from infrastructure.manifest import read_manifest
from infrastructure.plain_text import plain
from infrastructure.problem import Problem

_LOOK_EVERY_S = 0.25
_SERVERS = {
    "primary": "primary/redis.log",
    "spool": "spool/redis.log",
    "database": "postgres/postgres.log",
    "supervisor": "supervisor.log",
}
_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green")


def _names() -> list[str]:
    return [*(entry.name for entry in read_manifest().services), *_SERVERS]


def _complete(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(name) for name in _names() if name.startswith(incomplete)]


@click.command()
@click.argument("services", nargs=-1, shell_complete=_complete)
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "-n", "--lines", default=30, show_default=True, type=click.IntRange(0), help="How many in all."
)
@click.option("--of", "purpose", type=click.Choice(PURPOSES), help="Of which: what runs, if one.")
@click.option("--raw", is_flag=True, help="Each line as it stands in its file.")
def command(
    services: tuple[str, ...], follow: bool, lines: int, purpose: str | None, raw: bool
) -> None:
    """All logs, or those of SERVICES, in the order of time.

    There are edge, drain, writer, jobs, api and realtime, the servers primary, spool and database,
    and the supervisor, who starts what has ended.
    """
    if unknown := [name for name in services if name not in _names()]:
        raise Problem(f"There is no log of {plain(unknown[0])}; there are {', '.join(_names())}.")
    files = _files(services, purpose)
    width = max(len(file.source) for file in files)
    ends = _merge([file.last(lines) for file in files])
    _print(ends[max(0, len(ends) - lines) :], width, raw)
    if lines and not ends:
        said = "Nothing has been written there yet."
        click.echo(said if follow else f"{said} `--follow` waits for it.", err=True)
    if follow:
        # Ctrl-C is how it ends.
        with suppress(KeyboardInterrupt):
            _follow(files, width, raw)


def _follow(files: list[LogFile], width: int, raw: bool) -> None:
    while True:
        time.sleep(_LOOK_EVERY_S)
        _print(_merge([file.added() for file in files]), width, raw)


def _files(services: tuple[str, ...], purpose: str | None) -> list[LogFile]:
    folder = _folder(purpose)
    paths = {name: _path(folder, name) for name in services or _names()}
    if not any(path.exists() for path in paths.values()):
        whose = f" of {', '.join(services)}" if services else ""
        raise Problem(f"There are no logs{whose} in {folder}: start it with `./run up`.")
    return [LogFile(name, path) for name, path in paths.items()]


def _folder(purpose: str | None) -> Path:
    if purpose is not None:
        return state_folder(purpose)
    folders = [state_folder(name) for name in PURPOSES]
    running = [folder for folder in folders if read_running(folder)]
    with_logs = [folder for folder in folders if (folder / "logs").exists()]
    return next(iter((*running, *with_logs, *folders)))


def _path(folder: Path, name: str) -> Path:
    return folder / _SERVERS[name] if name in _SERVERS else folder / "logs" / f"{name}.log"


def _merge(logs: Iterable[list[Line]]) -> list[Line]:
    """Each log keeps its own order, even where a clock was set back."""
    return list(heapq.merge(*logs, key=attrgetter("at")))


def _print(lines: Iterable[Line], width: int, raw: bool) -> None:
    for line in lines:
        if raw:
            click.echo(line.raw)
            continue
        at = "" if line.at == EARLIEST else f"{line.at:%Y-%m-%d %H:%M:%S}.{line.at:%f}"[:23] + "Z"
        whose = click.style(f"{line.source:<{width}}", fg=_colour(line.source))
        click.echo(f"{at:<24}  {whose}  {line.text}")


def _colour(source: str) -> str:
    return _COLOURS[_names().index(source) % len(_COLOURS)]
