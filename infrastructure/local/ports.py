"""Free ports, and ports that somebody else holds."""

import random
import socket
from collections.abc import Collection, Iterable
from itertools import islice
from typing import NamedTuple

from infrastructure.problem import Problem

_CHOICE = range(10_240, 32_768)
"""Below what Linux gives to outgoing connections: one of these could take the port of a server that
is away for a moment."""


def free_ports(count: int, beside: Collection[int] = ()) -> list[int]:
    """`count` distinct TCP ports that nobody on 127.0.0.1 holds right now, and none of those
    `beside`, which somebody is about to take."""
    choice = random.SystemRandom().sample(_CHOICE, len(_CHOICE))
    free = (port for port in choice if port not in beside and not is_taken(port))
    return list(islice(free, count))


def free_port(wanted: int, beside: Collection[int] = ()) -> int:
    """`wanted` when nobody holds it and it is none of those `beside`, else another."""
    is_free = wanted not in beside and not is_taken(wanted)
    return wanted if is_free else free_ports(1, beside)[0]


def is_taken(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        # As every server does it: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


class Wanted(NamedTuple):
    """A port, for whom, and the setting that changes it; `is_given`: the user has set it."""

    port: int
    who: str
    setting: str
    is_given: bool = False


def check_free(ports: Iterable[Wanted]) -> None:
    """Problem naming the first that another program, or another of them, holds."""
    seen: dict[int, Wanted] = {}
    for wanted in ports:
        other = seen.setdefault(wanted.port, wanted)
        if other is not wanted:
            raise Problem(
                f"Port {wanted.port} is wanted for {other.who} and for {wanted.who}: "
                f"set {wanted.setting} to another number."
            )
        if is_taken(wanted.port):
            way_out = "add --free-ports to let Millrace choose others"
            if wanted.is_given:
                way_out = f"put another number in {wanted.setting}"
            raise Problem(
                f"Port {wanted.port}, wanted for {wanted.who}, is taken by another program: "
                f"stop that one, or {way_out}."
            )


def read_port(setting: str, text: str) -> int:
    """The number that `setting` holds. Raises Problem when it is no port's."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 65_535:
        raise Problem(f"{setting} is no port: it holds {text!r}, and takes 1 to 65535.")
    return int(text)
