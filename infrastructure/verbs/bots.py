"""`millrace bots`: what counts as a robot, beside the packaged list."""

from datetime import UTC, datetime

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from api.bot_patterns import (
    BotPattern,
    Verdict,
    end_pattern,
    judge,
    put_pattern,
    read_patterns,
)
from api.sites import read_site
from infrastructure.administration import in_transaction, say_whose_data
from infrastructure.plain_text import plain
from infrastructure.problem import Problem
from infrastructure.spoken import AS_JSON, example, print_json
from infrastructure.whole_table import plain_console, print_table
from shared.bots import Kind, Pattern, is_address
from shared.program import PROGRAM

_SITE = click.option("--site", help="Of this site alone; else of every site.")


@click.group()
def command() -> None:
    """Say what else is a robot, or is none."""


@command.command(
    epilog=example(
        "bots add 'our monitor' --agent 'uptime-checker/[0-9]+'",
        "bots add office --network 203.0.113.0/24 --site example.com",
        "bots add 'our app' --agent '^ShopApp/' --allow",
    )
)
@click.argument("name")
@click.option("--agent", help="A regular expression (RE2), sought in the user agent in any case.")
@click.option("--network", help="A network such as 203.0.113.0/24, or one address.")
@click.option("--allow", is_flag=True, help="What matches is no robot, whatever the list says.")
@_SITE
@AS_JSON
def add(
    name: str,
    agent: str | None,
    network: str | None,
    allow: bool,
    site: str | None,
    as_json: bool,
) -> None:
    """Leave events out of the numbers as robots', by the rule NAME, from now on.

    They are stored and counted apart. An event is judged by what held when an edge received it;
    those of the past stay as they are.
    """
    pattern = _read_pattern(name, agent, network, allow)
    say_whose_data()

    async def work(db: AsyncConnection) -> BotPattern:
        return await put_pattern(db, await _site_id(db, site), pattern, datetime.now(UTC))

    added = in_transaction(work)
    if as_json:
        print_json(added)
        return
    does = "is no robot" if allow else "is a robot"
    click.echo(f"Pattern {added.id}: what matches {does} from now on, {_whose(site)}.")


@command.command("list", epilog=example("bots list --site example.com"))
@_SITE
@click.option("--all", "past", is_flag=True, help="Those that were removed too.")
@AS_JSON
def list_(site: str | None, past: bool, as_json: bool) -> None:
    """The patterns, in the order in which they are asked; the packaged list comes last."""

    async def work(db: AsyncConnection) -> list[BotPattern]:
        own = [] if site is None else await read_patterns(db, await _site_id(db, site), past=past)
        return own + await read_patterns(db, None, past=past)

    patterns = in_transaction(work)
    if as_json:
        print_json(patterns)
    elif not patterns:
        click.echo(f"The packaged list alone: `{PROGRAM} bots add --help` says how to add to it.")
    else:
        names = ("id", "of", "name", "looks at", "pattern", "robot", "from", "until")
        print_table(names, [_cells(pattern, site) for pattern in patterns], plain_console())


@command.command(epilog=example("bots remove 3", "bots remove 4 --site example.com"))
@click.argument("pattern_id", type=click.IntRange(1))
@_SITE
def remove(pattern_id: int, site: str | None) -> None:
    """End a pattern, by the number that `list` shows, for events received from now on."""

    async def work(db: AsyncConnection) -> None:
        await end_pattern(db, await _site_id(db, site), pattern_id, datetime.now(UTC))

    in_transaction(work)
    click.echo(f"Pattern {pattern_id} has ended. What it marked stays marked.")


@command.command("try", epilog=example("bots try 'curl/8.5.0'", "bots try '' --ip 203.0.113.7"))
@click.argument("user_agent", metavar="UA")
@click.option("--ip", default="", help="From this address.")
@_SITE
@AS_JSON
def try_(user_agent: str, ip: str, site: str | None, as_json: bool) -> None:
    """Whether an event of the user agent UA would be a robot's now, and by which rule."""
    if ip and not is_address(ip):
        raise Problem(f"{ip!r} is not an address.")

    async def work(db: AsyncConnection) -> Verdict:
        return await judge(db, await _site_id(db, site), user_agent, ip)

    verdict = in_transaction(work)
    if as_json:
        print_json(verdict)
    else:
        click.echo(_said(verdict))


def _read_pattern(name: str, agent: str | None, network: str | None, allow: bool) -> Pattern:
    if (agent is None) == (network is None):
        raise Problem("Name one of --agent and --network.")
    if agent is not None:
        return Pattern(name, Kind.USER_AGENT.value, agent, allow)
    return Pattern(name, Kind.NETWORK.value, network or "", allow)


def _said(verdict: Verdict) -> str:
    match verdict.by:
        case None:
            return "Nobody's robot: it counts."
        case BotPattern(id=number, name=name, allows=True):
            return f"No robot: pattern {number}, {plain(name)}, allows it."
        case BotPattern(id=number, name=name):
            return f"A robot, by pattern {number}: {plain(name)}"
    return f"A robot, by the packaged list: {plain(verdict.rule)}"


def _cells(pattern: BotPattern, site: str | None) -> tuple[str, ...]:
    whose = "every site" if pattern.everywhere else str(site)
    robot = "no" if pattern.allows else "yes"
    until = f"{pattern.valid_until:%Y-%m-%d %H:%MZ}" if pattern.valid_until else ""
    since = f"{pattern.valid_from:%Y-%m-%d %H:%MZ}"
    number, kind = str(pattern.id), pattern.kind.replace("_", " ")
    return number, whose, pattern.name, kind, pattern.pattern, robot, since, until


def _whose(site: str | None) -> str:
    return f"for {site}" if site else "for every site"


async def _site_id(db: AsyncConnection, site: str | None) -> int | None:
    return None if site is None else (await read_site(db, site, datetime.now(UTC))).site_id
