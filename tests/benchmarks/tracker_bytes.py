"""`tracker_core_bytes`, `tracker_full_bytes`: what the tracker weighs, by gzip.

The core is pageview, navigation, events and retry: `core.js` is built from the tracker's own
modules for this figure alone. Pages load `t.js`, which is everything: the core and what makes it
honour Do Not Track, Global Privacy Control and localhost, and say in the console what was not
counted and why.
"""

import gzip
from pathlib import Path

from edge.script import BUILT
from tests.benchmarks.figure import Figure, exact

CORE = BUILT.with_name("core.js")


def run(_context: object) -> list[Figure]:
    """Both figures; needs the built tracker."""
    return [
        exact("tracker_core_bytes", gzip_bytes(CORE), "bytes", served=False),
        exact("tracker_full_bytes", gzip_bytes(BUILT), "bytes", served=True),
    ]


def gzip_bytes(path: Path) -> int:
    """As `gzip -9n` makes it."""
    return len(gzip.compress(path.read_bytes(), compresslevel=9, mtime=0))
