"""Nothing of an answer is left in sight when there is none any more."""

from kivy_process import play


def test_after_clear_and_undo_the_bars_look_as_they_did_at_first(tmp_path):
    found = play("emptied", tmp_path, "offscreen", size=(1280, 720))
    assert found["answers"] == ["7", "7"]
    for name in ("clear", "undo"):
        full, again = found[name]
        assert full > 50
        assert again == 0, f"after {name}"
