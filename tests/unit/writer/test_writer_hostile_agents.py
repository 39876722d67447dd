"""No user agent that the edge lets through costs the writer more than a moment."""

import time

import pytest

from shared.bots import packaged_rule_of
from writer.enrich.agent import describe

MOST = 1_024
"""The edge takes no more of the header."""
BEARABLE_S = 1.0
PIECES = (
    "a",
    " ",
    "(",
    ";",
    "1.",
    "a/1 ",
    "Mozilla/5.0 ",
    "Mozilla/5.0 (Linux; Android 1; ",
    "(compatible; ",
    "Version/1.1 Mobile Safari/1 ",
    "Build/ ",
    "-bot ",
    "http://",
    "iPhone; CPU OS 1_",
    "Windows NT 10.0; Win64; ",
    "Opera/9.80 (",
    "CFNetwork/1 Darwin/1 ",
    "\U0001f600",
)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("ahead", ["", "Mozilla/5.0 (Linux; Android 10; "])
def test_a_long_user_agent_is_read_in_a_moment(ahead: str, piece: str) -> None:
    hostile = (ahead + piece * MOST)[:MOST]
    began = time.process_time()
    packaged_rule_of(hostile)
    describe(hostile)
    assert time.process_time() - began < BEARABLE_S
