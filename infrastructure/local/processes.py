"""All services of the manifest, started together and ended in order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infrastructure.local.folders import make_folder
from infrastructure.local.service import Service
from infrastructure.manifest import Manifest


@dataclass(frozen=True)
class Processes:
    """The services by name, in the manifest's order."""

    services: Mapping[str, Service]

    def __getitem__(self, name: str) -> Service:
        return self.services[name]

    def __iter__(self) -> Iterator[Service]:
        return iter(self.services.values())

    def start(self) -> None:
        """Start all at once, then wait until each is ready; none is left when one fails."""
        try:
            for service in self:
                service.start()
            for service in self:
                service.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def start_ended(self) -> list[Service]:
        """Start again what has ended; returns which."""
        ended = [service for service in self if not service.running]
        for service in ended:
            service.start()
        return ended

    def stop(self) -> None:
        """The last first: edges before the core, so that what they hand over still arrives."""
        for service in reversed(list(self)):
            service.stop()


def make_processes(manifest: Manifest, settings: Mapping[str, str], logs: Path) -> Processes:
    """The services with their logs in `logs`, none started yet."""
    make_folder(logs)
    return Processes(
        {
            entry.name: Service(entry, settings, logs / f"{entry.name}.log", manifest.health.ready)
            for entry in manifest.services
        }
    )
