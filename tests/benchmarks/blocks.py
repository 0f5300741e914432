"""Blocks of a page that a program writes: what stands between <!-- begin NAME --> and <!-- end NAME -->."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


def fill(page: str, blocks: Mapping[str, Sequence[str]]) -> str:
    """Write blocks of a page anew.

    Args:
        page: The page's text.
        blocks: Lines of each block, by its name.

    Returns:
        The page; what lies outside these blocks is as before.

    Raises:
        ValueError: The page lacks a block's markers, or has them twice.
    """
    for name, lines in blocks.items():
        text = "\n".join(lines)
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        page, count = pattern.subn(lambda match, text=text: f"{match[1]}{text}\n{match[2]}", page)
        if count != 1:
            raise ValueError(f"the page has the block {name!r} {count} times instead of once")
    return page
