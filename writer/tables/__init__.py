"""Every table, as SQLAlchemy Core metadata: what the migrations make and the other services read.

A row of ``events`` is visible as of commit C when
``commit_in <= C and (commit_out is null or commit_out > C)``.
No index holds client text: where such text is a key, its 16-byte digest is, with the text beside.
"""

from writer.rollups.dimensions import SUMS
from writer.tables.access import (
    api_key,
    live_ticket,
    owner,
    session,
    sign_in_link,
    snapshot_version,
)
from writer.tables.archive import archive_file
from writer.tables.base import metadata
from writer.tables.ledger import accepted_loss, batch, boot, commits, edge, edge_count, ledger_count
from writer.tables.rollups import (
    rollup_day,
    rollup_hour,
    rollup_left_out,
    rollup_progress,
    rollup_props,
)
from writer.tables.saved import bot_pattern, exclusion, goal, not_counted, segment
from writer.tables.sites import salt, site, site_day, site_setting
from writer.tables.stored import client_id, dropped, events, left_out, quarantine

__all__ = [
    "SUMS",
    "accepted_loss",
    "api_key",
    "archive_file",
    "batch",
    "boot",
    "bot_pattern",
    "client_id",
    "commits",
    "dropped",
    "edge",
    "edge_count",
    "events",
    "exclusion",
    "goal",
    "ledger_count",
    "left_out",
    "live_ticket",
    "metadata",
    "not_counted",
    "owner",
    "quarantine",
    "rollup_day",
    "rollup_hour",
    "rollup_left_out",
    "rollup_progress",
    "rollup_props",
    "salt",
    "segment",
    "session",
    "sign_in_link",
    "site",
    "site_day",
    "site_setting",
    "snapshot_version",
]
