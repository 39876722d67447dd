"""Which lines of a log are page views."""

from collections.abc import Callable
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import NamedTuple

from infrastructure.replay.access_line import AccessLine
from infrastructure.replay.server_event import fits


class Verdict(StrEnum):
    """What a line is taken for."""

    COUNTED = "counted"
    ASSET = "asset"
    ERROR = "error"
    BOT = "bot"
    OTHER_METHOD = "other method"
    OTHER_HOST = "other host"
    OUT_OF_BOUNDS = "out of bounds"
    UNREADABLE = "unreadable"


SENT = (Verdict.COUNTED, Verdict.BOT)
"""Bots are sent too: the writer marks them, leaves them out of the numbers and shows them."""

_ASSETS = """
    css js mjs cjs map json jsonld webmanifest wasm xml rss atom txt csv
    ico png jpg jpeg gif svg webp avif bmp tif tiff jxl heic woff woff2 ttf otf eot
    mp3 mp4 m4a m4v ogg oga ogv opus wav webm mov avi mkv mpg mpeg flac flv swf m3u8 ts
    pdf doc docx xls xlsx ppt pptx odt ods epub zip gz tgz bz2 xz zst tar rar 7z
    exe msi dmg iso deb rpm apk jar
"""
ASSETS = frozenset(_ASSETS.split())
"""Extensions of what a page is made of or offers for download."""


class Counting(NamedTuple):
    """What counts: requests for ``host``, but for assets that no pattern of ``include`` names.

    A pattern is an extension (``pdf``, ``.pdf``) or a glob over the whole path (``/files/*.zip``).
    """

    host: str
    is_bot: Callable[[str], bool]
    include: tuple[str, ...] = ()

    def verdict(self, line: AccessLine | None) -> Verdict:
        """The one reason for which a line is sent or is not."""
        if line is None:
            return Verdict.UNREADABLE
        if line.host and not _is_same_host(line.host, self.host):
            return Verdict.OTHER_HOST
        if not (200 <= line.status < 300 or line.status == 304):
            return Verdict.ERROR
        if not line.target:
            return Verdict.UNREADABLE
        if line.method != "GET":
            return Verdict.OTHER_METHOD
        if self._is_asset(path_of(line.target)):
            return Verdict.ASSET
        if not fits(line):
            return Verdict.OUT_OF_BOUNDS
        return Verdict.BOT if self.is_bot(line.user_agent) else Verdict.COUNTED

    def _is_asset(self, path: str) -> bool:
        extension = PurePosixPath(path).suffix[1:].lower()
        return extension in ASSETS and not any(
            _matches(pattern, path, extension) for pattern in self.include
        )


def path_of(target: str) -> str:
    """The path of a request's target, without query and fragment."""
    return target.partition("?")[0].partition("#")[0]


def _matches(pattern: str, path: str, extension: str) -> bool:
    if any(sign in pattern for sign in "/*?["):
        return fnmatchcase(path, pattern)
    return pattern.removeprefix(".").lower() == extension


def _is_same_host(logged: str, host: str) -> bool:
    return logged.removeprefix("www.") == host.removeprefix("www.")
