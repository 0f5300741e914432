"""Training runs: repeatable to the byte, resumable, and never losing a whole epoch."""

import json
import math

import numpy as np
import pytest

from lenet_gpu import LeNet5, Trainer
from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.errors import DataError, InputError, TrainingError
from lenet_gpu.report.plots import Curves
from lenet_gpu.training.callbacks import Callback, RunFolder
from lenet_gpu.training.recipe import Recipe, from_dict
from lenet_gpu.training.recipes import RECIPES

QUICK = RECIPES["classic"].with_changes(epochs=4)
MOMENTUM = Recipe(
    "momentum", "", epochs=4, batch_size=32, learning_rate=0.02, schedule="cosine", warm_up=0.2,
    optimizer="nesterov", momentum=0.9, weight_decay=1e-3, average_decay=0.9, initialisation="lecun",
    background=-0.42, ink=2.8,
)  # fmt: skip
"""A recipe whose optimiser keeps arrays of its own."""


@pytest.fixture(scope="module")
def digits(mnist):
    """The first 500 training and 200 test digits; 500 leaves an incomplete last batch of 20."""
    return Dataset(
        name="digits",
        train=Split(mnist.train.images[:500], mnist.train.labels[:500]),
        test=Split(mnist.test.images[:200], mnist.test.labels[:200]),
        digests={"all": "0" * 64},
    )


def trained(folder, data, recipe=QUICK, callbacks=(), **arguments):
    folder.mkdir(exist_ok=True)
    trainer = Trainer(LeNet5(seed=3), recipe, callbacks=[RunFolder(folder), Curves(folder), *callbacks], **arguments)
    return trainer.fit(data)


def test_same_seed_same_bytes(tmp_path, digits):
    for name in ("a", "b"):
        trained(tmp_path / name, digits)
    assert (tmp_path / "a/model.npz").read_bytes() == (tmp_path / "b/model.npz").read_bytes()


def test_other_seed_other_bytes(tmp_path, digits):
    trained(tmp_path / "a", digits)
    trained(tmp_path / "b", digits, seed=4)
    assert (tmp_path / "a/model.npz").read_bytes() != (tmp_path / "b/model.npz").read_bytes()


