"""What is rolled up, by the names that ``rollup_day.dimension`` and ``rollup_hour.dimension`` hold,
and what is counted of it.

The empty name stands for the site's totals. A declared prop is ``props:<key>``.
"""

TOTAL = ""
NAME = "name"
PAGE = "page"
HOSTNAME = "hostname"
ENTRY_PAGE = "entry_page"
EXIT_PAGE = "exit_page"
PROPS = "props:"

OF_FIRST_EVENT = (
    "source", "channel", "referrer",
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content",
    "country", "region", "city",
    "browser", "browser_version", "os", "os_version", "device",
    "language", "screen",
)  # fmt: skip
"""A visit's, as columns of ``events``."""

OF_VISIT = (ENTRY_PAGE, EXIT_PAGE, *OF_FIRST_EVENT)
OF_EVENT = (NAME, PAGE, HOSTNAME)

MAX_VALUES = 20_000
"""A dimension with more values on one day of a site leaves the rollups of that day."""

SUMS = (
    "visitors",
    "visits",
    "pageviews",
    "events",
    "views",
    "bounced",
    "lasted_ms",
    "engaged_ms",
    "engaged_visits",
    "scroll_pct",
    "scroll_visits",
)
"""What is counted under one key; ``views``, ``bounced`` and ``lasted_ms`` are summed over visits,
``engaged_ms`` and ``scroll_pct`` (the deepest of each visit) over the visits counted beside."""
