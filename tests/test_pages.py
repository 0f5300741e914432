"""The Python of README and docs runs as pasted and prints what the page says, and links lead somewhere.

Run as a program this writes anew what the blocks print: python tests/test_pages.py
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import fields
import package_page
import pytest
import reference

from lenet_gpu import __version__
from lenet_gpu.cli import build_parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")), *sorted((ROOT / "examples").glob("*.md"))]
PAGES.remove(package_page.PAGE)  # README.md once more
PYTHON = re.compile(r"^```python\n(?P<block>.*?)^```$(?:\n\n```\n(?P<printed>.*?)^```$)?", re.M | re.S)
"""A block of Python and, where one follows at once, the block of what it prints."""

BLOCKS = [
    pytest.param(found["block"], found["printed"], id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, found in enumerate(PYTHON.finditer(page.read_text("utf-8")), 1)
]


def run(block, folder):
    (folder / "pasted.py").write_text(block, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "pasted.py"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize(("block", "printed"), BLOCKS)
def test_a_block_of_python_runs_as_pasted_and_prints_what_the_page_says(block, printed, tmp_path):
    done = run(block, tmp_path)
    assert done.returncode == 0, done.stderr
    if printed is not None:
        assert done.stdout == printed


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_reference_says_what_the_code_says(name):
    written = (reference.FOLDER / name).read_text("utf-8")
    assert written.split() == reference.PAGES[name]().split(), "python tests/reference.py writes it anew"


def test_every_command_with_json_and_every_table_of_fields_is_held_to_what_runs():
    (commands,) = (each for each in build_parser()._actions if isinstance(each.choices, dict))
    speakers = {name for name, each in commands.choices.items() if "--json" in each._option_string_actions}
    page = (reference.FOLDER / "json.md").read_text("utf-8")
    assert set(re.findall(r"^## (.+)$", page, re.M)) == speakers
    code = "".join(path.read_text("utf-8") for path in (ROOT / "tests").glob("*/test_*.py"))
    held = set(re.findall(r'assert_documented\(\s*"(.+?)",\s*"(.+?)"', code))
    written = {(name, heading) for name in ("json.md", "files.md") for heading in fields.tables(name)}
    made = {("files.md", "Augmentation"), ("files.md", "settings.json")}  # of the classes that are written whole
    assert held == written - made


def test_the_page_of_the_package_is_readme_without_the_repository():
    readme, written = (path.read_text("utf-8") for path in (ROOT / "README.md", package_page.PAGE))
    assert written == package_page.page(readme, package_page.address()), "python tests/package_page.py writes it anew"
    for repository in (None, "https://example.org/us/lenet-gpu"):
        text = package_page.page(readme, repository)
        targets = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r"(?:href|src)=\"([^\"]+)", text)
        assert [target for target in targets if package_page.is_relative(target)] == []
        assert ("docs/pictures/app.gif" in text) == (repository is not None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_there_are(page):
    text = re.sub(r"^```.*?^```$|`[^`\n]+`", "", page.read_text("utf-8"), flags=re.S | re.M)
    targets = re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r'(?:href|src)="([^"#]+)', text)
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def anchors(page):
    """What the headings of a page can be linked to by."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.S | re.M)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_into_a_page_lead_to_headings(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.S | re.M)
    for target, anchor in re.findall(r'(?:\]\(|href=")([^)#\s":]*)#([^)"]+)', text):
        aim = page.parent / target if target else page
        if aim.suffix == ".md":
            assert anchor in anchors(aim), (target, anchor)


def test_the_newest_version_in_the_changelog_is_the_packages():
    assert re.search(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)[1] == __version__


def write_printed(page):
    """Write what each block of a page prints into the block after it."""

    def anew(found):
        if found["printed"] is None:
            return found[0]
        with tempfile.TemporaryDirectory() as folder:
            done = run(found["block"], Path(folder))
        if done.returncode:
            raise SystemExit(f"{page}:\n{done.stderr}")
        return f"```python\n{found['block']}```\n\n```\n{done.stdout}```"

    text = page.read_text("utf-8")
    page.write_text(PYTHON.sub(anew, text), encoding="utf-8")


if __name__ == "__main__":
    for each in PAGES:
        write_printed(each)
