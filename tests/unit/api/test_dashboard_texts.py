"""Every text of the dashboard's pages is in its catalogues, so that it can be translated."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.local.folders import CHECKOUT

SOURCES = CHECKOUT / "api" / "dashboard" / "src"
PAGES = sorted(SOURCES.rglob("*.svelte"))
_NOT_MARKUP = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1>", re.DOTALL)
_TEXT = re.compile(r">([^<]*[^\W\d_]{2}[^<]*)<")
_SPOKEN = re.compile(r'\b((?:title|alt|aria-label|aria-description)="[^"]*[^\W\d_]{2}[^"]*")')


def spoken(source: str) -> list[str]:
    """Texts and attributes of the markup that a reader would see or hear, but for what comes
    from an expression."""
    markup = "".join(outside_braces(_NOT_MARKUP.sub("", source)))
    return [*map(str.strip, _TEXT.findall(f">{markup}<")), *_SPOKEN.findall(markup)]


def outside_braces(markup: str) -> Iterator[str]:
    depth = 0
    for character in markup:
        depth += character == "{"
        if depth == 0:
            yield character
        depth -= character == "}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(SOURCES)))
def test_a_page_has_no_text_of_its_own(page: Path) -> None:
    assert spoken(page.read_text()) == []


def test_a_text_in_the_markup_would_be_found() -> None:
    source = '<script>a > "b c" < d</script><p title="Hello">{x > {y: 1}.y} wait</p><i>{z}</i>'
    assert spoken(source) == ["wait", 'title="Hello"']
