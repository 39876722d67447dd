"""Browser, system and kind of device, by the user agent."""

from collections.abc import Sequence

from user_agents import parse
from user_agents.parsers import UserAgent

from writer.draft import Agent, Draft
from writer.enrich.remembered import Remembered

_TV = ("TV", "BRAVIA", "AFT", "CrKey", "Roku", "Tizen", "Web0S", "webOS.TV")
_CONSOLE = ("PlayStation", "Xbox", "Nintendo")
_UNKNOWN = "Other"


def describe(user_agent: str) -> Agent:
    """What a user agent says; empty where it says nothing that is known."""
    if not user_agent:
        return Agent()
    parsed = parse(user_agent)
    browser, system = parsed.browser, parsed.os
    return Agent(
        browser=_name(browser.family),
        browser_version=_major(browser.version),
        os=_name(system.family),
        os_version=_major(system.version),
        device=_device(user_agent, parsed),
    )


def _name(family: str) -> str:
    return "" if family == _UNKNOWN else family


def _major(version: tuple[int | str, ...]) -> str:
    return str(version[0]) if version else ""


def _device(user_agent: str, parsed: UserAgent) -> str:
    if any(mark in user_agent for mark in _CONSOLE):
        return "console"
    if any(mark in user_agent for mark in _TV):
        return "tv"
    if parsed.is_tablet:
        return "tablet"
    if parsed.is_mobile:
        return "mobile"
    return "desktop" if parsed.is_pc else ""


_describe = Remembered(describe, 20_000)


def read_agent(drafts: Sequence[Draft]) -> None:
    """Add what the user agent says."""
    for draft in drafts:
        draft.agent = _describe[draft.user_agent]
