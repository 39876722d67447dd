"""The commands of an append-only file, each where it stands; what is none is stepped over.

A command is an array of bulk strings: ``*<n>\\r\\n``, and n times ``$<length>\\r\\n<bytes>\\r\\n``.
There is no checksum: a command counts as read when every length and every line end is right.
"""

import mmap
import re
from collections.abc import Iterator
from typing import NamedTuple

from infrastructure.aof.soundness import is_sound

Buffer = bytes | mmap.mmap

_COUNT = re.compile(rb"\*([1-9]\d{0,6})\r\n")
_LENGTH = re.compile(rb"\$(\d{1,9})\r\n")
_HEAD = re.compile(rb"\*[1-9]\d{0,6}\r\n\$\d{1,9}\r\n")
_REMARK = re.compile(rb"#TS:\d{1,12}\r\n")
_MOST_OF_A_WORD = 256
"""No key and no id is longer; values are not looked at."""


class Command(NamedTuple):
    """``args`` are where its arguments lie in the file, the name first; ``words`` what they are,
    long ones cut short. A remark has none."""

    at: int
    end: int
    args: tuple[slice, ...]
    words: tuple[bytes, ...]


class Gap(NamedTuple):
    """Bytes that are no command which Redis would run."""

    at: int
    end: int


def read_commands(buffer: Buffer) -> Iterator[Command | Gap]:
    """All of it, in order and without overlap."""
    at, size = 0, len(buffer)
    while at < size:
        if remark := _REMARK.match(buffer, at):
            yield Command(at, remark.end(), (), ())
            at = remark.end()
        elif (command := _read(buffer, at)) and not _took_a_beginning(buffer, command):
            yield command
            at = command.end
        else:
            end = _next(buffer, at + 1)
            yield Gap(at, end)
            at = end


def _read(buffer: Buffer, at: int) -> Command | None:
    """The command that begins there, if one does."""
    count = _COUNT.match(buffer, at)
    if count is None:
        return None
    args, here = [], count.end()
    for _ in range(int(count[1])):
        length = _LENGTH.match(buffer, here)
        if length is None:
            return None
        first = length.end()
        here = first + int(length[1]) + 2
        if buffer[here - 2 : here] != b"\r\n":
            return None
        args.append(slice(first, here - 2))
    # With too small a count the rest of its arguments follows.
    if _LENGTH.match(buffer, here) or any(_swallows(buffer, arg) for arg in args):
        return None
    words = tuple(buffer[arg.start : min(arg.stop, arg.start + _MOST_OF_A_WORD)] for arg in args)
    return Command(at, here, tuple(args), words) if is_sound(words) else None


def _took_a_beginning(buffer: Buffer, command: Command) -> bool:
    """Whether too large a length took in the first bytes of the command behind."""
    if command.end == len(buffer) or _HEAD.match(buffer, command.end):
        return False
    return _next(buffer, command.at + 1) < command.end


def _swallows(buffer: Buffer, arg: slice) -> bool:
    """Whether too large a length took in the commands behind, up to the end of one of them."""
    if arg.stop - arg.start < len(b"*1\r\n$1\r\nX\r\n"):
        return False
    inner = _HEAD.search(buffer, arg.start, arg.stop)
    return inner is not None and _read_shallow(buffer, inner.start(), arg.stop + 2)


def _read_shallow(buffer: Buffer, at: int, end: int) -> bool:
    """Whether whole commands fill the bytes up to there."""
    while at < end:
        count = _COUNT.match(buffer, at)
        if count is None:
            return False
        at = count.end()
        for _ in range(int(count[1])):
            length = _LENGTH.match(buffer, at)
            if length is None:
                return False
            at = length.end() + int(length[1]) + 2
    return at == end


def _next(buffer: Buffer, at: int) -> int:
    """Where the next command begins, or the end."""
    while found := _HEAD.search(buffer, at):
        if _read(buffer, found.start()) is not None:
            return found.start()
        at = found.start() + 1
    return len(buffer)
