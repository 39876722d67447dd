"""What is past the site's retention is not stored any more."""

from writer.draft import Draft, Dropped

REASON = "retention"


def drop_expired(draft: Draft) -> Draft | Dropped:
    """Drop an event whose day the site does not keep."""
    return Dropped(REASON) if draft.ts < draft.kept_from else draft
