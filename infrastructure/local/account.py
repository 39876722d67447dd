"""The unprivileged user that servers run as: PostgreSQL refuses to run as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from infrastructure.problem import Problem


@dataclass(frozen=True)
class Account:
    """A user to step down to; `None` everywhere means: stay who we are."""

    name: str
    uid: int
    gid: int

    def give(self, folder: Path) -> None:
        os.chown(folder, self.uid, self.gid)

    def check_reach(self, path: Path) -> None:
        """Problem when this user cannot enter `path`."""
        for folder in (path, *path.parents):
            if not folder.is_dir() or folder.stat().st_mode & 0o001:
                continue
            if folder.stat().st_uid != self.uid:
                raise Problem(
                    f"The servers run as the user {self.name}, who may not enter {folder}: allow "
                    "that, or name other folders in MILLRACE_CACHE and MILLRACE_STATE."
                )


def server_account() -> Account | None:
    """Whom servers run as: `nobody` when we are root, else ourselves (None)."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
