"""No line of a text is lost, however many there are."""

from kivy_process import play


def test_every_line_is_painted(tmp_path):
    found = play("lines", tmp_path, "offscreen", size=(1280, 720))
    assert {count: found[count] for count in map(str, range(1, 9))} == {str(n): n for n in range(1, 9)}
    written, painted = found["keys"]
    assert written >= 6
    assert painted == written
