"""What is there for readers: the tiles in plain NumPy, and the list of a step's calls."""

import subprocess
import sys

import numpy as np
import pytest

from lenet_gpu.engine.cpu import plan as cpu_plan
from lenet_gpu.engine.cpu.plan import CpuPlan
from lenet_gpu.engine.cpu.tiles import c1_to_s4
from lenet_gpu.nn.lenet5 import LeNet5


def test_the_readable_tiles_equal_the_layers(mnist, rng):
    net = LeNet5(dtype="float64")
    net.set_parameters(net.host_parameters() + 0.1 * rng.standard_normal(net.parameters.size))
    x = net.input_layer(mnist.test.images[:3])
    s2, s4 = c1_to_s4(x, net.views)
    expected = {}
    for layer in net.layers:
        x = layer.forward(x)
        expected[x.shape[1:]] = x  # after squashing, which comes last at each size
    np.testing.assert_allclose(s2, expected[6, 14, 14], rtol=1e-12)
    np.testing.assert_allclose(s4, expected[16, 5, 5], rtol=1e-12)


def lines_of(text):
    return [line.strip() for line in text.splitlines() if "->" in line]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("variant", "loss"), [("modern", "cross_entropy"), ("paper", "rbf"), ("paper", "map")])
@pytest.mark.parametrize("images", ["uint8", "grid"])
@pytest.mark.parametrize("trains", [True, False])
def test_a_step_is_listed_call_by_call_with_names(wide, variant, loss, images, trains, monkeypatch):
    monkeypatch.setattr(cpu_plan, "has_wide_vectors", lambda: wide)
    net = LeNet5(variant)
    net.loss = loss
    plan = CpuPlan.of(net, [net.gradients] if trains else [], images=images)
    text = plan.describe(32)
    program, dense = plan._programs.get(32, 0), plan._programs.dense(32)
    lists = (plan._programs.build, program.load, program.forward, dense.calls, program.backward)
    calls = [call for made in lists for call in made]
    assert len(lines_of(text)) == len(calls)
    assert text.splitlines()[0] == f"32 images at once: {len(calls)} calls"
    for line, (function, _) in zip(lines_of(text), calls, strict=True):
        expected = function.__name__
        if expected == "reduce":
            expected = "sum" if function.__self__ is np.add else "max"
        assert line.startswith(expected + "(")
    assert "unnamed" not in text
    used = [word for line in lines_of(text) for word in line.replace("(", " ").replace("[", " ").split()]
    # One chunk needs no array for several, and tanh and exp in place need no scratch.
    needless = {"dense_scratch"} if wide or trains else set()
    needless |= set() if trains else {"s4_together", "scratch"}
    for name in {*plan._programs.forward.arrays(32), *net.shapes} - needless:
        layer = name.split(".")[0]
        assert any(word.removesuffix(".T") in (name, f"{layer}.*") for word in used), name
    for layer in ("input", "C1", "S2", "C3", "S4", "C5", "F6", "output"):
        assert f"\n  {layer}" in text


def test_a_line_names_function_operands_shapes_and_output():
    net = LeNet5(classes=26)
    text = CpuPlan.of(net, [net.gradients]).describe(5)
    assert "    dot(f6.weight (84, 120), c5 (120, 5)) -> f6 (84, 5)\n" in text
    assert "    add(logits (26, 5), output.bias (26, 1)) -> logits (26, 5)\n" in text
    assert "    take(targets (26, 27), labels (5,), axis=1) -> target (26, 5)\n" in text
    assert "    dot(f6_delta (84, 5), c5.T (5, 120)) -> grad f6.weight (84, 120)\n" in text
    assert "    dot(c1_matrices[3:4] (24, 41), c1_in[24:65] (41, 245)) -> c1[72:96] (24, 245)\n" in text


def test_a_plan_for_inference_lists_no_backward_pass():
    text = CpuPlan.of(LeNet5()).describe(1)
    assert "forward: " in text
    assert "backward" not in text
    assert "grad" not in text


def test_describing_leaves_the_plan_as_it_was(mnist):
    net = LeNet5(seed=3)
    plan = CpuPlan.of(net, [net.gradients])
    images, labels = mnist.train.images.reshape(-1, 784), mnist.train.labels.astype(np.intp)
    plan.gradients(images, labels, np.arange(40))
    before = net.gradients.copy()
    plan.describe(7)
    plan.gradients(images, labels, np.arange(40))
    assert net.gradients.tobytes() == before.tobytes()


def test_the_module_prints_the_list():
    ended = subprocess.run(
        [sys.executable, "-m", "lenet_gpu.engine.cpu"], capture_output=True, text=True, check=True, timeout=60
    )
    net = LeNet5()
    assert ended.stdout == CpuPlan.of(net, [net.gradients]).describe() + "\n"
    assert ended.stderr == ""
