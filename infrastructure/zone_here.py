"""Which time zone this machine keeps."""

from pathlib import Path

from api.zones import NAMES


def machine_zone(tz: str | None = None, localtime: Path = Path("/etc/localtime")) -> str:
    """By its IANA name: what the variable TZ says, else the machine; UTC where neither has one."""
    _, _, name = str(localtime.resolve()).partition("/zoneinfo/")
    zone = next((zone for zone in ((tz or "").lstrip(":"), name) if zone in NAMES), "UTC")
    return zone.removeprefix("Etc/") if zone == "Etc/UTC" else zone
