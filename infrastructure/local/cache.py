"""Things made once and kept: made beside their place under a lock, then moved into it."""

import errno
import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.local.folders import cache_folder, make_folder
from infrastructure.problem import Problem

Make = Callable[[Path, Path], None]


def cached(name: str, make: Make) -> Path:
    """The cached folder `name`; when it is missing, `make(temporary, final)` fills it first.

    `make` writes into the temporary folder and may write the final path into files. Two runs side
    by side: the second waits and finds the first one's result. A run that is killed leaves only a
    temporary folder, which the next one removes.
    """
    final = cache_folder() / name
    if final.is_dir():
        return final
    make_folder(final.parent)
    with locked(final.with_name(f"{final.name}.lock")):
        if not final.is_dir():
            _make_and_move(final, make)
    return final


def _make_and_move(final: Path, make: Make) -> None:
    for leftover in final.parent.glob(f"{final.name}.part-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{final.name}.part-", dir=final.parent))
    temporary.chmod(0o755)
    try:
        make(temporary, final)
        temporary.rename(final)
    except OSError as error:
        raise space_problem(error, final) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def space_problem(error: OSError, final: Path) -> Exception:
    """A Problem when `error` says that the disk is full, else `error` itself."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return Problem(
        f"There is no space left for {final}: free some, or name a folder on another disk "
        "in MILLRACE_CACHE."
    )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; whoever comes second waits."""
    try:
        file = path.open("w")
    except OSError as error:
        raise Problem(
            f"The cache folder {path.parent} cannot be written ({error.strerror}): "
            "name another one in MILLRACE_CACHE."
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
