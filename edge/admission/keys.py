"""The secret key of a request, judged by the snapshot where there is one."""

from typing import NamedTuple

from edge.admission.rules import Rules
from shared.errors import Code, Refusal
from shared.keys import api_key_digest
from shared.snapshot import SCOPES

MAX_KEY = 200


class Bearer(NamedTuple):
    """``digest`` travels with the beacon. ``verified``: checked here; if not, the writer will.
    ``site``: the only one it is good for, in lower case, or None for all."""

    digest: bytes
    verified: bool
    site: str | None
    may_import: bool


def read_bearer(authorization: bytes, rules: Rules | None) -> Bearer:
    """Who calls. Raises Refusal: 401 for no known key, 403 for one without the scope."""
    scheme, _, secret = authorization.partition(b" ")
    secret = secret.strip()
    if scheme.lower() != b"bearer" or not 0 < len(secret) <= MAX_KEY or not secret.isascii():
        raise Refusal(Code.UNAUTHENTICATED, "Authorization is not `Bearer` and a key")
    digest = api_key_digest(secret.decode())
    if rules is None:
        return Bearer(digest, verified=False, site=None, may_import=True)
    key = rules.keys.get(digest)
    if key is None:
        raise Refusal(Code.UNAUTHENTICATED, "the key is unknown or revoked")
    may_import = SCOPES.IMPORT in key.scopes
    if not may_import and SCOPES.INGEST not in key.scopes:
        raise Refusal(Code.FORBIDDEN, "the key has neither the ingest nor the import scope")
    site = None if key.site is None else key.site.lower()
    return Bearer(digest, verified=True, site=site, may_import=may_import)
