"""The numbers of a boot: what is low, what is void, and what is left when the worker is gone."""

from pathlib import Path

import pytest

from edge.batches.boot import MAX_VOID_RUNS, MAX_VOIDS_TOLD, Boot
from edge.batches.boot_file import BootFile, BootRecord, Place, read_boots
from edge.batches.closing import final_beat
from shared.heartbeat import BootBeat


def test_low_follows_what_is_acknowledged_at_the_primary() -> None:
    boot = Boot(7)
    for _ in range(3):
        boot.at_primary(boot.next_seq(), 0)
    assert (boot.low, boot.last_acked) == (3, 3)


def test_low_stays_below_the_lowest_number_in_the_spool_until_it_is_drained() -> None:
    boot = Boot(7)
    boot.at_primary(boot.next_seq(), 0)
    boot.at_spool(boot.next_seq(), b"100-0", 5_000, 0)
    boot.at_spool(boot.next_seq(), b"100-1", 6_000, 0)
    boot.at_primary(boot.next_seq(), 0)
    assert (boot.low, boot.low_time(9_000, None)) == (1, 5_000)
    boot.drained_before(b"100-1", boot.newest_spooled)
    assert (boot.low, boot.low_time(9_000, None)) == (2, 6_000)
    boot.drained_before(b"101-0", boot.newest_spooled)
    assert (boot.low, boot.low_time(9_000, None)) == (4, 9_000)


def test_an_empty_spool_holds_nothing_of_any_boot() -> None:
    boot = Boot(7)
    boot.at_spool(boot.next_seq(), b"100-0", 5_000, 0)
    boot.drained_before(None, boot.newest_spooled)
    assert (boot.low, boot.has_spooled) == (1, False)


@pytest.mark.parametrize("first", [None, b"101-0"])
def test_what_came_to_the_spool_while_it_was_asked_is_held_still(first: bytes | None) -> None:
    boot = Boot(7)
    boot.at_spool(boot.next_seq(), b"100-0", 5_000, 0)
    asked_with = boot.newest_spooled
    boot.at_spool(boot.next_seq(), b"101-0", 6_000, 0)
    boot.drained_before(first, asked_with)
    assert (boot.low, boot.has_spooled) == (1, True)


def test_what_is_in_memory_holds_the_low_time_back() -> None:
    assert Boot(7).low_time(9_000, 8_000) == 8_000


def test_a_number_given_up_is_void_and_told_until_a_stored_batch_has_named_it() -> None:
    boot = Boot(7)
    boot.gave_up(boot.next_seq())
    boot.gave_up(boot.next_seq())
    assert (boot.untold_voids, boot.low) == ((1, 2), 2)
    boot.at_primary(boot.next_seq(), told=2)
    assert boot.untold_voids == ()
    assert boot.voids == ((1, 2),)


def test_an_outage_of_both_servers_over_hours_is_told_whole(tmp_path: Path) -> None:
    boot, file = Boot(7), BootFile(tmp_path, 7)
    for _ in range(100_000):
        boot.gave_up(boot.next_seq())
    file.write_voids(boot.voids)
    ((_, _, record),) = read_boots(tmp_path)
    assert boot.voids == record.voids == ((1, 100_000),)
    told = len(boot.untold_voids)
    boot.at_primary(boot.next_seq(), told)
    assert (told, boot.untold_voids[0], boot.low) == (MAX_VOIDS_TOLD, told + 1, 100_001)
    assert boot.voids == ((1, 100_000),)


def test_a_boot_file_has_room_for_every_run_that_is_kept(tmp_path: Path) -> None:
    boot, file = Boot(7), BootFile(tmp_path, 7)
    for _ in range(MAX_VOID_RUNS + 1):
        boot.gave_up(boot.next_seq())
        boot.at_primary(boot.next_seq(), 0)
    file.write_voids(boot.voids)
    ((_, _, record),) = read_boots(tmp_path)
    assert record.voids == boot.voids
    assert (len(record.voids), record.voids[0], boot.low) == (MAX_VOID_RUNS, (3, 3), boot.last_seq)


