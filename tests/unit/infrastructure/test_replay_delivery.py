"""What replay does with each answer of an edge, and how it closes."""

import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from rich.console import Console

from infrastructure.problem import Problem
from infrastructure.replay.closing_table import print_closing
from infrastructure.replay.counting import Counting, Verdict
from infrastructure.replay.delivery import Delivery, GaveUp
from infrastructure.replay.edge_answer import Again, Hopeless, Taken, read_answer
from infrastructure.replay.log_file import LogFile
from infrastructure.replay.run import Replay
from infrastructure.replay.server_event import website
from infrastructure.replay.tally import Tally

LINE = '{} - - [22/Nov/2026:16:07:{:02d} +0000] "{}" {} 1 "-" "{}"\n'
Handler = Callable[[httpx.Request], httpx.Response]


def log_of(tmp_path: Path, *lines: str) -> LogFile:
    (tmp_path / "access.log").write_text("".join(lines))
    return LogFile(f"{tmp_path}/access.log")


def views(count: int) -> list[str]:
    return [
        LINE.format("203.0.113.9", 1, f"GET /p/{n} HTTP/1.1", 200, "Firefox") for n in range(count)
    ]


def accept_all(request: httpx.Request) -> httpx.Response:
    return httpx.Response(202, json={"accepted": len(msgspec.json.decode(request.content))})


