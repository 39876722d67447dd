"""A Chromium for the browser tests: the machine's own, else from the machine's own suite."""

import shutil
from pathlib import Path

from infrastructure.local.apt_sources import read_sources
from infrastructure.local.cache import cached
from infrastructure.local.debian import Wanted, has_debian_tools, unpack
from infrastructure.problem import Problem

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGES = ("chromium", "fonts-dejavu-core", "fontconfig-config")
# A second C library beside the machine's own loader would crash.
_SKIP = ("libc6", "libc-bin", "locales")
_STATUS = Path("/var/lib/dpkg/status")

_FONTS = """\
<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{root}/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>/tmp/millrace-fontconfig</cachedir>
</fontconfig>
"""
_START = """\
#!/bin/sh
export LD_LIBRARY_PATH={libraries} FONTCONFIG_FILE={root}/fonts.conf
exec {root}/usr/lib/chromium/chromium "$@"
"""


def chromium_path() -> Path:
    """The program to start; Problem when there is none and none can be fetched."""
    if found := next(filter(None, map(shutil.which, _NAMES)), None):
        return Path(found)
    if not has_debian_tools():
        raise Problem("The browser tests need Chromium: install it, and try again.")
    return cached("chromium-1", _make) / "chromium"


def _make(temporary: Path, final: Path) -> None:
    sources = [each for each in read_sources() if "debian" in each.uri]
    unpack(Wanted("Chromium", _PACKAGES, sources, _SKIP, _STATUS), temporary)
    folders = sorted({path.parent for path in temporary.glob("usr/lib/*-linux-*/**/*.so*")})
    libraries = ":".join(str(final / folder.relative_to(temporary)) for folder in folders)
    (temporary / "fonts.conf").write_text(_FONTS.format(root=final))
    start = temporary / "chromium"
    start.write_text(_START.format(root=final, libraries=libraries))
    start.chmod(0o755)