def test_a_boot_file_tells_what_its_worker_wrote_and_that_it_lives(tmp_path: Path) -> None:
    file = BootFile(tmp_path, 0xABCDEF)
    file.write_acked(41)
    file.write_voids(((3, 4), (7, 7)))
    file.write_place(Place.SPOOL)
    ((path, alive, record),) = read_boots(tmp_path)
    assert path.name == "000000abcdef.boot"
    assert alive
    assert (record.boot, record.last_acked, record.place) == (0xABCDEF, 41, Place.SPOOL)
    assert record.voids == ((3, 4), (7, 7))
    file.close()
    assert [alive for _, alive, _ in read_boots(tmp_path)] == [False]


def test_a_worker_without_room_for_its_file_goes_on_and_makes_it_when_there_is(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "state"
    file = BootFile(folder, 7)
    file.write_acked(41)
    file.write_voids(((3, 4),))
    file.make()
    folder.mkdir()
    file.make()
    file.write_place(Place.PRIMARY)
    ((_, alive, record),) = read_boots(folder)
    assert (alive, record.last_acked, record.voids) == (True, 41, ((3, 4),))
    assert record.place is Place.PRIMARY
    file.remove()
    assert list(folder.iterdir()) == []


def test_a_boot_file_tells_the_name_under_which_the_core_knows_the_boot(tmp_path: Path) -> None:
    file = BootFile(tmp_path, 7, "a" * 63)
    file.write_voids(tuple((2 * at, 2 * at) for at in range(1, MAX_VOID_RUNS + 1)))
    ((_, _, record),) = read_boots(tmp_path)
    assert (record.edge, len(record.voids)) == ("a" * 63, MAX_VOID_RUNS)


def test_a_boot_file_of_a_version_that_knew_no_name_is_read_without_one(tmp_path: Path) -> None:
    file = BootFile(tmp_path, 7, "berlin")
    file.write_acked(41)
    file.write_voids(((3, 4),))
    file.close()
    file.path.write_bytes(file.path.read_bytes()[: 56 + 16 * MAX_VOID_RUNS])
    ((_, _, record),) = read_boots(tmp_path)
    assert (record.edge, record.last_acked, record.voids) == ("", 41, ((3, 4),))


@pytest.mark.parametrize("content", [b"", b"junk" * 100])
def test_a_damaged_boot_file_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "000000000001.boot").write_bytes(content)
    assert list(read_boots(tmp_path)) == []


def test_the_last_word_voids_no_number_that_is_stored_though_file_and_heartbeat_are_older() -> None:
    record = BootRecord(7, 1, last_acked=0, place=Place.NOWHERE, beat_ns=0, voids=())
    known = BootBeat(at=1, low=30, low_time=1, last_acked=30)
    beat = final_beat(record, known, now=99, stored=((1, 50), (2**40, 2**40)))
    assert (beat.void, beat.low) == (((51, 51),), 51)


def test_the_last_word_about_a_boot_voids_what_was_in_flight() -> None:
    record = BootRecord(7, 1, last_acked=41, place=Place.PRIMARY, beat_ns=0, voids=((40, 40),))
    known = BootBeat(
        at=1, low=39, low_time=1, last_acked=39, void=((12, 12),), counts={"a": {"received": 9}}
    )
    beat = final_beat(record, known, now=99)
    assert (beat.low, beat.last_acked, beat.low_time, beat.ended) == (42, 41, 99, True)
    assert beat.void == ((12, 12), (40, 40), (42, 42))
    assert beat.counts == {"a": {"received": 9}}


def test_a_boot_that_never_told_anything_is_closed_too() -> None:
    record = BootRecord(7, 1, last_acked=0, place=Place.NOWHERE, beat_ns=0, voids=())
    assert final_beat(record, None, now=99).void == ((1, 1),)
