"""The paper's recipe from end to end: trainer, second-order rates, single-image steps, files and resuming."""

import numpy as np
import pytest

from lenet_gpu import LeNet5, Trainer, paper
from lenet_gpu.augment.augmentation import PAPER
from lenet_gpu.datasets import Dataset, Split
from lenet_gpu.errors import InputError
from lenet_gpu.training.callbacks import Callback, RunFolder
from lenet_gpu.training.recipes import RECIPES

RECIPE = RECIPES["paper"].with_changes(epochs=3, samples=60)


@pytest.fixture(scope="module")
def digits(mnist):
    return Dataset(
        name="digits",
        train=Split(mnist.train.images[:400], mnist.train.labels[:400]),
        test=Split(mnist.test.images[:200], mnist.test.labels[:200]),
        digests={"all": "0" * 64},
    )


def test_recipe_is_section_3b():
    recipe = RECIPES["paper"]
    assert (recipe.epochs, recipe.batch_size, recipe.samples, recipe.mu) == (20, 1, 500, 0.02)
    assert [recipe.learning_rates(e, 3).tolist() for e in (1, 3, 20)] == [[5e-4] * 3, [2e-4] * 3, [1e-5] * 3]
    assert recipe.constant_order
    assert recipe.augmentation is None


def test_a_run_learns_and_says_so(tmp_path, digits):
    run = Trainer(LeNet5("paper", seed=1), RECIPE, callbacks=[RunFolder(tmp_path)]).fit(digits)
    assert [record["learning_rate"] for record in run.history] == list(paper.SDLM_RATES[:3])
    losses = [record["loss"] for record in run.history]
    assert losses[0] > losses[1] > losses[2]
    assert run.history[-1]["train_error"] < 0.15
    read = LeNet5.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(read.predict(digits.test.images), run.model.predict(digits.test.images))
    assert (read.predict(digits.test.images) != digits.test.labels).mean() == run.history[-1]["test_error"]
    assert read.record["recipe"]["name"] == "paper"


def test_engine_and_layers_take_the_same_steps(digits):
    """Two passes, the rates estimated anew between them; single precision drifts apart slowly."""
    recipe = RECIPE.with_changes(epochs=2)
    fast, readable = (
        Trainer(LeNet5("paper", seed=1), recipe, engine=engine).fit(digits) for engine in ("cpu_plan", "layered")
    )
    for a, b in zip(fast.history, readable.history, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=2e-3)
    start = LeNet5("paper", seed=1, initialisation="sqrt").parameters
    moved = np.abs(readable.model.parameters - start).max()
    assert np.abs(fast.model.parameters - readable.model.parameters).max() < 0.02 * moved


class StopAfter(Callback):
    """Ctrl-C once an epoch is done."""

    def on_epoch(self, trainer, record):
        if record["epoch"] == 1:
            raise KeyboardInterrupt


def test_a_resumed_run_is_the_same_to_the_byte(tmp_path, digits):
    for name in "ab":
        (tmp_path / name).mkdir()
    Trainer(LeNet5("paper", seed=1), RECIPE, callbacks=[RunFolder(tmp_path / "a")]).fit(digits)
    with pytest.raises(KeyboardInterrupt):
        Trainer(LeNet5("paper", seed=1), RECIPE, callbacks=[RunFolder(tmp_path / "b"), StopAfter()]).fit(digits)
    Trainer.resume(tmp_path / "b", callbacks=[RunFolder(tmp_path / "b")]).fit(digits)
    assert (tmp_path / "a/model.npz").read_bytes() == (tmp_path / "b/model.npz").read_bytes()


def test_the_recipe_wants_the_papers_network():
    with pytest.raises(InputError, match="variant='paper'"):
        Trainer(LeNet5("modern"), "paper")


def test_fixed_distorted_copies(digits):
    """As for the paper's 0.8 %: the images and copies of them whose distortions stay the same in every pass."""
    recipe = RECIPE.with_changes(epochs=2, augmentation=PAPER, copies=3)
    seen = []

    class Count(Callback):
        def on_progress(self, epoch, done, total, losses):
            seen.append((done, total))

    run = Trainer(LeNet5("paper", seed=1), recipe, callbacks=[Count()]).fit(digits)
    assert seen[-1] == (1200, 1200)
    plain = Trainer(LeNet5("paper", seed=1), RECIPE.with_changes(epochs=2)).fit(digits)
    assert run.history[-1]["test_error"] < plain.history[-1]["test_error"]
