"""What the networks of the recipe `paper` are and do: every figure and picture of docs/explain/paper.md.

    python tests/benchmarks/paper.py                   everything, training included (hours)
    python tests/benchmarks/paper.py --no-train        from the runs that are there

Trains what is missing (paper_runs.py), measures, draws the pictures, stores the figures in results/paper.json and
writes them into the page. The test set is only measured here: nothing is chosen by it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from statistics import median
from typing import NamedTuple
from unittest import mock

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

import accuracy  # noqa: E402
import numpy as np  # noqa: E402
import paper_page  # noqa: E402
import paper_pictures  # noqa: E402
import paper_runs  # noqa: E402

from lenet_gpu import LeNet5, load_dataset, seeds  # noqa: E402
from lenet_gpu.augment.distort import IDENTITY, distort_reference  # noqa: E402
from lenet_gpu.nn.layers import Subsampling  # noqa: E402
from lenet_gpu.nn.losses import softmax  # noqa: E402
from lenet_gpu.paper import C3_TABLE, CODES, HIDDEN_LAYERS, RBF_OUTPUT  # noqa: E402
from lenet_gpu.training.recipes import PAPER_COPIES, RECIPES  # noqa: E402

REJECTED = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
"""Shares of the test set, in %, that are set aside."""

KEPT_ERROR = 0.5
"""Error of what is kept, in %, for which the share to be rejected is looked up."""

INVARIANCE = {
    "scale": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5),
    "rotation": (-50, -40, -30, -20, -10, 0, 10, 20, 30, 40, 50),
    "shift right": (-8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8),
    "shift down": (-8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8),
    "noise": (0, 2, 5, 10, 15, 20, 30),
}
"""Scale as a factor, rotation in degrees, shifts in pixels, noise as the share of inverted pixels in %."""


class Sizes(NamedTuple):
    """How many images the two long measurements take."""

    invariance: int = 1000
    nondigits: int = accuracy.NONDIGITS


def layers(network: LeNet5) -> list[dict]:
    """What the network itself says of each layer, after one image went through it."""
    x = network.input_layer(np.zeros((1, 28, 28), np.uint8))
    rows = []
    for layer in network.layers:
        x = layer.forward(x)
        if not layer.name:
            continue
        maps, size = x.shape[1], x.shape[2] if x.ndim == 4 else 1
        units, connections = maps * size * size, layer.connections(size, size)
        biases = units if "bias" in layer.shapes else 0
        # A subsampling unit adds its four inputs and multiplies the sum once.
        multiply_adds = units if isinstance(layer, Subsampling) else connections - biases
        rows.append(
            {
                "name": layer.name,
                "maps": maps,
                "size": size,
                "units": units,
                "trainable": layer.trainable,
                "connections": connections,
                "multiply_adds": multiply_adds,
            }
        )
    for row, printed in zip(rows, (*HIDDEN_LAYERS, RBF_OUTPUT), strict=True):
        row["printed"] = printed._asdict()
    return rows


def history(run: Path) -> list[dict]:
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{"test": round(100.0 * r["test_error"], 4), "train": round(100.0 * r["train_error"], 4)} for r in log]


def first_rates(run: Path, network: LeNet5, train) -> list[float]:
    """Smallest and largest learning rate of the first pass: from the log, or computed from the run's seed anew."""
    first = json.loads((run / "log.jsonl").read_text().splitlines()[0])
    if "rate_min" in first:
        return [first["rate_min"], first["rate_max"]]
    recipe, seed = RECIPES["paper"].with_changes(samples=network.record["recipe"]["samples"]), network.record["seed"]
    new = LeNet5("paper", seed=seed, initialisation=recipe.initialisation)
    optimizer = recipe.make_optimizer()
    optimizer.prepare(new)
    optimizer.before_epoch(new, train.images, train.labels, seed, 1)
    rates = recipe.rates[0] * optimizer.state["rates"]
    return [float(rates.min()), float(rates.max())]


