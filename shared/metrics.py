"""Every metric of every service, with its meaning."""

from prometheus_client import Counter, Gauge, Histogram

# --- edge: a beacon's way in -------------------------------------------------------------------

EDGE_REQUESTS = Counter(
    "millrace_edge_requests", "Answers of the beacon endpoint by HTTP status", ["status"]
)
EDGE_EVENTS = Counter(
    "millrace_edge_events",
    "Events by outcome: acknowledged, dropped:<reason>, refused:<code>",
    ["outcome"],
)
EDGE_BATCHES = Counter(
    "millrace_edge_batches", "Batches acknowledged, by where they were stored", ["where"]
)
EDGE_FLUSH_SECONDS = Histogram(
    "millrace_edge_flush_seconds",
    "Time from sealing a batch to its fsync, by where",
    ["where"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2),
)
EDGE_FAILOVERS = Counter(
    "millrace_edge_failovers",
    "Times the breaker opened, by reason: refused, hung, error, weak",
    ["reason"],
)
EDGE_WEAK_PROMISE = Gauge(
    "millrace_edge_weak_promise",
    "1 where a Redis may lose what it confirms, by server (primary, spool) and what is set wrong",
    ["server", "what"],
    multiprocess_mode="livemax",
)
EDGE_PRIMARY_UP = Gauge(
    "millrace_edge_primary_up",
    "1 while live beacons go to the primary, 0 while they go to the spool",
    multiprocess_mode="livemin",
)
EDGE_BODY_BYTES = Gauge(
    "millrace_edge_body_bytes", "Request bytes held in memory now", multiprocess_mode="livesum"
)
EDGE_CLOCK_OFFSET_SECONDS = Gauge(
    "millrace_edge_clock_offset_seconds",
    "This host's clock behind the primary's; received_at is corrected by it",
    multiprocess_mode="livemax",
)
EDGE_CLOCK_KNOWN = Gauge(
    "millrace_edge_clock_known",
    "1 once the primary's clock was measured; before, received_at is this host's own time",
    multiprocess_mode="livemin",
)
EDGE_CLOCK_ERROR_SECONDS = Gauge(
    "millrace_edge_clock_error_seconds",
    "How far the corrected time may be from the primary's; 0 too while nothing is known",
    multiprocess_mode="livemax",
)
EDGE_CLOCK_AHEAD_SECONDS = Gauge(
    "millrace_edge_clock_ahead_seconds",
    "For so long received_at stands still, because the primary's clock was set back",
    multiprocess_mode="livemax",
)
EDGE_CLOCK_STEPS = Counter(
    "millrace_edge_clock_steps",
    "Times that a clock was seen to be set by 2 s or more: host, primary",
    ["whose"],
)
EDGE_SEEN_BEACONS = Gauge(
    "millrace_edge_seen_beacons",
    "Of the last 256 beacons looked at, in ten minutes at most, by whose they were taken to be: "
    "all, told (by a header that was believed), loopback, private, one_address (the commonest)",
    ["what"],
    multiprocess_mode="livesum",
)
EDGE_SEEN_HEADERS = Gauge(
    "millrace_edge_seen_headers",
    "How many of these had a header in which a proxy names its client, by header",
    ["header"],
    multiprocess_mode="livesum",
)
EDGE_SNAPSHOT_VERSION = Gauge(
    "millrace_edge_snapshot_version", "Version of the snapshot in use", multiprocess_mode="livemin"
)

# --- drain and spool ---------------------------------------------------------------------------

SPOOL_BATCHES = Gauge("millrace_spool_batches", "Batches waiting in the spool")
SPOOL_OLDEST_TIMESTAMP = Gauge(
    "millrace_spool_oldest_timestamp_seconds",
    "When the oldest batch that waits was spooled; 0 while none does",
)
SPOOL_BYTES = Gauge("millrace_spool_bytes", "Memory the spool uses")
SPOOL_HEADROOM_BYTES = Gauge("millrace_spool_headroom_bytes", "Bytes the spool can still take")
SPOOL_HEADROOM_SECONDS = Gauge(
    "millrace_spool_headroom_seconds", "Time until the spool is full at the current rate"
)
SPOOL_SHARE_REFUSALS = Counter(
    "millrace_spool_share_refusals", "Requests refused because their site's share was used up"
)
SPOOL_STREAM_FAULT = Gauge(
    "millrace_spool_stream_fault",
    "1 where the spool's stream is not whole, by what: shortened, went_back, ahead, exhausted",
    ["what"],
)
DRAINED_BATCHES = Counter("millrace_drained_batches", "Batches moved from spool to primary")
JOURNAL_KEPT_BATCHES = Gauge(
    "millrace_journal_kept_batches", "Batches the database has, kept in the spool for a restore"
)
JOURNAL_RESENT_BATCHES = Counter(
    "millrace_journal_resent_batches", "Batches sent again, because they were in neither place"
)
PRIMARY_HEALTHY = Gauge("millrace_drain_primary_healthy", "1 while the drain's probe succeeds")

