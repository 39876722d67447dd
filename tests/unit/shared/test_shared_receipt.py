"""Receipts: ids that say where the edge counted an event."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared import receipt

BOOTS = st.integers(0, (1 << 48) - 1)
SEQS = st.integers(1, receipt.MAX_SEQ)
INDEXES = st.integers(0, receipt.MAX_INDEX)


@given(BOOTS, SEQS, INDEXES)
def test_a_counted_id_gives_its_place_back(boot: int, seq: int, index: int) -> None:
    event_id = UUID(int=receipt.counted(boot, seq, index))
    assert event_id.version == 8
    assert receipt.place(event_id) == receipt.Place(boot, seq, index)


@given(BOOTS, SEQS, INDEXES)
def test_a_batchs_ids_are_written_alike_in_one_go_and_one_by_one(
    boot: int, seq: int, index: int
) -> None:
    assert receipt.counted_text(boot, seq, index) == receipt.text(receipt.counted(boot, seq, index))


@given(BOOTS, st.tuples(SEQS, INDEXES), st.tuples(SEQS, INDEXES))
def test_ids_of_one_boot_sort_by_number_and_index(
    boot: int, one: tuple[int, int], other: tuple[int, int]
) -> None:
    ids = [UUID(int=receipt.counted(boot, *place)) for place in sorted((one, other))]
    assert ids == sorted(ids)


@given(st.text(max_size=253), st.uuids())
def test_a_derived_id_is_the_same_at_every_try_and_is_never_taken_for_a_counted_one(
    site: str, client_id: UUID
) -> None:
    first, second = receipt.derived(site, client_id), receipt.derived(site, client_id)
    assert first == second
    assert UUID(int=first).version == 8
    assert receipt.place(UUID(int=first)) is None


@given(st.uuids())
def test_the_text_form_is_the_usual_one(some: UUID) -> None:
    assert receipt.text(some.int) == str(some)


def test_another_sites_event_with_the_same_client_id_is_another_event() -> None:
    client_id = UUID(int=7)
    assert receipt.derived("a.example", client_id) != receipt.derived("b.example", client_id)


def test_an_id_that_is_not_ours_has_no_place() -> None:
    assert receipt.place(UUID("0c9d9b0e-5a4e-4d0e-9c39-2f3e6ad2b6a1")) is None
