"""The whole product on servers of its own, with a proxy in each way that can fail."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from infrastructure.local.folders import make_folder
from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.postgres_server import PostgresServer
from infrastructure.local.processes import Processes
from infrastructure.local.product import Product, make_product
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server import POSTGRES_SETTING, PRIMARY_SETTING, Server
from infrastructure.local.service import Service
from infrastructure.local.stack import LocalStack, fresh_plan, local_stack
from infrastructure.manifest import read_manifest
from shared.failpoints import VARIABLE
from tests.chaos.background import Background
from tests.chaos.line import Line
from tests.chaos.line import obstacle as line_obstacle
from tests.chaos.proxy import Proxy
from tests.chaos.volume import Volume, keep_mounts_private
from tests.chaos.volume import obstacle as volume_obstacle

Say = Callable[[str], None]
_MB = 1024**2
# Sparse: they take what is written. PostgreSQL keeps up to 2 GB of its log.
_VOLUME_BYTES = {"primary": 512 * _MB, "spool": 256 * _MB, "postgres": 4_096 * _MB, "edge": 8 * _MB}
_CHANGES = {"MILLRACE_GEO_REFRESH": "false", "MILLRACE_EDGE_TRUSTED_PROXIES": "127.0.0.1/32"}
_JOURNAL = {"MILLRACE_EDGE_JOURNAL": "on"}


class ArmedService(Service):
    """Passes on the failpoint too, which is no setting."""

    def _environment(self) -> dict[str, str]:
        armed = {name: text for name, text in self.settings.items() if name == VARIABLE}
        return {**super()._environment(), **armed}


@dataclass(frozen=True)
class Stand:
    """`proxies` by the names of the links in the plan, `volumes` by what keeps its data there,
    `line` the way to the primary; none on an undisturbed stand. `journal`: its edge has one."""

    product: Product
    proxies: Mapping[str, Proxy]
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    line: Line | None = None
    journal: bool = False

    @property
    def primary(self) -> RedisServer:
        assert isinstance(self.product.stack.primary, RedisServer)
        return self.product.stack.primary

    @property
    def spool(self) -> RedisServer:
        assert isinstance(self.product.stack.spool, RedisServer)
        return self.product.stack.spool

    @property
    def servers(self) -> dict[str, RedisServer | PostgresServer]:
        return {"postgres": self.postgres, "primary": self.primary, "spool": self.spool}

    @property
    def postgres(self) -> PostgresServer:
        assert isinstance(self.product.stack.postgres, PostgresServer)
        return self.product.stack.postgres


@contextmanager
def undisturbed_stand(folder: Path) -> Iterator[Stand]:
    """A started stand without proxies."""
    with _product(folder, _stack(folder)) as product:
        yield Stand(product, {})


@contextmanager
def disturbed_stand(
    folder: Path, background: Background, seed: int, say: Say, *, journal: bool = False
) -> Iterator[Stand]:
    """A started stand whose services reach the servers through proxies, with a lossy line and
    volumes where there can be such: where not, it says so."""
    stack = _stack(folder)
    with ExitStack() as open_:
        volumes = open_.enter_context(_volumes(folder, stack, say))
        line = open_.enter_context(_line(background, seed, say))
        proxies = open_.enter_context(_proxies(stack, background, line))
        product = _product(folder, stack)
        if journal:
            product = with_settings(product, dict.fromkeys(("edge", "drain"), _JOURNAL))
        product = open_.enter_context(through(product, proxies))
        yield Stand(product, proxies, volumes, line, journal)


@contextmanager
def _volumes(folder: Path, stack: LocalStack, say: Say) -> Iterator[dict[str, Volume]]:
    if reason := volume_obstacle():
        say(f"no power cuts and no full disks here, processes are killed instead: {reason}")
        yield {}
        return
    keep_mounts_private()
    folders = {
        "primary": _folder(stack.primary),
        "spool": _folder(stack.spool),
        "postgres": _folder(stack.postgres),
        "edge": _edge_state(folder),
    }
    images = make_folder(folder / "images")
    volumes = {
        name: Volume(images / name, where, _VOLUME_BYTES[name]) for name, where in folders.items()
    }
    with ExitStack() as made:
        for volume in volumes.values():
            volume.make()
            made.callback(volume.remove)
        yield volumes


@contextmanager
def _line(background: Background, seed: int, say: Say) -> Iterator[Line | None]:
    if reason := line_obstacle():
        say(f"no lost packets here: {reason}")
        yield None
        return
    line = Line(seed)
    background.run(line.start())
    try:
        yield line
    finally:
        background.run(line.stop())


@contextmanager
def _proxies(
    stack: LocalStack, background: Background, line: Line | None
) -> Iterator[dict[str, Proxy]]:
    primary = _port(stack.primary_url)
    proxies = {
        "edge-primary": Proxy(primary, line.far if line else None),
        "writer-primary": Proxy(primary),
        "writer-postgres": Proxy(_port(stack.postgres_url)),
    }
    try:
        for proxy in proxies.values():
            background.run(proxy.start())
        yield proxies
    finally:
        for proxy in proxies.values():
            background.run(proxy.stop())


def through(product: Product, proxies: Mapping[str, Proxy]) -> Product:
    """The same, with edge, drain and writer behind the proxies."""
    to_edge = {PRIMARY_SETTING: _via(product.stack.primary_url, proxies["edge-primary"])}
    to_writer = {
        PRIMARY_SETTING: _via(product.stack.primary_url, proxies["writer-primary"]),
        POSTGRES_SETTING: _via(product.stack.postgres_url, proxies["writer-postgres"]),
    }
    return with_settings(product, {"edge": to_edge, "drain": to_edge, "writer": to_writer})


def with_settings(product: Product, changes: Mapping[str, Mapping[str, str]]) -> Product:
    """The same, not started, with settings that differ by service."""
    services = {
        service.name: ArmedService(
            service.entry,
            {**service.settings, **changes.get(service.name, {})},
            service.log,
            service.ready_path,
        )
        for service in product.services
    }
    return replace(product, services=Processes(services))


def _stack(folder: Path) -> LocalStack:
    return local_stack(folder / "stack", fresh_plan())


def _product(folder: Path, stack: LocalStack) -> Product:
    installation = new_installation(chosen_ports(read_manifest()))
    return make_product(folder, installation, stack, changes=_CHANGES)


def _edge_state(folder: Path) -> Path:
    return folder / "edge"


def _folder(server: Server) -> Path:
    assert isinstance(server, RedisServer | PostgresServer)
    return server.folder


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _via(url: str, proxy: Proxy) -> str:
    return url.replace(f"127.0.0.1:{_port(url)}/", f"{proxy.host}:{proxy.port}/")
