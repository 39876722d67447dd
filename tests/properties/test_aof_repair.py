"""Any file of commands, any damage: what the repair leaves runs, and only what was hit is lost."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.aof.commands import Command, read_commands
from infrastructure.aof.edits import Repair
from infrastructure.aof.soundness import is_sound
from infrastructure.aof.stream_ids import EntryId, StreamIds

_MS = 1_795_405_402_376
_STREAM = b"ingest:test"


def _pack(*words: bytes) -> bytes:
    bulks = [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n%s" % (len(words), b"".join(bulks))


def _entry(number: int, body: bytes) -> bytes:
    return _pack(b"XADD", _STREAM, b"%d-0" % (_MS + number), b"seq", b"%d" % number, b"body", body)


@st.composite
def _files(draw: st.DrawFn) -> list[tuple[bytes, int | None]]:
    """Commands, each with the number of the batch it adds."""
    bodies = draw(st.lists(st.binary(max_size=40), min_size=2, max_size=12))
    file: list[tuple[bytes, int | None]] = [(_pack(b"SELECT", b"0"), None)]
    for number, body in enumerate(bodies):
        inside = draw(st.booleans())
        if inside:
            file.append((_pack(b"MULTI"), None))
        file.append((_entry(number, body), number))
        if draw(st.booleans()):
            file.append((_pack(b"SET", b"probe:test", b"1", b"PXAT", b"%d" % _MS), None))
        if inside:
            file.append((_pack(b"EXEC"), None))
    return file


def _repaired(raw: bytes) -> bytes:
    out, here = [], 0
    for found in Repair(StreamIds(0, _MS + 1_000)).walk(raw):
        if found.edit:
            out += [raw[here : found.edit.at], found.edit.put]
            here = found.edit.end
    return b"".join([*out, raw[here:]])


def _load(raw: bytes) -> set[bytes]:
    """Runs it as Redis would, which stops at an error: the packed fields of every entry."""
    last: dict[bytes, EntryId] = {}
    entries, in_transaction = set(), False
    for command in read_commands(raw):
        assert isinstance(command, Command)
        words = [raw[arg] for arg in command.args]
        assert is_sound(words)
        name = words[0].upper()
        if name == b"XADD":
            entry_id = EntryId.read(words[2])
            assert entry_id > last.get(words[1], EntryId(0, 0))
            last[words[1]] = entry_id
            entries.add(_pack(words[1], *words[3:]))
        elif name in (b"MULTI", b"EXEC"):
            assert in_transaction == (name == b"EXEC")
            in_transaction = name == b"MULTI"
    assert not in_transaction
    return entries


def _fields(command: bytes) -> bytes:
    [found] = read_commands(command)
    assert isinstance(found, Command)
    words = [command[arg] for arg in found.args]
    return _pack(words[1], *words[3:])


@given(_files(), st.data())
def test_flipped_bits_cost_only_the_batches_they_hit(
    file: list[tuple[bytes, int | None]], data: st.DataObject
) -> None:
    raw = bytearray(b"".join(command for command, _ in file))
    bits = data.draw(st.lists(st.integers(0, len(raw) * 8 - 1), min_size=1, max_size=3))
    for bit in bits:
        raw[bit // 8] ^= 1 << bit % 8
    left = _load(_repaired(bytes(raw)))
    for (command, number), end in zip(file, accumulate(len(c) for c, _ in file), strict=True):
        hit = any(end - len(command) <= bit // 8 < end for bit in bits)
        if number is not None and not hit:
            assert _fields(command) in left


@given(_files(), st.data())
def test_a_cut_costs_only_what_lies_behind_it(
    file: list[tuple[bytes, int | None]], data: st.DataObject
) -> None:
    raw = b"".join(command for command, _ in file)
    cut = data.draw(st.integers(0, len(raw)))
    left = _load(_repaired(raw[:cut]))
    for (command, number), end in zip(file, accumulate(len(c) for c, _ in file), strict=True):
        if number is not None and end <= cut:
            assert _fields(command) in left


@given(_files())
def test_a_sound_file_stays_as_it_is(file: list[tuple[bytes, int | None]]) -> None:
    raw = b"".join(command for command, _ in file)
    assert _repaired(raw) == raw
