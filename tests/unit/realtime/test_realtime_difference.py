from realtime.difference import difference
from realtime.frames import EdgeState, View


def test_what_did_not_change_is_not_said() -> None:
    view = View(here=3, minutes={"1": 2}, pages={"/": 2})
    assert difference(view, view) == View()


def test_changed_keys_carry_their_new_value_and_not_an_increment() -> None:
    assert difference(
        View(here=1, minutes={"1": 2, "2": 5}), View(here=2, minutes={"1": 4, "2": 5})
    ) == View(here=2, minutes={"1": 4})


def test_a_key_that_went_is_null() -> None:
    assert difference(View(pages={"/a": 1}), View(pages={"/b": 1})).pages == {"/a": None, "/b": 1}


def test_nobody_here_any_more_is_a_zero() -> None:
    assert difference(View(here=1), View(here=0)).here == 0


def test_an_edge_that_falls_silent_is_a_change() -> None:
    heard, silent = EdgeState(None, 0), EdgeState(1_000, 4)
    assert difference(View(edges={"e": heard}), View(edges={"e": silent})).edges == {"e": silent}
