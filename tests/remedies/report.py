"""Remedies of pictures that are drawn."""

import shlex

from remedies.place import carries_out


@carries_out("--out {}")
def a_picture_of_another_kind(place):
    place.has_run()
    remedy = place.refused("plot", "run", "--out", "my curves.jpg")
    place.works("plot", "run", *shlex.split(remedy))
    assert (place.folder / "my curves.png").exists()


@carries_out("name another --out, or replace it with --force")
def a_picture_that_is_not_ours(place):
    place.has_run()
    remedy = place.refused("plot", "run", "--out", "digit.png")
    assert remedy == "name another --out, or replace it with --force"
    place.works("plot", "run", "--out", "new.png")
    place.works("plot", "run", "--out", "digit.png", "--force")


@carries_out("leave one out")
def picture_and_no_picture(place):
    arguments = ("evaluate", "mnist", "--dataset", place.csv)
    assert place.refused(*arguments, "--out", "e.png", "--no-picture") == "leave one out"
    place.works(*arguments, "--no-picture")
    place.works(*arguments, "--out", "e.png")


@carries_out("the curves know their recipe: leave it out", "curves need no data: leave it out")
def curves_with_more(place):
    place.has_run()
    assert place.refused("plot", "run", "--recipe", "fast") == "the curves know their recipe: leave it out"
    assert place.refused("plot", "run", "--dataset", place.csv) == "curves need no data: leave it out"
    place.works("plot", "run", "--out", "c.png")


@carries_out("name another recipe, or none for {}")
def images_that_do_not_vary(place):
    arguments = ("plot", "--augment", "--dataset", place.csv, "--out", "a.png")
    remedy = place.refused(*arguments, "--recipe", "classic")
    assert remedy == "name another recipe, or none for fast"
    place.works(*arguments, "--recipe", "fast", "--force")
    place.works(*arguments, "--force")
