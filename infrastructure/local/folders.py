"""Where a checkout keeps what is not source: a shared cache, and state of its own."""

import hashlib
import os
import tempfile
from pathlib import Path

from infrastructure.problem import Problem

CHECKOUT = Path(__file__).resolve().parents[2]


def cache_folder() -> Path:
    """The folder for what may be fetched or built again, shared by all checkouts."""
    if given := os.environ.get("MILLRACE_CACHE"):
        return Path(given).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/millrace")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "millrace"


def state_folder(purpose: str) -> Path:
    """The folder of this checkout's secrets, data and logs for one purpose (`demo`, `up`).

    Kept outside the checkout, so that `git clean` takes nobody's events; named by a hash of the
    checkout's path, so that two clones do not share a database.
    """
    return _state_base() / checkout_digest() / purpose


def checkout_digest() -> str:
    return hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]


def _state_base() -> Path:
    if given := os.environ.get("MILLRACE_STATE"):
        return Path(given).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/millrace")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "millrace"


def make_folder(folder: Path, mode: int = 0o755) -> Path:
    """Make `folder` and its parents; Problem when that is not allowed or there is no space."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    except OSError as error:
        raise Problem(
            f"The folder {folder} cannot be made ({error.strerror}): "
            "name another one in MILLRACE_CACHE (downloads) or MILLRACE_STATE (data)."
        ) from error
    return folder


def make_scratch_folder(purpose: str) -> Path:
    """A fresh temporary folder that an unprivileged server can reach as well."""
    folder = Path(tempfile.mkdtemp(prefix=f"millrace-{purpose}-"))
    folder.chmod(0o755)
    return folder
