"""When the values of a dimension must be counted again."""

from writer.rollups.room import Room


def _room() -> Room[str]:
    room = Room[str]()
    room.begin(0, 1)
    return room


def test_what_was_never_counted_is_counted_first() -> None:
    assert _room().take({"page": 1, "source": 2}) == ["page", "source"]


def test_values_are_counted_again_once_as_many_were_added_as_there_was_room_for() -> None:
    room = _room()
    room.put("page", 10)
    assert [room.take({"page": 4}) for _ in range(3)] == [[], [], ["page"]]
    room.put("page", 2)
    assert room.take({"page": 2}) == []


def test_where_there_is_no_room_each_step_counts() -> None:
    room = _room()
    room.put("page", -1)
    assert [room.take({"page": 1}) for _ in range(2)] == [["page"], ["page"]]


def test_all_is_counted_again_after_a_step_of_another_or_one_taken_back() -> None:
    room = _room()
    room.put("page", 10)
    room.begin(1, 5)
    assert room.take({"page": 1}) == []
    room.begin(7, 8)
    assert room.take({"page": 1}) == ["page"]
    room.put("page", 10)
    room.begin(7, 9)
    assert room.take({"page": 1}) == ["page"]