def rejection(out: np.ndarray, labels: np.ndarray) -> dict:
    """Error of what is kept where the least certain are rejected, by the gap between the two smallest penalties."""
    ordered = np.sort(out, axis=1)
    surest_last = np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")
    wrong = (out.argmax(axis=1) != labels)[surest_last]
    n = len(labels)
    kept_wrong = np.cumsum(wrong[::-1])[::-1]  # of those from here on
    errors = 100.0 * kept_wrong / (n - np.arange(n))
    low = np.flatnonzero(errors <= KEPT_ERROR)
    return {
        "kept_error": [float(errors[round(n * share / 100)]) for share in REJECTED],
        "share_for_target": 100.0 * float(low[0]) / n if len(low) else 100.0,
    }


def place(kind: str, amount: float) -> np.ndarray:
    """The map from the output to the input of a distorted image, as a row of `distort`'s parameters."""
    row = np.array(IDENTITY, dtype=np.float32)
    if kind == "scale":
        row[0] = row[4] = 1 / amount
    elif kind == "rotation":
        cosine, sine = np.cos(np.deg2rad(amount)), np.sin(np.deg2rad(amount))
        row[0], row[1], row[3], row[4] = cosine, sine, -sine, cosine
    elif kind == "shift right":
        row[2] = -amount
    elif kind == "shift down":
        row[5] = -amount
    return row


def changed(images: np.ndarray, kind: str, amount: float) -> np.ndarray:
    """Images on the grid of the input layer, (n, 32, 32) of 0 to 255, after one change."""
    rows = np.tile(place(kind, amount), (len(images), 1))
    grid = distort_reference(np, images, rows, np.zeros((1, 2, 32, 32), np.float32))
    if kind == "noise":
        hit = seeds.generator(accuracy.SEED, 4).random(grid.shape) < amount / 100
        grid = np.where(hit, 255 - grid, grid)
    return grid


def invariance(networks: list[LeNet5], images: np.ndarray, labels: np.ndarray) -> dict:
    """Accuracy of each network against scale, rotation, shift and noise."""
    report: dict = {}
    for kind, amounts in INVARIANCE.items():
        rows = []
        for amount in amounts:
            grid = changed(images, kind, amount).reshape(len(images), -1)
            rows.append([accuracy.accuracy(-penalties(network, grid), labels) for network in networks])
        report[kind] = {"amounts": list(amounts), "accuracy": rows}
    return report


def penalties(network: LeNet5, grid: np.ndarray) -> np.ndarray:
    parts = [network.forward_layers(network.grid_layer(grid[k : k + 200])) for k in range(0, len(grid), 200)]
    return np.concatenate(parts)


def nondigits(networks: list[LeNet5], test, n: int) -> list[dict]:
    """How well the output tells digits from other drawings: the groups of docs/explain/accuracy.md.

    By the smallest penalty of RBF units, by 1 less the largest probability of a softmax.
    """

    def judged(network: LeNet5, images: np.ndarray) -> tuple[np.ndarray, float]:
        out = accuracy.outputs(network, images)
        strange = -out if network.variant == "paper" else 1.0 - softmax(np, out.astype(np.float64))
        return strange.min(axis=1), 0.0  # there is no limit to refuse by

    with mock.patch.object(accuracy, "judged", judged), mock.patch.object(accuracy, "NONDIGITS", n):
        found = [accuracy.nondigits(network, test)["rows"] for network in networks]
    return [
        {"what": rows[0]["what"], "n": rows[0]["n"], "auroc": [row["auroc"] for row in rows]}
        for rows in zip(*found, strict=True)
    ]


def outcome(group: str, runs: list[Path], images: int) -> dict:
    """What became of the runs of a group, from their logs."""
    kind = paper_runs.GROUPS[group]
    subset = ["--dataset", f"first{kind.images}"] if kind.images else []
    options = ["--recipe", "paper", *kind.options, *subset]
    distorted = "--distortions" in kind.options
    return {
        "what": kind.what,
        "options": " ".join(options),
        "patterns": (kind.images or images) * (PAPER_COPIES if distorted else 1),
        "size_series": "--loss" not in kind.options,
        "history": [history(run) for run in runs],
        "seconds": [duration(run) for run in runs],
    }


