"""An edge with a snapshot, on the session's Redis servers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.edge_under_test import EdgeUnderTest, edge_settings, running_edge, snapshot


@pytest.fixture
async def bare_edge(primary: str, spool: str, tmp_path: Path) -> AsyncIterator[EdgeUnderTest]:
    """Without a snapshot; its rates see no time pass."""
    async with running_edge(edge_settings(primary, spool, tmp_path)) as edge:
        edge.stop_time()
        yield edge


@pytest.fixture
async def edge(bare_edge: EdgeUnderTest) -> EdgeUnderTest:
    """Knows one site, ``shop.example``."""
    bare_edge.use(snapshot())
    return bare_edge
