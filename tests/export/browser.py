"""Draws on an exported page in a real Chromium: by finger, pen, mouse and keys."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Screen:
    """A device that the page is opened on.

    Attributes:
        width: Of its window, in CSS pixels.
        height: Likewise.
        pointer: "finger", "pen" or "mouse".
        density: Pixels a CSS pixel.
    """

    width: int
    height: int
    pointer: str
    density: float


SCREENS = {
    "phone": Screen(360, 740, "finger", 3.0),
    "tablet": Screen(820, 1180, "pen", 2.0),
    "desktop": Screen(1280, 800, "mouse", 1.0),
}
"""A phone's, a tablet's and a desktop's size."""


MOST_POINTS = 24
"""Points of a stroke that are handed to the browser: each takes a message."""


@contextlib.contextmanager
def opened(browser: Any, address: str, screen: Screen, before: str = "", **settings: Any):
    """Open the page on a screen; whatever it complains of, or asks for, fails the test.

    `before` is a script that runs before the page's own.
    """
    settings = {"locale": "en", "color_scheme": "light", **settings}
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height},
        device_scale_factor=screen.density,
        has_touch=screen.pointer == "finger",
        **settings,
    )
    page = context.new_page()
    if before:
        page.add_init_script(before)
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    try:
        page.goto(address)
        yield page
        assert complaints == []
        assert {url for url in requests if not url.startswith("data:")} == {address.split("#")[0]}
        assert page.evaluate("document.cookie") == ""
        assert context.storage_state(indexed_db=True) == {"cookies": [], "origins": []}
    finally:
        context.close()


def placed(drawing: Any, page: Any, left: float = 0.25, right: float = 0.75) -> list[np.ndarray]:
    """Scale a drawing so that it fits between two shares of the board's width, in CSS pixels of the window."""
    page.locator("#board").scroll_into_view_if_needed()
    box = page.locator("#board").bounding_box()
    strokes = [np.asarray(stroke, dtype=float) for stroke in drawing]
    points = np.concatenate(strokes)
    low, extent = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    room = np.array([(right - left) * box["width"], 0.8 * box["height"]])
    scale = float((room / extent).min())
    corner = np.array([box["x"] + left * box["width"], box["y"] + 0.1 * box["height"]])
    corner += (room - extent * scale) / 2
    strokes = [stroke[np.unique(np.linspace(0, len(stroke) - 1, MOST_POINTS).astype(int))] for stroke in strokes]
    return [np.round((stroke - low) * scale + corner, 2) for stroke in strokes]


def draw(page: Any, strokes: list[np.ndarray], pointer: str, at: float | None = None) -> None:
    """Draw strokes, in CSS pixels of the window, by trusted events of the browser itself.

    `at` is when they say that they happened, in seconds; without, now.
    """
    session = page.context.new_cdp_session(page)
    when = {} if at is None else {"timestamp": at}
    for stroke in strokes:
        for number, (x, y) in enumerate([*stroke.tolist(), stroke[-1].tolist()]):
            kind = "start" if number == 0 else "end" if number == len(stroke) else "move"
            if pointer == "finger":
                session.send(
                    "Input.dispatchTouchEvent",
                    {
                        **when,
                        "type": f"touch{kind.capitalize()}",
                        "touchPoints": [] if kind == "end" else [{"x": x, "y": y, "force": 0.5}],
                    },
                )
            else:
                names = {"start": "mousePressed", "move": "mouseMoved", "end": "mouseReleased"}
                session.send(
                    "Input.dispatchMouseEvent",
                    {
                        "type": names[kind],
                        "x": x,
                        "y": y,
                        "button": "left",
                        "buttons": 0 if kind == "end" else 1,
                        "clickCount": int(kind != "move"),
                        "pointerType": "pen" if pointer == "pen" else "mouse",
                    },
                )
    session.detach()


def clear(page: Any) -> None:
    """Clear the board."""
    page.evaluate("document.getElementById('clear').click()")


def said(page: Any) -> tuple[str, str, str]:
    """The answer as it is shown: large, in short, and why; of a number the digits."""
    big = page.locator("#big").text_content() or "".join(
        page.locator("#digits:not([hidden]) button").all_inner_texts()
    )
    return big, page.locator("#headline").text_content(), page.locator("#line").text_content()
