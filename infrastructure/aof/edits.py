"""What has to change in a damaged file, so that Redis loads it and runs every sound command."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from infrastructure.aof.commands import Buffer, Command, Gap, read_commands
from infrastructure.aof.soundness import Words
from infrastructure.aof.stream_ids import EntryId, StreamIds

_EXEC = b"*1\r\n$4\r\nEXEC\r\n"


class Why(StrEnum):
    """What was found."""

    UNREADABLE = "no command that Redis would run"
    FUTURE = "a deletion of what was not yet written"
    NEW_ID = "an entry whose id does not follow"
    TRANSACTION = "a transaction without its end or its beginning"


class Edit(NamedTuple):
    """The bytes from ``at`` to ``end`` become ``put``."""

    at: int
    end: int
    put: bytes
    why: Why

    @property
    def sets_aside(self) -> bool:
        """Whether bytes are taken out, with nothing for them."""
        return self.why in (Why.UNREADABLE, Why.FUTURE)


class Found(NamedTuple):
    """``read``: how far; ``edit``: None for a command that stays as it is."""

    read: int
    edit: Edit | None


class Repair:
    """Walks through the files of one server, in their order."""

    def __init__(self, ids: StreamIds) -> None:
        self._ids = ids
        self._in_transaction = False

    def walk(self, buffer: Buffer) -> Iterator[Found]:
        """Each command of a file and what becomes of it."""
        for piece in read_commands(buffer):
            if isinstance(piece, Gap):
                yield Found(piece.end, Edit(piece.at, piece.end, b"", Why.UNREADABLE))
            else:
                yield Found(piece.end, self._judge(piece))
        if self._in_transaction:
            self._in_transaction = False
            size = len(buffer)
            yield Found(size, Edit(size, size, _EXEC, Why.TRANSACTION))

    def _judge(self, command: Command) -> Edit | None:
        words = command.words
        if not words:
            return None
        name = words[0].upper()
        if name == b"XTRIM" and self._trims_the_future(words):
            return Edit(command.at, command.end, b"", Why.FUTURE)
        if name == b"XADD":
            return self._follow(command, words)
        if name in (b"MULTI", b"EXEC"):
            return self._transact(command, opens=name == b"MULTI")
        self._note(name, words)
        return None

    def _trims_the_future(self, words: Words) -> bool:
        return words[2].upper() == b"MINID" and self._ids.is_future(EntryId.read(words[-1]))

    def _follow(self, command: Command, words: Words) -> Edit | None:
        wanted = EntryId.read(words[2])
        given = self._ids.add(words[1], wanted)
        if given == wanted:
            return None
        # The length of an argument stands before it: `$15\r\n`.
        place, text = command.args[2], given.show()
        at = place.start - len(b"$%d\r\n" % (place.stop - place.start))
        return Edit(at, place.stop, b"$%d\r\n%s" % (len(text), text), Why.NEW_ID)

    def _transact(self, command: Command, opens: bool) -> Edit | None:
        was, self._in_transaction = self._in_transaction, opens
        if opens and was:
            return Edit(command.at, command.at, _EXEC, Why.TRANSACTION)
        if not opens and not was:
            return Edit(command.at, command.end, b"", Why.TRANSACTION)
        return None

    def _note(self, name: bytes, words: Words) -> None:
        if name == b"XSETID":
            self._ids.put_last(words[1], EntryId.read(words[2]))
        elif name == b"RENAME":
            self._ids.rename(words[1], words[2])
        elif name in (b"DEL", b"UNLINK"):
            for key in words[1:]:
                self._ids.forget(key)
        elif name in (b"FLUSHALL", b"FLUSHDB"):
            self._ids.forget_all()
