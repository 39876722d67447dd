"""Programs from the suite of Debian that this machine itself runs, beside its own libraries."""

from collections.abc import Sequence
from pathlib import Path

from infrastructure.local.apt_sources import read_sources
from infrastructure.local.debian import Wanted, unpack

# A second C library beside the machine's own loader would crash.
_SKIP = ("libc6", "libc-bin", "locales")
_STATUS = Path("/var/lib/dpkg/status")


def unpack_own(title: str, packages: Sequence[str], temporary: Path, final: Path) -> str:
    """Unpack what the machine lacks of `packages` below `temporary`, and return where their
    libraries will be once that is `final`, as LD_LIBRARY_PATH wants it."""
    sources = [each for each in read_sources() if "debian" in each.uri]
    unpack(Wanted(title, packages, sources, _SKIP, _STATUS), temporary)
    folders = sorted({file.parent for file in temporary.glob("usr/lib/*-linux-*/**/*.so*")})
    return ":".join(str(final / folder.relative_to(temporary)) for folder in folders)
