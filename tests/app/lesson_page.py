"""Writes the lessons into docs/howto/teach.md: python tests/app/lesson_page.py."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]
PAGE = ROOT / "docs" / "howto" / "teach.md"


def lessons():
    """The lessons as the page shows them, in English."""
    from app.course import load_lessons

    lines = []
    for lesson in load_lessons():
        lines += [f"### {lesson.title['en']}", "", "| | what is shown | what it says |", "| ---: | --- | --- |"]
        for number, step in enumerate(lesson.steps, 1):
            shown = [f"the drawing “{step.drawing}”"]
            if step.without:
                shown.append("without stroke " + " and ".join(str(i + 1) for i in sorted(step.without)))
            if step.look:
                layer, unit = step.look
                name = "the digit" if layer == "output" else f"{layer.upper()}, unit"
                where = ", ".join(map(str, unit)) if isinstance(unit, tuple) else unit
                shown.append(f"{name} {where}" if not isinstance(unit, tuple) else f"{layer.upper()} ({where})")
            shown.append(f"read as {step.reads}" if step.reads else "read as no digit")
            lines.append(f"| {number} | {'; '.join(shown)} | {step.text['en']} |")
        lines.append("")
    return lines[:-1]


if __name__ == "__main__":
    from blocks import fill

    PAGE.write_text(fill(PAGE.read_text("utf-8"), {"lessons": lessons()}), encoding="utf-8")
