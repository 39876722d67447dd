"""How fast the stage goes, and how fast the writer that it follows: so that the rollups are never
five seconds behind, on a slow machine as on a fast one, and cost little where little happens."""

MOST_EVENTS = 50_000
"""A step takes so many at most, or one commit; while behind, larger steps cost less an event."""
LEAST_EVENTS = 20_000
"""And so many at least if it can: each step costs something by itself, so that ever smaller ones
fall ever further behind."""
_FEWEST_EVENTS = 500
_LONG_S, _SHORT_S = 1.5, 0.75
"""A step that takes longer is followed by a smaller one, a shorter one by a larger."""
_REST = 3
"""While it keeps up, it rests so many times as long as it worked."""
_SHORTEST_REST_S, _LONGEST_REST_S = 0.5, 2.0
_REST_WITHIN_S = 2.5
"""It does not rest beyond being so far behind, the next step included."""
_GIVE_WAY_S = 2.5
"""Where the rollups are further behind, the writer rests after each read, and the longer the
further: twice as long as the read took at three seconds, eight times at three and a half."""
_FIRMNESS, _MOST_REST = 8, 20
_LONGEST_GIVE_WAY_S = 2.0
_HOPELESS_S = 30.0
"""A stage that is so far behind stands: the writer goes on without it."""


def rest_s(behind_s: float, step_s: float) -> float:
    """For how long the stage rests after a step: not at all while there is no time for it."""
    wanted = min(max(_SHORTEST_REST_S, _REST * step_s), _LONGEST_REST_S)
    return max(0.0, min(wanted, _REST_WITHIN_S - behind_s - step_s))


def next_size(most_events: int, step_s: float) -> int:
    """How many events the next step takes at most."""
    if step_s > _LONG_S:
        return min(most_events, max(most_events // 2, LEAST_EVENTS))
    return min(most_events * 2, MOST_EVENTS) if step_s < _SHORT_S else most_events


def size_after_failure(most_events: int) -> int:
    """The step may have been too large for the database."""
    return max(most_events // 2, _FEWEST_EVENTS)


def give_way_s(behind_s: float, read_s: float) -> float:
    """For how long the writer rests after a read that took so long. What it leaves in the stream
    meanwhile is as safe there, and seen no later."""
    if behind_s > _HOPELESS_S:
        return 0.0
    too_far = max(behind_s - _GIVE_WAY_S, 0.0)
    rest = read_s * min(_FIRMNESS * too_far * too_far, _MOST_REST)
    return min(rest, _LONGEST_GIVE_WAY_S)
