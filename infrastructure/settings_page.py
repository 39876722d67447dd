"""The reference page of all settings, made from the table that services read them by."""

from collections.abc import Iterable, Iterator

from infrastructure.manifest import Manifest
from shared.settings import Described, describe

_HEAD = """\
# Settings

Made by `./run settings --markdown`; a test fails when it is stale.

Settings are environment variables. `MILLRACE_X_FILE` names a file that holds the value of
`MILLRACE_X`, as secrets are best kept. Lists are parted by commas. A service that finds a setting
it cannot use, or a variable `MILLRACE_…` that is none, does not start: it names all of them at
once, with the nearest name. `millrace settings` prints what is in force, secrets masked.

A checkout reads two more before there are settings: `MILLRACE_CACHE`, the folder for what can be
fetched or built again, and `MILLRACE_STATE`, the folder for data, keys and logs.
"""
_TITLES = {
    ("edge", "drain"): "Edge and drain",
    ("writer",): "Writer",
    ("jobs",): "Jobs",
    ("api",): "API and dashboard",
    ("realtime",): "Realtime gateway",
}
_SHARED = "More than one"


def read_by(manifest: Manifest, variable: str) -> tuple[str, ...]:
    """The services that read a setting. The edge's group lists what its drain reads too."""
    names = [entry.name for entry in manifest.services if variable in entry.reads]
    return tuple(sorted(names, key=["edge", "drain", "writer", "jobs", "api", "realtime"].index))


def settings_page(manifest: Manifest) -> str:
    """Markdown, the same wherever it is made."""
    sections: dict[str, list[Described]] = {title: [] for title in (_SHARED, *_TITLES.values())}
    for row in describe({}):
        sections[_TITLES.get(read_by(manifest, row.variable), _SHARED)].append(row)
    parts = [_section(manifest, title, rows) for title, rows in sections.items() if rows]
    return "\n".join([_HEAD, *parts])


def _section(manifest: Manifest, title: str, rows: Iterable[Described]) -> str:
    shared = title == _SHARED
    head = "| setting | default | unit | meaning |" + (" read by |" if shared else "")
    rule = "|---|---|---|---|" + ("---|" if shared else "")
    lines = [_line(row) for row in rows]
    if shared:
        names = [", ".join(read_by(manifest, row.variable)) for row in rows]
        lines = [f"{line} {name} |" for line, name in zip(lines, names, strict=True)]
    return "\n".join([f"## {title}", "", head, rule, *lines, ""])


def _line(row: Described) -> str:
    default = "**required**" if row.required else f"`{row.default}`" if row.default else "empty"
    marked = f"{row.meaning} (secret)" if row.secret else row.meaning
    return f"| {' | '.join(_cells(f'`{row.variable}`', default, row.unit, marked))} |"


def _cells(*texts: str) -> Iterator[str]:
    return (text.replace("|", "\\|") for text in texts)
