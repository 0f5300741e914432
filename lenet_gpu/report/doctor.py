"""The report of `lenet-gpu doctor`: everything on this machine that decides how the program will run.

`collect` gathers it as plain data, `render` makes text of it, `run` prints either. Nothing that is missing
or broken may end the report: it is the report's business to say so.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata, util
from pathlib import Path
from typing import Any

from lenet_gpu._version import __version__
from lenet_gpu.engine.cpu.workers.cores import available_cores, default_workers
from lenet_gpu.engine.names import FAST_ENGINE

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that set how many threads a matrix product takes."""

PACKAGES = ("numpy", "matplotlib", "tqdm", "platformdirs", "Pillow")
"""Distributions the program needs; NumPy alone is enough to train and to recognise."""

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"

_MARKS = {"ok": "ok", "failed": "FAILED", "not reached": "-"}
_LABEL = 14  # Width of the column of labels.


def engines() -> list[dict[str, Any]]:
    """List the training engines of the CPU, the one that `train` takes first.

    Returns:
        For each: name, workers (processes that share the work).
    """
    return [{"name": FAST_ENGINE["cpu"], "workers": default_workers()}, {"name": "layered", "workers": 1}]


def collect() -> dict[str, Any]:
    """Gather the report.

    Returns:
        Plain dicts, lists, strings, numbers and None, fit for JSON: version, python, platform, cpu, numpy,
        engines, gpu (the probe's result), packages, kivy, data, weights, and verdict with `training` ("gpu",
        "cpu" or None), `sentence`.
    """
    report: dict[str, Any] = {
        "version": __version__,
        "python": {"version": platform.python_version(), "executable": sys.executable or ""},
        "platform": platform.platform(),
        "cpu": _attempt(_cpu),
        "numpy": _attempt(_numpy),
        "engines": engines(),
        "gpu": _attempt(_gpu),
        "packages": {name: _version(name) for name in PACKAGES},
        "kivy": _kivy(),
        "data": {"mnist": _attempt(_mnist)},
        "weights": _attempt(_weights),
    }
    report["verdict"] = _verdict(report)
    return report


def _attempt(gather: Any) -> dict[str, Any]:
    # A part that fails is reported like any other finding; `error` is absent where nothing failed.
    try:
        found: dict[str, Any] = gather()
    except Exception as error:
        return {"error": " ".join(f"{type(error).__name__}: {error}".split())}
    return found


def _cpu() -> dict[str, Any]:
    from lenet_gpu.backend.backend import cpu_name

    return {"name": cpu_name(), "usable": available_cores(), "count": os.cpu_count()}


def _numpy() -> dict[str, Any]:
    import numpy as np

    from lenet_gpu.engine.cpu.squash import has_wide_vectors

    table = np.arange(9, dtype=np.float32).reshape(3, 3)  # 0 1 2 / 3 4 5 / 6 7 8
    right = [[15.0, 18.0, 21.0], [42.0, 54.0, 66.0], [69.0, 90.0, 111.0]]
    return {
        "version": np.__version__,
        "works": (table @ table).tolist() == right,
        "wide_vectors": has_wide_vectors(),
        "blas": _attempt(_blas),
        "threads": {name: os.environ.get(name) for name in BLAS_VARIABLES},
    }


def _blas() -> dict[str, Any]:
    import numpy as np

    config = getattr(np.__config__, "CONFIG", None)
    if config is not None:
        blas = config["Build Dependencies"]["blas"]
        return {"name": str(blas.get("name", "?")), "version": str(blas.get("version", "?"))}
    # Before NumPy 1.26 there is only the name of what it was linked with.
    blas = np.__config__.get_info("blas_opt_info")  # type: ignore[attr-defined]
    return {"name": " ".join(blas.get("libraries", ["?"])), "version": "?"}


def _gpu() -> dict[str, Any]:
    from lenet_gpu.backend.isolated_probe import probe_isolated

    found = probe_isolated().to_dict()
    if found["usable"]:
        found["forms"] = _attempt(_forms)
    return found


def _forms() -> dict[str, Any]:
    """Compile the kernels, or find them compiled, and ask the device which of their forms it runs."""
    from lenet_gpu.backend import select_backend
    from lenet_gpu.engine.cuda.choice import Forms
    from lenet_gpu.paper import CLASSES

    forms = Forms(select_backend("gpu").xp, "modern", CLASSES)
    training = [{"from_batch": size, "form": form.description} for size, form in forms.choices()]
    return {"training": training, "inference": forms.of_inference().name}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except Exception:  # Missing, or its record is damaged.
        return None


def _kivy() -> dict[str, Any]:
    # Importing Kivy opens windows, logs and settings: looking for it is enough.
    try:
        installed = util.find_spec("kivy") is not None
    except Exception:
        installed = False
    remedy = "" if installed else "to draw digits: pip install kivy (Python before 3.14)"
    return {"installed": installed, "version": _version("kivy") if installed else None, "remedy": remedy}


def _mnist() -> dict[str, Any]:
    from lenet_gpu.datasets import locate_mnist

    place = locate_mnist()
    return {"place": None if place is None else str(place)}


def _weights() -> dict[str, Any]:
    files = sorted(WEIGHTS.glob("*.npz"))
    return {"folder": str(WEIGHTS), "files": {path.name: path.stat().st_size for path in files}}


