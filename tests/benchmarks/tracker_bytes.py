"""`tracker_core_bytes`, `tracker_full_bytes`: what the tracker weighs, by gzip.

The core is pageview, navigation, events and retry, served as `t.core.js`. `t.js` is everything: the
core and what makes it honour Do Not Track, Global Privacy Control and localhost, and say in the
console what was not counted and why.
"""

import gzip
from pathlib import Path

from edge.http.script import BUILT, BUILT_CORE
from tests.benchmarks.figure import Figure, exact


def run(_context: object) -> list[Figure]:
    """Both figures; needs the built tracker."""
    return [
        exact("tracker_core_bytes", gzip_bytes(BUILT_CORE), "bytes"),
        exact("tracker_full_bytes", gzip_bytes(BUILT), "bytes"),
    ]


def gzip_bytes(path: Path) -> int:
    """As `gzip -9n` makes it."""
    return len(gzip.compress(path.read_bytes(), compresslevel=9, mtime=0))
