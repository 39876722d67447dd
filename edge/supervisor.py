"""The parent of the workers: keeps them running, and answers for all of them on the ops port."""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from functools import reduce
from operator import or_
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from uvicorn.supervisors import Multiprocess

from edge.batches.boot_file import BootRecord, Place, read_boots
from edge.http.beacon_protocol import BeaconProtocol
from edge.metrics_folder import MetricsFolder, remove_abandoned
from edge.servers.promise import Weakness, names
from shared.ops import OpsServer
from shared.settings import EdgeSettings

_STALE_AFTER_NS = 5_000_000_000
_BACKLOG = 2_048


class CannotListen(Exception):
    """A port is taken or an address is not ours; the message is for the operator."""


class EdgeServer:
    """Workers under uvicorn's own supervisor, and one ops server."""

    def __init__(self, settings: EdgeSettings) -> None:
        self._settings = settings
        remove_abandoned()
        self._metrics = MetricsFolder()
        # Workers are spawned with this environment; prometheus_client reads it when imported.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self._metrics.path)

    def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises CannotListen."""
        try:
            self._run()
        finally:
            self._metrics.remove()

    def _run(self) -> None:
        settings = self._settings
        listening = _listen(settings.edge_host, settings.edge_port)
        ops_listening = _listen(settings.ops_host, settings.edge_ops_port)
        config = uvicorn.Config(
            "edge.worker:app_from_environment",
            factory=True,
            workers=settings.edge_workers,
            http=BeaconProtocol,
            loop="uvloop",
            ws="none",
            proxy_headers=False,
            server_header=False,
            date_header=False,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=15,
            backlog=_BACKLOG,
        )
        supervisor = Multiprocess(config, sockets=[listening])
        threading.Thread(target=self._serve_ops, args=(ops_listening,), daemon=True).start()
        logging.getLogger("edge").info("listening on %s:%d", settings.edge_host, settings.edge_port)
        supervisor.run()

    def readiness(self) -> dict[str, object]:
        """Whether every worker can store durably now, and the worst place that one would use."""
        now = time.monotonic_ns()
        boots = [record for _, alive, record in read_boots(self._settings.edge_state_dir) if alive]
        places = [
            Place.NOWHERE if now - record.beat_ns > _STALE_AFTER_NS else record.place
            for record in boots
        ]
        where = Place.NOWHERE
        if places and Place.NOWHERE not in places:
            where = max(places)
        return {
            "ready": where is not Place.NOWHERE,
            "stores_at": where.name.lower(),
            "workers": len(places),
            **weaker_promises(boots),
        }

    def _serve_ops(self, listening: socket.socket) -> None:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._metrics.path))  # type: ignore[no-untyped-call]
        server = OpsServer(self._readiness_of_the_living, "", 0, registry)
        asyncio.run(server.serve(sockets=[listening]))

    def _readiness_of_the_living(self) -> dict[str, object]:
        self._forget_the_dead()
        return self.readiness()

    def _forget_the_dead(self) -> None:
        for path in self._metrics.path.glob("gauge_live*_*.db"):
            pid = int(path.stem.rpartition("_")[2])
            if not Path(f"/proc/{pid}").exists():
                mark_process_dead(pid, str(self._metrics.path))  # type: ignore[no-untyped-call]


def weaker_promises(boots: Sequence[BootRecord]) -> dict[str, object]:
    """What any worker has found, by server; nothing where all is fsynced."""
    weak = {
        "primary": reduce(or_, (record.weak[0] for record in boots), Weakness(0)),
        "spool": reduce(or_, (record.weak[1] for record in boots), Weakness(0)),
    }
    found = {server: names(flags) for server, flags in weak.items() if flags}
    return {"weaker_promises": found} if found else {}


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {host}:{port}: {error.strerror}. Stop what uses it, or choose "
            "another port in MILLRACE_EDGE_PORT or MILLRACE_EDGE_OPS_PORT."
        ) from error
    listening.listen(_BACKLOG)
    listening.set_inheritable(True)
    return listening
