"""Quick digits by a real pointer at 60, 30, 10 and 5 frames a second: python tests/campaigns/pointer.py [40].

Needs Xvfb and xdotool. Says how far the drawn lines are from the pointer's way, and what was read. Five minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))

from display import Display
from pointer import draw_all, faults

FRAMES = (60, 30, 10, 5)


def main() -> int:
    """Draw everywhere; says what is wrong."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    wrong, reference = 0, None
    for frames in FRAMES:
        with tempfile.TemporaryDirectory() as folder:
            display = Display(Path(folder))
            try:
                found = draw_all(display, Path(folder), frames, count)
            finally:
                display.close()
        reference = reference or found
        said = faults(found, reference)
        right = sum(one["read"] == str(one["digit"]) for one in found)
        off = max(one["off"] for one in found)
        print(f"{frames:2d} frames a second: {right} of {count} right, at most {off:.2f} pixels off", flush=True)
        print("\n".join(said), end="\n" if said else "")
        wrong += len(said)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
