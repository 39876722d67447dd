"""The key that a replay in a checkout makes for itself, once a site, for what runs there."""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from api.database import open_transaction
from api.keys import find_key, put_key
from api.sites import read_site
from shared.snapshot import SCOPES

LABEL = "replay in a checkout"


class ImportKey(NamedTuple):
    """A key with the import scope; a `new` one has yet to reach the edge."""

    text: str
    new: bool


def own_key(folder: Path, postgres_url: str, site: str) -> ImportKey:
    """The key kept in `folder` for this site, or a new one, kept from now on (file mode 0600).

    It is not revoked at the end: what the edge has taken may still be on its way to the writer,
    which checks the key again. Raises Refusal when there is no such site.
    """
    path = folder / f"replay-{sha256(site.encode()).hexdigest()[:12]}.key"
    kept = path.read_text() if path.exists() else ""
    key = asyncio.run(_find_or_make(postgres_url, site, kept))
    if key.new:
        path.touch(0o600)
        path.write_text(key.text)
    return key


async def _find_or_make(postgres_url: str, site: str, kept: str) -> ImportKey:
    async with open_transaction(postgres_url) as db:
        if kept and await find_key(db, kept):
            return ImportKey(kept, new=False)
        found = await read_site(db, site, datetime.now(UTC))
        _, text = await put_key(db, (SCOPES.INGEST, SCOPES.IMPORT), found.site_id, LABEL)
        return ImportKey(text, new=True)
