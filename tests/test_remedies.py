"""Every remedy that an error names is carried out, and works.

Each function of tests/remedies runs into an error, then does what its last words say, and nothing else. Here the
sources are searched for remedies that no function has carried out.
"""

import ast
import importlib
import logging
from pathlib import Path

import pytest
from remedies.place import CARRIED_OUT, Place

ROOT = Path(__file__).resolve().parents[1]

for path in sorted((ROOT / "tests" / "remedies").glob("*.py")):
    importlib.import_module(f"remedies.{path.stem}")

NOT_HERE = {
    "a machine of another kind": (
        "start it there, over ssh with ssh -X, or on a console without a desktop with SDL_VIDEODRIVER=kmsdrm",
        "take the whole project: the folder app lies beside lenet_gpu",
        "take an earlier Python, or draw in a browser: lenet-gpu export touch --to html --out page.html",
        "take a smaller batch size, or end other programs on the GPU (nvidia-smi lists them)",
        "{}; until then take the engine 'layered'",
        "take the engine 'layered'",
        "call load first",
        "CUDA_VISIBLE_DEVICES={} decides which GPUs there are",
        "unset MPLBACKEND",
        "install it again: pip install --force-reinstall matplotlib",
    ),
    "room, or rights that root has anyway": (
        "free some space",
        "free some space or name another folder",
        "free some space or allow writing{}",
        "free some space or check the rights of the folder above it",
        "free some space, or set LENET_GPU_CACHE to a folder with more",
        "set LENET_GPU_CACHE to one that can",
        "free some memory, or load fewer images",
        "shrink it",
        "check its rights",
        "check the rights of its folder",
    ),
    "a network of computers, or files that are published": (
        "check the network (http_proxy, https_proxy) and try again, or put it into {}",
        "allow the download, or name the folder that has them",
        "set {} to one, or HOME",
        "the file is altered or another one: fetch it again, or load the folder by its path",
        "put that there, or load the folder by its path",
        "put them there or name another folder",
        "bring back the same files, or start a new run",
    ),
    "files of many megabytes": (
        "unpack the file and give that",
        "shrink the image",
        "{}, or unpack it if it is right",
        "split the file, or convert it to idx files",
    ),
    "several processes, started by mpiexec: tests/training/test_distributed.py": (
        "give all of them the same command, data, package versions and kind of processor",
        "start it with: mpiexec -n {} python -m mpi4py -m lenet_gpu train ...",
        "start it without mpiexec",
    ),
    "a second window of the app: tests/app/test_two_windows.py": ("close the other one, then start this one again",),
    "damaged data, to be replaced": ("train again", "pack it again with one of them"),
    "a name that an object of another type took": ("give the name first",),
    "packages that are installed": (
        "pip install distributed",
        "pip install onnx",
        "pip install safetensors",
        "pip install 'lenet-gpu[completion]'",
        "load it in PyTorch and write its state_dict() with safetensors.torch.save_file",
    ),
}
"""Remedies that no function here carries out, and why."""


@pytest.fixture
def place(tmp_path, mnist, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("lenet_gpu")
    before = logger.handlers, logger.propagate
    yield Place(tmp_path, mnist, capsys)
    logger.handlers, logger.propagate = before


def text_of(node):
    """The words of a remedy, with {} for what is filled in; none for what is not written there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)]
    if isinstance(node, ast.IfExp):
        return text_of(node.body) + text_of(node.orelse)
    if isinstance(node, ast.BinOp):  # a text, and what is put behind it
        return [f"{text}{{}}" for text in text_of(node.left)]
    return []


def remedies_of(source):
    """All remedies written in a module's errors."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [text for call in calls for word in call.keywords if word.arg == "remedy" for text in text_of(word.value)]


@pytest.mark.parametrize("carry_out", dict.fromkeys(CARRIED_OUT.values()), ids=lambda function: function.__name__)
def test_the_remedy_works(carry_out, place):
    carry_out(place)


def test_every_remedy_is_carried_out_or_listed():
    written = {
        remedy
        for package in ("lenet_gpu", "app")
        for path in (ROOT / package).rglob("*.py")
        for remedy in remedies_of(path.read_text(encoding="utf-8"))
    }
    listed = {remedy for remedies in NOT_HERE.values() for remedy in remedies}
    assert not listed & set(CARRIED_OUT)
    assert written - set(CARRIED_OUT) - listed == set()
    assert (listed | set(CARRIED_OUT)) - written == set()  # those that errors no longer name
