"""The client's own id of its user, where the site allows it."""

from collections.abc import Sequence

from writer.draft import Draft


def keep_user(drafts: Sequence[Draft]) -> None:
    """Keep ``user_id`` only where the site allows it."""
    for draft in drafts:
        user_id = draft.beacon.user_id
        if user_id is not None and draft.settings.allow_user_id:
            draft.user_id = user_id
