"""Makes the README's pictures of the app from the app itself: python tests/app/pictures.py.

docs/pictures/app.gif: a number being drawn, with live answers and maps; app_wide.png: one of its units taken apart.
"""

import tempfile
from pathlib import Path

import numpy as np
from kivy_process import ROOT, play
from PIL import Image

PICTURES = ROOT / "docs" / "pictures"
SEED = 7


def frames(text, seed, size, text_scale, unit=None):
    """What the window shows while a number is drawn."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"text": text, "seed": seed, "text_scale": text_scale, "unit": unit, "frames": folder}
        play("picturing", Path(folder), "offscreen", size=size, options=options, timeout=300)
        return [Image.fromarray(np.load(path)) for path in sorted(Path(folder).glob("*.npy"))]


def main():
    shots = frames("274", SEED, (1000, 560), 0.9)
    palette = shots[-1].quantize(64)
    small = [shot.quantize(palette=palette, dither=Image.Dither.NONE) for shot in shots]
    times = [160] * (len(small) - 1) + [2500]
    small[0].save(PICTURES / "app.gif", save_all=True, append_images=small[1:], duration=times, loop=0, optimize=True)
    frames("4", SEED, (1280, 720), 1.0, unit=["c3", [9, 5, 4]])[-1].save(PICTURES / "app_wide.png", optimize=True)


if __name__ == "__main__":
    main()