def duration(run: Path) -> float:
    """Seconds of a run with its evaluations: the passes' median times their number, which a pause does not touch."""
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return len(log) * sum(median(record[key] for record in log) for key in ("seconds", "evaluation_seconds"))


def measure(groups: dict[str, list[Path]], train, test, pictures: Path, sizes: Sizes = Sizes()) -> dict:  # noqa: B008
    """Everything on the page.

    Args:
        groups: Run folders with model.npz and log.jsonl, by the names of `paper_runs.GROUPS`; "plain" at least.
        train: Training set of the runs.
        test: Test set.
        pictures: Folder for the pictures.
        sizes: Images of the two long measurements.
    """
    runs = groups["plain"]
    networks = {
        group: [accuracy.load(str(run)) for run in groups[group]]
        for group in ("plain", "distorted", "loss8", "softmax")
        if group in groups
    }
    outputs = [accuracy.outputs(network, test.images) for network in networks["plain"]]
    first = networks["plain"][0]
    part = slice(0, sizes.invariance)
    report = {
        "layers": layers(first),
        "table1": [list(row) for row in C3_TABLE],
        "runs": {group: outcome(group, paths, len(train.labels)) for group, paths in groups.items()},
        "test_errors": [100.0 - accuracy.accuracy(out, test.labels) for out in outputs],
        "rates": [first_rates(run, network, train) for run, network in zip(runs, networks["plain"], strict=True)],
        "parameter_bytes": first.parameters.nbytes,
        "rejected": list(REJECTED),
        "rejection": [rejection(out, test.labels) for out in outputs],
        "invariance": {
            "digits": len(test.labels[part]),
            "of": {
                group: invariance(networks[group], test.images[part], test.labels[part])
                for group in ("plain", "distorted")
                if group in networks
            },
        },
        "nondigits": {
            group: nondigits(networks[group], test, sizes.nondigits)
            for group in ("plain", "loss8", "softmax")
            if group in networks
        },
    }
    draw = paper_pictures
    draw.draw_codes(np.array(CODES), pictures / "paper_codes.png")
    draw.draw_maps(maps_of(first, test.images[:1]), pictures / "paper_maps.png")
    draw.draw_errors(report, pictures / "paper_errors.png")
    draw.draw_sizes(report, pictures / "paper_sizes.png")
    read = outputs[0].argmax(axis=1)
    wrong = np.flatnonzero(read != test.labels)
    draw.draw_misread(test.images[wrong], test.labels[wrong], read[wrong], pictures / "paper_misread.png")
    draw.draw_rejection(report, pictures / "paper_rejection.png")
    draw.draw_invariance(report, pictures / "paper_invariance.png")
    return report


def maps_of(network: LeNet5, image: np.ndarray) -> dict[str, np.ndarray]:
    """The input and every layer's squashed units for one image, maps first."""
    x = network.input_layer(image)
    found, name = {"input": x[0]}, ""
    for layer in network.layers[:-1]:
        x = layer.forward(x)
        name = layer.name or name
        found[name] = x[0]  # the squashing that follows a layer overwrites it
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/paper"), metavar="DIR", help="(default: runs/paper)")
    parser.add_argument("--no-train", action="store_true", help="take the runs that are there")
    options = parser.parse_args()
    data = load_dataset("mnist")
    if not options.no_train:
        paper_runs.make(options.runs, dict.fromkeys(paper_runs.GROUPS, paper_runs.SEEDS), data)
    groups = paper_runs.found(options.runs)
    if "plain" not in groups:
        parser.error(f"no finished run plain-0 in {options.runs}: leave out --no-train")
    report = measure(groups, data.train, data.test, paper_page.PAGE.parents[1] / "pictures")
    paper_page.RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    paper_page.PAGE.write_text(paper_page.fill(paper_page.PAGE.read_text(encoding="utf-8"), report), encoding="utf-8")


if __name__ == "__main__":
    main()
