"""From any Python 3.11 to the locked environment: made once a lock file, then handed over to.

Only the standard library may be imported here, directly or indirectly.
"""

if __name__ == "__main__":
    from infrastructure import interrupt

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import NoReturn

from infrastructure.local.cache import locked
from infrastructure.local.folders import CHECKOUT, cache_folder, make_folder
from infrastructure.problem import Problem

LOCK = Path(__file__).with_name("requirements.txt")
BENCH_LOCK = Path(__file__).with_name("requirements-bench.txt")
"""chDB alone, for the benchmarks that compare with it."""
_SIZES = {LOCK: "some 140 MB, 460 MB on disk", BENCH_LOCK: "some 260 MB, 830 MB on disk"}
_LINE_EVERY_S = 2.0


def main() -> NoReturn:
    try:
        python = environment(LOCK)
    except Problem as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
    os.environ["PYTHONPATH"] = str(CHECKOUT)
    # -P: a folder named `infrastructure` where the user stands must not win over the checkout.
    os.execv(python, [str(python), "-P", "-m", "infrastructure.cli", *sys.argv[1:]])  # noqa: S606


def environment(lock: Path) -> Path:
    """The interpreter of an environment with exactly what `lock` names, made when missing."""
    folder = cache_folder() / f"python-{_key(lock)}"
    complete = folder / "complete"
    if complete.exists():
        return folder / "bin" / "python"
    make_folder(folder.parent)
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not complete.exists():
            _make(folder, lock)
            complete.touch()
    return folder / "bin" / "python"


def _key(lock: Path) -> str:
    machine = (platform.machine(), *platform.libc_ver())
    interpreter = "\0".join((sys.version, sys.base_prefix, *machine))
    return hashlib.sha256(lock.read_bytes() + interpreter.encode()).hexdigest()[:16]


def _make(folder: Path, lock: Path) -> None:
    """An environment cannot be moved, so it is made in its place; `complete` says it is whole."""
    if lock in _SIZES:
        print(
            f"To be downloaded, once: Python packages ({_SIZES[lock]}), kept in {folder}.",
            file=sys.stderr,
        )
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise _unmade(folder, error) from error
    _install(folder / "bin" / "python", lock)


def _unmade(folder: Path, error: OSError | subprocess.CalledProcessError) -> Problem:
    said = error.strerror if isinstance(error, OSError) else _last_line(error.output)
    if "space left" in str(said):
        return Problem(
            f"There is no space left for the Python environment {folder}: free some, "
            "or name a folder on another disk in MILLRACE_CACHE."
        )
    return Problem(
        f"The Python environment {folder} cannot be made ({said}): "
        "name another folder in MILLRACE_CACHE."
    )


def _last_line(output: bytes | None) -> str:
    lines = (output or b"").decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "ensurepip failed")


def _install(python: Path, lock: Path) -> None:
    options = ("--require-hashes", "--no-input", "--disable-pip-version-check")
    progress = _Progress(len(re.findall(r"^[\w.-]+==", lock.read_text(), re.MULTILINE)))
    with subprocess.Popen(
        [python, "-P", "-m", "pip", "install", *options, "-r", lock],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as pip:
        assert pip.stdout is not None
        errors = [line for line in map(progress.show, pip.stdout) if "ERROR" in line]
    progress.end()
    if pip.returncode:
        raise _problem(errors)


def _problem(errors: list[str]) -> Problem:
    said = errors[0].strip().removeprefix("ERROR: ") if errors else "pip failed"
    if "space" in said:
        advice = "free some, or name a folder on another disk in MILLRACE_CACHE"
    else:
        advice = "check the network and pip's settings, and try again"
    return Problem(f"The Python packages cannot be installed ({said}): {advice}.")


class _Progress:
    """One line that counts packages on a terminal; elsewhere a line every two seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._shown_at = 0.0
        self._terminal = sys.stderr.isatty()

    def show(self, line: str) -> str:
        if line.startswith("Collecting "):
            self._done += 1
            self._say(f"Fetching Python packages: {self._done} of at most {self._total}")
        elif line.startswith("Installing "):
            self._shown_at = 0.0
            self._say("Installing the Python packages …")
        return line

    def end(self) -> None:
        if self._terminal:
            print(file=sys.stderr)

    def _say(self, text: str) -> None:
        now = time.monotonic()
        if self._terminal:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif now - self._shown_at >= _LINE_EVERY_S:
            self._shown_at = now
            print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    interrupt.hear_again()
    main()
