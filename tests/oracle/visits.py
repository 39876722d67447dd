"""Events and the visits that they make, in plain Python."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from babel import Locale

Event = dict[str, Any]

HALF_AN_HOUR = timedelta(minutes=30)
ENGAGEMENT = "engagement"
ABSENT = "(none)"


class Visit:
    """A visitor's events of one day without a gap over half an hour, in order; ``engagement``
    belongs to it and is none of its events."""

    def __init__(self, first: Event) -> None:
        self.events = [first]

    @property
    def pageviews(self) -> list[Event]:
        return [event for event in self.events if event["name"] == "pageview"]

    @property
    def is_bounce(self) -> bool:
        others = [e for e in self.events if e["interactive"] and e["name"] != "pageview"]
        return len(self.pageviews) == 1 and not others

    @property
    def lasted_ms(self) -> int:
        lasted: timedelta = self.events[-1]["ts"] - self.events[0]["ts"]
        return lasted // timedelta(milliseconds=1)

    def value(self, dimension: str) -> str:
        """Of a ``visit:`` dimension."""
        name = dimension.removeprefix("visit:")
        place, _, what = name.partition("_")
        if place in ("entry", "exit"):
            column = "hostname" if what == "page_hostname" else "page"
            index = 0 if place == "entry" else -1
            return str(self.pageviews[index][column]) if self.pageviews else ""
        if name == "country_name":
            return country_name(self.value("visit:country"))
        return str(self.events[0][name.removesuffix("_name")])


class Counted:
    """An event with its visit, if it has one."""

    def __init__(self, event: Event, visit: Visit | None) -> None:
        self.event = event
        self.visit = visit

    @property
    def is_engagement(self) -> bool:
        return bool(self.event["name"] == ENGAGEMENT)

    def value(self, dimension: str) -> str | None:
        """None where a visit is asked about that there is not."""
        kind, _, name = dimension.partition(":")
        if kind == "visit":
            return self.visit.value(dimension) if self.visit else None
        if kind == "time":
            return time_label(self.event, name)
        if name.startswith("props:"):
            return prop_text((self.event.get("props") or {}).get(name.removeprefix("props:")))
        return str(self.event[name])


def there(events: Iterable[Event], commit: int) -> list[Event]:
    """Those that are no bot's, as of a commit, in their order."""
    seen = [
        event
        for event in events
        if event["commit_in"] <= commit
        and (event["commit_out"] is None or event["commit_out"] > commit)
        and event["bot"] is None
    ]
    return sorted(seen, key=lambda event: (event["ts"], event["event_id"]))


def put_together(events: Sequence[Event]) -> list[Counted]:
    """Each event with its visit; engagement with the one before it, however long ago."""
    current: dict[tuple[date, int], Visit] = {}
    counted = []
    for event in events:
        if event["visitor"] is None:
            counted.append(Counted(event, None))
            continue
        who = event["day"], event["visitor"]
        visit = current.get(who)
        if event["name"] == ENGAGEMENT:
            counted.append(Counted(event, visit))
            continue
        if visit is None or event["ts"] - visit.events[-1]["ts"] > HALF_AN_HOUR:
            visit = current[who] = Visit(event)
        else:
            visit.events.append(event)
        counted.append(Counted(event, visit))
    return counted


def prop_text(value: object) -> str:
    """As JSON writes it; nothing and the empty text are the same."""
    if value is None or value == "":
        return ABSENT
    return str(value).lower() if isinstance(value, bool) else str(value)


def country_name(code: str) -> str:
    """In English, as CLDR has it; a code that it does not know stays."""
    return str(Locale("en").territories.get(code, code))


def time_label(event: Event, unit: str) -> str:
    """Of the local hour, day, Monday or first of the month."""
    day: date = event["day"]
    if unit == "hour":
        return f"{day.isoformat()} {event['hour']:02}:00:00"
    if unit == "week":
        return (day - timedelta(days=day.weekday())).isoformat()
    return day.replace(day=1).isoformat() if unit == "month" else day.isoformat()
