"""The client's own id of its user, where the site allows it."""

from msgspec.structs import replace

from writer.draft import Draft


def keep_user(draft: Draft) -> Draft:
    """Keep ``user_id`` only where the site allows it."""
    if draft.beacon.user_id is None or not draft.settings.allow_user_id:
        return draft
    return replace(draft, user_id=draft.beacon.user_id)
