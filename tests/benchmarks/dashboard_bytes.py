"""``dashboard_script_bytes``: all of the dashboard's script by gzip, as a first visit fetches."""

from infrastructure.local.folders import CHECKOUT
from tests.benchmarks.figure import Figure, exact
from tests.benchmarks.tracker_bytes import gzip_bytes

_ASSETS = CHECKOUT / "api" / "dashboard" / "dist" / "assets"


def run(_context: object) -> list[Figure]:
    """Needs the built dashboard."""
    scripts = sorted(_ASSETS.glob("*.js"))
    if not scripts:
        raise RuntimeError("the dashboard is not built")
    sheets = sum(map(gzip_bytes, _ASSETS.glob("*.css")))
    detail = {"files": len(scripts), "style_bytes": sheets}
    return [exact("dashboard_script_bytes", sum(map(gzip_bytes, scripts)), "bytes", **detail)]
