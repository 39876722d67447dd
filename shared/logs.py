"""Logging set up once a process: UTC, text on a terminal, else one JSON object a line.

Nothing logged may hold an address, a query string or a user agent. Client text that must be
named goes through ``%r``, so that it cannot break out of its line.
"""

import logging
import sys
import time
from typing import Any

import msgspec


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}"
            f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "service": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class _TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)sZ %(levelname)-7s %(name)s  %(message)s", "%H:%M:%S")
        self.converter = time.gmtime


def set_up_logs(level: str, style: str) -> None:
    """``style`` is text, json or auto, as the setting says."""
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(_TextFormatter() if text else _JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("uvicorn.access", "uvicorn.error", "httpx", "alembic.runtime"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
