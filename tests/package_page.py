"""Writes docs/package_page.md: README.md for where the repository is not, as on a package index.

    python tests/package_page.py

Links into the repository become absolute if pyproject.toml names its address ([project.urls] Repository); if not,
they become plain words, and pictures are left out.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "package_page.md"

PICTURE = re.compile(r"!\[[^\]]*\]\((?P<target>[^)\s]+)\)\n*")
LINK = re.compile(r"(?<!!)\[(?P<words>[^\]]+)\]\((?P<target>[^)\s]+)\)")
ATTRIBUTE = re.compile(r"(?P<name>href|src)=\"(?P<target>[^\"]+)\"")


def address() -> str | None:
    """The repository's address; None if pyproject.toml names none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project.get("urls", {}).get("Repository")


def is_relative(target: str) -> bool:
    """Tell whether a link leads into the repository."""
    return "://" not in target and not target.startswith(("#", "mailto:"))


def page(readme: str, repository: str | None) -> str:
    """README for readers who do not have the repository.

    Args:
        readme: The text of README.md.
        repository: Its address, such as https://example.org/us/lenet-gpu; None: there is none.
    """

    def absolute(found: re.Match[str]) -> str:
        target, kind = found["target"], "raw" if found[0].startswith(("!", "src")) else "blob"
        if not is_relative(target):
            return found[0]
        return found[0].replace(target, f"{repository}/{kind}/main/{target}")

    if repository is not None:
        return ATTRIBUTE.sub(absolute, LINK.sub(absolute, PICTURE.sub(absolute, readme)))
    readme = re.sub(r"^<p>.*?^</p>\n+", "", readme, flags=re.S | re.M)  # pictures side by side
    readme = PICTURE.sub(lambda found: "" if is_relative(found["target"]) else found[0], readme)
    return LINK.sub(lambda found: found["words"] if is_relative(found["target"]) else found[0], readme)


if __name__ == "__main__":
    PAGE.write_text(page((ROOT / "README.md").read_text("utf-8"), address()), encoding="utf-8")
