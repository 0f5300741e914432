"""An exported page says what Python says: its script, as it stands in the page, is run by node."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from networks import KINDS, network
from page_in_node import (
    compared,
    compared_numbers,
    drawings,
    element,
    numbers,
    packed,
    policy,
    read_in_node,
)  # fmt: skip

from lenet_gpu import LeNet5, Recognizer
from lenet_gpu.export import export_network
from lenet_gpu.export.html import content_policy, html_bytes
from lenet_gpu.export.plain import PlainNetwork
from lenet_gpu.ink.preprocess import strokes_to_mnist
from lenet_gpu.nn.extras import TEMPERATURE
from lenet_gpu.nn.losses import softmax

CLOSE = 1e-3
PAGE = Path(__file__).resolve().parents[2] / "lenet_gpu/export/page"
DIGITS = [[[0.0, 0.0], [0.02, 1.0]], [[0.5, 0.1], [0.3, 0.5], [0.5, 0.9], [0.7, 0.5], [0.5, 0.1]]]


@pytest.fixture(scope="module", params=["touch", "mnist", "paper"])
def model(request, mnist, tmp_path_factory):
    """A Recognizer of a shipped model, or of the paper's network after a little training."""
    if request.param != "paper":
        return Recognizer(request.param)
    path = tmp_path_factory.mktemp("paper") / "model.npz"
    network("paper", mnist).save(path)
    return Recognizer(path)


def test_the_page_reads_images_strokes_and_numbers_as_python_does(model, mnist, tmp_path):
    few = model.network.variant == "paper"
    images = mnist.test.images[: 100 if few else 500]
    strokes, rows = drawings(1, 40 if few else 200), numbers(2, 10 if few else 50)
    theirs = read_in_node(model.network, tmp_path, images, strokes, rows)
    for found in (
        compared([model.read(image) for image in images], theirs["fields"]),
        compared([model.predict_strokes(drawing) for drawing in strokes], theirs["drawings"]),
        compared_numbers([model.predict_number(row) for row in rows], theirs["numbers"]),
    ):
        assert found.different == []
        assert found.pixels == 0
        assert found.off < CLOSE
    reasons = {answer["reason"] for answer in theirs["drawings"]}
    assert len(reasons) > 1, "nothing was refused: the comparison says little"


def above(first, second, gap=0.5):
    """Two drawings as lines, one above the other."""
    bottom = max(float(np.asarray(stroke)[:, 1].max()) for stroke in first)
    top = min(float(np.asarray(stroke)[:, 1].min()) for stroke in second)
    return [*first, *(np.asarray(stroke) + np.array([0, bottom - top + gap]) for stroke in second)]


AWKWARD = {
    "a minus before a one": [[[0, 2], [2, 2]], [[3, 0], [3, 4]]],
    "a decimal point": [[[0, 0], [0, 5]], [[1.5, 4.9], [1.6, 5.0]], [[3, 0], [3, 5]]],
    "a decimal comma": [[[0, 0], [0, 5]], [[1.5, 4.6], [1.2, 5.9]], [[3, 0], [3, 5]]],
    "strokes that cross": [[[0, 0], [4, 5]], [[4, 0], [0, 5]], [[6, 0], [6, 5]]],
    "strokes that touch": [[[0, 0], [2, 5]], [[2, 5], [4, 0]], [[2, 5], [2, 9]]],
    "two lines of two": [[[0, 0], [0, 5]], [[2, 0], [2, 5]], [[0, 7], [0, 12]], [[2, 7], [2, 12]]],
    "a ring on a ring": above(drawings(6, 1)[0], drawings(7, 1)[0], 0.1),
    "three sloping lines": above(above(numbers(8, 1)[0], numbers(9, 2)[1]), numbers(10, 3)[2]),
    "a dot": [[[3.0, 4.0]]],
    "a dot of many points": [[[3.0, 4.0]] * 9],
    "two dots": [[[0.0, 0.0]], [[5.0, 1.0]]],
    "a dot beside a line": [[[0.0, 0.0], [0.0, 50.0]], [[30.0, 30.0]]],
    "a bar": [[[0.0, 0.0], [40.0, 2.0]]],
    "two bars": [[[0.0, 0.0], [40.0, 2.0]], [[0.0, 20.0], [40.0, 21.0]]],
    "far from the origin": [[[1e9, 1e9], [1e9 + 10, 1e9 + 40]]],
    "tiny": [[[0.0, 0.0], [1e-9, 4e-9]]],
    "huge": [[[0.0, 0.0], [1e30, 4e30]]],
    "repeated points": [[[0.0, 0.0], [0.0, 0.0], [1.0, 5.0], [1.0, 5.0], [3.0, 6.0]]],
    "very many points": [[[float(np.sin(t)), float(2 * np.cos(t))] for t in np.linspace(0, 6.28, 5000)]],
    "a symmetric figure": [[[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [0.0, 0.0]]],
    "five strokes on a place": [[[k / 9, 0.0], [k / 9, 1.0]] for k in range(5)],
    "an equals sign in a number": [[[0, 0], [0, 5]], [[2, 2], [4, 2]], [[2, 3], [4, 3]], [[6, 0], [6, 5]]],
}


def test_awkward_strokes_are_read_alike(tmp_path):
    model = Recognizer("touch")
    theirs = read_in_node(model.network, tmp_path, (), AWKWARD.values(), AWKWARD.values())
    digits = compared([model.predict_strokes(drawing) for drawing in AWKWARD.values()], theirs["drawings"])
    rows = compared_numbers([model.predict_number(drawing) for drawing in AWKWARD.values()], theirs["numbers"])
    assert (digits.different, rows.different) == ([], [])
    assert max(digits.off, rows.off) < CLOSE
    assert digits.pixels == rows.pixels == 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("modern", "paper")])
