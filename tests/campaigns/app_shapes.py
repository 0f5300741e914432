"""Every pane and answer in 72 shapes, six sizes by three languages by four text scales.

    python tests/campaigns/app_shapes.py [WIDTHxHEIGHT ...]

Counts what overlaps, leaves the window, is smaller than 48 dp, is cut or broken in a word. About six minutes.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))

from kivy_process import play

SIZES = ((320, 480), (480, 320), (480, 800), (800, 480), (768, 1024), (1280, 720))
LANGUAGES = ("en", "de", "he")
SCALES = (0.8, 1.0, 1.5, 2.0)


def main() -> int:
    """Run all shapes; says what is wrong, and how many states were looked at."""
    wrong: dict[str, list[str]] = {}
    checked = 0
    sizes = [size for size in SIZES if not sys.argv[1:] or "{}x{}".format(*size) in sys.argv[1:]]
    for size in sizes:
        shapes = [(*size, scale, language) for language in LANGUAGES for scale in SCALES]
        for scene, options in (("shapes", [(*shape, False) for shape in shapes]), ("answers", shapes)):
            with tempfile.TemporaryDirectory() as folder:
                found = play(scene, Path(folder), "mock", options={"shapes": options}, timeout=3600)
            wrong |= found["wrong"]
            checked += found["checked"]
            print(f"{size}, {scene}: {len(found['wrong'])} of {found['checked']}", flush=True)
    print(json.dumps(wrong, indent=1, ensure_ascii=False))
    print(f"{len(sizes) * len(LANGUAGES) * len(SCALES)} shapes, {checked} states, {len(wrong)} with a fault")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
