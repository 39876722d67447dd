"""`millrace replay`: web server logs read into a site."""

import asyncio
import os
import sys
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx
from rich.console import Console

from infrastructure.local.folders import state_folder
from infrastructure.local.running import PURPOSES, read_running, use_running
from infrastructure.problem import Problem
from infrastructure.progress import console, step
from infrastructure.replay.closing_table import print_closing
from infrastructure.replay.counting import Counting
from infrastructure.replay.delivery import Delivery, GaveUp
from infrastructure.replay.import_key import ImportKey, own_key
from infrastructure.replay.log_file import LogFile
from infrastructure.replay.run import Replay
from infrastructure.replay.server_event import Website, website
from shared.bots import packaged_rule_of

DEFAULT_PATH = "/track"
_PATIENCE_S = 300.0


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--url", required=True, help="The site's address, such as https://example.com.")
@click.option("--site", help="The site's key; else the host of --url.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="N times as fast as the log was written; else as fast as it goes.",
)
@click.option(
    "--include",
    multiple=True,
    metavar="EXT|GLOB",
    help="Count such files too: pdf, or '/downloads/*'. May be repeated.",
)
@click.option("--edge", help="The edge's address; else MILLRACE_EDGE_URL.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with a key of import scope; in a checkout one is made.",
)
def command(
    files: tuple[str, ...],
    url: str,
    site: str | None,
    speed: float | None,
    include: tuple[str, ...],
    edge: str | None,
    key_file: Path | None,
) -> None:
    """Send the page views in access logs FILES (nginx or Apache combined format, gzip too, - for
    standard input) with their own times and addresses.

    Counted: GET, 2xx and 304, no assets. A second replay adds nothing, a grown file only its new
    lines. Exit code 1 when something could not be sent.
    """
    whose = website(url, site)
    logs = [LogFile(name) for name in files]
    key = _read_key(key_file) if key_file else _own_key(whose)
    use_running()
    endpoint = _endpoint(edge or os.environ.get("MILLRACE_EDGE_URL", "http://127.0.0.1:4001"))
    # Looking through the whole list takes long, and a log repeats its user agents.
    is_bot = lru_cache(20_000)(lambda user_agent: packaged_rule_of(user_agent) is not None)
    counting = Counting(whose.host, is_bot, include)
    sys.exit(asyncio.run(_replay(logs, whose, counting, endpoint, key, speed)))


async def _replay(
    logs: list[LogFile],
    whose: Website,
    counting: Counting,
    endpoint: str,
    key: ImportKey,
    speed: float | None,
) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        with step(f"Reading {_names(logs)}") as report:
            delivery = Delivery(
                client, endpoint, key.text, console.print, _PATIENCE_S, new_key=key.new
            )
            replay = Replay(logs, whose, counting, delivery, speed, report)
            try:
                await replay.run()
            except GaveUp as error:
                console.print(f"Given up after {_PATIENCE_S:.0f} s: {error}.")
    print_closing(replay.tally, Console())
    return 0 if replay.tally.is_complete else 1


def _read_key(path: Path) -> ImportKey:
    text = path.read_text().strip()
    if not text or len(text.split()) != 1:
        raise Problem(f"There is no key in {path}: it holds nothing but the key itself.")
    return ImportKey(text, new=False)


def _own_key(whose: Website) -> ImportKey:
    for folder in map(state_folder, PURPOSES):
        if settings := read_running(folder):
            return own_key(folder, settings["MILLRACE_POSTGRES_URL"], whose.site)
    raise Problem("Name a file with a key in --key-file: `key add --scope import` prints one.")


def _endpoint(edge: str) -> str:
    """An edge's bare address takes its default path; one with a path is the endpoint itself."""
    parts = urlsplit(edge)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Problem(f"--edge {edge} is no address: write it like https://edge.example.com.")
    if parts.path in ("", "/"):
        return (
            f"{parts.scheme}://{parts.netloc}{os.environ.get('MILLRACE_EDGE_PATH', DEFAULT_PATH)}"
        )
    return edge


def _names(logs: list[LogFile]) -> str:
    return logs[0].name if len(logs) == 1 else f"{len(logs)} files"