def _verdict(report: Mapping[str, Any]) -> dict[str, Any]:
    numpy, gpu = report["numpy"], report["gpu"]
    if not numpy.get("works"):
        cause = numpy.get("error", "a matrix product came out wrong")
        return {
            "training": None,
            "sentence": f"Training is not possible, NumPy does not work ({cause}); reinstall it: "
            "pip install --force-reinstall numpy",
        }
    if gpu.get("usable"):
        return {"training": "gpu", "sentence": f"Training runs on the GPU, {gpu['facts']['device_name']}."}
    failed = next((stage for stage in gpu.get("stages", ()) if stage["outcome"] == "failed"), None)
    why = f'the GPU is out of reach at stage "{failed["key"]}"' if failed else "the GPU check itself failed"
    return {
        "training": "cpu",
        "sentence": f"Training runs on the CPU, {_engine_text(report['engines'][0])}; {why}.",
    }


# ---- as text


def render(report: Mapping[str, Any]) -> str:
    """Make readable text of a report.

    Args:
        report: What `collect` returned.

    Returns:
        Aligned lines in sections; the last one is the verdict, a plain sentence.
    """
    sections = (
        ("system", _system_rows(report)),
        ("GPU", _gpu_rows(report["gpu"])),
        ("files and app", _file_rows(report)),
    )
    lines = [f"lenet-gpu {report['version']}"]
    for title, rows in sections:
        lines += ["", title, *(f"  {label:<{_LABEL}}{text}".rstrip() for label, text in rows)]
    return "\n".join([*lines, "", report["verdict"]["sentence"]])


Rows = list[tuple[str, str]]


def _engine_text(engine: Mapping[str, Any]) -> str:
    return f'engine "{engine["name"]}" with {engine["workers"]} worker{"" if engine["workers"] == 1 else "s"}'


def _vectors_text(numpy: Mapping[str, Any]) -> str:
    return ", on AVX-512" if numpy.get("wide_vectors") else ""


def _system_rows(report: Mapping[str, Any]) -> Rows:
    cpu, numpy = report["cpu"], report["numpy"]
    rows = [
        ("Python", f"{report['python']['version']}  {report['python']['executable']}"),
        ("platform", report["platform"]),
        ("CPU", cpu.get("error") or f"{cpu['name']}, {cpu['usable']} of {cpu['count']} processors usable"),
    ]
    if "error" in numpy:
        rows.append(("NumPy", numpy["error"]))
    else:
        blas = numpy["blas"]
        rows += [
            ("NumPy", numpy["version"] + _vectors_text(numpy) + ("" if numpy["works"] else ", WRONG RESULTS")),
            ("BLAS", blas.get("error") or f"{blas['name']} {blas['version']}"),
            ("BLAS threads", ", ".join(f"{k}={v or 'unset'}" for k, v in numpy["threads"].items())),
        ]
    rows.append(("engines", "; ".join(_engine_text(engine) for engine in report["engines"])))
    missing = [name for name, version in report["packages"].items() if version is None]
    if missing:
        rows.append(("missing", f"{', '.join(missing)}: pip install {' '.join(missing)}"))
    return rows


def _gpu_rows(gpu: Mapping[str, Any]) -> Rows:
    if "error" in gpu:
        return [("check", f"FAILED    {gpu['error']}")]
    rows = []
    for stage in gpu["stages"]:
        mark = _MARKS[stage["outcome"]]
        rows.append((stage["key"], f"{mark:<8}{stage['detail'] or stage['title']}"))
        if stage["remedy"]:
            rows.append(("", f"{'':<8}-> {stage['remedy']}"))
    facts = gpu["facts"]
    if "cupy_version" in facts:
        known = (("CUDA", "cuda_runtime"), ("driver's CUDA", "cuda_driver"), ("driver", "nvidia_driver"))
        rows.append(("versions", ", ".join(f"{name} {facts[key]}" for name, key in known if key in facts)))
    if "device_name" in facts:
        memory = f"{facts['memory_total'] / 2**30:.1f} GiB"
        rows.append(("device", f"{facts['device_name']}, {memory}, compute capability {facts['compute_capability']}"))
    if len(facts.get("devices", ())) > 1:
        rows.append(("devices", ", ".join(f"{number}: {name}" for number, name in enumerate(facts["devices"]))))
    if "cuda_visible_devices" in facts:
        hides = "" if facts["cuda_visible_devices"] else " (empty: it hides every GPU)"
        rows.append(("visible", f"CUDA_VISIBLE_DEVICES={facts['cuda_visible_devices']}{hides}"))
    forms = gpu.get("forms", {})
    if "error" in forms:
        rows.append(("kernels", f"FAILED    {forms['error']}"))
    rows += [(f"batch {each['from_batch']}...", each["form"]) for each in forms.get("training", ())]
    if "inference" in forms:
        rows.append(("inference", f"{forms['inference']} form"))
    if len(facts.get("distributions", ())) > 1:
        rows.append(("duplicates", ", ".join(facts["distributions"])))
    return rows


def _file_rows(report: Mapping[str, Any]) -> Rows:
    mnist, weights, kivy = report["data"]["mnist"], report["weights"], report["kivy"]
    files = ", ".join(f"{name} ({size / 1e3:.0f} kB)" for name, size in weights.get("files", {}).items())
    return [
        ("MNIST", mnist.get("error") or mnist["place"] or "not here yet: the first training downloads it"),
        ("weights", weights.get("error") or files or f"none in {weights['folder']}"),
        ("Kivy", kivy["version"] or "installed" if kivy["installed"] else f"not installed; {kivy['remedy']}"),
    ]


def run(as_json: bool = False) -> int:
    """Print the report on standard output.

    Args:
        as_json: Print JSON instead of text.

    Returns:
        Exit status: 0 if training is possible, if only on the CPU; else 1.
    """
    report = collect()
    print(json.dumps(report, indent=2) if as_json else render(report))
    return 0 if report["verdict"]["training"] else 1
