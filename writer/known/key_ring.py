"""The writer's private sealing keys, read anew when their file changes."""

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from nacl.public import PrivateKey

from shared.keys import public_seal_key, read_private_keys

log = logging.getLogger("writer")


class KeyRing(Mapping[str, PrivateKey]):
    """Private keys by id, the newest first.

    A key that was known once stays known until the writer ends: whatever becomes of the file,
    batches on their way still open. ``file``: where ``text`` came from, if it came from a file.
    """

    def __init__(self, text: str, file: Path | None = None) -> None:
        self._file = file
        self._stamp: tuple[int, ...] | None = None
        self._keys: dict[str, PrivateKey] = {}
        self.publics: tuple[str, ...] = ()
        self._take(text)

    def refresh(self) -> None:
        """Take what the file holds, if it has changed; one that cannot be used changes nothing."""
        if self._file is None:
            return
        try:
            stamp = _stamp(self._file)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._take(self._file.read_text())
        except (OSError, ValueError) as error:
            log.error("the file of sealing keys cannot be used (%s)", type(error).__name__)

    def _take(self, text: str) -> None:
        """Raises ValueError."""
        keys = read_private_keys(text)
        if not keys:
            raise ValueError("no sealing key")
        if self._keys and next(iter(keys)) != next(iter(self._keys)):
            log.info("batches are sealed to key %s from now on", next(iter(keys)))
        # Whole at once: another thread may be looking a key up.
        self._keys = {**keys, **{key_id: self._keys[key_id] for key_id in self._keys.keys() - keys}}
        self.publics = tuple(map(public_seal_key, text.split()))

    def __getitem__(self, key_id: str) -> PrivateKey:
        if key_id not in self._keys:
            # Another writer may have noticed a rotation, and told the edges, a moment earlier.
            self.refresh()
        return self._keys[key_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _stamp(file: Path) -> tuple[int, ...]:
    found = os.stat(file)
    return found.st_ino, found.st_mtime_ns, found.st_size
