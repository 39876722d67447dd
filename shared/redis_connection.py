"""Redis clients whose every wait is chosen here, not by a library's defaults."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig


def connect(url: str, timeout_s: float, *, connect_timeout_s: float = 0.25) -> Redis:
    """A client that answers or fails within ``timeout_s`` and never sends a command twice.

    A library's retry would repeat an XADD whose reply was lost. Replies are bytes.
    """
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=connect_timeout_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        decode_responses=False,
        health_check_interval=0,
        # On by default, and a server's notice would stretch the timeout to ten seconds.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
