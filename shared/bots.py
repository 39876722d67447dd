"""What counts as a robot: the packaged list of user agents, and patterns that people name.

Patterns are regular expressions of RE2, sought anywhere in the user agent and without regard to
case, or networks. Whatever somebody writes, a look takes time in proportion to the user agent.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import re2
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

MAX_PATTERN = 500
"""Bytes of a pattern."""
MAX_PROGRAM = 1_000
"""Instructions of a pattern as RE2 compiles it: a look at a user agent takes as many steps for each
of its bytes at worst."""

_PACKAGED: list[str] = [entry["pattern"] for entry in CRAWLER_USER_AGENTS_DATA]
_CHUNK = 50
# Alternations of some dozens: one of all 1,500 is slower, and names no rule.
_CHUNKS = [
    (re.compile("|".join(_PACKAGED[at : at + _CHUNK])), _PACKAGED[at : at + _CHUNK])
    for at in range(0, len(_PACKAGED), _CHUNK)
]

_BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
)
"""Whoever calls all of these robots has nobody left."""


class Kind(StrEnum):
    """What a pattern looks at."""

    USER_AGENT = "user_agent"
    NETWORK = "network"


class Pattern(NamedTuple):
    """``name``: the rule that the events of a match name. ``allows``: what matches is no robot,
    whatever later patterns and the packaged list say."""

    name: str
    kind: str
    pattern: str
    allows: bool = False


class BadPattern(ValueError):
    """A pattern that cannot be used, or would leave nobody."""


def packaged_rule_of(user_agent: str) -> str | None:
    """The first rule of the packaged list that matches, or None."""
    for any_of, rules in _CHUNKS:
        if any_of.search(user_agent):
            return next(rule for rule in rules if re.search(rule, user_agent))
    return None


class Judge:
    """Some patterns, of which the first that matches decides. Raises BadPattern."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self._agents = [
            (index, compile_agent(pattern.pattern))
            for index, pattern in enumerate(patterns)
            if pattern.kind == Kind.USER_AGENT
        ]
        self._any_agent = _any_of(p.pattern for p in patterns if p.kind == Kind.USER_AGENT)
        self._networks: dict[tuple[int, int], dict[int, int]] = {}
        for index, pattern in enumerate(patterns):
            if pattern.kind == Kind.NETWORK:
                self._add_network(index, pattern.pattern)

    def _add_network(self, index: int, text: str) -> None:
        network = read_network(text)
        size = network.version, network.max_prefixlen - network.prefixlen
        self._networks.setdefault(size, {}).setdefault(
            int(network.network_address) >> size[1], index
        )

    def agent_match(self, user_agent: str) -> int | None:
        """The place of the first pattern that the user agent matches."""
        if not self._agents:
            return None
        text = user_agent.encode("utf-8", "replace").decode()
        if self._any_agent is not None and self._any_agent.search(text) is None:
            return None
        return next((index for index, found in self._agents if found.search(text)), None)

    def network_match(self, ip: str) -> int | None:
        """The place of the first network that holds the address."""
        if not self._networks or not ip:
            return None
        address = ip_address(ip)
        number = int(address)
        found = (
            networks.get(number >> bits)
            for (version, bits), networks in self._networks.items()
            if version == address.version
        )
        return min((index for index in found if index is not None), default=None)

    def decide(self, agent: int | None, network: int | None) -> Pattern | None:
        """The pattern that decides, by the places of the first matches; None: none of these."""
        matches = [index for index in (agent, network) if index is not None]
        return self._patterns[min(matches)] if matches else None

    def rule_of(self, user_agent: str, ip: str) -> Pattern | None:
        """The pattern that decides; None: none of these, and the packaged list is asked."""
        return self.decide(self.agent_match(user_agent), self.network_match(ip))


def check_pattern(pattern: Pattern) -> None:
    """Raises BadPattern unless it can be used and leaves somebody."""
    if not pattern.pattern or len(pattern.pattern.encode("utf-8", "replace")) > MAX_PATTERN:
        raise BadPattern(f"a pattern has 1 to {MAX_PATTERN} bytes")
    if not pattern.pattern.isprintable():
        raise BadPattern("the pattern holds characters that do not print")
    if pattern.kind == Kind.NETWORK:
        if read_network(pattern.pattern).prefixlen == 0:
            raise BadPattern("this network holds every address")
        return
    found = compile_agent(pattern.pattern)
    if found.programsize > MAX_PROGRAM:
        raise BadPattern("the pattern repeats too much")
    if all(found.search(browser) for browser in _BROWSERS):
        raise BadPattern("the pattern matches every usual browser")


def steps_of(pattern: Pattern) -> int:
    """How long a look with it takes at worst, in instructions. Raises BadPattern."""
    if pattern.kind == Kind.NETWORK:
        return 0
    return int(compile_agent(pattern.pattern).programsize)


def compile_agent(pattern: str) -> Any:
    """Raises BadPattern."""
    try:
        return re2.compile(pattern, _options())
    except re2.error as error:
        raise BadPattern(f"not a regular expression of RE2: {_message(error)}") from None


def read_network(text: str) -> Any:
    """Raises BadPattern."""
    try:
        return ip_network(text)
    except ValueError:
        raise BadPattern(f"{text[:60]!r} is not a network such as 192.0.2.0/24") from None


def is_address(text: str) -> bool:
    """Whether it is an address that a network may hold."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _any_of(patterns: Iterable[str]) -> Any:
    """One look for all, where one expression can hold them; it names no pattern."""
    together = "|".join(f"(?:{pattern})" for pattern in patterns)
    # A quotation that one of them leaves open would go on into the next.
    if not together or "\\Q" in together:
        return None
    try:
        return re2.compile(together, _options())
    except re2.error:
        return None


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    # Its messages go to standard error, and quote what somebody wrote.
    options.log_errors = False
    return options


def _message(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
