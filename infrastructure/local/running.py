"""The settings of what runs from this checkout, so that verbs find it with nothing configured."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from infrastructure.local.folders import state_folder
from infrastructure.local.post import Post

PURPOSES = ("up", "demo")
_FILE = "settings.json"


def put_running(folder: Path, settings: Mapping[str, str]) -> None:
    """Say what runs with its data in `folder`. Holds secrets: file mode 0600."""
    temporary = folder / f"{_FILE}.new"
    temporary.touch(0o600)
    temporary.write_bytes(msgspec.json.encode(settings))
    temporary.rename(folder / _FILE)


def drop_running(folder: Path) -> None:
    (folder / _FILE).unlink(missing_ok=True)


def read_running(folder: Path) -> dict[str, str] | None:
    """The settings in force in `folder`; None when nothing runs there, whatever was left behind."""
    path = folder / _FILE
    if Post(folder).pid() is None:
        return None
    return msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else None


def use_running() -> None:
    """Settings that the environment does not name are taken from what runs here."""
    for purpose in PURPOSES:
        settings = read_running(state_folder(purpose))
        if settings:
            for name, value in settings.items():
                os.environ.setdefault(name, value)
            return
