"""A hook of mkdocs: what the pages of docs/ link to outside of it becomes part of the site.

Where pyproject.toml names the repository's address, such links lead there. Where it names none, the files are added
below source/, as text that any browser shows, and a folder is a page that lists its files.
"""

from __future__ import annotations

import posixpath
import re
import sys
from html import escape
from pathlib import Path

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))
import package_page

ROOT = package_page.ROOT
FENCED = re.compile(r"(^```.*?^```$)", re.S | re.M)


def on_files(files, config):
    """Add to the site what its pages link to."""
    if package_page.address() is None:
        for page in files.documentation_pages():
            for target in package_page.LINK.finditer(FENCED.sub("", page.content_string)):
                if (path := outside(target["target"], page, config)) and not files.get_file_from_path(place(path)):
                    add(path, files, config)
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links out of docs/, and those to folders, into links that lead somewhere."""

    def lead(found: re.Match[str]) -> str:
        path = outside(found["target"], page.file, config)
        if path is None:
            return found[0]
        if repository := package_page.address():
            return f"[{found['words']}]({repository}/blob/main/{path.as_posix()})"
        return f"[{found['words']}]({posixpath.relpath(place(path), posixpath.dirname(page.file.src_uri) or '.')})"

    parts = FENCED.split(markdown)  # every second one is a block of code
    parts[::2] = [package_page.LINK.sub(lead, part) for part in parts[::2]]
    return "".join(parts)


def outside(target: str, page: File, config) -> Path | None:
    """What a link leads to, from the repository's root; None for what the site has anyway, and for other sites."""
    if not package_page.is_relative(target) or page.abs_src_path is None:
        return None
    aim = (Path(page.abs_src_path).parent / target.partition("#")[0]).resolve()
    inside = aim.is_relative_to(config.docs_dir) and aim.is_file()
    return None if inside or not aim.exists() else aim.relative_to(ROOT)


def place(path: Path) -> str:
    """Where a file or a folder of the repository stands in the site."""
    return f"source/{path.as_posix()}" + ("/index.html" if (ROOT / path).is_dir() else ".txt")


def add(path: Path, files, config) -> None:
    """Add a file to the site, or a folder's files and a list of them."""
    whole = ROOT / path
    if whole.is_file():
        files.append(File.generated(config, place(path), abs_src_path=str(whole)))
        return
    inner = sorted(each for each in whole.rglob("*") if each.is_file() and "__pycache__" not in each.parts)
    for file in inner:
        if not files.get_file_from_path(place(file.relative_to(ROOT))):
            files.append(File.generated(config, place(file.relative_to(ROOT)), abs_src_path=str(file)))
    names = (escape(file.relative_to(whole).as_posix()) for file in inner)
    rows = "".join(f'<li><a href="{name}.txt">{name}</a></li>\n' for name in names)
    text = f"<!doctype html>\n<meta charset=utf-8>\n<title>{path}</title>\n<h1>{path}</h1>\n<ul>\n{rows}</ul>\n"
    files.append(File.generated(config, place(path), content=text))
