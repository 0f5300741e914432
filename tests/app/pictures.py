"""Makes the documents' pictures of the app from the app itself: python tests/app/pictures.py [NAME ...].

In docs/pictures, app.gif: a number being drawn, with live answers and maps;
app_phone.png: a finger draws on a phone; app_page.png: a page being read; teach_*.png: the teacher's mode.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from kivy_process import ROOT, play
from PIL import Image, ImageDraw, ImageFilter

from lenet_gpu.handwriting import draw_digits
from lenet_gpu.seeds import generator

PICTURES = ROOT / "docs" / "pictures"
SEED, PAGE_SEED = 7, 9


def frames(text, seed, size, text_scale):
    """What the window shows while a number is drawn."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"text": text, "seed": seed, "text_scale": text_scale, "frames": folder}
        play("picturing", Path(folder), "offscreen", size=size, options=options, timeout=300)
        return [Image.fromarray(np.load(path)) for path in sorted(Path(folder).glob("*.npy"))]


def poses(size, *shown):
    """Pictures of states, by name, and where a finger is."""
    with tempfile.TemporaryDirectory() as folder:
        options = {"poses": [{"name": name, "do": do} for name, do in shown], "frames": folder}
        found = play("posing", Path(folder), "offscreen", size=size, options=options, timeout=200)
        assert not any(one["wrong"] for one in found.values()), found
        return {name: (Image.fromarray(np.load(f"{folder}/{name}.npy")), one["tip"]) for name, one in found.items()}


def app_gif():
    """A number being drawn."""
    shots = frames("274", SEED, (1000, 560), 0.9)
    palette = shots[-1].quantize(64)
    small = [shot.quantize(palette=palette, dither=Image.Dither.NONE) for shot in shots]
    times = [160] * (len(small) - 1) + [2500]
    small[0].save(PICTURES / "app.gif", save_all=True, append_images=small[1:], duration=times, loop=0, optimize=True)


def app_phone():
    """A finger that draws on a phone."""
    shot, tip = poses((400, 820), ("phone", [["draw", "3", SEED, 0.8]]))["phone"]
    edge, scale = 22, 4
    width, height = shot.width + 2 * edge, shot.height + 2 * edge
    # Drawn large and made small again: smooth edges.
    big = Image.new("RGB", (width * scale, height * scale), "white")
    pen = ImageDraw.Draw(big)
    pen.rounded_rectangle([0, 0, width * scale - 1, height * scale - 1], 46 * scale, fill=(38, 42, 48))
    mask = Image.new("L", big.size, 0)
    box = [edge * scale, edge * scale, (width - edge) * scale - 1, (height - edge) * scale - 1]
    ImageDraw.Draw(mask).rounded_rectangle(box, 26 * scale, fill=255)
    screen = Image.new("RGB", big.size)
    screen.paste(
        shot.resize((shot.width * scale, shot.height * scale), Image.Resampling.LANCZOS), (edge * scale,) * 2
    )
    big.paste(screen, (0, 0), mask)
    paint_finger(big, [(edge + t) * scale for t in tip], scale)
    big.resize((width, height), Image.Resampling.LANCZOS).save(PICTURES / "app_phone.png", optimize=True)


def paint_finger(image, tip, scale):
    """Paint a pointing finger whose tip touches a place, coming from the lower right."""
    finger = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(finger)
    radius, length = 30 * scale, 620 * scale
    direction = np.array([0.52, 0.854])  # of the finger, away from its tip
    across = np.array([direction[1], -direction[0]])
    start = np.array(tip) + direction * radius * 0.72
    skin, line, nail = (232, 188, 160, 255), (150, 105, 80, 255), (248, 220, 205, 255)

    def capsule(r, fill):
        widths = [(start, r), (start + direction * length, 1.35 * r)]
        corners = [
            p + side * w * across
            for side, (p, w) in ((1, widths[0]), (1, widths[1]), (-1, widths[1]), (-1, widths[0]))
        ]
        pen.polygon([tuple(c) for c in corners], fill=fill)
        pen.ellipse([*(start - r), *(start + r)], fill=fill)

    capsule(radius + 2 * scale, line)
    capsule(radius, skin)
    middle = start - direction * 2 * scale
    nails = Image.new("RGBA", (36 * scale, 40 * scale), (0, 0, 0, 0))
    ImageDraw.Draw(nails).rounded_rectangle(
        [0, 0, 36 * scale - 1, 40 * scale - 1], 15 * scale, fill=nail, outline=line, width=scale
    )
    turned = nails.rotate(
        np.degrees(np.arctan2(direction[0], direction[1])), expand=True, resample=Image.Resampling.BICUBIC
    )
    finger.alpha_composite(turned, tuple(int(v) for v in middle - np.array(turned.size) / 2))
    image.paste(finger, (0, 0), finger)


def app_page():
    """A page being read."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.png"
        write_page(page)
        do = [["exchange", "open_picture", str(page)], ["commands", "choose", 7]]
        poses((1000, 620), ("page", do))["page"][0].save(PICTURES / "app_page.png", optimize=True)


def write_page(path):
    """Write lines of numbers by hand on grey paper, as a camera sees it."""
    rng = generator(PAGE_SEED, 3)
    light = np.linspace(250.0, 205.0, 900)[None, :] + np.linspace(0.0, -15.0, 620)[:, None]
    image = Image.new("L", (900, 620), 0)
    pen = ImageDraw.Draw(image)
    for row, text in enumerate(("1998", "60850", "274", "31416")):
        edge = 60.0
        for drawing in draw_digits(rng, [int(letter) for letter in text]):
            points = np.concatenate(drawing)
            low, high = points.min(axis=0), points.max(axis=0)
            scale = 95.0 / (high[1] - low[1])
            for stroke in drawing:
                placed = (np.asarray(stroke) - low) * scale + (edge, 35 + 145 * row)
                pen.line([tuple(p) for p in placed], fill=255, width=9, joint="curve")
            edge += (high[0] - low[0]) * scale + 42
    ink = np.asarray(image.filter(ImageFilter.GaussianBlur(1.0)), dtype=np.float64) / 255.0
    seen = light * (1.0 - 0.78 * ink) + rng.normal(0.0, 2.0, ink.shape)
    Image.fromarray(np.clip(np.rint(seen), 0, 255).astype(np.uint8)).save(path)


def teach():
    """The teacher's mode: a unit and all that it sees, a stroke left out, two digits that are close."""
    begin = [["lecture", "toggle"], ["lecture", "choose", 0]]
    shown = [
        ("teach_field", [*begin, *[["lecture", "turn", 1]] * 3]),
        ("teach_stroke", [["lecture", "choose", 1], ["lecture", "turn", 1]]),
        ("teach_digits", [["lecture", "choose", 2], *[["lecture", "turn", 1]] * 3]),
    ]
    for name, (shot, _) in poses((1280, 720), *shown).items():
        shot.save(PICTURES / f"{name}.png", optimize=True)
    phone = [*begin, *[["lecture", "turn", 1]] * 3, ["commands", "open_pane", "inside"]]
    poses((480, 800), ("teach_small", phone))["teach_small"][0].save(PICTURES / "teach_small.png", optimize=True)


ALL = {one.__name__: one for one in (app_gif, app_phone, app_page, teach)}


if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        ALL[name]()
