"""Where Debian's packages come from: what the machine's own apt sources say."""

from pathlib import Path

from infrastructure.local.apt_sources import Source, debian_mirror, read_sources

_DEB822 = """\
Types: deb
# http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
_ONE_LINE = """\
# deb http://comment.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib
deb-src http://sources.example/debian bookworm main
deb http://vendor.example/apt stable vendor
deb http://plain.example/debian bookworm-updates main
"""


def test_stanzas_are_read_with_every_suite_and_without_the_disabled(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(_DEB822)
    assert read_sources(tmp_path) == [
        Source("http://mirror.example/debian", "bookworm"),
        Source("http://mirror.example/debian", "bookworm-updates"),
    ]


def test_lines_are_read_with_and_without_options(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(_ONE_LINE)
    assert read_sources(tmp_path) == [
        Source("http://mirror.example/debian/", "bookworm"),
        Source("http://plain.example/debian", "bookworm-updates"),
    ]


def test_the_mirror_is_the_one_of_the_machines_main_suite() -> None:
    sources = [
        Source("http://security.example/debian-security", "bookworm-security"),
        Source("http://mirror.example/debian", "bookworm"),
    ]
    assert debian_mirror(sources, "bookworm") == "http://mirror.example/debian"


def test_without_a_mirror_debians_own_is_used() -> None:
    vendor = [Source("http://vendor.example/ubuntu", "noble")]
    assert debian_mirror(vendor, "noble") == "http://deb.debian.org/debian"
