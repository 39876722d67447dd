"""Whether a filter holds for an event, in plain Python: yes, no, or neither."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from tests.oracle.saved import Saved
from tests.oracle.visits import ABSENT, Counted


def holds_all(counted: Counted, filters: Iterable[Any], saved: Saved) -> bool | None:
    """Every filter of a list."""
    return all_of(holds(counted, part, saved) for part in filters)


def holds(counted: Counted, tree: Any, saved: Saved) -> bool | None:
    """None: neither yes nor no."""
    operator = tree[0]
    if operator == "and":
        return holds_all(counted, tree[1], saved)
    if operator == "or":
        return any_of(holds(counted, part, saved) for part in tree[1])
    if operator == "not":
        return opposite(holds(counted, tree[1], saved))
    if operator == "has_done":
        return has_done(counted, tree[1], saved)
    if operator == "has_not_done":
        return opposite(has_done(counted, tree[1], saved))
    test = operator.removesuffix("_not")
    found = leaf_holds(counted, "is" if test == "is" else test, tree, saved)
    return opposite(found) if operator.endswith("_not") else found


def has_done(counted: Counted, tree: Any, saved: Saved) -> bool | None:
    """Whether any event of the same visit fits."""
    if counted.visit is None:
        return None
    visit = counted.visit
    return any(holds(Counted(event, visit), tree, saved) is True for event in visit.events)


def leaf_holds(counted: Counted, test: str, tree: Any, saved: Saved) -> bool | None:
    """A simple filter, its negation aside."""
    dimension, wanted = tree[1], tree[2]
    if dimension == "segment":
        return any_of(holds_all(counted, saved.segments[number], saved) for number in wanted)
    fold: Callable[[str], str] = str
    if len(tree) == 4 and not tree[3].get("case_sensitive", True):
        fold = str.casefold
    if dimension == "event:goal":
        meant = [name for name in saved.goals if fits(test, fold(name), map(fold, wanted))]
        return any_of(holds_all(counted, saved.goals[name], saved) for name in meant)
    value = counted.value(dimension)
    if value is None:
        return None
    if value == ABSENT and dimension.startswith("event:props:") and test != "is":
        return False
    return fits(test, fold(value), map(fold, wanted))


def fits(test: str, value: str, wanted: Iterable[str]) -> bool:
    """Whether a text is, contains or matches one of those wanted."""
    if test == "is":
        return value in list(wanted)
    if test == "contains":
        return any(text in value for text in wanted)
    return any(re.search(pattern, value) for pattern in wanted)


def all_of(parts: Iterable[bool | None]) -> bool | None:
    """Kleene's and."""
    known = list(parts)
    return False if False in known else (None if None in known else True)


def any_of(parts: Iterable[bool | None]) -> bool | None:
    """Kleene's or."""
    known = list(parts)
    return True if True in known else (None if None in known else False)


def opposite(part: bool | None) -> bool | None:
    """Kleene's not."""
    return None if part is None else not part
