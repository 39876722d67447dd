"""The class of the screen by its width in CSS pixels."""

from bisect import bisect_right
from collections.abc import Sequence

from writer.draft import Draft
from writer.enrich.remembered import Remembered

_WIDTHS = (1, 576, 992, 1440)
_CLASSES = ("", "mobile", "tablet", "laptop", "desktop")


def class_of(width: int) -> str:
    """Up to 575 mobile, to 991 tablet, to 1439 laptop, else desktop; 0 is unknown."""
    return _CLASSES[bisect_right(_WIDTHS, width)]


_class_of = Remembered(class_of, 10_000)


def read_screen(drafts: Sequence[Draft]) -> None:
    """Add the class of the screen, where the client said its width."""
    for draft in drafts:
        draft.screen = _class_of[draft.beacon.width or 0]
