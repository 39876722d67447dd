"""Where Debian's packages come from: what the machine's own apt sources say."""

from pathlib import Path

from infrastructure.local.apt_sources import Source, debian_mirror, read_sources

_DEB822 = """\
Types: deb
# file:///old/debian
URIs: file:///mirror/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: file:///sources/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: file:///off/debian
Suites: bookworm
Components: main
"""
_ONE_LINE = """\
# deb file:///comment/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] file:///mirror/debian/ bookworm main contrib
deb-src file:///sources/debian bookworm main
deb file:///vendor/apt stable vendor
deb file:///plain/debian bookworm-updates main
"""


def test_stanzas_are_read_with_every_suite_and_without_the_disabled(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(_DEB822)
    assert read_sources(tmp_path) == [
        Source("file:///mirror/debian", "bookworm"),
        Source("file:///mirror/debian", "bookworm-updates"),
    ]


def test_lines_are_read_with_and_without_options(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(_ONE_LINE)
    assert read_sources(tmp_path) == [
        Source("file:///mirror/debian/", "bookworm"),
        Source("file:///plain/debian", "bookworm-updates"),
    ]


def test_the_mirror_is_the_one_of_the_machines_main_suite() -> None:
    sources = [
        Source("file:///security/debian-security", "bookworm-security"),
        Source("file:///mirror/debian", "bookworm"),
    ]
    assert debian_mirror(sources, "bookworm") == "file:///mirror/debian"


def test_a_machine_that_names_its_suite_otherwise_has_the_mirror_all_the_same() -> None:
    sources = [Source("file:///mirror/debian/", "stable"), Source("file:///other/debian", "sid")]
    assert debian_mirror(sources, "trixie") == "file:///mirror/debian/"


def test_without_debian_among_its_sources_there_is_no_mirror() -> None:
    vendor = [Source("file:///vendor/ubuntu", "noble")]
    assert debian_mirror(vendor, "noble") is None
