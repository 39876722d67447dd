"""A volume for one test."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.chaos.volume import Volume, keep_mounts_private

_MAX_BYTES = 16 * 1024**2


def on_volume(folder: Path, body: Callable[[Volume], object]) -> None:
    """In a thread that alone sees what is mounted, and takes it along when it ends."""

    def run() -> None:
        keep_mounts_private()
        made = Volume(folder / "image", folder / "volume", _MAX_BYTES)
        made.make()
        try:
            body(made)
        finally:
            made.remove()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(run).result()
    assert not list((folder / "volume").iterdir())
