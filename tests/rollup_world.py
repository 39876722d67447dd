"""What the tests of the rollups share: events put in commit by commit, and naive rollups in plain
Python to compare with."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.types.json import Jsonb

from writer.rollups.dimensions import OF_FIRST_EVENT, SUMS

Event = dict[str, Any]
Rows = dict[tuple[Any, ...], dict[str, int]]
"""(dimension, day, value) or (dimension, day, hour, value) → sums."""

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HALF_AN_HOUR = timedelta(minutes=30)


def connect(database: str) -> Connection[Any]:
    """As the stage's own: autocommit, UTC."""
    return psycopg.connect(database, autocommit=True, options="-c timezone=UTC")


def commit(connection: Connection[Any], site_id: int, come: Sequence[Event] = (),
           gone: Sequence[Event] = ()) -> int:  # fmt: skip
    """One writer's transaction: events that come, and events that another takes the place of."""
    with connection.transaction(), connection.cursor() as cursor:
        row = cursor.execute("SELECT open_commit()").fetchone()
        assert row is not None
        for event in come:
            _insert(connection, {**event, "site_id": site_id, "commit_in": row[0]})
        for event in gone:
            cursor.execute(
                "UPDATE events SET commit_out = %s"
                " WHERE site_id = %s AND event_id = %s AND commit_out IS NULL",
                (row[0], site_id, event["event_id"]),
            )
        if come or gone:
            cursor.execute("UPDATE commits SET events = 1 WHERE commit_no = %s", row)
        return int(row[0])


def _insert(connection: Connection[Any], event: Event) -> None:
    row = {"received_at": event["ts"], **event, "commit_out": None}
    row["props"] = None if event.get("props") is None else Jsonb(event["props"])
    columns, holes = ", ".join(row), ", ".join(["%s"] * len(row))
    statement = f"INSERT INTO events ({columns}) VALUES ({holes})"
    connection.execute(statement.encode(), tuple(row.values()))


def stored_days(connection: Connection[Any], site_id: int) -> Rows:
    """``rollup_day`` of a site."""
    return _stored(connection, site_id, "rollup_day", "dimension, day, value")


def stored_hours(connection: Connection[Any], site_id: int) -> Rows:
    """``rollup_hour`` of a site."""
    return _stored(connection, site_id, "rollup_hour", "dimension, day, hour, value")


def _stored(connection: Connection[Any], site_id: int, table: str, key: str) -> Rows:
    found: Rows = {}
    statement = f"SELECT digest, {key}, {', '.join(SUMS)} FROM {table} WHERE site_id = %s"
    for digest, *row in connection.execute(statement.encode(), (site_id,)):
        width = len(row) - len(SUMS)
        assert digest == md5(row[width - 1].encode(), usedforsecurity=False).digest()
        found[tuple(row[:width])] = dict(zip(SUMS, row[width:], strict=True))
    return found


