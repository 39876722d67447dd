"""What can be set for a site, with its defaults. Stored with history in ``site_setting``."""

import msgspec

TIME_ZONE = "time_zone"


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one site as of one moment.

    ``time_zone``: IANA name, holds from a midnight on. ``origins``: allowed beside its own domain
    and subdomains. ``excluded``: networks whose beacons are dropped. ``allow_user_id``: store the
    client's ``user_id``. ``props``: keys that are kept (None: all). ``query_params``: names kept in
    the page's address. ``keep_days``: rows and files older are deleted (None: the installation's
    default). ``rows_in_database_days``: rows older leave the database once they are in the archive
    (None: they stay as long as they are kept). ``keep_rollups_days``: rollups older go too, but
    never before the rows (None: they stay for ever).
    ``events_per_s``: its share at each edge.
    """

    time_zone: str = "UTC"
    origins: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    honour_dnt: bool = True
    allow_user_id: bool = False
    props: tuple[str, ...] | None = None
    query_params: tuple[str, ...] = ()
    keep_days: int | None = None
    rows_in_database_days: int | None = None
    keep_rollups_days: int | None = None
    events_per_s: int = 2_000
