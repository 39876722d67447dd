"""Real servers for every test: started once a session, a fresh database and empty Redis a test."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from infrastructure.local.account import server_account
from infrastructure.local.chromium import ARGUMENTS, chromium_path
from infrastructure.local.folders import make_scratch_folder
from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.ports import free_ports
from infrastructure.local.postgres_server import PostgresServer
from infrastructure.local.product import Product, make_product
from infrastructure.local.redis_server import RedisServer
from infrastructure.local.server import POSTGRES_SETTING, GivenServer
from infrastructure.local.server_programs import server_programs
from infrastructure.local.stack import LocalStack, fresh_plan, local_stack
from infrastructure.local.templates import Templates
from infrastructure.manifest import read_manifest

_TESTS = Path(__file__).parent
_WAITS_FOR_PROCESSES = ("integration", "browser", "journeys")

# The same examples in every run, and no deadline of 200 ms for one: what fails here fails anywhere.
# ``--hypothesis-profile default`` looks for others.
settings.load_profile("ci")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that waits for real processes is tried once more when it fails, and the run ends with
    what it failed of: a machine that stands still for a moment is not a fault of the product.

    Where a seed, a model or a pure function decides (chaos, properties, unit), a failure stands.
    ``./run test --fail-on-flaky`` lets no second try pass.
    """
    for item in items:
        if item.path.relative_to(_TESTS).parts[0] in _WAITS_FOR_PROCESSES:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder of this session that the servers' own user can enter."""
    folder = make_scratch_folder("tests")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stack(scratch: Path) -> Iterator[LocalStack]:
    """A primary, a spool and a database on free ports; do not stop or pause these."""
    with local_stack(scratch / "stack", fresh_plan()) as started:
        yield started


@pytest.fixture(scope="session")
def templates(stack: LocalStack) -> Templates:
    assert isinstance(stack.postgres, PostgresServer)
    _stop_autovacuum(stack.postgres)
    made = Templates(stack.postgres)
    made.make_template()
    return made


@pytest.fixture
def database(templates: Templates) -> Iterator[str]:
    """The libpq URL of a database with all migrations applied and no rows."""
    name = templates.clone()
    yield templates.server.database_url(name)
    templates.drop(name)


@pytest.fixture
def primary(stack: LocalStack) -> str:
    """The URL of the emptied primary Redis."""
    return _emptied(stack.primary)


@pytest.fixture
def spool(stack: LocalStack) -> str:
    """The URL of the emptied spool Redis."""
    return _emptied(stack.spool)


@pytest.fixture
def redis_server(scratch: Path) -> Iterator[Callable[..., RedisServer]]:
    """Starts Redis servers that a test may stop, kill, pause and resume; `max_bytes` bounds one."""
    started: list[RedisServer] = []

    def start(max_bytes: int = 0) -> RedisServer:
        folder = Path(tempfile.mkdtemp(prefix="redis-", dir=scratch))
        server = RedisServer(
            server_programs().redis, folder, free_ports(1)[0], "test", max_bytes, server_account()
        )
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def postgres_server(scratch: Path) -> Iterator[PostgresServer]:
    """A started PostgreSQL of this test's own, without migrations, to be stopped and killed."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=scratch))
    server = PostgresServer(
        server_programs().postgres, folder, free_ports(1)[0], "test", server_account()
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def millrace(
    scratch: Path, database: str, redis_server: Callable[..., RedisServer]
) -> Iterator[Product]:
    """The whole product on free ports, a fresh database and two Redis servers of its own."""
    folder = Path(tempfile.mkdtemp(prefix="millrace-", dir=scratch))
    stack = LocalStack(redis_server(), redis_server(), GivenServer(database, POSTGRES_SETTING))
    installation = new_installation(chosen_ports(read_manifest()))
    # The edge believes X-Forwarded-For here, so that a test can be many visitors.
    changes = {"MILLRACE_GEO_REFRESH": "false", "MILLRACE_EDGE_TRUSTED_PROXIES": "127.0.0.1/32"}
    # A disk that stalls for a moment is no spool that hangs, and takes no acknowledgement away.
    changes["MILLRACE_SPOOL_TIMEOUT_S"] = "20"
    with make_product(folder, installation, stack, changes=changes) as started:
        yield started


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium behind Playwright's *sync* API: use it in plain `def` tests, in modules
    without async ones."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGUMENTS))
        yield browser
        browser.close()


def _stop_autovacuum(server: PostgresServer) -> None:
    """An ANALYZE, in any database of the server, holds back for a moment what is settled, and a
    test would not find what it has just stored."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("alter system set autovacuum = off")
        connection.execute("select pg_reload_conf()")


def _emptied(server: object) -> str:
    assert isinstance(server, RedisServer)
    with server.client() as client:
        client.flushall()
    return server.url
