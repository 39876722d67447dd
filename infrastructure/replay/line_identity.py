"""The id of a line: the same at every replay, and another one for each of several equal lines."""

from hashlib import blake2b
from uuid import UUID

REMEMBERED_LINES = 200_000


class LineIdentities:
    """Gives the lines of one file their ids, in order.

    Derived from the line's bytes and its ordinal among the equal lines before it, so that a second
    replay adds nothing and a grown file only what is new. Counted file by file: a file has the same
    ids alone as among its rotated siblings, in any order. Equal lines bear the same second, so
    they stand close together; remembering the last few hundred thousand lines is enough, and the
    memory for it is bounded.
    """

    def __init__(self, remembered: int = REMEMBERED_LINES) -> None:
        self._remembered = remembered
        self._recent: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}

    def identify(self, line: bytes) -> UUID:
        """The id of the next line; white space at its end does not belong to it."""
        text = line.rstrip()
        digest = blake2b(text, digest_size=16).digest()
        ordinal = self._ordinal(digest)
        mixed = blake2b(
            digest + ordinal.to_bytes(8), digest_size=16, person=b"millrace-line"
        ).digest()
        return UUID(bytes=mixed, version=5)

    def _ordinal(self, digest: bytes) -> int:
        ordinal = self._recent.get(digest, self._older.get(digest, 0))
        if len(self._recent) >= self._remembered:
            self._older, self._recent = self._recent, {}
        self._recent[digest] = ordinal + 1
        return ordinal
