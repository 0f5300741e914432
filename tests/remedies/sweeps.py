"""Sweeps."""

from remedies.place import carries_out

from lenet_gpu.storage.lock import exclusive


@carries_out("wait for its end", "remove the reason and give the same command again: what is finished is kept")
def a_sweep_that_can_not_go_on(place):
    given = (
        "sweep",
        "--backend",
        "cpu",
        "--dataset",
        place.csv,
        "--epochs",
        1,
        "--executor",
        "processes",
        "--out",
        "s",
    )
    (place.folder / "s").mkdir()
    (place.folder / "s/epochs=1-seed0").touch()  # where the run's folder is to be
    with exclusive(place.folder / "s/.sweep.lock", lambda: None):
        assert place.refused(*given) == "wait for its end"
    status, line = place.command(*given)
    assert status == 1
    assert line.endswith("; remove the reason and give the same command again: what is finished is kept")
    (place.folder / "s/epochs=1-seed0").unlink()
    place.works(*given)
