"""Which key batches are sealed to: the snapshot's newest, or the settings' until one has come."""

from shared import batch
from shared.envelope import Envelope
from shared.keys import read_public_key
from shared.snapshot import Snapshot


class Sealer:
    """Seals to the current key. Raises ValueError at start when the setting is no key."""

    def __init__(self, edge: str, fallback_key: str) -> None:
        self.edge = edge
        self._key_id, self._key = read_public_key(fallback_key)

    def use(self, snapshot: Snapshot) -> None:
        """Seal to the snapshot's first key from now on."""
        if snapshot.seal_keys:
            self._key_id, self._key = read_public_key(snapshot.seal_keys[0])

    def header(
        self, boot: int, seq: int, events: int, low: int, void: tuple[int, ...]
    ) -> batch.Header:
        """The header of a batch that ``seal`` is to seal next."""
        return batch.Header(batch.VERSION, self._key_id, self.edge, boot, seq, events, low, void)

    def seal(self, header: batch.Header, envelopes: list[Envelope]) -> dict[str, bytes]:
        """The fields of the stream entry."""
        return batch.seal(header, envelopes, self._key)
