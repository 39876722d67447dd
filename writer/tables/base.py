"""What all tables share."""

from sqlalchemy import DateTime, MetaData, text
from sqlalchemy.types import UserDefinedType

metadata = MetaData()
Instant = DateTime(timezone=True)
NOW = text("now()")
NO_RANGES = text("'{}'::int8multirange")


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"
