"""Custom properties, of which a site may allow only some, and vitals."""

import msgspec
from msgspec.structs import replace

from writer.draft import Draft


def read_props(draft: Draft) -> Draft:
    """Add the props that the site keeps, and the vitals."""
    props, vitals = draft.beacon.props, draft.beacon.vitals
    if not props and not vitals:
        return draft
    allowed = draft.settings.props
    if allowed is not None:
        props = {name: value for name, value in props.items() if name in allowed}
    return replace(
        draft,
        props=msgspec.json.encode(props) if props else None,
        vitals=msgspec.json.encode(vitals) if vitals else None,
    )