class StopDuring(Callback):
    """Ctrl-C in the middle of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_progress(self, epoch, done, total, losses):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("recipe", [QUICK, MOMENTUM], ids=lambda recipe: recipe.name)
def test_interrupted_and_resumed_equals_never_interrupted(tmp_path, digits, recipe):
    trained(tmp_path / "whole", digits, recipe)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", digits, recipe, callbacks=[StopDuring(3)])
    log = (tmp_path / "parts/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in log] == [1, 2]
    resumed = Trainer.resume(tmp_path / "parts", callbacks=[RunFolder(tmp_path / "parts")])
    assert resumed.epochs_done == 2
    resumed.fit(digits)
    assert (tmp_path / "parts/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()


def test_history_and_files(tmp_path, digits):
    run = trained(tmp_path / "run", digits)
    assert [record["epoch"] for record in run.history] == [1, 2, 3, 4]
    last = run.history[-1]
    predictions = run.model.predict(digits.test.images)
    assert last["test_accuracy"] == pytest.approx((predictions == digits.test.labels).mean())
    assert last["test_error"] == pytest.approx(1 - last["test_accuracy"])
    assert last["learning_rate"] == QUICK.learning_rates(4, 1)[0]
    logged = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert logged == run.history
    record = LeNet5.load(tmp_path / "run/model.npz").record
    assert record["seed"] == 3
    assert record["recipe"]["name"] == "classic"
    assert record["digests"] == digits.digests
    assert record["test_accuracy"] == last["test_accuracy"]
    assert (tmp_path / "run/curves.png").read_bytes().startswith(b"\x89PNG")


def test_every_image_once_an_epoch_and_the_last_batch_smaller(digits):
    """A step for each of 16 batches, the last of 20 images; the loss of a fresh network is close to ln 10."""
    seen = []

    class Spy(Callback):
        def on_progress(self, epoch, done, total, losses):
            seen.append((done, total, len(losses)))

    Trainer(LeNet5(), QUICK.with_changes(epochs=1), callbacks=[Spy()]).fit(digits)
    assert seen[-1] == (500, 500, 16)


def test_other_data_on_resume_is_refused(tmp_path, digits):
    trained(tmp_path / "run", digits, QUICK.with_changes(epochs=1))
    other = Dataset("digits", digits.train, digits.test, {"all": "1" * 64})
    with pytest.raises(DataError, match="digests"):
        Trainer.resume(tmp_path / "run", epochs=2).fit(other)


def test_more_epochs_on_resume(tmp_path, digits):
    trained(tmp_path / "whole", digits)
    trained(tmp_path / "run", digits, QUICK.with_changes(epochs=2))
    run = Trainer.resume(tmp_path / "run", epochs=4).fit(digits)
    np.testing.assert_array_equal(run.model.parameters, LeNet5.load(tmp_path / "whole/model.npz").parameters)
    with pytest.raises(InputError, match="epochs"):
        Trainer.resume(tmp_path / "whole", epochs=3)


def test_divergence_stops_with_the_step_and_keeps_the_last_good_checkpoint(tmp_path, digits):
    class Poison(Callback):
        """NaN in one weight after the second epoch."""

        def on_epoch(self, trainer, record):
            if record["epoch"] == 2:
                trainer.model.views["c1.bias"][0] = math.nan

    with pytest.raises(TrainingError, match="the loss is nan at step 1 of epoch 3") as caught:
        trained(tmp_path / "run", digits, callbacks=[Poison()])
    assert "epoch 2" in str(caught.value)
    assert Trainer.resume(tmp_path / "run").epochs_done == 2
    assert np.isfinite(LeNet5.load(tmp_path / "run/model.npz").parameters).all()


def test_huge_learning_rate_diverges_with_one_line(digits):
    """Real numbers, no poison: the network overflows by itself."""
    recipe = QUICK.with_changes(learning_rate=1e30)
    with pytest.raises(TrainingError, match="diverged"):
        Trainer(LeNet5(), recipe).fit(digits)


def test_a_network_that_ends_dead_is_named_and_its_files_can_be_read(tmp_path, digits):
    """Finite numbers: F6 is saturated by whatever it is shown, at a real learning rate."""
    recipe = QUICK.with_changes(learning_rate=100.0)
    with pytest.raises(TrainingError, match=r"F6 is the same for every image .* \(learning rate 100\); lower"):
        trained(tmp_path / "run", digits, recipe)
    assert not LeNet5.load(tmp_path / "run").extras
    assert Trainer.resume(tmp_path / "run").epochs_done == recipe.epochs


def test_a_model_of_one_picture_a_class_can_be_read(tmp_path, mnist, caplog):
    first = [np.flatnonzero(mnist.train.labels == digit)[0] for digit in range(10)]
    run = Trainer(LeNet5(), "classic", epochs=1, progress=False)
    run.fit(mnist.train.images[first], mnist.train.labels[first]).model.save(tmp_path / "one.npz")
    assert "rejection.limit" not in LeNet5.load(tmp_path / "one.npz").extras
    assert "can't tell what is unlike all of them" in caplog.text


def test_a_new_network_begins_as_the_recipe_wants_and_a_trained_one_stays(digits):
    model = LeNet5(seed=3)
    Trainer(model, MOMENTUM)
    assert (model.initialisation, model.background, model.ink) == ("lecun", -0.42, 2.8)
    np.testing.assert_array_equal(
        model.parameters, LeNet5(seed=3, initialisation="lecun", background=0.0, ink=1.0).parameters
    )
    model.views["c1.bias"][2] = 0.5
    before = model.parameters.copy()
    Trainer(model, QUICK)
    np.testing.assert_array_equal(model.parameters, before)
    assert model.ink == 2.8


def test_the_saved_model_is_the_running_average(tmp_path, digits):
    run = trained(tmp_path / "run", digits, MOMENTUM)
    with np.load(tmp_path / "run/checkpoint.npz") as file:
        np.testing.assert_array_equal(file["parameters"], run.model.parameters)
        weights = file["state.average"]  # between epochs the two have changed places
    assert np.abs(weights - run.model.parameters).max() > 1e-4
    accuracy = (run.model.predict(digits.test.images) == digits.test.labels).mean()
    assert run.history[-1]["test_accuracy"] == pytest.approx(accuracy)


def test_recipe_survives_a_file():
    for recipe in RECIPES.values():
        assert from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"learning_rate": math.nan}, {"decay": -1.0}],
)
def test_senseless_recipes_are_refused(changes):
    with pytest.raises(InputError):
        QUICK.with_changes(**changes)


def test_unknown_recipe_names_the_known():
    with pytest.raises(InputError, match="classic"):
        Trainer(LeNet5(), "quick")


def test_unknown_engine_is_refused(digits):
    with pytest.raises(InputError, match="engine"):
        Trainer(LeNet5(), QUICK, engine="warp").fit(digits)


@pytest.mark.parametrize("name", ["auto", "layered", "cpu_plan"])
def test_the_engine_that_runs_is_the_one_asked_for(name, digits):
    run = Trainer(LeNet5(), QUICK.with_changes(epochs=1), engine=name, threads=2).fit(digits)
    expected = {"auto": ("cpu_plan", 2), "layered": ("layered", 1), "cpu_plan": ("cpu_plan", 2)}[name]
    assert (run.history[0]["engine"], run.history[0]["workers"]) == expected


def test_an_engine_of_the_other_backend_is_refused(digits):
    with pytest.raises(InputError, match="engine cuda: found the cpu backend"):
        Trainer(LeNet5(), QUICK, engine="cuda").fit(digits)


def test_resuming_on_another_engine_continues_within_rounding(tmp_path, digits):
    """Two epochs of 16 steps apart: the parameters differ by no more than the engines' own rounding."""
    trained(tmp_path / "whole", digits, engine="cpu_plan", threads=2)
    trained(tmp_path / "parts", digits, QUICK.with_changes(epochs=2), engine="layered")
    run = Trainer.resume(tmp_path / "parts", epochs=4, engine="cpu_plan", threads=1).fit(digits)
    whole = LeNet5.load(tmp_path / "whole/model.npz").parameters
    np.testing.assert_allclose(run.model.parameters, whole, atol=1e-5)


def test_a_run_folder_is_made_at_the_start_or_refused_before_the_first_epoch(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    labels = np.arange(40) % 10
    folder = tmp_path / "runs" / "mine"
    Trainer(LeNet5(), "classic", epochs=1, progress=False, callbacks=[RunFolder(str(folder))]).fit(images, labels)
    assert LeNet5.load(folder / "model.npz").record["epochs"] == 1

    blocked = tmp_path / "file" / "mine"
    blocked.parent.write_text("in the way")
    trainer = Trainer(LeNet5(), "classic", epochs=1, progress=False, callbacks=[RunFolder(blocked)])
    with pytest.raises(InputError, match="a folder for a run"):
        trainer.fit(images, labels)
    assert trainer.history == []
