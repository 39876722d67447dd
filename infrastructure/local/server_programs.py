"""The programs of the two kinds of server: the machine's own if they suit, else Debian 13's."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.cache import cached
from infrastructure.local.debian import Wanted, has_debian_tools, trixie, unpack
from infrastructure.local.docker_servers import fetch_images, has_docker
from infrastructure.local.elf import is_program, relocate
from infrastructure.local.server import SERVER_SETTINGS
from infrastructure.problem import Problem
from infrastructure.progress import step

_POSTGRES = 17
_REDIS = (7, 2)
_PACKAGES = ("postgresql-17-timescaledb", "redis-server")
# The compiler behind PostgreSQL's jit (off here), and what only installing would run.
_SKIP = ("libllvm", "libz3", "perl", "libperl", "locales", "libc-l10n", "debconf", "procps")


@dataclass(frozen=True)
class ServerPrograms:
    """`postgres` is the folder with initdb and postgres, `redis` the redis-server program."""

    postgres: Path
    redis: Path


def server_programs() -> ServerPrograms:
    """Find or fetch the programs; Problem when this machine has neither them nor Debian's apt."""
    postgres, redis = machine_postgres(), machine_redis()
    if postgres and redis:
        return ServerPrograms(postgres, redis)
    fetched = debian_programs()
    return ServerPrograms(postgres or fetched.postgres, redis or fetched.redis)


def prepare_servers(environment: Mapping[str, str] = os.environ) -> None:
    """Fetch what is missing, so that starting servers takes no time; not when all are given."""
    if all(environment.get(name) for name in SERVER_SETTINGS):
        return
    if needs_docker():
        with step("Fetching PostgreSQL 17 with TimescaleDB and Redis 8 through Docker"):
            fetch_images()
    else:
        server_programs()


def needs_docker() -> bool:
    """Neither programs nor the tools to fetch them, but Docker. Asked only where it matters."""
    here = has_debian_tools() or (machine_postgres() and machine_redis())
    return not here and has_docker()


def debian_programs() -> ServerPrograms:
    if not has_debian_tools():
        raise Problem(
            "There is no PostgreSQL 17 with TimescaleDB and no Redis 7.2 here, and this is not a "
            "Debian with apt, its keyring and a mirror, and no Docker that answers is here: start "
            "the servers of infrastructure/compose/servers.yaml and set the addresses it names."
        )
    root = cached("servers-trixie-1", _make)
    return ServerPrograms(
        root / f"usr/lib/postgresql/{_POSTGRES}/bin", root / "usr/bin/redis-server"
    )


def machine_postgres() -> Path | None:
    """The folder of the newest PostgreSQL on this machine that has TimescaleDB, if any suits."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    if found := shutil.which("postgres"):
        folders.append(Path(found).resolve().parent)
    return next((folder for folder in folders if _suits(folder)), None)


def machine_redis() -> Path | None:
    found = shutil.which("redis-server")
    if found is None:
        return None
    version = re.search(r"v=(\d+)\.(\d+)", _output(found, "--version"))
    suits = version is not None and (int(version[1]), int(version[2])) >= _REDIS
    return Path(found) if suits else None


def _suits(folder: Path) -> bool:
    postgres, config = folder / "postgres", folder / "pg_config"
    version = re.search(r"PostgreSQL\) (\d+)", _output(postgres, "--version"))
    if version is None or int(version[1]) < _POSTGRES or not (folder / "initdb").exists():
        return False
    shared = _output(config, "--sharedir").strip() or f"/usr/share/postgresql/{version[1]}"
    return (Path(shared) / "extension" / "timescaledb.control").exists()


def _major(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


def _output(program: str | Path, argument: str) -> str:
    try:
        ran = subprocess.run([program, argument], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ran.stdout


def _make(temporary: Path, final: Path) -> None:
    title = "PostgreSQL 17, TimescaleDB and Redis 8"
    unpack(Wanted(title, _PACKAGES, [trixie()], _SKIP), temporary)
    folders = (temporary / f"usr/lib/postgresql/{_POSTGRES}/bin", temporary / "usr/bin")
    programs = [path for folder in folders for path in folder.iterdir() if is_program(path)]
    relocate(programs, temporary, final)
