"""Batches sealed by two threads of one process."""

import os
from concurrent.futures import ThreadPoolExecutor

from shared.batch import VERSION, Header, open_sealed, seal
from shared.envelope import PROTOCOL, Envelope, Headers
from shared.keys import new_seal_key, public_seal_key, read_private_keys, read_public_key


def test_threads_that_seal_at_once_do_not_meet_in_the_compressor() -> None:
    key = new_seal_key()
    key_id, public = read_public_key(public_seal_key(key))
    envelope = Envelope(
        1_790_000_000_000_000,
        PROTOCOL,
        "a.example",
        "",
        None,
        False,
        Headers(),
        0,
        None,
        os.urandom(60_000),
    )

    def seal_some(boot: int) -> list[dict[str, bytes]]:
        return [
            seal(Header(VERSION, key_id, "e1", boot, seq, 1, 0), [envelope], public)
            for seq in range(1, 400)
        ]

    with ThreadPoolExecutor(4) as threads:
        entries = [entry for made in threads.map(seal_some, range(1, 9)) for entry in made]
    private = read_private_keys(key)
    for entry in entries:
        raw = {name.encode(): value for name, value in entry.items()}
        assert open_sealed(raw, private).envelopes == [envelope]
