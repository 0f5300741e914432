"""The main job, end to end: the command trains on the full MNIST and the model it leaves reads the test set."""

import json

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "least"),
    [
        ("classic", 0.97),  # 97.8 to 98.2 % after two epochs with seeds 0 to 2
        ("fast", 0.982),  # 98.6 %
    ],
)
def test_two_epochs_of_a_recipe(lenet_gpu_command, tmp_path, recipe, least):
    """Far less would mean that something is broken."""
    done = lenet_gpu_command(
        "train", "--recipe", recipe, "--backend", "cpu", "--epochs", "2", "--out", "run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    report = lenet_gpu_command("evaluate", "run", "--json", cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    result = json.loads(report.stdout)
    assert result["images"] == 10_000
    assert result["accuracy"] > least
