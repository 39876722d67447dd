"""`millrace goal`: what a site wants its visitors to do."""

import re
from typing import Any

import click

from api.saved import GOALS
from infrastructure.filter_words import read_filters
from infrastructure.problem import Problem
from infrastructure.saved_verbs import group, list_verb, remove_verb, save, say_saved
from infrastructure.spoken import AS_JSON, example


@click.command(
    "add",
    epilog=example(
        "goal add example.com Signup --event Signup",
        "goal add example.com 'Read the docs' --page '/docs/**'",
        "goal add example.com 'Bought pro' --event purchase event:props:plan=pro",
    ),
)
@click.argument("site")
@click.argument("name")
@click.argument("filters", nargs=-1, metavar="[FILTER]...")
@click.option("--event", help="Events of this name.")
@click.option("--page", help="Pageviews of this page; * stands for anything but /, ** for all.")
@AS_JSON
def add(
    site: str,
    name: str,
    filters: tuple[str, ...],
    event: str | None,
    page: str | None,
    as_json: bool,
) -> None:
    """Count an event of SITE as reaching the goal NAME, the past too.

    FILTER is one as `event:props:plan=pro`, with `!=`, `~` (contains) or `!~`, or JSON as the API
    takes it; all of them must hold.
    """
    wanted = [*_of_event(event), *_of_page(page), *read_filters(filters)]
    if not wanted:
        raise Problem("Say what reaches the goal: --event NAME, --page PATH, or a filter.")
    saved = save(GOALS, site, name, wanted)
    say_saved(saved, as_json, "ask for `event:goal` or `conversion_rate`, the past is counted too.")


def _of_event(name: str | None) -> list[Any]:
    return [] if name is None else [["is", "event:name", [name]]]


def _of_page(path: str | None) -> list[Any]:
    if path is None:
        return []
    seen: list[Any] = ["is", "event:name", ["pageview"]]
    if "*" not in path:
        return [seen, ["is", "event:page", [path]]]
    parts = ["[^/]*" if part == "*" else ".*" for part in re.findall(r"\*+", path)]
    plain = [re.escape(part) for part in re.split(r"\*+", path)]
    pattern = "".join(text + star for text, star in zip(plain, [*parts, ""], strict=True))
    return [seen, ["matches", "event:page", [f"^{pattern}$"]]]


command = group(
    "Say what visitors shall do, and count who does.",
    add,
    list_verb(GOALS),
    remove_verb(GOALS, "It is counted no more; the events are all there."),
)