def test_a_network_of_other_classes_answers_by_their_names(kind, mnist, tmp_path):
    """As `lenet-gpu predict` does: nothing is refused but a blank picture."""
    model = network(kind, mnist)
    page = html_bytes(PlainNetwork.of(model)).decode()
    facts = json.loads(element(page, "model"))
    assert facts["labels"] == [str(label) for label in model.class_labels]
    assert not facts["readsDigits"]
    fields = [*mnist.test.images[:50], np.zeros((28, 28), np.uint8)]
    theirs = read_in_node(model, tmp_path, fields)["fields"]
    temperature = np.float32(model.extras.get(TEMPERATURE, np.ones(1))[0])
    expected = softmax(np, model.outputs(np.stack(fields)) / temperature)
    assert abs(expected - [answer["probabilities"] for answer in theirs]).max() < CLOSE
    assert [answer["best"] for answer in theirs] == expected.argmax(axis=1).tolist()
    assert [answer["reason"] for answer in theirs] == [""] * 50 + ["blank"]


@pytest.mark.parametrize("layer", ["c1", "s2", "c3", "s4", "c5", "f6"])
def test_a_unit_is_taken_apart_as_in_the_app(layer, mnist, tmp_path):
    from app.explain import activations, explain_unit

    model = LeNet5.load("touch")
    field = mnist.test.images[3]
    shape = activations(model, field)[layer].shape
    index = tuple(size // 2 for size in shape)
    mine = explain_unit(model, field, layer, index)
    place = dict(zip(("map", "row", "column"), (*index, 0, 0), strict=False))
    (other,) = read_in_node(model, tmp_path, units=[(field, {"layer": layer, **place})])["units"]
    for name in ("rest", "bias", "sum", "value"):
        assert other[name] == pytest.approx(getattr(mine, name), abs=2e-3)
    assert len(other["sources"]) == len(mine.sources)
    for ours, theirs in zip(mine.sources, other["sources"], strict=True):
        assert (theirs["from"]["layer"], theirs["from"]["map"]) == (ours.layer, ours.place)
        if ours.corner is not None:
            assert (theirs["from"]["row"], theirs["from"]["column"]) == ours.corner
        assert np.allclose(theirs["inputs"], ours.inputs.ravel(), atol=2e-3)
        assert np.allclose(theirs["weights"], ours.weights.ravel(), atol=1e-4)
        assert theirs["contribution"] == pytest.approx(ours.contribution, abs=2e-3)


def test_the_answer_is_worded_as_in_the_app(tmp_path):
    from app.reading import Say, answer, number_answer, spoken

    asked = [(drawing, False) for drawing in (*drawings(3, 60), *AWKWARD.values(), *numbers(5, 10))]
    asked += [(drawing, True) for drawing in (*numbers(4, 15), *AWKWARD.values())]
    recognizer = Recognizer("touch")
    theirs = read_in_node(LeNet5.load("touch"), tmp_path, sayings=asked)["sayings"]
    kinds = set()
    for (strokes, number), other in zip(asked, theirs, strict=True):
        ink = [np.asarray(stroke, dtype=float) for stroke in strokes]
        marks = list(recognizer.predict_number(ink).digits) if number else [recognizer.predict_strokes(ink)]
        mine = number_answer(marks, lines=[mark.line for mark in marks]) if number else answer(marks[0])
        assert (other["kind"], other["big"]) == (mine.kind, mine.big)
        if mine.kind != "blank":
            assert other["marks"] == [[mark.sign, mark.line] for mark in marks]
        if other["line"] and other["line"][0] == "why_many":  # the app reads that as a number by itself
            assert (number, mine.kind) == (False, "not_digit")
            assert len(recognizer.predict_number(ink).digits) > 1
            continue
        for said, key in ((mine.headline, "headline"), (mine.line, "line"), (spoken(mine), "spoken")):
            found = other[key] or ["", {}]
            told = Say(found[0], {name: str(value) for name, value in found[1].items()})
            assert told.key == said.key
            assert told.values == {name: str(value) for name, value in said.values.items()}
        kinds.add((mine.kind, mine.line.key))
    assert len(kinds) >= 6, kinds


def test_words_are_the_apps_where_it_has_them():
    from app.strings import LANGUAGES, RIGHT_TO_LEFT, Strings

    words = json.loads((PAGE / "words.json").read_text("utf-8"))
    assert {language: each["name"] for language, each in words.items()} == LANGUAGES
    assert [language for language, each in words.items() if each["dir"] == "rtl"] == list(RIGHT_TO_LEFT)
    used = re.compile(r'data-text="(\w+)"|\.text\("(\w+)"|"((?:why|said|number|hint|layer|pen)_\w+)"')
    for language, each in words.items():
        texts, own = each["texts"], Strings(language)._texts
        assert {key: text for key, text in texts.items() if key in own and own[key] != text} == {}
        assert set(texts) == set(words["en"]["texts"])
        for key, text in texts.items():
            assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", words["en"]["texts"][key])), key
        for file in (PAGE / "page.html", *PAGE.glob("*.js")):
            for names in used.findall(file.read_text("utf-8")):
                assert "".join(names) in texts or "".join(names) in ("number",), (file.name, names)


def test_the_page_is_one_small_file_that_asks_for_nothing(tmp_path):
    (written,) = export_network(LeNet5.load("touch"), "html", tmp_path / "page.html")
    page = written.read_text("utf-8")
    assert written.stat().st_size <= 450_000
    assert policy(page) == content_policy(element(page, "script"), page.split("<style>")[1].split("</style>")[0])
    assert "unsafe" not in policy(page)
    script = element(page, "script")
    assert not re.search(r"^\s*(import|export)\b|</script|<!--", script, re.M)
    for forbidden in ("eval(", "Function(", "innerHTML", "http:", "https:", "fetch(", "localStorage", "XMLHttp"):
        assert forbidden not in script, forbidden
    assert not re.search(r"\s(style|on\w+)=", page.split("<body>")[1].split("<script")[0])
    assert not re.search(r"@[A-Z]+@", page)


def test_a_class_name_that_ends_a_script_stays_a_name():
    names = ("</script><script>alert(1)</script>", "<!-- & \u2028 \ud800")
    model = LeNet5(classes=2, seed=1)
    model.class_labels = names
    page = html_bytes(PlainNetwork.of(model)).decode()
    assert page.count("</script>") == 4
    assert json.loads(element(page, "model"))["labels"] == list(names)


def test_colors_keep_their_contrast():
    """WCAG 2.1: 4.5 for text, 3 for the edges and marks of what can be used."""
    from app.theme import contrast, rgb

    style = (PAGE / "style.css").read_text("utf-8")
    for block in re.findall(r":root \{(.*?)\}", style, re.S):
        color = {name: rgb(code[1:]) for name, code in re.findall(r"--(\w+): (#\w{6});", block)}
        for text, ground in (
            *((text, ground) for text in ("text", "muted", "warn") for ground in ("ground", "surface")),
            ("text", "raised"), ("muted", "raised"), ("contrary", "accent"),
        ):  # fmt: skip
            assert contrast(color[text], color[ground]) >= 4.5, (text, ground)
        for mark, ground in (
            ("edge", "ground"), ("edge", "surface"), ("focus", "ground"), ("focus", "surface"), ("accent", "raised"),
        ):  # fmt: skip
            assert contrast(color[mark], color[ground]) >= 3.0, (mark, ground)


def test_fields_come_back_as_they_were(tmp_path):
    field = strokes_to_mnist(DIGITS)
    (answer,) = read_in_node(LeNet5.load("touch"), tmp_path, [field])["fields"]
    assert answer["field"] == packed(field)


def test_the_command_writes_the_page(lenet_gpu_command, tmp_path):
    done = lenet_gpu_command("export", "touch", "--to", "html", "--out", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").read_bytes() == html_bytes(PlainNetwork.of(LeNet5.load("touch")))