class Edge:
    """Answers from a list, then takes everything; remembers what came."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers: Iterator[httpx.Response | Exception] = iter(answers)
        self.requests: list[httpx.Request] = []
        self.taken: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers, None)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        self.taken += [event["id"] for event in msgspec.json.decode(request.content)]
        return accept_all(request)


async def replay(file: LogFile, edge: Handler, said: list[str], **more: float | bool) -> Tally:
    async with httpx.AsyncClient(transport=httpx.MockTransport(edge)) as client:
        delivery = Delivery(client, "http://edge/track", "mr_key", said.append, **more)  # type: ignore[arg-type]
        site = website("https://example.com", None)
        counting = Counting(site.host, lambda agent: "bot" in agent)
        run = Replay([file], site, counting, delivery, None, lambda done, total: None)
        try:
            await run.run()
        except GaveUp as error:
            said.append(f"gave up: {error}")
        return run.tally


@pytest.mark.anyio
async def test_everything_that_counts_is_sent_with_the_key_in_arrays(tmp_path: Path) -> None:
    edge = Edge()
    tally = await replay(log_of(tmp_path, *views(250)), edge, [])
    assert [len(msgspec.json.decode(r.content)) for r in edge.requests] == [100, 100, 50]
    assert {r.headers["authorization"] for r in edge.requests} == {"Bearer mr_key"}
    assert (tally.taken, tally.unsent, tally.is_complete) == (250, 0, True)


@pytest.mark.anyio
async def test_what_an_edge_refuses_for_now_is_sent_again_and_said_once(tmp_path: Path) -> None:
    edge = Edge(
        httpx.Response(429, headers={"retry-after": "0"}),
        httpx.Response(503, headers={"retry-after": "0"}),
        httpx.Response(503, headers={"retry-after": "0"}),
    )
    said: list[str] = []
    tally = await replay(log_of(tmp_path, *views(3)), edge, said)
    assert tally.taken == 3
    assert len({r.content for r in edge.requests}) == 1  # the same ids each time
    assert ["takes nothing now" in line for line in said] == [True, False]


@pytest.mark.anyio
async def test_a_limit_on_the_events_a_second_only_sets_the_pace(tmp_path: Path) -> None:
    said: list[str] = []
    edge = Edge(*[httpx.Response(429, headers={"retry-after": "0"})] * 3)
    tally = await replay(log_of(tmp_path, *views(3)), edge, said)
    assert (tally.taken, said) == (3, [])


@pytest.mark.anyio
async def test_an_edge_that_stays_away_is_given_up_and_the_rest_counted_as_not_sent(
    tmp_path: Path,
) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    said: list[str] = []
    tally = await replay(log_of(tmp_path, *views(3)), refuse, said, patience_s=0.05)
    assert (tally.unsent, tally.is_complete) == (3, False)
    assert said[-1].startswith("gave up: it does not answer")


@pytest.mark.anyio
async def test_a_wrong_key_ends_the_run_with_the_edges_words(tmp_path: Path) -> None:
    edge = Edge(httpx.Response(401, json={"error": {"code": "unauthenticated", "message": "who?"}}))
    with pytest.raises(Problem, match="401: who"):
        await replay(log_of(tmp_path, *views(1)), edge, [])


@pytest.mark.anyio
async def test_a_key_made_a_moment_ago_is_given_time_to_reach_the_edge(tmp_path: Path) -> None:
    said: list[str] = []
    tally = await replay(log_of(tmp_path, *views(1)), Edge(httpx.Response(401)), said, new_key=True)
    assert tally.taken == 1


@pytest.mark.anyio
async def test_faults_are_counted_by_their_code(tmp_path: Path) -> None:
    fault = {"index": 1, "code": "too_long", "message": "`url` is over 2048 bytes", "field": "url"}
    edge = Edge(
        httpx.Response(
            202,
            json={
                "accepted": 1,
                "receipts": ["00000000-0000-8000-8000-000000000001", None],
                "faults": [fault],
            },
        )
    )
    tally = await replay(log_of(tmp_path, *views(2)), edge, [])
    assert (dict(tally.faults), tally.taken, tally.is_complete) == ({"too_long": 1}, 1, False)


@pytest.mark.anyio
async def test_the_closing_table_accounts_for_every_line(tmp_path: Path) -> None:
    lines = [
        *views(4),
        LINE.format("203.0.113.9", 2, "GET /a.css HTTP/1.1", 200, "Firefox"),
        LINE.format("203.0.113.9", 2, "GET /gone HTTP/1.1", 404, "Firefox"),
        LINE.format("203.0.113.9", 2, "POST /form HTTP/1.1", 200, "Firefox"),
        LINE.format("203.0.113.9", 2, "GET / HTTP/1.1", 200, "a bot"),
        "not a line of a log\n",
        "\n",
    ]
    tally = await replay(log_of(tmp_path, *lines), accept_all, [])
    assert tally.lines == {
        Verdict.COUNTED: 4,
        Verdict.ASSET: 1,
        Verdict.ERROR: 1,
        Verdict.OTHER_METHOD: 1,
        Verdict.BOT: 1,
        Verdict.UNREADABLE: 1,
    }
    shown = io.StringIO()
    print_closing(tally, Console(file=shown, width=120))
    for part in ("counted", "404: 1", "access.log, line 9", "Sent: 5 events"):
        assert part in shown.getvalue()


@pytest.mark.anyio
async def test_a_packed_file_that_breaks_off_is_sent_as_far_as_it_goes(tmp_path: Path) -> None:
    packed = gzip.compress("".join(views(20_000)).encode())
    (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
    tally = await replay(LogFile(f"{tmp_path}/cut.gz"), accept_all, [])
    assert tally.taken == tally.to_send > 1_000
    assert not tally.is_complete


@pytest.mark.parametrize(
    ("status", "retry_after", "body", "answer"),
    [
        (202, None, b'{"accepted": 2, "dropped": 1}', Taken(2, 1)),
        (
            429,
            "7",
            b'{"error": {"code": "rate_limited", "message": "slow"}}',
            Again(7.0, "slow", limited=True),
        ),
        (503, None, b"", Again(1.0, "status 503")),
        (503, "9999", b"", Again(60.0, "status 503")),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", b"", Again(1.0, "status 503")),
        (502, None, b"<html>", Again(1.0, "status 502")),
        (404, None, b"\xff", Hopeless(404, "no reason given")),
        (400, None, b'{"error": {"code": "unknown_site", "message": "no"}}', Hopeless(400, "no")),
    ],
)
def test_each_answer_has_one_meaning(
    status: int, retry_after: str | None, body: bytes, answer: Taken | Again | Hopeless
) -> None:
    assert read_answer(status, retry_after, body) == answer
