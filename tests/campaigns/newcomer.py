"""What a newcomer waits for: README's first commands in a fresh clone, with wall and processor time of each.

    python tests/campaigns/newcomer.py            clone to a trained model, a picture read, an export, its page opened
    python tests/campaigns/newcomer.py --tests    and README's test command, whole

Each step is one a reader of README takes, in an empty folder; the page is opened in headless Chromium, as far as a
picture of it. The packages come from pip's cache or from the network, as they happen to.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

OWN_PICTURE = """
from PIL import Image, ImageDraw
picture = Image.new("L", (400, 300), 240)
ImageDraw.Draw(picture).line([(150, 60), (250, 60), (190, 240)], fill=30, width=14)
picture.save("own.png")
"""


def command_of(name: str) -> str:
    """README's command of a name."""
    found = re.search(rf"<!-- {name} command -->\n```\n(.*?)\n```", (ROOT / "README.md").read_text("utf-8"), re.S)
    if found is None:
        raise SystemExit(f"README.md has no {name} command")
    return found[1]


def step(what: str, command: str | list[str], folder: Path) -> str:
    """Carry out a command and print what it took; returns what it said."""
    used, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, shell=isinstance(command, str), cwd=folder, capture_output=True, text=True, check=False
    )
    wall, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(f"| {what} | {wall:.1f} | {processor:.1f} | {os.getloadavg()[0]:.1f} |", flush=True)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", action="store_true", help="README's test command, too, in a clone of its own")
    parser.add_argument("--quick", action="store_true", help="one epoch instead of the recipe's, to try this program")
    options = parser.parse_args()
    print("| step | wall, s | processor, s | load |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clone = folder / "lenet-gpu"
        step("clone", ["git", "clone", "--quiet", str(ROOT), str(clone)], folder)
        install, _, train = command_of("train").rpartition(" && ")
        step("virtual environment and install", install, clone)
        step("train", train + " --epochs 1" * options.quick, clone)
        lenet_gpu = str(clone / ".venv" / "bin" / "lenet-gpu")
        picture = str(clone / "docs" / "pictures" / "number.jpg")
        print(step("read the picture that is shipped", [lenet_gpu, "predict", "touch", picture], clone).strip())
        step("draw one", [str(clone / ".venv" / "bin" / "python"), "-c", OWN_PICTURE], clone)
        print(step("read it with the own model", [lenet_gpu, "predict", "runs/first", "own.png"], clone).strip())
        step("export", [lenet_gpu, "export", "runs/first", "--to", "html", "--out", "digits.html"], clone)
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        if chromium is not None:
            quiet = [
                "--no-sandbox",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ]
            page = [
                f"--user-data-dir={folder / 'profile'}",
                "--screenshot=page.png",
                (clone / "digits.html").as_uri(),
            ]
            step("start a browser, open the page", [chromium, "--headless", *quiet, *page], clone)
            print(f"a picture of it: {(clone / 'page.png').stat().st_size:,} bytes")
        if options.tests:
            other = folder / "tests"
            step("clone again", ["git", "clone", "--quiet", str(ROOT), str(other)], folder)
            print(step("install for the tests, and all of them", command_of("test"), other).splitlines()[-1])


if __name__ == "__main__":
    main()
