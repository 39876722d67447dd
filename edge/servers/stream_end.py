"""Whether an edge's stream was given the greatest id there is: then it takes no entry any more,
while everything else about its server is well."""

import logging
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from shared.stream_state import GREATEST_ID, read_entry_id

_log = logging.getLogger("edge.drain")
# XINFO sends the first and the last entry along, which on a narrow line takes seconds.
_LAST_ID = """
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if info.err then return false end
for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then return info[at + 1] end
end
"""
_FAULT = "takes no entry any more, its last id is the greatest"


class StreamEnd:
    """Of the stream at the primary; said once each time."""

    def __init__(self, primary: Redis, edge: str) -> None:
        self._primary = primary
        self._stream = f"ingest:{edge}"
        self._is_reached = False

    @property
    def faults(self) -> list[str]:
        """For the operator; nothing where all is well."""
        return [_FAULT] if self._is_reached else []

    async def is_reached(self) -> bool:
        """Asks. Where EVAL is forbidden nobody knows, so: no. Raises RedisError, OSError."""
        try:
            asking: Any = self._primary.eval(_LAST_ID, 1, self._stream)
            last_id: bytes | None = await asking
        except NoPermissionError:
            return False
        is_reached = last_id is not None and read_entry_id(last_id) == GREATEST_ID
        if is_reached and not self._is_reached:
            _log.error(
                "%s at the primary %s; the drain waits until somebody has applied the remedy that"
                " the writer's log names",
                self._stream,
                _FAULT,
            )
        self._is_reached = is_reached
        return is_reached
