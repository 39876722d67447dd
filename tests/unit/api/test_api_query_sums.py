"""Sums of several sources put together."""

import pytest

from api.query.sums import MAX_GROUPS, Groups, bounded, merge
from shared.errors import Code, Refusal


def test_sums_of_the_same_group_add_up() -> None:
    one: Groups = {("a",): (1, 10), ("b",): (2, 20)}
    other: Groups = {("b",): (3, 30), ("c",): (4, 40)}
    assert merge([one, other]) == {("a",): (1, 10), ("b",): (5, 50), ("c",): (4, 40)}
    assert (one, other) == ({("a",): (1, 10), ("b",): (2, 20)}, {("b",): (3, 30), ("c",): (4, 40)})


def test_more_groups_than_fit_are_refused() -> None:
    groups: Groups = {(str(number),): (1,) for number in range(MAX_GROUPS)}
    assert bounded(groups) is groups
    with pytest.raises(Refusal) as refused:
        merge([groups, {("one more",): (1,)}])
    assert (refused.value.code, refused.value.field) == (Code.BAD_QUERY, "dimensions")