# --- writer ------------------------------------------------------------------------------------

WRITER_EVENTS = Counter(
    "millrace_writer_events",
    "Events by what became of them: stored, duplicate, dropped, quarantined, waiting",
    ["outcome"],
)
WRITER_WAITING = Gauge(
    "millrace_writer_waiting_events",
    "Events that wait until their day's rows are back from the archive",
)
WRITER_BATCHES = Counter(
    "millrace_writer_batches",
    "Batches by what became of them: new, repeated, quarantined",
    ["outcome"],
)
WRITER_QUARANTINED = Counter(
    "millrace_writer_quarantined", "Envelopes and events set aside, by reason", ["reason"]
)
WRITER_STEP_SECONDS = Counter(
    "millrace_writer_step_seconds", "Time spent in each step from stream to table", ["step"]
)
WRITER_COMMIT_SECONDS = Histogram(
    "millrace_writer_commit_seconds", "Time of one database transaction"
)
WRITER_LAG_ENTRIES = Gauge("millrace_writer_lag_entries", "Entries not yet committed", ["edge"])
WRITER_STREAM_FAULT = Gauge(
    "millrace_writer_stream_fault",
    "1 where an edge's stream is not whole, by what: shortened, went_back, ahead",
    ["edge", "what"],
)
WRITER_STREAM_REMOVED = Counter(
    "millrace_writer_stream_removed_entries",
    "Entries that somebody removed from a stream before a writer had stored them",
    ["edge"],
)
LEDGER_LOST_BATCHES = Gauge(
    "millrace_ledger_lost_batches",
    "Batches that an edge has acknowledged and that are nowhere; anything but 0 is a loss",
    ["edge"],
)
LEDGER_EDGE_HEARD = Gauge(
    "millrace_ledger_edge_heard_timestamp_seconds",
    "When an edge was last heard, by the primary's clock, or when it was added; none once retired",
    ["edge"],
)
WRITER_DATABASE_UP = Gauge("millrace_writer_database_up", "1 while the database takes commits")
WRITER_WEAK_PROMISE = Gauge(
    "millrace_writer_weak_promise",
    "1 where the database may lose what it commits, by what is set wrong",
    ["what"],
)
WRITER_DATABASE_TROUBLES = Counter(
    "millrace_writer_database_troubles",
    "Tries that the database did not take, by why: unreachable, restarting, read_only, disk_full, "
    "short_of_resources, no_answer, locked, collision, weak_promise, other",
    ["why"],
)

ROLLUP_LAG_COMMITS = Gauge(
    "millrace_rollup_lag_commits", "Settled commits that the rollups do not hold yet"
)
ROLLUP_BEHIND_SECONDS = Gauge(
    "millrace_rollup_behind_seconds",
    "Age of the first commit that the rollups do not hold; 0: none",
)
ROLLUP_STEP_SECONDS = Histogram(
    "millrace_rollup_step_seconds", "Time of one step of the rollup stage"
)

# --- archive (of the jobs worker) --------------------------------------------------------------

ARCHIVE_FILES = Gauge("millrace_archive_files", "Site-days that have a file")
ARCHIVE_BYTES = Gauge("millrace_archive_bytes", "Bytes of these files")
ARCHIVE_STALE = Gauge(
    "millrace_archive_stale_files", "Files whose day has changed since; rows answer for it"
)
ARCHIVE_DAMAGED = Gauge(
    "millrace_archive_damaged_files", "Files found missing, cut or altered, and not yet replaced"
)
ARCHIVE_DUE = Gauge(
    "millrace_archive_due_days", "Site-days over for 3 days that have no current file"
)
ARCHIVE_WRITTEN = Gauge(
    "millrace_archive_written_timestamp_seconds", "When a file was last written; 0: never"
)

# --- jobs, api, realtime -----------------------------------------------------------------------

JOBS_DONE = Counter("millrace_jobs", "Jobs by name and outcome: done, failed", ["job", "outcome"])
API_QUERIES = Counter("millrace_api_queries", "Queries by HTTP status", ["status"])
API_ARCHIVE_FAULTS = Counter(
    "millrace_api_archive_faults",
    "Times that a file of the archive could not be read, by what it was: missing, cut, altered, "
    "unreadable",
    ["fault"],
)
API_QUERY_SECONDS = Histogram("millrace_api_query_seconds", "Time to answer a query")
LIVE_SOCKETS = Gauge("millrace_live_sockets", "Open live connections")
LIVE_FRAMES = Counter("millrace_live_frames", "Frames sent, by kind", ["kind"])
LIVE_COMMIT = Gauge("millrace_live_commit", "Settled commit the gateway has reached")
LIVE_CUT_OFF = Counter("millrace_live_cut_off", "Clients cut off because they read too slowly")
