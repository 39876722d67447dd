"""The class of the screen by its width in CSS pixels."""

from bisect import bisect_right

from msgspec.structs import replace

from writer.draft import Draft

_WIDTHS = (1, 576, 992, 1440)
_CLASSES = ("", "mobile", "tablet", "laptop", "desktop")


def class_of(width: int) -> str:
    """Up to 575 mobile, to 991 tablet, to 1439 laptop, else desktop; 0 is unknown."""
    return _CLASSES[bisect_right(_WIDTHS, width)]


def read_screen(draft: Draft) -> Draft:
    """Add the class of the screen, where the client said its width."""
    width = draft.beacon.width
    return draft if width is None else replace(draft, screen=class_of(width))
