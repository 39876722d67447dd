"""What every benchmark is given: a folder, real servers once one asks for them, and a voice."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from infrastructure.local.folders import make_scratch_folder
from infrastructure.local.stack import LocalStack, fresh_plan, local_stack


class Context:
    """``stack`` starts PostgreSQL and two Redis servers when it is first asked for."""

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        self.folder = folder
        self._closing = closing

    @cached_property
    def stack(self) -> LocalStack:
        return self._closing.enter_context(local_stack(self.folder / "stack", fresh_plan()))

    @staticmethod
    def say(text: str) -> None:
        """Progress; the figures alone go to standard output."""
        print(text, file=sys.stderr, flush=True)


@contextmanager
def benchmark_context() -> Iterator[Context]:
    """Everything started is ended and its folder removed."""
    folder = make_scratch_folder("bench")
    with ExitStack() as closing:
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        yield Context(folder, closing)
