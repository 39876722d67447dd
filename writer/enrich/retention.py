"""What is past the site's retention is not stored any more."""

from collections.abc import Sequence

from writer.draft import Draft, Dropped

REASON = "retention"


def drop_expired(drafts: Sequence[Draft]) -> None:
    """Drop an event whose day the site does not keep."""
    for draft in drafts:
        if draft.when.expired:
            draft.dropped = Dropped(REASON)