class Naive:
    """The rollups of some events, counted one by one."""

    def __init__(self, events: Iterable[Event], keys: Sequence[str] = ()) -> None:
        self.keys = keys
        self.days: Rows = defaultdict(lambda: dict.fromkeys(SUMS, 0))
        self.hours: Rows = defaultdict(lambda: dict.fromkeys(SUMS, 0))
        visitors = defaultdict(list)
        for event in sorted(events, key=lambda event: (event["ts"], event["event_id"])):
            if event["visitor"] is not None:
                visitors[event["day"], event["visitor"]].append(event)
            elif event["name"] != "engagement":
                self._count_events([event])
        for seen in visitors.values():
            self._count_visitor(seen)

    def _count_visitor(self, seen: list[Event]) -> None:
        visits: list[list[Event]] = []
        engaged: list[tuple[int, Event]] = []
        for event in seen:
            if event["name"] == "engagement":
                if visits:
                    engaged.append((len(visits), event))
            elif visits and event["ts"] - visits[-1][-1]["ts"] <= HALF_AN_HOUR:
                visits[-1].append(event)
            else:
                visits.append([event])
        everything = [event for visit in visits for event in visit]
        self._count_events(everything)
        for table, of in ((self.days, self._day_keys), (self.hours, self._hour_keys)):
            for key in {key for event in everything for key in of(event)}:
                table[key]["visitors"] += 1
        for key in {key for visit in visits for key in self._visit_keys(visit)}:
            self.days[key]["visitors"] += 1
        for visit in visits:
            self._count_visit(visit)
        self._count_engagement(engaged)

    def _count_events(self, events: list[Event]) -> None:
        for event in events:
            for table, keys in ((self.days, self._day_keys), (self.hours, self._hour_keys)):
                for key in keys(event):
                    table[key]["events"] += 1
                    table[key]["pageviews"] += event["name"] == "pageview"

    def _count_visit(self, visit: list[Event]) -> None:
        views = [event for event in visit if event["name"] == "pageview"]
        others = [event for event in visit if event["interactive"] and event not in views]
        whole = {
            "visits": 1,
            "views": len(views),
            "bounced": int(len(views) == 1 and not others),
            "lasted_ms": (visit[-1]["ts"] - visit[0]["ts"]) // timedelta(milliseconds=1),
        }
        of_events = {key for event in visit for key in self._day_keys(event) if key[0] != "page"}
        at_entry = ("page", visit[0]["day"], self._visit_keys(visit)[0][2])
        for key in {*of_events, *self._visit_keys(visit), at_entry}:
            _add(self.days[key], whole)
        for key in self._visit_keys(visit):
            _add(self.days[key], {"events": len(visit), "pageviews": len(views)})
        for key in {key for event in visit for key in self._hour_keys(event)}:
            _add(self.hours[key], whole)

    def _count_engagement(self, engaged: list[tuple[int, Event]]) -> None:
        by_page = defaultdict(list)
        for visit_no, event in engaged:
            by_page[visit_no, event["page"]].append(event)
        for (_, page), events in by_page.items():
            times = [e["engaged_ms"] for e in events if e.get("engaged_ms") is not None]
            depths = [e["scroll_pct"] for e in events if e.get("scroll_pct") is not None]
            told = {
                "engaged_ms": sum(times),
                "engaged_visits": int(bool(times)),
                "scroll_pct": max(depths, default=0),
                "scroll_visits": int(bool(depths)),
            }
            for dimension, value in (("page", page), ("", "")):
                if times or depths:
                    _add(self.days[dimension, events[0]["day"], value], told)

    def _day_keys(self, event: Event) -> list[tuple[Any, ...]]:
        day, props = event["day"], event.get("props") or {}
        own = [(name, day, event.get(name, "")) for name in ("page", "name", "hostname")]
        declared = [(f"props:{key}", day, _text(props.get(key))) for key in self.keys]
        return [("", day, ""), *own, *declared]

    def _hour_keys(self, event: Event) -> list[tuple[Any, ...]]:
        day, hour = event["day"], event["hour"]
        return [("", day, hour, ""), ("name", day, hour, event["name"])]

    def _visit_keys(self, visit: list[Event]) -> list[tuple[Any, ...]]:
        pages = [event["page"] for event in visit if event["name"] == "pageview"] or [""]
        first, day = visit[0], visit[0]["day"]
        return [
            ("entry_page", day, pages[0]),
            ("exit_page", day, pages[-1]),
            *((name, day, first.get(name, "")) for name in OF_FIRST_EVENT),
        ]


def _add(sums: dict[str, int], more: dict[str, int]) -> None:
    for name, n in more.items():
        sums[name] += n


def _text(value: object) -> str:
    if value is None or value == "":
        return "(none)"
    return str(value).lower() if isinstance(value, bool) else str(value)


def event(number: int, **columns: Any) -> Event:
    """A pageview of ``/`` at noon and ``number`` seconds, each by a visitor of its own unless
    ``columns`` say otherwise."""
    at = NOON + timedelta(seconds=number)
    plain = {"day": at.date(), "hour": at.hour, "visitor": number, "name": "pageview"}
    return {"ts": at, "event_id": UUID(int=number), **plain, "interactive": True, "page": "/",
            "bot": None, **columns}  # fmt: skip


def put_day(connection: Connection[Any], site_id: int) -> None:
    """The row of the site-day of most events, in UTC."""
    day = NOON.date()
    connection.execute(
        "INSERT INTO site_day (site_id, day, starts_at, ends_at)"
        " VALUES (%s, %s, %s::date, %s::date + 1)",
        (site_id, day, day, day),
    )
