"""The app in a public place."""

import pytest
from kivy_process import play


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The report of one scene; each test states one thing about it."""
    return play("kiosk", tmp_path_factory.mktemp("kiosk"), "mock", size=(480, 800), options={"kiosk": True})


def test_nothing_can_be_set_taught_or_saved(seen):
    assert seen["tabs"] == ["answer", "inside"]
    assert seen["pane"] in ("answer", "draw")
    assert seen["acts"] == ["Why 4?"]
    assert seen["kept"][:2] == [0, "7"]
    assert set(seen["kept"][2]) <= {".open"}


def test_after_a_rest_and_not_before_it_begins_anew(seen):
    assert seen["read"] == "7"
    assert not seen["before"]
    assert seen["after"] == [True, "", False, True, "Draw a digit"]
    assert seen["again"] == "7"
