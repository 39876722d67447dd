"""Says that a commit was made, to whoever listens now. A hint: nobody may rely on it."""

import logging
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from writer.store import Outcome

log = logging.getLogger("writer")

CHANNEL = "commits"


async def publish_commits(redis: Redis, outcomes: Sequence[Outcome]) -> None:
    """Publish the greatest of some commit numbers."""
    newest = max((outcome.commit_no for outcome in outcomes), default=0)
    try:
        await redis.publish(CHANNEL, newest)
    except (RedisError, OSError) as error:
        log.debug("commit %d was not announced: %s", newest, type(error).__name__)
