"""What the command line is to a shell: completion, quiet, its version, one note about the backend."""

import subprocess
import sys

import pytest

from lenet_gpu import __version__
from lenet_gpu.cli import COMMANDS


def test_bash_completes_commands_options_and_choices(lenet_gpu_command, tmp_path):
    done = lenet_gpu_command("completion", "bash", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ask = """
    COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE="${{COMP_WORDS[*]}}"
    _shtab_lenet_gpu; printf '%s\\n' "${{COMPREPLY[@]}}"
    """

    def completed(words):
        script = done.stdout + ask.format(words=words)
        told = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
        return set(told.stdout.split())

    assert {"train", "predict", "doctor"} <= completed("lenet-gpu ''")
    assert {"--recipe", "--resume", "--quiet"} <= completed("lenet-gpu train --")
    assert completed("lenet-gpu train --recipe f") == {"fast"}
    (tmp_path / "mine.npz").touch()
    assert "mine.npz" in completed("lenet-gpu evaluate mi")


def test_zsh_gets_a_script(lenet_gpu_command, tmp_path):
    done = lenet_gpu_command("completion", "zsh", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lenet-gpu" in done.stdout
    assert "--patience" in done.stdout


def test_without_shtab_it_says_what_to_install(lenet_gpu_command, tmp_path):
    (tmp_path / "shtab.py").write_text("raise ImportError('not here')")
    done = lenet_gpu_command("completion", "bash", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'lenet-gpu[completion]'" in done.stderr


@pytest.fixture(scope="module")
def digits(mnist, tmp_path_factory):
    """A CSV file of 60 digits."""
    path = tmp_path_factory.mktemp("digits") / "digits.csv"
    rows = zip(mnist.train.labels[:60], mnist.train.images[:60].reshape(60, -1), strict=True)
    path.write_text("".join(f"{label},{','.join(map(str, pixels))}\n" for label, pixels in rows))
    return path


def test_quiet_says_results_alone(lenet_gpu_command, digits, tmp_path):
    """The same commands say more without it."""
    train = ("train", "--recipe", "classic", "--dataset", digits, "--epochs", 1)
    loud, quiet = (lenet_gpu_command(*train, *more, cwd=tmp_path) for more in ((), ("--quiet",)))
    assert (loud.returncode, quiet.returncode) == (0, 0)
    assert "epoch  1/1" in loud.stdout
    assert quiet.stderr == ""
    assert [line.split()[0] for line in quiet.stdout.splitlines()] == ["wrote", "repeat"]
    wrong = lenet_gpu_command("train", "--quiet", "--dataset", "nowhere", cwd=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("lenet-gpu: error: ")


def test_a_run_says_once_where_it_computes(lenet_gpu_command, digits, tmp_path):
    done = lenet_gpu_command("train", "--recipe", "classic", "--dataset", digits, "--epochs", 1, cwd=tmp_path)
    said = done.stdout + done.stderr
    assert said.count("computing on the CPU") <= 1
    assert said.count("backend   ") == 1


def test_a_run_tells_its_two_losses_apart(lenet_gpu_command, digits, tmp_path):
    train = ("train", "--recipe", "paper", "--dataset", digits, "--epochs", 1)
    done = lenet_gpu_command(*train, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "loss      map: mean of an epoch's batches while they are learnt" in done.stdout


def test_every_command_has_quiet_and_examples(lenet_gpu_command, tmp_path):
    from lenet_gpu.cli import build_parser

    (commands,) = (action for action in build_parser()._actions if hasattr(action, "choices") and action.choices)
    assert len(commands.choices) == len(COMMANDS)
    for name, parser in commands.choices.items():
        text = parser.format_help()
        assert "--quiet" in text
        assert f"examples:\n  lenet-gpu {name}" in text


def test_the_version(lenet_gpu_command, tmp_path):
    assert lenet_gpu_command("--version", cwd=tmp_path).stdout == f"lenet-gpu {__version__}\n"
    code = "import lenet_gpu; print(lenet_gpu.__version__)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert told.stdout.strip() == __version__
