"""Pictures say what they show: figures with labelled axes, every set once, every class, every error."""

import numpy as np
import pytest

from lenet_gpu.augment.augmentation import varied_samples
from lenet_gpu.nn.metrics import Evaluation
from lenet_gpu.report import plots
from lenet_gpu.training.recipes import RECIPES


def history(epochs, *sets, error=0.02):
    """A log of so many epochs."""
    return [
        {
            "epoch": k,
            "learning_rate": 0.02 / k,
            "seconds": 3.0,
            "evaluation_seconds": 1.0,
            **{f"{name}_{what}": error / k for name in sets for what in ("error", "loss")},
        }
        for k in range(1, epochs + 1)
    ]


def texts(figure):
    return [text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))]


def test_curves_show_each_set_once_with_learning_rate_and_time():
    figure = plots.curves(history(4, "train", "validation", "test"), "recipe fast, seed 7")
    assert "recipe fast, seed 7, epoch 4: training error 0.50 %" in figure.get_suptitle()
    error, loss, rate, time = figure.axes
    assert [len(axes.lines) for axes in (error, loss, rate)] == [3, 3, 1]
    assert list(error.lines[0].get_ydata()) == pytest.approx([2.0, 1.0, 2 / 3, 0.5])  # per cent
    assert list(rate.lines[0].get_ydata()) == pytest.approx([0.02, 0.01, 0.02 / 3, 0.005])
    assert [bar.get_height() for bar in time.patches] == [3.0] * 4 + [1.0] * 4
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()
    colours = [line.get_color() for line in error.lines]
    assert set(colours) <= set(plots.PALETTE)
    assert len(set(colours)) == 3


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_run_of_hardly_anything_has_curves(epochs):
    assert len(plots.curves(history(epochs, "train")).axes) == 4


def test_a_run_without_a_mistake_is_drawn_like_any_other():
    plots.curves(history(3, "train", "test", error=0.0)).canvas.draw()  # a warning of matplotlib's is an error here
    plots.comparison({"one": history(3, "train", "test", error=0.0)}).canvas.draw()


def test_runs_are_told_apart_in_one_picture():
    runs = {f"run {k}": history(3, "train", "test", error=0.01 * (k + 1)) for k in range(9)}
    figure = plots.comparison(runs)
    solid = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert len({(line.get_color(), line.get_marker()) for line in solid}) == 9
    assert [text for text in texts(figure) if text.startswith("run 8: 3.00 % (test)")]


def test_runs_are_compared_on_a_set_that_all_of_them_have():
    runs = {"a": history(2, "train", "validation", "test", error=0.02), "b": history(2, "train", "test", error=0.04)}
    said = texts(plots.comparison(runs))
    assert {"a: 1.00 % (test)", "b: 2.00 % (test)", "solid: test set; dotted: training set"} <= set(said)
    own = texts(plots.comparison({"a": history(2, "train", "validation"), "b": history(2, "train", "test")}))
    assert "solid: what each run held out; dotted: training set" in own


def test_nothing_of_the_sheet_is_cut_off():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = plots.augmentation_sheet(np.zeros((10, 11, 32, 32)), "one line\nand another")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    for text in (axes.title, axes.xaxis.label):
        box = text.get_window_extent(canvas.get_renderer())
        assert 0 <= box.y0 < box.y1 <= figure.bbox.height, text


@pytest.mark.parametrize("wrong", [0, 3, 300])
def test_every_error_is_in_the_confusion_matrix(wrong):
    rng = np.random.default_rng(wrong)
    labels = rng.integers(0, 10, 2000)
    read = labels.copy()
    read[:wrong] = (read[:wrong] + 1) % 10
    found = Evaluation(labels, read, 0.1, 10)
    figure = plots.evaluation(found, np.zeros((2000, 28, 28), np.uint8), np.linspace(0.5, 1, 2000))
    matrix = figure.subfigs[0].axes[0]
    shown = {tuple(int(c) for c in text.get_position()): int(text.get_text()) for text in matrix.texts}
    assert shown == {(c, r): n for (r, c), n in np.ndenumerate(found.confusion) if n}
    colored = matrix.images[0].get_array()
    assert (np.ma.filled(colored, 0) > 0).sum() == sum(r != c for c, r in shown)
    pictures = [axes for axes in figure.subfigs[1].axes if axes.images]
    assert len(pictures) == min(wrong, plots.MISREAD_SHOWN)
    if wrong:
        assert pictures[0].get_title().startswith(f"{labels[wrong - 1]} > {read[wrong - 1]}")  # the most confident


def test_classes_have_their_names():
    found = Evaluation(np.array([0, 1, 2]), np.array([0, 1, 1]), 0.1, 3)
    figure = plots.evaluation(found, np.zeros((3, 28, 28), np.uint8), np.ones(3), ["cat", "dog", "owl"])
    assert {"cat", "dog", "owl"} <= set(texts(figure))
    assert "owl > dog\n100 %" in texts(figure)


def test_the_sheet_shows_all_digits_as_the_recipe_distorts_them(lenet_gpu_command, tmp_path):
    done = lenet_gpu_command(
        "plot", "--augment", "--recipe", "best", "--out", "sheet.png", "--dataset", "mnist", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    from PIL import Image

    with Image.open(tmp_path / "sheet.png") as picture:
        size = picture.size
    assert size == (11 * 120, pytest.approx(11.1 * 120, abs=1))


def test_the_sheet_holds_what_the_recipe_draws(mnist):
    images = mnist.train.images[:10]
    samples = varied_samples(images, RECIPES["best"].augmentation, 4)
    drawn = np.asarray(plots.augmentation_sheet(samples, "t").axes[0].images[0].get_array())
    assert drawn.shape == (320, 128)
    assert np.array_equal(drawn[32:64, 32:64], 255 - samples[1, 1])
