"""Measure how pictures of amounts, dates, times, telephone numbers, coloured ink and crossed-out digits are read.

    python tests/campaigns/written_pictures.py                     everything, ten minutes of one core
    python tests/campaigns/written_pictures.py texts --n 100       some sections, 100 pictures a row

The options, the hands and the results are those of tests/campaigns/pictures.py. Of a text all digits must be read, in
their order and no more, whatever stands between them; then the signs, too, and "?" for currencies. Crossed-out digits
should be refused.
"""

from __future__ import annotations

import numpy as np
import pictures  # first: it says where the modules of tests/ lie
from pictures import SURE, Book, Hands, made, on_paper, row, share

import made_texts  # isort: skip
from made_scenes import line_through  # isort: skip

from lenet_gpu import Recognizer
from lenet_gpu.ink.colors import LUMA
from lenet_gpu.seeds import generator

COLORS = {
    "blue on pink": ((250, 190, 205), (60, 90, 190)),
    "green on orange": ((245, 170, 90), (120, 190, 80)),
    "yellow on white": ((250, 250, 248), (245, 225, 60)),
}
"""Paper and ink, red, green and blue."""


def texts(recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book) -> None:
    """Amounts, dates, times and telephone numbers, 40 to 90 pixels high, on grainy paper."""
    for kind, make in made_texts.KINDS.items():
        rng = generator(seed, 6)
        right = sure = signs = 0
        for k in range(n):
            text, height, pen = make(rng), int(rng.integers(40, 91)), float(rng.uniform(0.05, 0.12))
            picture = on_paper(made_texts.written(text, hands, rng, height, pen), rng)
            page = recognizer.read_page(picture)
            wanted, found = ([c for c in some if c.isdigit()] for some in (text, page.text))
            right += wanted == found
            signs += page.text == "".join("?" if c in made_texts.NO_SIGNS else c for c in text if c != " ")
            sure += sum(mark.is_digit and mark.confidence > SURE for mark in page.digits) > len(wanted)
            if wanted != found:
                book.show(kind, k, picture, text, page.text)
        share(f"{kind}: all digits, and no other", right, n, book, seed)
        share(f"{kind}: the signs too", signs, n, book, seed)
        share(f"{kind}: more sure digits than there are", int(sure), n, book, seed)


def tinted(ink: np.ndarray, paper, pen, rng) -> np.ndarray:
    """Coloured ink on coloured paper in a sloping light with grain, (h, w, 3) uint8."""
    picture = np.array(paper, float) + (np.array(pen, float) - paper) * made.scene_of(ink, rng=rng).ink[:, :, None]
    picture *= (1 - 0.2 * np.linspace(0, 1, picture.shape[1]))[None, :, None]
    return np.clip(np.rint(picture + rng.normal(0, 4, picture.shape)), 0, 255).astype(np.uint8)


def as_bright(rng):
    """Two colours that differ, but hardly in brightness."""
    while True:
        paper, pen = rng.uniform(60, 255, 3), rng.uniform(40, 255, 3)
        if abs(LUMA @ (paper - pen)) < 8 and np.linalg.norm(paper - pen) > 90:
            return paper, pen


def colors(recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book) -> None:
    """Coloured ink on coloured paper, as colours: some pairs, and any that are equally bright."""
    for name in (*COLORS, "any, equally bright"):
        rng = generator(seed, 7)

        def pictures(name=name, rng=rng):
            for _ in range(n):
                ink, label = hands.any_digit(rng, int(rng.integers(90, 251)))
                yield tinted(ink, *(COLORS.get(name) or as_bright(rng)), rng), label

        row(f"colours: {name}", recognizer, pictures(), book, seed)


def crossings_out(recognizer: Recognizer, hands: Hands, n: int, seed: int, book: Book) -> None:
    """Digits with one or two strokes through them."""
    rng = generator(seed, 8)
    refused = as_it_was = sure = 0
    for _ in range(n):
        height = int(rng.integers(90, 251))
        ink, label = hands.any_digit(rng, height)
        scene = made.scene_of(ink, rng=rng)
        top, left, _, right = scene.box
        for _ in range(int(rng.integers(1, 3))):
            high, low = top + rng.uniform(0.1, 0.9, 2) * height
            points = [(left - 0.15 * height, high), (right + 0.15 * height, low)]
            scene.ink = np.maximum(scene.ink, line_through(scene.ink.shape, points, rng.uniform(0.04, 0.1) * height))
        answer = recognizer.predict_image(made.picture_of(scene, (), rng))
        refused += not answer.is_digit
        as_it_was += answer.is_digit and answer.digit == label
        sure += answer.is_digit and answer.digit != label and answer.confidence > SURE
    share("crossed out: refused", refused, n, book, seed)
    share("crossed out: read as it was", as_it_was, n, book, seed)
    share("crossed out: another digit, and sure", int(sure), n, book, seed)


if __name__ == "__main__":
    pictures.main(__doc__, {"texts": texts, "colors": colors, "crossings-out": crossings_out})
