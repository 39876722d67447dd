"""A writer process with a poisonable step: DATABASE PRIMARY SEAL_KEY NAME."""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

from shared.settings import WriterSettings
from tests.poisoned import make_poisoned
from tests.writer_world import SIGNING_KEY
from writer.apart import Apart, Careful
from writer.app import Writer


async def run(database: str, primary: str, seal_key: str, name: str) -> None:
    settings = WriterSettings(
        primary_url=primary,
        postgres_url=database,
        signing_key=SIGNING_KEY,
        seal_keys=seal_key,
        geo_dir=Path("/nonexistent"),
        writer_name=name,
    )
    writer = Writer(settings)
    make = partial(make_poisoned, database, seal_key)
    writer.consumer._preparer = Careful(make(), Apart(make))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, writer.consumer.stop)
    await writer.run()
    await writer.close()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:5]))
