"""What opening the exported page, strokes on it and frames take in a browser, as the table of docs/howto/page.md."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from browser import SCREENS, Screen, opened, placed
from page_in_node import drawings, numbers

OPENED = 20
FRAMES = {"alone": 1_000, "with maps": 2_000, "of a number": 200}
HAND = Path(__file__).with_name("page_hand.js")
EMPTY = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>-</title><p>-</p>'

Times = dict[str, list[float]]


def table_of_times(browser: Any, written: Path) -> int:
    """Print the times of a page on every screen, a line a figure: least, median, 95 % below, most, n."""
    empty = written.with_name("empty.html")
    empty.write_text(EMPTY, encoding="utf-8")
    rows: dict[str, dict[str, list[float]]] = {}
    for name, screen in SCREENS.items():
        measured = [*times_of_opening(browser, written, empty, screen), *times_of_frames(browser, written, screen)]
        for what, spent in measured:
            rows.setdefault(what, {})[name] = spent
            print(f"{name:8} {what:58} {summary(spent)}, most {max(spent):6.1f}, n {len(spent):5}", flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f}, Chromium {browser.version}\n")
    print("| what | " + " | ".join(f"{name}: least, median, 95 % below" for name in SCREENS) + " | n each |")
    print("| --- |" + " ---: |" * (len(SCREENS) + 1))
    for what, each in rows.items():
        counts = sorted({len(spent) for spent in each.values()})
        count = " to ".join(f"{n:,}" for n in (counts if len(counts) == 1 else (counts[0], counts[-1])))
        print(f"| {what} | " + " | ".join(f"{summary(spent)} ms" for spent in each.values()) + f" | {count} |")
    return 0


def summary(spent: Sequence[float]) -> str:
    """Least, median and 95th percentile, in milliseconds."""
    least, middle, most = np.quantile(spent, [0.0, 0.5, 0.95])
    return ", ".join(f"{value:.1f}" if value < 20 else f"{value:.0f}" for value in (least, middle, most))


def times_of_opening(browser: Any, written: Path, empty: Path, screen: Screen) -> Iterator[tuple[str, list[float]]]:
    """Open the page and an empty one in turn, each anew in a running browser, and yield what was measured."""
    ours, theirs = [], []
    for _ in range(OPENED):
        ours.append(times_of_one_opening(browser, written, screen))
        theirs.append(times_of_one_opening(browser, empty, screen))
    for key, what in (
        ("ready", "opening until it can be drawn on"),
        ("answered", "opening and the answer to a stroke drawn at once"),
        ("shown", "the same, its frame drawn"),
        ("worked", "processor time of opening, answer included"),
    ):
        yield what, [each[key] for each in ours]
        if key != "ready":
            yield f"... of an empty page: {'laid out' if key == 'answered' else key}", [each[key] for each in theirs]
    more = [one["answered"] - other["answered"] for one, other in zip(ours, theirs, strict=True)]
    yield "the answer, less an empty page opened beside it", more


def times_of_one_opening(browser: Any, file: Path, screen: Screen) -> dict[str, float]:
    """Open a file, open it again, and give the second's times since its navigation began."""
    with opened(browser, file.as_uri(), screen, before=HAND.read_text("utf-8")) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.reload()
        times = page.evaluate("hand.whenOpened")
        metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        if times.pop("answer", "1") != "1":
            raise RuntimeError("a one was not read as a one")
        return {**times, "worked": 1000 * metrics["TaskDuration"]}


def times_of_frames(browser: Any, written: Path, screen: Screen) -> Iterator[tuple[str, list[float]]]:
    """Draw digits, digits with all maps in sight, and numbers, a point a frame, and yield what was spent."""
    with opened(browser, written.as_uri(), screen, before=HAND.read_text("utf-8")) as page:
        page.evaluate("hand.whenOpened")
        page.click("#clear")
        for what, prepare, drawn, room in (
            ("alone", "null", drawings(31, 60), (0.3, 0.7)),
            ("with maps", "document.getElementById('inside').open = true", drawings(32, 60), (0.3, 0.7)),
            ("of a number", "document.getElementById('number').click()", numbers(34, 10), (0.05, 0.95)),
        ):
            page.evaluate(prepare)
            ways = [[stroke.tolist() for stroke in placed(drawing, page, *room)] for drawing in drawn]
            spent: Times = page.evaluate("([ways, frames]) => hand.draw(ways, frames)", [ways, FRAMES[what]])
            if what == "alone":
                yield "after a stroke, until the answer is shown", spent["up"]
            yield f"a frame while drawing {what}: ink, reading, answer, layout", spent["frame"]
