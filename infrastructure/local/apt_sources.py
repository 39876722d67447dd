"""What the machine's own apt sources say: where its mirror is. Reads both formats."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    uri: str
    suite: str


def read_sources(etc: Path = Path("/etc/apt")) -> list[Source]:
    """Every enabled binary source of the machine that has the component `main`."""
    lines = [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]
    stanzas = sorted(etc.glob("sources.list.d/*.sources"))
    found = [source for path in lines if path.is_file() for source in _one_line(path.read_text())]
    return found + [source for path in stanzas for source in _deb822(path.read_text())]


def debian_mirror(sources: Iterable[Source], codename: str) -> str | None:
    """Where the machine itself gets Debian from, its main suite before any other."""
    debian = [source for source in sources if source.uri.rstrip("/").endswith("/debian")]
    main_suite = [source for source in debian if source.suite == codename]
    return next((source.uri for source in main_suite + debian), None)


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        before, _, after = (
            line.partition("]") if "[" in line else ("", "", line.removeprefix("deb"))
        )
        if not line.startswith("deb ") or (before and not after):
            continue
        words = after.split()
        if len(words) >= 3 and "main" in words[2:]:
            yield Source(words[0], words[1])


def _deb822(text: str) -> Iterator[Source]:
    for stanza in text.split("\n\n"):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        if "main" not in fields.get("components", "").split():
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite)


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields
