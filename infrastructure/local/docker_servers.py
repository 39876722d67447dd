"""The three servers in containers, where this machine has Docker and no programs of its own.

Docker starts a container that has ended by itself; what is here starts, ends and breaks them on
purpose.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from infrastructure.local.folders import CHECKOUT
from infrastructure.problem import Problem

SERVERS = CHECKOUT / "infrastructure" / "compose" / "servers.yaml"
_ASK_WITHIN_S = 20
_ACT_WITHIN_S = 900


def has_docker() -> bool:
    """Whether Docker with its compose plugin is here, and its daemon answers."""
    return shutil.which("docker") is not None and all(
        _succeeds("docker", *asked) for asked in (("compose", "version"), ("info",))
    )


def fetch_images() -> None:
    """The images of servers.yaml that are not here yet. Raises Problem."""
    _docker(["pull", "--quiet", "--policy", "missing"], {})


@dataclass(frozen=True)
class Containers:
    """The containers of one installation: a project of its own, which its data and passwords name,
    so that no two share a volume."""

    folder: Path
    ports: dict[str, int]
    redis_password: str = field(repr=False)
    postgres_password: str = field(repr=False)

    def run(self, *arguments: str) -> None:
        """One compose command for this project. Raises Problem."""
        _docker(["--project-name", self._project, *arguments], self._variables())

    def server(self, name: str) -> "DockerServer":
        """`primary`, `spool` or `postgres`."""
        port = self.ports[name]
        if name == "postgres":
            return DockerServer(
                self,
                name,
                f"postgresql://millrace:{self.postgres_password}@127.0.0.1:{port}/millrace",
            )
        return DockerServer(self, name, f"redis://:{self.redis_password}@127.0.0.1:{port}/0")

    @property
    def _project(self) -> str:
        named = f"{self.folder}\n{self.postgres_password}"
        return f"millrace-{sha256(named.encode()).hexdigest()[:12]}"

    def _variables(self) -> dict[str, str]:
        ports = {f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        return {
            **ports,
            "REDIS_PASSWORD": self.redis_password,
            "POSTGRES_PASSWORD": self.postgres_password,
        }


@dataclass
class DockerServer:
    """One container, as a server that can be reached by its `url` and be made to fail."""

    containers: Containers
    name: str
    url: str = field(repr=False)
    running: bool = field(default=False, init=False)

    def start(self) -> None:
        """Until it answers: its health check says so."""
        if not self.running:
            self.containers.run("up", "--detach", "--wait", "--quiet-pull", self.name)
            self.running = True

    def stop(self) -> None:
        if self.running:
            self.running = False
            self.containers.run("stop", self.name)

    def kill(self) -> None:
        self.running = False
        self.containers.run("kill", self.name)

    def pause(self) -> None:
        self.containers.run("pause", self.name)

    def resume(self) -> None:
        self.containers.run("unpause", self.name)


def _docker(arguments: list[str], variables: dict[str, str]) -> None:
    """One compose command over servers.yaml. Raises Problem with what Docker said last."""
    try:
        ran = subprocess.run(
            ["docker", "compose", "--file", str(SERVERS), *arguments],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ACT_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Problem(f"Docker did not `{arguments[-1]}` in time: see `docker ps`.") from error
    if ran.returncode:
        said = (ran.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Problem(
            f"Docker could not do its part ({said}): start the servers of "
            "infrastructure/compose/servers.yaml by hand and set the addresses it names."
        )


def _succeeds(*command: str) -> bool:
    try:
        ran = subprocess.run(command, capture_output=True, timeout=_ASK_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0
