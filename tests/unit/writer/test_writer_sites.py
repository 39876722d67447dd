"""Settings with their history: what held when an event was received."""

from writer.known.sites import Setting, make_site


def test_settings_are_those_of_the_moment() -> None:
    history = [Setting("props", 0, None), Setting("props", 100, ["plan"])]
    site = make_site(1, "example.com", history)
    # What was taken away at 100 is taken away for all.
    assert site.settings_at(50).props == ("plan",)
    assert site.settings_at(150).props == ("plan",)


def test_what_is_allowed_later_is_not_allowed_before() -> None:
    history = [Setting("allow_user_id", 100, True), Setting("query_params", 200, ["id"])]
    site = make_site(1, "example.com", history)
    assert not site.settings_at(50).allow_user_id
    assert site.settings_at(150).allow_user_id
    assert site.settings_at(150).query_params == ()
    assert site.settings_at(250).query_params == ("id",)


def test_a_switch_that_takes_away_holds_at_once() -> None:
    history = [
        Setting("allow_user_id", 0, True),
        Setting("query_params", 0, ["id", "tab"]),
        Setting("allow_user_id", 100, False),
        Setting("query_params", 100, ["tab"]),
        Setting("excluded", 100, ["203.0.113.0/24"]),
    ]
    then = make_site(1, "example.com", history).settings_at(50)
    assert not then.allow_user_id
    assert then.query_params == ("tab",)
    assert then.excluded == ("203.0.113.0/24",)


def test_the_first_zone_holds_for_all_time_before() -> None:
    site = make_site(1, "example.com", [Setting("time_zone", 500, "Asia/Tokyo")])
    assert [change.zone for change in site.zones] == ["Asia/Tokyo"]


def test_a_setting_that_cannot_be_used_stops_nothing() -> None:
    history = [
        Setting("time_zone", 0, "Mars/Olympus"),
        Setting("props", 0, 7),
        Setting("unheard_of", 0, 1),
        Setting("keep_days", 0, 30),
    ]
    site = make_site(1, "example.com", history)
    assert site.settings_at(10).keep_days == 30
    assert [change.zone for change in site.zones] == ["UTC"]
