"""Filters from the wire: any JSON is read or refused by the place of its fault."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.query.filter_reader import MAX_ALL_LEAVES, Reader, check_saved
from api.query.filters import AllOf, AnyOf, HasDone, Leaf, Not, Unless, leaves
from api.query.saved import EXCLUSION, GOAL, SEGMENT, Saved
from shared.errors import Refusal

ON_A: list[Any] = ["is", "event:page", ["/a"]]
SAVED = Saved(
    goals={"Signup": [["is", "event:name", ["signup"]]], "signup": [ON_A]},
    segments={7: [["is", "event:goal", ["Signup"]]]},
    exclusions={"office": [ON_A]},
)

words = st.sampled_from(
    [
        *("is", "is_not", "contains", "matches", "and", "or", "not", "has_done", "has_not_done"),
        *("event:page", "event:goal", "event:props:x", "visit:source", "time:day", "segment", ""),
    ]
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 8), st.text(max_size=3), words),
    lambda parts: st.one_of(
        st.lists(parts, max_size=4), st.dictionaries(st.just("case_sensitive"), parts)
    ),
    max_leaves=12,
)


def place_of_fault(raw: list[Any]) -> str | None:
    try:
        Reader(SAVED).read(raw)
    except Refusal as refusal:
        return refusal.field
    return "filters"


@given(raw=st.lists(json_values, max_size=3))
def test_any_json_is_read_or_refused(raw: list[Any]) -> None:
    place = place_of_fault(raw)
    assert place is not None
    assert place.startswith(("filters", "goal"))


def test_a_goal_is_put_in_where_it_is_named() -> None:
    [goal] = Reader(SAVED).read([["is", "event:goal", ["Signup"]]]).parts
    assert isinstance(goal, AllOf)
    assert [leaf.values for leaf in leaves(goal)] == [("signup",)]


def test_goals_may_be_named_without_regard_to_case() -> None:
    loose = ["is", "event:goal", ["SIGNUP"], {"case_sensitive": False}]
    [either] = Reader(SAVED).read([loose]).parts
    assert isinstance(either, AnyOf)
    assert len(either.parts) == 2


def test_a_negated_segment_is_what_it_is_not() -> None:
    [tree] = Reader(SAVED).read([["is_not", "segment", [7]]]).parts
    assert isinstance(tree, Not)


def test_what_was_not_done_is_the_opposite_of_what_was() -> None:
    done, not_done = Reader(SAVED).read([["has_done", ON_A], ["has_not_done", ON_A]]).parts
    assert isinstance(done, HasDone)
    assert isinstance(not_done, Not)
    assert isinstance(not_done.part, HasDone)
    assert done.column != not_done.part.column


def test_an_exclusion_leaves_in_what_it_cannot_tell() -> None:
    [excluded] = Reader(SAVED).exclusions()
    assert isinstance(excluded, Unless)


@pytest.mark.parametrize("kind", [GOAL, EXCLUSION])
def test_goals_and_exclusions_name_nothing_saved(kind: str) -> None:
    for tree in (["is", "event:goal", ["x"]], ["is", "segment", [7]]):
        with pytest.raises(Refusal) as refused:
            check_saved(kind, [ON_A, ["not", tree]])
        assert refused.value.field == "filters[1][1][1]"
    check_saved(kind, [ON_A])


def test_a_segment_may_name_goals_and_no_segment() -> None:
    check_saved(SEGMENT, [["is", "event:goal", ["not there yet"]]])
    with pytest.raises(Refusal):
        check_saved(SEGMENT, [["is", "segment", [7]]])


def test_nothing_is_saved_without_a_filter() -> None:
    with pytest.raises(Refusal) as refused:
        check_saved(GOAL, [])
    assert refused.value.field == "filters"


def test_what_saved_filters_amount_to_is_bounded() -> None:
    goals = {f"goal {number}": [ON_A] * 100 for number in range(MAX_ALL_LEAVES // 100 + 1)}
    with pytest.raises(Refusal) as refused:
        Reader(Saved(goals=goals)).read([["contains", "event:goal", ["goal"]]])
    assert "with those of goals" in refused.value.message


def test_a_filter_knows_its_place() -> None:
    [tree] = Reader(SAVED).read([["or", [ON_A, ["is", "visit:os", ["x"]]]]]).parts
    assert isinstance(tree, AnyOf)
    assert [part.place for part in tree.parts if isinstance(part, Leaf)] == [
        "filters[0][1][0]",
        "filters[0][1][1]",
    ]
