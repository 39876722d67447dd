"""``python -m realtime``: the gateway, with the settings of the environment."""

import asyncio
import logging
import os
import sys

from realtime.app import run
from shared.logs import set_up_logs
from shared.settings import BadSettings, RealtimeSettings, load


def main() -> int:
    """Exit code: 1 where it cannot start, with one sentence that says why."""
    try:
        settings = load(RealtimeSettings, os.environ)
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 1
    set_up_logs(settings.log_level, settings.log_format)
    # At its more talkative levels it would log query strings, and with them tickets.
    logging.getLogger("websockets").setLevel(logging.WARNING)
    try:
        asyncio.run(run(settings))
    except OSError as error:
        address = f"{settings.realtime_host}:{settings.realtime_port}"
        print(f"The gateway cannot listen on {address}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
