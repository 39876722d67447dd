"""Preparers with a step that a poisonous event ends, by its title; a child process imports them."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from shared.keys import read_private_keys
from tests.writer_world import NOON, SEAL_KEY
from writer.draft import Draft
from writer.enrich.pipeline import Step
from writer.enrich.place import Geo
from writer.prepare import Preparer


def _work(drafts: Sequence[Draft]) -> None:
    for draft in drafts:
        match draft.beacon.title:
            case "exit":
                os._exit(1)
            case "loop":
                while True:
                    pass
            case "sleep":
                time.sleep(3_600)


def make_poisoned(database: str, seal_key: str = SEAL_KEY) -> Preparer:
    """``seal_key``: the test's, which a child process would make anew."""
    geo = Geo(Path("/nonexistent"))
    made = Preparer(database, read_private_keys(seal_key), geo, lambda: NOON, 1095)
    made.pipeline = (*made.pipeline, Step("poisoned", _work))
    return made
