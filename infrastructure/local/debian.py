"""Debian packages fetched by apt into a private folder and unpacked there.

Nothing of the system changes: apt gets lists, a cache and a status of its own. Signatures are
checked with the machine's Debian keyring.
"""

import os
import platform
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.apt_sources import Source, debian_mirror, read_sources
from infrastructure.problem import Problem
from infrastructure.progress import Report, step

_KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
)
_POLL_S = 0.3


@dataclass(frozen=True)
class Wanted:
    """Packages of some sources; `skip` are prefixes of dependencies that are not needed."""

    title: str
    packages: Sequence[str]
    sources: Sequence[Source]
    skip: tuple[str, ...] = ()
    # With the machine's own status apt fetches only what the machine does not have.
    status: Path | None = None


@dataclass(frozen=True)
class _Archive:
    file: str
    package: str
    size_bytes: int


def keyring() -> Path | None:
    return next((path for path in _KEYRINGS if path.is_file()), None)


def has_debian_tools() -> bool:
    """Whether this machine can fetch Debian packages and check their signatures."""
    tools = all(shutil.which(tool) for tool in ("apt-get", "dpkg-deb"))
    return tools and keyring() is not None and mirror() is not None


def mirror() -> str | None:
    """The one that the machine's own apt uses."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    return debian_mirror(read_sources(), codename)


def trixie() -> Source:
    """Debian 13, at the machine's own mirror; Problem where it has none."""
    found = mirror()
    if found is None:
        raise Problem("This machine's apt names no mirror of Debian (/etc/apt/sources.list.d).")
    return Source(found, "trixie")


def unpack(wanted: Wanted, root: Path) -> None:
    """Fetch `wanted` and unpack it below `root`; Problem when the mirror cannot be reached."""
    apt = _Apt(root.with_name(f"{root.name}.apt"), wanted)
    try:
        apt.prepare()
        with step(f"Reading the package lists for {wanted.title}"):
            apt.run("update", "--error-on=any")
        archives = apt.needed()
        total = sum(archive.size_bytes for archive in archives)
        with step(f"Downloading {wanted.title} ({total / 1e6:.0f} MB)") as report:
            apt.download(archives, report)
        with step(f"Unpacking {wanted.title}") as report:
            _extract(apt.archives, root, report)
    finally:
        shutil.rmtree(apt.folder, ignore_errors=True)


def _extract(archives: Path, root: Path, report: Report) -> None:
    files = sorted(archives.glob("*.deb"))
    for done, file in enumerate(files):
        report(done, len(files))
        unpacked = subprocess.run(
            ["dpkg-deb", "-x", file, root], capture_output=True, text=True, check=False
        )
        if unpacked.returncode:
            raise Problem(
                f"{file.name} cannot be unpacked ({unpacked.stderr.strip().splitlines()[-1]}): "
                f"see whether there is space for {root.parent}, and try again."
            )


class _Apt:
    """apt with its own lists, cache and status in `folder`."""

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self.folder = folder
        self.archives = folder / "archives"
        self._wanted = wanted

    def prepare(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        for each in ("lists/partial", "cache/archives/partial", "archives"):
            (self.folder / each).mkdir(parents=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text(
            "".join(
                f"deb [signed-by={keyring()}] {source.uri} {source.suite} main\n"
                for source in self._wanted.sources
            )
        )

    def run(self, *arguments: str) -> str:
        done = self._popen(arguments)
        output, errors = done.communicate()
        if done.returncode:
            raise _problem(self._wanted.title, errors)
        return output

    def needed(self) -> list[_Archive]:
        """The packages and what they depend on, without what is skipped."""
        listing = self.run(
            "install", "--yes", "--print-uris", "--no-install-recommends", *self._wanted.packages
        )
        parsed = [_parse_archive(line) for line in listing.splitlines() if line.startswith("'")]
        return [each for each in parsed if not each.package.startswith(self._wanted.skip or ("?",))]

    def download(self, archives: Sequence[_Archive], report: Report) -> None:
        total = sum(archive.size_bytes for archive in archives)
        names = [archive.package for archive in archives]
        process = self._popen(["download", *names])
        ended = threading.Event()
        watcher = threading.Thread(
            target=_watch, args=(self.archives, ended, lambda done: report(done, total))
        )
        watcher.start()
        try:
            _, errors = process.communicate()
        finally:
            ended.set()
            watcher.join()
        if process.returncode:
            raise _problem(self._wanted.title, errors)

    def _popen(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        options = {
            "Dir::Etc::SourceList": self.folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": self.folder / "lists",
            "Dir::State::status": self._wanted.status or self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            # The user _apt cannot write here; and as nobody but root is asked to, none is needed.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        flags = [flag for name, value in options.items() for flag in ("-o", f"{name}={value}")]
        return subprocess.Popen(
            ["apt-get", "-q", *flags, *arguments],
            cwd=self.archives,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _watch(folder: Path, ended: threading.Event, report: Callable[[int], None]) -> None:
    while not ended.wait(_POLL_S):
        report(sum(path.stat().st_size for path in folder.glob("*.deb") if path.exists()))


def _parse_archive(line: str) -> _Archive:
    """A line of --print-uris: 'URI' file size hash."""
    _, file, size, *_ = line.split()
    return _Archive(file, file.split("_")[0], int(size))


def _problem(title: str, errors: str) -> Problem:
    said = [line for line in errors.splitlines() if line.startswith("E:")] or ["E: apt-get failed"]
    if any("space" in line for line in said):
        advice = "free some space, or name a folder on another disk in MILLRACE_CACHE"
    else:
        advice = (
            "check the network and the machine's apt sources, or start the servers of "
            "infrastructure/compose/servers.yaml and set the addresses it names"
        )
    return Problem(f"{title} cannot be fetched ({said[0].removeprefix('E: ')}): {advice}.")
