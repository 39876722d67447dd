"""The Markdown that people read: its pages, their code blocks, links, headings and inline code."""

import re
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.folders import CHECKOUT

DOCS = CHECKOUT / "infrastructure" / "docs"
PAGES = [CHECKOUT / "README.md", *sorted(DOCS.rglob("*.md"))]

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block; `info` is what stands behind the opening fence, `line` counts from 1."""

    page: Path
    line: int
    info: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(CHECKOUT)}:{self.line}"

    @property
    def is_shell(self) -> bool:
        return self.info.split(" ")[0] in ("sh", "bash", "shell", "console")

    @property
    def not_run_here(self) -> str | None:
        """Why it is not run; None where it is."""
        _, _, more = self.info.partition(" ")
        return more.partition(":")[2].strip() if more.startswith("not-run-here") else None


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found["info"].strip(), found["text"])
        for found in _FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """Without the fenced blocks."""
    return _FENCE.sub("", page.read_text())


def inline_code(page: Path) -> list[str]:
    return _INLINE.findall(prose(page))


def links(page: Path) -> list[str]:
    return _LINK.findall(_INLINE.sub("", prose(page)))


def anchors(page: Path) -> set[str]:
    """The fragments that its headings make, as GitHub makes them."""
    made: dict[str, int] = {}
    found = set()
    for heading in _HEADING.findall(prose(page)):
        slug = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
        times = made.get(slug, 0)
        made[slug] = times + 1
        found.add(f"{slug}-{times}" if times else slug)
    return found
