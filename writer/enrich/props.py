"""Custom properties, of which a site may allow only some, and vitals."""

from collections.abc import Sequence

import msgspec

from shared.beacon import Scalar
from writer.draft import Draft


def read_props(drafts: Sequence[Draft]) -> None:
    """Add the props that the site keeps, and the vitals."""
    for draft in drafts:
        beacon = draft.beacon
        if beacon.props:
            draft.props = _kept(beacon.props, draft.settings.props)
        if beacon.vitals:
            draft.vitals = msgspec.json.encode(beacon.vitals)


def _kept(props: dict[str, Scalar], allowed: tuple[str, ...] | None) -> bytes | None:
    if allowed is not None:
        props = {name: value for name, value in props.items() if name in allowed}
    return msgspec.json.encode(props) if props else None
