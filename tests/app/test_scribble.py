"""A scribble does not stop the pen: it is read beside the drawing, and an old reading never hides a newer one."""

from kivy_process import play


def test_the_newest_drawing_is_answered_whatever_is_still_being_read(tmp_path):
    found = play("scribble", tmp_path, "mock", size=(480, 800))
    assert (found["soon"], found["at_last"]) == ("7", "7")
    assert found["newest_settled"]
    assert found["readings"] < 300  # a thread reads the newest of what has come together, not each in turn
