"""The window of entries shown lately: small, bounded, and forgetting the oldest first."""

from broadsheet.polls import KEY_BYTES, LATELY, WINDOW, Window


def keys(start: int, stop: int) -> list[str]:
    return [f"k{n}" for n in range(start, stop)]


def test_a_window_knows_what_it_was_shown() -> None:
    window = Window().with_shown(["a", "b", "a"])
    assert "a" in window
    assert "c" not in window
    assert len(window) == 2
    assert len(window.packed) == 2 * KEY_BYTES
    assert "b" in Window(window.packed)


def test_what_left_the_feed_is_remembered_for_a_while() -> None:
    window = Window().with_shown(keys(0, 600)).with_shown(["new"])
    assert len(window) == 61
    assert "k599" in window
    assert "k540" in window
    assert "k539" not in window, "the oldest go first"


def test_what_is_shown_beside_the_rest_lets_nothing_be_forgotten() -> None:
    window = Window(backlog_until=5.0).with_shown(keys(0, 600), backlog_until=5.0).with_more(["new", "k3"])
    assert len(window) == 601
    assert "new" in window
    assert window.backlog_until == 5.0
    assert len(window.with_more(keys(1000, 1000 + WINDOW))) == WINDOW


def test_what_was_shown_since_the_window_was_written_is_known_and_becomes_part_of_the_next() -> None:
    written = Window().with_shown(["a", "b"], backlog_until=5.0)
    lately = written.lately_with(["b", "c", "c"])
    assert lately is not None
    assert len(lately) == KEY_BYTES, "only what the window doesn't hold"
    window = Window(written.packed, lately=lately, backlog_until=5.0)
    assert [key for key in "abcd" if key in window] == ["a", "b", "c"]
    pushed = window.with_more(["c", "d"])
    assert (len(pushed.packed), pushed.lately, pushed.backlog_until) == (3 * KEY_BYTES, lately, 5.0)
    following = window.with_shown(["e"])
    assert (len(following.packed), following.lately) == (4 * KEY_BYTES, b"")
    assert len(window.lately_with(keys(1, LATELY)) or b"") == LATELY * KEY_BYTES
    assert window.lately_with(keys(0, LATELY)) is None, "full"


def test_a_usual_feed_and_its_past_are_one_write_unit() -> None:
    window = Window().with_shown(keys(0, 600)).with_shown(keys(600, 660))
    assert len(window.packed) <= 960  # of 1024, the rest being names


def test_a_long_feeds_window_grows_with_it() -> None:
    window = Window().with_shown(keys(0, 3000)).with_shown(keys(3000, 6000))
    assert len(window) == 6000


def test_an_entry_shown_again_becomes_the_newest() -> None:
    window = Window().with_shown(["a", *keys(0, 600)]).with_shown(["a"])
    assert "a" in window
    assert "k99" not in window


def test_a_window_fits_its_item_and_keeps_the_newest() -> None:
    window = Window().with_shown(keys(0, WINDOW + 10))
    assert len(window) == WINDOW
    assert len(window.packed) < 350_000
    assert "k9" not in window
    assert f"k{WINDOW + 9}" in window


def test_any_key_will_do() -> None:
    assert "\ud800" in Window().with_shown(["\ud800", "新闻"])


def test_showing_changes_no_older_window() -> None:
    window = Window(backlog_until=5.0)
    assert "a" in window.with_shown(["a"])
    assert "a" not in window
    assert window.with_shown(["a"]).backlog_until is None
    assert window.with_shown(["a"], backlog_until=window.backlog_until).backlog_until == 5.0
