"""Twelve panels over HTTP, side by side with another engine on the same rows."""

import math
from collections.abc import Sequence
from datetime import date
from statistics import median
from typing import Any, NamedTuple, Protocol

from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure
from tests.benchmarks.month_traffic import BROWSER, COUNTRY
from tests.benchmarks.month_world import BUSY, MonthWorld
from tests.benchmarks.panels import (
    ALL_ROWS,
    FILTERS,
    LIMIT,
    PANELS,
    SHARED,
    Dialect,
    Panel,
    Relations,
    chosen,
    question,
    scanned,
    share,
    statement,
)

PAIRS = 5


class Engine(Protocol):
    """Another engine that holds the month's rows."""

    def count(self) -> int: ...

    def run(self, sql: str) -> tuple[list[list[Any]], float]: ...


class Round(NamedTuple):
    """Seconds of all twelve, asked once each way; ``by_panel``: ours and theirs."""

    batch: float
    apart: float
    theirs: float
    theirs_shared: float
    by_panel: dict[str, tuple[float, float]]


class Duel:
    """Our answers and theirs to the same questions."""

    def __init__(
        self, world: MonthWorld, engine: Engine, dialect: Dialect, *, filtered: bool
    ) -> None:
        self._world = world
        self._engine = engine
        self._dialect = dialect
        self._days: tuple[date, date] = (world.loaded.first, world.loaded.last)
        self._filters = FILTERS if filtered else []
        self._where = chosen(world.site_id, self._days, filtered)
        self.sources: set[str] = set()

    def check(self) -> None:
        """Raises unless every row of every panel is the same."""
        if self._engine.count() != self._world.loaded.events:
            raise RuntimeError("the engine does not hold the month's rows")
        relations = scanned(self._dialect, self._where)
        for name, panel in PANELS.items():
            answer, _ = self._ask(panel, ALL_ROWS)
            theirs, _ = self._run(panel, relations, ALL_ROWS)
            _compare(name, panel, answer, theirs)

    def round(self) -> Round:
        """Raises where a row differs."""
        relations = scanned(self._dialect, self._where)
        theirs = {name: self._run(panel, relations) for name, panel in PANELS.items()}
        answers, batch = self._ask_batch()
        ours = {name: self._ask(panel, LIMIT) for name, panel in PANELS.items()}
        for name, panel in PANELS.items():
            _compare(name, panel, answers[name], theirs[name][0])
            _compare(name, panel, ours[name][0], theirs[name][0])
        return Round(
            batch,
            sum(took for _, took in ours.values()),
            sum(took for _, took in theirs.values()),
            self._run_shared(),
            {name: (ours[name][1], theirs[name][1]) for name in PANELS},
        )

    def _ask(self, panel: Panel, limit: int) -> tuple[Any, float]:
        answer, took = self._world.ask("/api/v2/query", self._question(panel, limit))
        self.sources.update(answer["meta"]["sources"])
        return answer, took

    def _ask_batch(self) -> tuple[dict[str, Any], float]:
        asked = [self._question(panel, LIMIT) for panel in PANELS.values()]
        answer, took = self._world.ask("/api/v2/query/batch", {"queries": asked})
        return dict(zip(PANELS, answer["answers"], strict=True)), took

    def _question(self, panel: Panel, limit: int) -> Any:
        return question(panel, BUSY, self._days, limit, self._filters)

    def _run(
        self, panel: Panel, relations: Relations, limit: int = LIMIT
    ) -> tuple[list[list[Any]], float]:
        return self._engine.run(statement(panel, self._dialect, relations, limit))

    def _run_shared(self) -> float:
        """One scan, kept, and twelve groupings of what it found."""
        rows, of_visits = share(self._dialect, self._where)
        kept = ((SHARED.rows, rows), (SHARED.visits(), of_visits))
        took = sum(self._engine.run(self._dialect.keep.format(*each))[1] for each in kept)
        return took + sum(self._run(panel, SHARED)[1] for panel in PANELS.values())


def compare(
    context: Context, name: str, engine: Engine, dialect: Dialect, *, filtered: bool
) -> list[Figure]:
    """The figure: a batch of twelve ÷ the engine's twelve statements; then the same asked one by
    one, and against the engine with one scan shared by all."""
    duel = Duel(context.month, engine, dialect, filtered=filtered)
    duel.check()
    duel.round()
    rounds = []
    for _ in range(PAIRS):
        rounds.append(each := duel.round())
        context.say(
            f"  batch {each.batch * 1e3:.1f} ms, one by one {each.apart * 1e3:.1f}, "
            f"theirs {each.theirs * 1e3:.0f}, one scan {each.theirs_shared * 1e3:.0f}"
        )
    detail = {
        "events": context.month.loaded.events,
        "pairs": PAIRS,
        "filters": f"{COUNTRY}, {BROWSER}" if filtered else "none",
        "sources": sorted(duel.sources),
        "ms": {
            field: round(median(getattr(each, field) for each in rounds) * 1e3, 1)
            for field in ("batch", "apart", "theirs", "theirs_shared")
        },
        "ms_by_panel": _by_panel(rounds),
    }
    return [
        _figure(name, [each.batch / each.theirs for each in rounds], detail),
        _figure(f"{name}_one_by_one", [each.apart / each.theirs for each in rounds], {}),
        _figure(f"{name}_shared_scan", [each.batch / each.theirs_shared for each in rounds], {}),
    ]


def _figure(name: str, ratios: Sequence[float], detail: dict[str, Any]) -> Figure:
    return Figure(name, median(ratios), min(ratios), max(ratios), "", detail)


def _by_panel(rounds: Sequence[Round]) -> dict[str, list[float]]:
    """Medians of ours and theirs, in ms."""
    return {
        name: [
            round(median(each.by_panel[name][side] for each in rounds) * 1e3, 1) for side in (0, 1)
        ]
        for name in PANELS
    }


def _compare(name: str, panel: Panel, answer: Any, theirs: list[list[Any]]) -> None:
    ours = [[*map(str, row["dimensions"]), *row["metrics"]] for row in answer["results"]]
    for place, (row, other) in enumerate(zip(ours, theirs, strict=False)):
        if not _same(row, other[:-1]):
            raise RuntimeError(f"{name}, row {place}: {row}, and by the engine {other[:-1]}")
    total = answer["meta"].get("total_rows", len(ours))
    if len(ours) != len(theirs) or (theirs and total != theirs[0][-1]):
        raise RuntimeError(f"{name}: {total} rows, and by the engine {theirs[0][-1]}")


def _same(ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    return len(ours) == len(theirs) and all(map(_equal, ours, theirs))


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, str):
        return ours == str(theirs)
    return math.isclose(ours, float(theirs), rel_tol=1e-12)
