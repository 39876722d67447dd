"""The whole product on servers of its own, with a proxy in each way that can fail."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.postgres_server import PostgresServer
from infrastructure.local.processes import Processes
from infrastructure.local.product import Product, make_product
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server import POSTGRES_SETTING, PRIMARY_SETTING
from infrastructure.local.service import Service
from infrastructure.local.stack import LocalStack, fresh_plan, local_stack
from infrastructure.manifest import read_manifest
from shared.failpoints import VARIABLE
from tests.chaos.background import Background
from tests.chaos.proxy import Proxy

_CHANGES = {"MILLRACE_GEO_REFRESH": "false", "MILLRACE_EDGE_TRUSTED_PROXIES": "127.0.0.1/32"}


class ArmedService(Service):
    """Passes on the failpoint too, which is no setting."""

    def _environment(self) -> dict[str, str]:
        armed = {name: text for name, text in self.settings.items() if name == VARIABLE}
        return {**super()._environment(), **armed}


@dataclass(frozen=True)
class Stand:
    """`proxies` by the names of the links in the plan; none on an undisturbed stand."""

    product: Product
    proxies: Mapping[str, Proxy]

    @property
    def primary(self) -> RedisServer:
        assert isinstance(self.product.stack.primary, RedisServer)
        return self.product.stack.primary

    @property
    def spool(self) -> RedisServer:
        assert isinstance(self.product.stack.spool, RedisServer)
        return self.product.stack.spool

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
def disturbed_stand(folder: Path, background: Background) -> Iterator[Stand]:
    """A started stand whose services reach the servers through proxies."""
    stack = _stack(folder)
    targets = {
        "edge-primary": stack.primary_url,
        "writer-primary": stack.primary_url,
        "writer-postgres": stack.postgres_url,
    }
    proxies = {name: background.run(_started(_port(url))) for name, url in targets.items()}
    try:
        with through(_product(folder, stack), proxies) as product:
            yield Stand(product, proxies)
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


async def _started(port: int) -> Proxy:
    proxy = Proxy(port)
    await proxy.start()
    return proxy


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _via(url: str, proxy: Proxy) -> str:
    return url.replace(f":{_port(url)}/", f":{proxy.port}/")
