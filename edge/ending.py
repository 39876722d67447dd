"""Ends background tasks for certain."""

import asyncio
from collections.abc import Collection
from typing import Any

_ASK_AGAIN_S = 0.2


async def end_tasks(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel until they are done: a client library that is just connecting may turn a
    cancellation into an error of its own, which a loop then takes for a failed try."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_ASK_AGAIN_S)
