"""Remedies of runs: their folders, going on with them, recipes and own parts."""

import shlex

import numpy as np
from remedies.place import carries_out, own_network, refused

from lenet_gpu import LeNet5, Network, Trainer, nn
from lenet_gpu.training.callbacks import RunFolder


@carries_out("continue it with --resume {}, name another --out, or replace it with --force")
def a_run_is_there(place):
    place.works(*place.train(out="my run"))
    remedy = place.refused(*place.train(out="my run"))
    resume = shlex.split(remedy.removeprefix("continue it with ").partition(", name")[0])
    place.works("train", *resume, "--epochs", 2)
    place.works(*place.train(out="another"))
    place.works(*place.train("--force", out="my run"))


@carries_out("start it again as before, with --out {}{}")
def a_run_without_an_epoch(place):
    folder = place.folder / "my run"
    for files in ((), ("log.jsonl",)):
        folder.mkdir()
        for name in files:
            (folder / name).touch()
        remedy = place.refused("train", "--resume", "my run")
        again = shlex.split(remedy.removeprefix("start it again as before, with "))
        place.works(*place.train()[:-2], *again)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


@carries_out("name the folder that --out named")
def resume_of_no_run(place):
    place.has_run()
    assert place.refused("train", "--resume", "model.npz") == "name the folder that --out named"
    place.works("train", "--resume", "run", "--epochs", 2)


@carries_out("name another --out, or replace these files with --force")
def files_of_a_runs_names(place):
    (place.folder / "own").mkdir()
    (place.folder / "own" / "log.jsonl").write_text("mine")
    assert place.refused(*place.train(out="own")) == "name another --out, or replace these files with --force"
    place.works(*place.train())
    place.works(*place.train("--force", out="own"))


@carries_out("name another --out")
def a_file_for_a_folder(place):
    assert place.refused(*place.train(out="digits.csv")) == "name another --out"
    place.works(*place.train())


@carries_out("leave it out, or start a new run")
def a_settled_option(place):
    place.has_run()
    assert place.refused("train", "--resume", "run", "--seed", 0) == "leave it out, or start a new run"
    place.works("train", "--resume", "run")


@carries_out("say where they are now: --dataset PATH, or --data-dir DIR for a data set known by name")
def data_that_moved(place):
    place.works(*place.train())
    place.csv = place.csv.rename(place.folder / "moved.csv")
    assert place.refused("train", "--resume", "run", "--epochs", 2).startswith(
        "say where they are now: --dataset PATH"
    )
    place.works("train", "--resume", "run", "--epochs", 2, "--dataset", "moved.csv")


@carries_out("give the same data, or start a new run")
def other_data_on_resume(place):
    place.works(*place.train())
    content = place.csv.read_text()
    place.csv.write_text("".join(reversed(content.splitlines(keepends=True))))
    assert place.refused("train", "--resume", "run", "--epochs", 2) == "give the same data, or start a new run"
    place.works(*place.train(out="new"))
    place.csv.write_text(content)
    place.works("train", "--resume", "run", "--epochs", 2)


@carries_out("wait for its end{}")
def two_trainings(place):
    from lenet_gpu.storage.lock import exclusive
    from lenet_gpu.training.run_folder import LOCK_FILE

    (place.folder / "run").mkdir()
    with exclusive(place.folder / "run" / LOCK_FILE, lambda: None):
        assert place.refused(*place.train()) == "wait for its end, or name another --out"
        place.works(*place.train(out="another"))
    place.works(*place.train())


@carries_out("leave it out")
def a_loss_of_another_recipe(place):
    assert place.refused(*place.train("--loss", "map")) == "leave it out"
    place.works(*place.train())


@carries_out("fast, record, best and touch distort their images anyway")
def distortions_of_another_recipe(place):
    remedy = place.refused(*place.train("--distortions", "--recipe", "fast"))
    assert remedy == "fast, record, best and touch distort their images anyway"
    place.works(*place.train("--recipe", "fast"))


@carries_out("make it with LeNet5(variant={}), or take another recipe", "take another recipe")
def a_recipe_for_another_network(place):
    def fit(network, recipe):
        Trainer(network, recipe, epochs=1, threads=1, progress=False).fit(place.images[:12], place.labels[:12])

    with refused("make it with LeNet5(variant='paper'), or take another recipe"):
        fit(LeNet5(), "paper")
    fit(LeNet5("paper"), "paper")
    fit(LeNet5(), "classic")
    with refused("take another recipe"):
        fit(LeNet5(classes=11), "touch")


@carries_out("lower the learning rate{}")
def a_learning_rate_that_is_too_high(place):
    def fit(rate):
        trainer = Trainer(LeNet5(), "classic", epochs=1, threads=1, learning_rate=rate, progress=False)
        trainer.fit(place.images, place.labels)

    with np.errstate(all="ignore"), refused("lower the learning rate"):
        fit(1e30)
    fit(0.01)


@carries_out("give it: Trainer.resume(path, {}=...)")
def a_resumed_run_of_own_parts(place):
    class Mine(nn.SGD):
        """An optimizer of the user's."""

    def constant(epoch, steps):
        return 0.01

    def fit(folder, network, **arguments):
        (place.folder / folder).mkdir()
        Trainer(
            network, "classic", epochs=1, progress=False, callbacks=[RunFolder(place.folder / folder)], **arguments
        ).fit(place.images, place.labels)

    def half(xp, outputs, labels):
        return (outputs**2).mean() / 2, outputs / outputs.size

    fit("a", LeNet5(), optimizer=Mine())
    fit("b", LeNet5(), schedule=constant)
    fit("c", own_network(), engine="layered")
    for folder, key, value in (("a", "optimizer", Mine()), ("b", "schedule", constant)):
        with refused(f"give it: Trainer.resume(path, {key}=...)"):
            Trainer.resume(folder)
        Trainer.resume(folder, **{key: value})
    fit("d", Network([nn.Flatten(), nn.Dense("out", 1024, 10)], half))
    with refused("give it: Trainer.resume(path, loss=...)"):
        Trainer.resume("d")
    Trainer.resume("d", loss=half)
