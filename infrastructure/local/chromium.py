"""A Chromium for the browser tests: the machine's own, else from the machine's own suite."""

import shutil
from pathlib import Path

from infrastructure.local.cache import cached
from infrastructure.local.debian import has_debian_tools
from infrastructure.local.own_suite import unpack_own
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
    libraries = unpack_own("Chromium", _PACKAGES, temporary, final)
    (temporary / "fonts.conf").write_text(_FONTS.format(root=final))
    start = temporary / "chromium"
    start.write_text(_START.format(root=final, libraries=libraries))
    start.chmod(0o755)
