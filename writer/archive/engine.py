"""DuckDB as the archive's writer uses it: bounded memory, and a scratch folder for what is over."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

SCRATCH = ".scratch-"


class Engine(NamedTuple):
    """``scratch``: a folder of this engine's own on the archive's disk, gone when it ends."""

    duck: Any
    scratch: Path
    memory_mb: int

    def quoted(self, name: str) -> str:
        """A file of the scratch folder, as a literal."""
        return quoted(self.scratch / name)


@contextmanager
def open_engine(folder: Path, memory_mb: int) -> Iterator[Engine]:
    """One for many days. Raises OSError where the folder cannot be written."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=folder))
    try:
        with duckdb.connect(":memory:") as duck:
            for setting in (
                f"SET memory_limit = '{memory_mb}MB'",
                f"SET temp_directory = {quoted(scratch / 'spill')}",
                "SET preserve_insertion_order = true",
                "SET enable_progress_bar = false",
                "SET autoinstall_known_extensions = false",
                "SET autoload_known_extensions = false",
            ):
                duck.execute(setting)
            yield Engine(duck, scratch, memory_mb)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def quoted(path: Path) -> str:
    """As a literal of SQL."""
    return "'" + str(path).replace("'", "''") + "'"
