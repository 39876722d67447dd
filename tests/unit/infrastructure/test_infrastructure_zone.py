"""The zone that a new site is proposed: the machine's."""

from pathlib import Path

import pytest

from infrastructure.zone_here import machine_zone

BERLIN = Path("/usr/share/zoneinfo/Europe/Berlin")


@pytest.mark.parametrize(
    ("tz", "localtime", "zone"),
    [
        (None, BERLIN, "Europe/Berlin"),
        ("", BERLIN, "Europe/Berlin"),
        ("Asia/Tokyo", BERLIN, "Asia/Tokyo"),
        (":Asia/Tokyo", BERLIN, "Asia/Tokyo"),
        ("CET-1CEST", BERLIN, "Europe/Berlin"),
        (None, Path("/usr/share/zoneinfo/No/Where"), "UTC"),
        (None, Path("/nowhere"), "UTC"),
        (None, Path("/usr/share/zoneinfo/Etc/UTC"), "UTC"),
    ],
)
def test_the_variable_comes_before_the_machine_and_no_zone_is_utc(
    tz: str | None, localtime: Path, zone: str
) -> None:
    assert machine_zone(tz, localtime) == zone
