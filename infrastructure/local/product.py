"""The whole product on this machine: servers, a migrated database, an edge and every service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psycopg

from infrastructure.local.folders import make_folder
from infrastructure.local.installation import EDGE, Installation
from infrastructure.local.processes import Processes, make_processes
from infrastructure.local.running import drop_running, put_running
from infrastructure.local.server import POSTGRES_SETTING, PRIMARY_SETTING, SPOOL_SETTING
from infrastructure.local.stack import LocalStack
from infrastructure.manifest import Manifest, read_manifest
from infrastructure.secret_file import put_secret
from writer.migrate import upgrade


@dataclass(frozen=True)
class Product:
    """A context manager. `stack` holds the servers, `services["writer"]` and so on the processes;
    each can be killed, paused and started by itself. `settings` are all settings in force,
    and other verbs find them in `folder` while it runs.
    """

    stack: LocalStack
    services: Processes
    settings: Mapping[str, str] = field(repr=False)
    folder: Path

    @property
    def edge_url(self) -> str:
        return self.settings["MILLRACE_EDGE_URL"]

    @property
    def api_url(self) -> str:
        return self.settings["MILLRACE_API_URL"]

    @property
    def live_url(self) -> str:
        return self.settings["MILLRACE_LIVE_URL"]

    @property
    def postgres_url(self) -> str:
        return self.stack.postgres_url

    def start(self) -> None:
        """Servers, migrations, the registered edge, then the services, until all are ready."""
        try:
            self.start_servers()
            self.services.start()
            put_running(self.folder, self.settings)
        except BaseException:
            self.close()
            raise

    def start_servers(self) -> None:
        """Everything but the services."""
        self.stack.start()
        upgrade(self.postgres_url)
        with psycopg.connect(self.postgres_url) as connection:
            connection.execute("insert into edge (edge) values (%s) on conflict do nothing", [EDGE])

    def close(self) -> None:
        drop_running(self.folder)
        self.services.stop()
        self.stack.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_product(
    folder: Path,
    installation: Installation,
    stack: LocalStack,
    *,
    changes: Mapping[str, str] | None = None,
    manifest: Manifest | None = None,
) -> Product:
    """The product over `stack` with data and logs below `folder`; `changes` are settings that win
    over the installation's."""
    settings = {
        **_keys_in_a_file(installation.settings(), folder / "seal-keys"),
        PRIMARY_SETTING: stack.primary_url,
        SPOOL_SETTING: stack.spool_url,
        POSTGRES_SETTING: stack.postgres_url,
        "MILLRACE_EDGE_STATE_DIR": str(make_folder(folder / "edge", 0o700)),
        "MILLRACE_GEO_DIR": str(folder / "geo"),
        "MILLRACE_ARCHIVE_FOLDER": str(folder / "archive"),
        **(changes or {}),
    }
    processes = make_processes(manifest or read_manifest(), settings, folder / "logs")
    return Product(stack, processes, settings, folder)


def _keys_in_a_file(settings: dict[str, str], file: Path) -> dict[str, str]:
    """The sealing keys where `keys rotate` can change them and the writer notices."""
    first = settings.pop("MILLRACE_SEAL_KEYS")
    if not file.exists():
        put_secret(make_folder(file.parent) / file.name, first)
    return {**settings, "MILLRACE_SEAL_KEYS_FILE": str(file)}
