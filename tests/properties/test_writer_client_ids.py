"""Whatever the order, batching and repetition of arrival, the same events stand."""

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import receipt
from tests.writer_world import NOON, FakeEdge, Pipe, client_id, envelope, put_site, standing

requests = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 1)), min_size=1, max_size=8
)
"""(client id, received_at, which of two edges' boots)."""


@pytest.fixture
def world(database: str) -> Iterator[tuple[str, list[Pipe]]]:
    put_site(database)
    pipes = [Pipe(database), Pipe(database)]
    yield database, pipes
    for pipe in pipes:
        pipe.close()


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sent=requests, data=st.data())
def test_the_least_request_of_each_client_id_stands_in_every_order(
    world: tuple[str, list[Pipe]], sent: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    database, pipes = world
    _empty(database)
    edges = [FakeEdge("e1", boot=1), FakeEdge("e2", boot=2)]
    least: dict[int, tuple[int, int]] = {}
    entries = []
    for number, received, which in sent:
        edge = edges[which]
        beacon = envelope(id=client_id(number), received_at=NOON + received)
        entries.append(edge.entry([beacon]))
        mine = (NOON + received, receipt.counted(edge.boot, edge.seq, 0))
        least[number] = min(mine, least.get(number, mine))
    arrival = data.draw(st.permutations(entries + entries[: len(entries) // 2]))
    while arrival:
        size = data.draw(st.integers(1, len(arrival)))
        pipes[data.draw(st.integers(0, 1))].put(*arrival[:size])
        arrival = arrival[size:]
    found = {event_id for (event_id,) in standing(database)}
    assert found == {UUID(int=event_id) for _, event_id in least.values()}


def _empty(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("truncate events, client_id, batch, commits")
