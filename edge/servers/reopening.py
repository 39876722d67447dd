"""Takes a stream of the spool back from the greatest id there is, after which Redis refuses every
XADD: one forged entry would leave the edge without a reserve for good."""

from enum import IntEnum
from typing import Any

from redis.asyncio import Redis

_MOST = 1_000
"""Entries that are copied in one step, in which the spool does nothing else."""
# The last id of a stream cannot be lowered, only a new stream has a lower one. An error leaves the
# old one as it is: its name is given away last. A worker's XADD cannot come in between.
_REOPEN = """
local info, last, added = redis.call('XINFO', 'STREAM', KEYS[1]), nil, 0
for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then last = info[at + 1] end
    if info[at] == 'entries-added' then added = info[at + 1] end
end
local most = '18446744073709551615'
if last ~= most .. '-' .. most then return 0 end
local length = redis.call('XLEN', KEYS[1])
if length > tonumber(ARGV[1]) then return 1 end
if length == 0 then
    redis.call('DEL', KEYS[1])
    return 2
end
redis.call('DEL', KEYS[2])
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
    local id = entry[1]
    if string.sub(id, 1, #most) == most then id = '*' end
    last = redis.call('XADD', KEYS[2], id, unpack(entry[2]))
end
redis.call('XSETID', KEYS[2], last, 'ENTRIESADDED', added, 'MAXDELETEDID', '0-0')
redis.call('RENAME', KEYS[2], KEYS[1])
return 2
"""


class Reopened(IntEnum):
    """What became of it. ``NOT_YET``: it holds too much, the drain has to empty it first."""

    WAS_OPEN = 0
    NOT_YET = 1
    REOPENED = 2


async def reopen(spool: Redis, stream: str) -> Reopened:
    """Entries keep their order; those with the last ids get ids of now, and none leaves the stream.
    Raises RedisError, OSError."""
    asking: Any = spool.eval(_REOPEN, 2, stream, f"{stream}:reopened", str(_MOST))
    return Reopened(int(await asking))
