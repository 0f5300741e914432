"""The benchmarks: `lenet-gpu bench` for real, and how results become ratios, tables, chart. No time is asserted."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fields import assert_documented
from PIL import Image

from lenet_gpu import LeNet5, cli, paper
from lenet_gpu.nn.losses import softmax
from lenet_gpu.report import benchmark
from lenet_gpu.report.made_up import rings

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.append(str(BENCHMARKS))

import chart  # noqa: E402
import contender  # noqa: E402
import network  # noqa: E402
import ours  # noqa: E402
import report  # noqa: E402
import summary  # noqa: E402


def result(task, size, implementation, rates, layout="", threads=1, **more):
    name = "/".join(part for part in (implementation, layout, str(threads)) if part)
    return {
        "task": task, "size": size, "name": name, "implementation": implementation, "layout": layout,
        "threads": threads, "chunk": 0, "rates": rates, "others": [0.0] * len(rates), **more,
    }  # fmt: skip


MACHINE = {"cpu": "A CPU", "cores": 2, "vector": "avx2", "system": "Linux x86_64", "commit": "abc", "changed": False}
FACTS = {"date": "2026-01-01", "machine": MACHINE, "versions": {"numpy": "2.0"}}


@pytest.fixture
def cpu_report():
    """Two of ours and three rivals, with round numbers."""
    results = [
        result("train", 32, "cpu_plan", [300.0, 100.0, 200.0], threads=2),
        result("train", 32, "cpu_plan", [90.0, 100.0, 110.0], threads=1),
        result("train", 32, "torch-eager", [10.0, 10.0, 10.0], "contiguous"),
        result("train", 32, "torch-compile", [40.0, 40.0, 50.0], "channels_last"),
        result("train", 32, "torch-compile", [50.0, 50.0, 40.0], "contiguous", 2),
        result("infer", 1, "forward", [20000.0, 20000.0, 25000.0]),
        result("infer", 1, "onnxruntime", [10000.0, 10000.0, 12500.0], "pool"),
    ]
    return {**FACTS, "kind": "cpu", "results": results, "ratios": summary.ratios(results)}


# ---- arithmetic


def test_quartiles_and_spread():
    assert summary.quartiles([5.0, 1.0, 3.0, 2.0, 4.0]) == (2.0, 4.0)
    assert summary.quartiles([1.0, 2.0]) == (1.25, 1.75)
    assert summary.spread([3.0, 1.0, 2.0]) == {"n": 3, "median": 2.0, "q1": 1.5, "q3": 2.5, "min": 1.0, "max": 3.0}


def test_a_ratio_is_of_medians_and_its_spread_is_round_by_round():
    found = summary.ratio({"rates": [300.0, 100.0, 200.0]}, {"rates": [50.0, 50.0, 40.0]})
    assert found["of_medians"] == 4.0
    assert found["paired"] == {"median": 5.0, "q1": 3.5, "q3": 5.5, "min": 2.0, "max": 6.0}


def test_rivals_count_at_their_best_configuration(cpu_report):
    found = {(r["ours"], r["family"]): (r["rival"], r["of_medians"]) for r in cpu_report["ratios"]}
    assert found["cpu_plan/2", "PyTorch"] == ("torch-compile/contiguous/2", 4.0)
    assert found["cpu_plan/2", "torch eager"] == ("torch-eager/contiguous/1", 20.0)
    assert found["cpu_plan/1", "torch.compile"] == ("torch-compile/contiguous/2", 2.0)
    assert found["forward/1", "ONNX Runtime"] == ("onnxruntime/pool/1", 2.0)
    assert not any(ours.startswith("cpu_plan") and family == "JAX" for ours, family in found)


def test_a_rivals_slow_configuration_is_dropped_but_never_its_best_or_ours(cpu_report):
    results = [r for r in cpu_report["results"] if r["task"] == "train"]
    slow = result("train", 32, "torch-compile", [30.0, 31.0, 32.0], "contiguous")
    assert summary.too_slow([*results, slow], 0.7) == [slow]
    slow |= {"rates": [90.0], "dropped": True}  # of no account, whatever it did
    assert summary.best([*results, slow], ("torch-compile",))["rates"] == [50.0, 50.0, 40.0]


def test_rounds_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        summary.ratio({"rates": [1.0, 2.0]}, {"rates": [1.0]})


def test_what_is_measured_again_joins_what_is_stored(cpu_report):
    stored = {**cpu_report, "settings": {"quick": False}, "checks": []}
    results = [
        result("infer", 1, "forward", [40000.0, 40000.0]),
        result("infer", 1, "mnn", [10000.0, 10000.0], "pool"),
    ]
    machine = {**MACHINE, "commit": "def"}
    again = {
        **stored,
        "date": "2026-02-02",
        "machine": machine,
        "results": results,
        "ratios": summary.ratios(results),
    }
    found = summary.merged(copy.deepcopy(stored), again)
    names = [(r["task"], r["name"], r["measured"]["commit"], r["rates"][0]) for r in found["results"]]
    assert names[:5] == [("train", r["name"], "abc", r["rates"][0]) for r in stored["results"][:5]]
    assert names[5:] == [
        ("infer", "forward/1", "def", 40000.0), ("infer", "onnxruntime/pool/1", "abc", 10000.0),
        ("infer", "mnn/pool/1", "def", 10000.0),
    ]  # fmt: skip
    # The rival that was not measured again keeps its ratio to what ours was then.
    inferred = [r for r in found["ratios"] if r["task"] == "infer"]
    ratios = {r["family"]: (r["of_medians"], r["measured"]["date"]) for r in inferred}
    assert ratios == {"ONNX Runtime": (2.0, "2026-01-01"), "MNN": (4.0, "2026-02-02")}
    assert "commit abc, 2026-01-01; numpy" in report.speeds(found, "train")[-1]
    assert "commit abc, 2026-01-01 and commit def, 2026-02-02; numpy" in report.speeds(found, "infer")[-1]
    assert summary.merged(found, again)["results"] == found["results"]
    with pytest.raises(ValueError, match="'A CPU' in the stored results, 'Another CPU' measured now"):
        summary.merged(stored, {**again, "machine": {**machine, "cpu": "Another CPU"}})


# ---- tables and the page


def test_the_training_table_shows_the_best_configuration(cpu_report):
    lines = report.speeds(cpu_report, "train")
    assert "| lenet-gpu, cpu_plan, 2 workers | **200** (100 to 300) |" in lines
    assert "| PyTorch, torch.compile of the whole step | **50** (40 to 50), contiguous, 2 threads |" in lines


def test_single_images_are_shown_as_latency(cpu_report):
    lines = report.speeds(cpu_report, "infer")
    assert "| lenet-gpu, LeNet5.forward | **50 µs** (40 µs to 50 µs) |" in lines


def test_the_ratio_table(cpu_report):
    lines = report.ratio_table(cpu_report, "train")
    assert lines[0] == "| times faster than the best of | PyTorch | torch.compile | torch eager |"
    assert (
        "| batch 32: cpu_plan, 2 workers | **4.00** (2.00 to 6.00) | **4.00** (2.00 to 6.00) | **20** (10 to 30) |"
        in lines
    )


def test_the_busy_table():
    busy = {**FACTS, "results": [result("train", 32, "cpu_plan", [100.0, 100.0], threads=2, busy_rates=[60.0, 70.0])]}
    assert "| cpu_plan/2 | 32 | 100 | 65 | **0.65** |" in report.busy_table(busy)


def test_the_startup_table():
    def spread(*values):
        return summary.spread(list(values))

    memory = {key: spread(100.0) for key in ("sum of RSS", "sum of PSS", "largest process")}
    more = {key: spread(400.0) for key in memory}
    first = {"first_step": 30.0, "seconds": 40.0, "memory_mib": dict.fromkeys(memory, 900.0)}
    job = {"seconds": spread(8.0), "first_step": spread(3.0), "memory_mib": more}
    startup = {
        **FACTS,
        "imports": {"import numpy": spread(0.1), "import lenet_gpu": spread(0.12)},
        "cold_start": {"import": spread(150.0)},
        "training": {
            "lenet-gpu train": {"seconds": spread(4.0), "first_step": spread(1.0), "memory_mib": memory},
            "PyTorch eager": job,
            "PyTorch torch.compile": {**job, "without_cache": first},
        },
        "classic": {**spread(20.0), "predecessor_seconds": 15578.0, "times_faster": 778.9},
    }
    text = "\n".join(report.startup_table(startup))
    assert "| `import lenet_gpu` | 0.120 | 1.20 |" in text
    assert "| import | 150.0 |" in text
    assert "| PyTorch eager | 3.00 (3.00 times ours) | 8.00 (2.00 times ours) | 400 (4.00 times ours) |" in text
    assert "nothing compiled yet) | 30.0 | 40.0 | 900 |" in text
    assert "**20.0 s** (20.0 to 20.0, n 1), **779 times** faster" in text


def test_the_floor_table():
    layer = {"us": 10.0, "matmul_us": 5.0, "flops": 5e5}
    floor = dict.fromkeys(
        ("gflops_1", "gflops_all", "mflop_needed", "mflop_executed", "needed_all", "executed_all"), 2.0
    )
    where = {**FACTS, "chunk": 32, "layers": {"C1": layer}, "kinds": {"squashing": 4.0}, "total_us": 20.0}
    lines = report.where_table({**where, "floor": {**floor, "cores": 2}})
    assert "| C1 | 10.00 | 50 % | 50 % | 100 |" in lines
    assert "| squashing | 4.00 | 20 % |" in lines


def test_the_page_is_filled_between_its_markers_alone(cpu_report):
    page = report.PAGE.read_text(encoding="utf-8")
    empty = report.fill(page, {})
    assert empty.count(report.MISSING) == len(report.BLOCKS)
    filled = report.fill(empty, {"cpu": cpu_report})
    assert "**200** (100 to 300)" in filled
    assert filled.count(report.MISSING) == sum(source != "cpu" for source, _ in report.BLOCKS.values())
    assert report.fill(filled, {}) == empty
    with pytest.raises(ValueError, match="'busy' 0 times"):
        report.fill(page.replace("<!-- begin busy -->", ""), {})


def test_the_page_says_what_the_stored_results_say():
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.fill(page, report.stored()) == page, "run tests/benchmarks/report.py"


def test_the_chart_shows_every_workload(cpu_report, tmp_path):
    chart.draw(cpu_report, tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as picture:
        first = np.asarray(picture.convert("RGB"))
    blue, orange = [0, 114, 178], [213, 94, 0]  # ours and torch.compile, in proportion to their speeds
    panel = first[:, : first.shape[1] // 2].astype(int)  # the left one: training
    widths = [(np.abs(panel - colour).max(axis=2) < 3).sum(axis=1).max() for colour in (blue, orange)]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.1)
    more = copy.deepcopy(cpu_report)
    more["results"] += [result("train", 256, "cpu_plan", [1.0]), result("infer", 1000, "cpu_plan", [1.0])]
    chart.draw(more, tmp_path / "two.png")
    with Image.open(tmp_path / "two.png") as picture:
        assert picture.height > len(first)  # a second row of panels


def test_the_front_pages_chart_is_drawn_of_the_stored_results(tmp_path):
    chart.draw_front(report.stored()["cpu"], tmp_path / "front.png")
    with Image.open(tmp_path / "front.png") as ours, Image.open(report.FRONT_CHART) as shown:
        assert (np.asarray(ours.convert("L")) < 128).any()
        assert ours.size == shown.size
    for task, size in chart.FRONT:
        assert any((r["task"], r["size"]) == (task, size) for r in report.stored()["cpu"]["results"])


# ---- what the peers are handed


def test_folded_inference_weights_compute_the_same(mnist):
    """The peers' folded network, written with this package's layers."""
    model, folded = LeNet5(seed=3), LeNet5(seed=3, dtype="float64")
    model.set_parameters(network.start_parameters(model))
    weights = network.inference_weights(model.views)
    for name, view in folded.views.items():
        value = weights[name]
        if name == "c3.weight":
            value = value[network.C3_OUT, network.C3_IN]
        view[...] = value / 4 if name.endswith("coefficient") else value
    images = mnist.test.images[:50]
    x = network.padded(images)[:, None].astype(np.float64)
    for layer in folded.layers:
        x = np.tanh(x) if type(layer).__name__ == "ScaledTanh" else layer.forward(x)
    np.testing.assert_allclose(softmax(np, x), model.forward(images), atol=2e-6)


def test_dense_c3_and_the_flat_buffer():
    model = LeNet5(seed=1)
    dense = network.dense_c3(model.views["c3.weight"])
    assert np.array_equal(network.c3_mask()[:, :, 0, 0].nonzero(), (network.C3_OUT, network.C3_IN))
    assert np.count_nonzero(network.c3_mask()) == sum(map(len, paper.C3_TABLE)) == 60
    assert tuple(network.NAMES) == tuple(model.views)
    assert np.array_equal(network.flat({**model.views, "c3.weight": dense}), model.parameters)


@pytest.mark.parametrize("implementation", ["layered", "cpu_plan"])
def test_our_contender_serves_bursts(implementation, tmp_path):
    server = contender.Server(implementation, "", 1)
    try:
        server.compile_training(32)
        server.check_training(32, 2, str(tmp_path / "check.npz"))
        with np.load(tmp_path / "check.npz") as file:
            losses, parameters = file["losses"], file["parameters"]
        assert losses.shape == (2,)
        assert parameters.shape == (60850,)
        assert losses[0] == pytest.approx(np.log(10), abs=0.5)
        server.warm_training(32, 0.01)
        first = server.train(32, 0.05)
        assert first["images"] % 32 == 0
        assert first["seconds"] > 0
        server.compile_inference([1000])
        server.warm_inference(1000, 0.01)
        assert server.infer(1000, 0.01, 10000)["images"] % 1000 == 0
        # every burst starts from the same parameters, whatever came before
        server.check_training(32, 2, str(tmp_path / "again.npz"))
        with np.load(tmp_path / "again.npz") as file:
            assert np.array_equal(file["parameters"], parameters)
    finally:
        server.close()


def test_pixels_are_scaled_as_the_network_does():
    assert pytest.approx((paper.INK - paper.BACKGROUND) / 255) == network.SCALE
    assert ours.LEARNING_RATE == 0.05


# ---- lenet-gpu bench


def test_worker_counts():
    assert [benchmark.worker_counts(n) for n in (1, 2, 3, 4, 6, 16)] == [
        [1], [1, 2], [1, 2, 3], [1, 2, 4], [1, 2, 4, 6], [1, 2, 4, 8, 16],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """`lenet-gpu bench --json`, finished, and the folder where it ran."""
    folder = tmp_path_factory.mktemp("bench")
    arguments = ["bench", "--backend", "cpu", "--threads", "2", "--seconds", "0.1", "--json"]
    command = [sys.executable, "-m", "lenet_gpu", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False), folder


def test_bench_measures_every_engine_of_the_cpu(bench):
    ended, folder = bench
    assert (ended.returncode, ended.stderr) == (0, "")
    found = json.loads(ended.stdout)
    assert_documented("json.md", "bench", found)
    assert list(found["devices"]) == ["cpu"]
    engines = [("cpu_plan", 1), ("cpu_plan", 2), ("layered", 1)]
    expected = {(*engine, "train", batch) for engine in engines for batch in benchmark.BATCHES}
    expected |= {(*engine, "infer many", benchmark.MANY) for engine in engines}
    expected |= {("recognizer", 1, "infer one", 1)}
    assert {(r["engine"], r["workers"], r["task"], r["size"]) for r in found["results"]} == expected
    assert len(found["results"]) == len(expected)
    for r in found["results"]:
        assert 0 < r["lowest"] <= r["images_per_second"] <= r["highest"]
        assert r["microseconds_per_image"] == pytest.approx(1e6 / r["images_per_second"])
        assert r["rounds"] == benchmark.ROUNDS
    assert list(folder.iterdir()) == []


def test_bench_shows_a_table(bench, monkeypatch, capsys):
    found = json.loads(bench[0].stdout)
    for r in found["results"]:  # round numbers to look for
        r["images_per_second"], r["microseconds_per_image"] = 12345.0 * r["workers"], 76.4
    monkeypatch.setattr(benchmark, "measure", lambda data, **_: found)
    assert cli.run(["bench", "--no-download"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["cpu:", "cpu_plan,", "2", "workers", *["24,700"] * 4, "-"] in lines
    assert ["cpu:", "layered", *["12,300"] * 4, "-"] in lines
    assert ["cpu:", "recognizer", *"----", "76", "us"] in lines


def test_bench_says_what_limits_it(bench):
    found = json.loads(bench[0].stdout)
    assert found["data"] == "mnist"
    for r in found["results"]:
        r["images_per_second"] = 1000.0 * (1.9 if r["workers"] == 2 and r["size"] == 1024 else 1.0)
    lines = benchmark.limits({**found, "cpu": {"cores": 2, "quota": 1.5, "wide_vectors": False}})
    assert lines[0].endswith("2 workers at most, cores 2, of which a quota leaves 1.5")
    assert "1.00 times one worker; limited by waiting" in lines[1]
    assert "1.90 times one worker; limited by the workers' computing" in lines[3]


def test_bench_runs_on_made_up_images_where_there_is_no_mnist(monkeypatch, capsys):
    from lenet_gpu import datasets
    from lenet_gpu.errors import DataError

    def absent(name, *, download):
        assert (name, download) == ("mnist", False)
        raise DataError("mnist", found="nothing")

    monkeypatch.setattr(datasets, "load_dataset", absent)
    assert cli.run(["bench", "--backend", "cpu", "--threads", "1", "--seconds", "0.05", "--json"]) == 0
    out = capsys.readouterr()
    assert json.loads(out.out)["data"] == "made-up"
    assert "made-up images" in out.err


def test_rings_have_about_a_digits_ink():
    pixels = rings(500)
    assert pixels.shape == (500, 28, 28)
    assert pixels.dtype == np.uint8
    assert 0.07 < pixels.mean() / 255 < 0.25  # MNIST 0.13
    assert len({image.tobytes() for image in pixels}) == 500


def test_the_progress_reaches_its_end(mnist):
    told = []

    def progress(*facts):
        told.append(facts)

    benchmark.measure(mnist, backend="cpu", threads=1, seconds=0.01, progress=progress)
    assert [done for _, done, _ in told] == list(range(1, told[0][2] + 1))
    assert {what for what, _, _ in told} == {"cpu: cpu_plan, 1 worker", "cpu: layered", "cpu: recognizer, 1 worker"}


def test_bench_names_a_wrong_option(lenet_gpu_command, tmp_path):
    ended = lenet_gpu_command("bench", "--seconds", "0", cwd=tmp_path)
    assert ended.returncode == 2
    assert "--seconds" in ended.stderr
    assert "Traceback" not in ended.stderr
