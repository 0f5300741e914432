"""Make app/packaging/icon.png, a seven as the network sees it: `python app/packaging/make_icon.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.theme import THEMES
from lenet_gpu.ink.preprocess import strokes_to_mnist

SCALE = 18
"""Pixels of the icon for one of the network's."""

SEVEN = [np.array([[0.0, 0.0], [20.0, 0.0], [8.0, 34.0]]), np.array([[5.0, 17.0], [18.0, 17.0]])]


def write(target: Path) -> None:
    """Write the icon, 504 x 504 pixels."""
    from PIL import Image

    theme = THEMES["calm"]
    share = strokes_to_mnist([stroke.astype(np.float32) for stroke in SEVEN])[..., None] / 255.0  # (28, 28, 1)
    ground, ink = np.array(theme.accent[:3]), np.array(theme.surface[:3])
    content = np.rint((ground + (ink - ground) * share) * 255.0).astype(np.uint8)
    Image.fromarray(np.kron(content, np.ones((SCALE, SCALE, 1), np.uint8))).save(target, optimize=True)


if __name__ == "__main__":
    write(Path(__file__).with_name("icon.png"))
