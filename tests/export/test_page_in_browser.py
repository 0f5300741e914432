"""The exported page in a real Chromium: drawn on by pointer events and keys, at three sizes."""

import http.server
import re
import threading
import time

import pytest
from browser import SCREENS, Screen, clear, draw, opened, placed, said
from networks import network
from page_in_node import drawings, numbers, policy

from lenet_gpu import LeNet5, Recognizer
from lenet_gpu.export import export_network

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    (written,) = export_network(LeNet5.load("touch"), "html", tmp_path_factory.mktemp("page") / "page.html")
    return written


@pytest.fixture(params=SCREENS)
def screen(request):
    return SCREENS[request.param]


def expected(prediction):
    """What the page shows large of Python's prediction."""
    return str(prediction.digit) if prediction.is_digit or prediction.reason.startswith("undecided") else ""


def test_what_is_drawn_is_read_as_in_python(chromium, page_file, screen):
    model = Recognizer("touch")
    with opened(chromium, page_file.as_uri(), screen) as page:
        assert said(page) == ("", "", "")
        refused = 0
        for drawing in (*drawings(11, 10)[:4], *drawings(12, 20)[-3:]):
            strokes = placed(drawing, page)
            draw(page, strokes, screen.pointer)
            mine = model.predict_strokes(strokes)
            assert said(page)[0] == expected(mine), mine.reason
            assert (said(page)[1] == "Not a digit") == (not expected(mine) and mine.reason != "blank")
            refused += not mine.is_digit
            shares = page.locator("#bars .share").all_inner_texts()
            assert len(shares) == 10
            if mine.is_digit:
                assert page.locator("#bars .best .label").inner_text() == str(mine.digit)
            clear(page)
        assert refused, "nothing was refused"
        assert said(page) == ("", "", "")
        assert page.evaluate("scrollX + scrollY") == 0, "the page scrolled under the pen"


def test_numbers_are_read_and_taken_apart(chromium, page_file, screen):
    model = Recognizer("touch")
    with opened(chromium, page_file.as_uri(), screen) as page:
        page.click("#number")
        for drawing in numbers(21, 4)[2:]:  # with a minus, and in two lines
            strokes = placed(drawing, page, 0.05, 0.95)
            draw(page, strokes, screen.pointer)
            mine = model.predict_number(strokes)
            assert said(page)[0] == mine.text.replace("\n", "")
            assert page.locator("#digits div").count() == len(mine.text.split("\n"))
            buttons = page.locator("#digits button")
            assert buttons.count() == len(mine.digits)
            buttons.first.click()
            assert buttons.first.get_attribute("aria-pressed") == "true"
            assert buttons.first.get_attribute("aria-label") == f"{mine.text[0]}, Digit 1 of {len(mine.digits)}"
            clear(page)


def test_the_keyboard_alone_draws_and_reads(chromium, page_file):
    from playwright.sync_api import expect

    with opened(chromium, page_file.as_uri(), SCREENS["desktop"]) as page:
        keys = page.keyboard
        for _ in range(2):  # the language, then the board
            keys.press("Tab")
        assert page.evaluate("document.activeElement.id") == "board"
        assert page.locator("#cursor").is_visible()

        def press(key, times):
            for _ in range(times):
                keys.press(key)

        press("ArrowLeft", 5)
        press("ArrowUp", 10)
        keys.press("Space")
        press("ArrowRight", 10)
        press("End", 4)  # down and to the left
        for _ in range(4):  # two keys at once go between their ways
            keys.press("End")
            press("ArrowDown", 3)
        keys.press("Space")
        assert said(page)[0] == "7"
        expect(page.locator("#status")).to_have_text("7")
        keys.press("Control+z")
        assert said(page) == ("", "", "")
        keys.press("Control+y")
        assert said(page)[0] == "7"
        keys.press("n")
        assert page.locator("#number").get_attribute("aria-pressed") == "true"
        assert page.locator("#digits button").all_inner_texts() == ["7"]
        keys.press("Delete")
        assert said(page) == ("", "", "")
        seen = set()
        for _ in range(12):  # the keyboard gets everywhere, and out of the board again
            keys.press("Tab")
            seen.add(page.evaluate("document.activeElement.id || document.activeElement.parentElement.id"))
        assert {"number", "inside", "keys"} <= seen


def test_the_inside_is_shown_and_a_unit_taken_apart(chromium, page_file, screen):
    with opened(chromium, page_file.as_uri(), screen) as page:
        draw(page, placed(drawings(13, 1)[0], page), screen.pointer)
        page.click("#inside summary")
        page.locator("#maps canvas").last.wait_for()
        assert page.locator("#maps canvas").count() == 7
        for layer, sources in {"c1": 1, "s2": 1, "c3": 3, "s4": 1, "c5": 10, "f6": 10}.items():
            canvas = page.locator(f"#maps .{layer} canvas")
            canvas.scroll_into_view_if_needed()
            canvas.click(position={"x": 8, "y": 5})
            assert page.locator("#unit-name").inner_text().startswith(layer.upper())
            rows = page.locator("#sources tr").count()
            assert rows == sources + 1 + (layer in ("c5", "f6")), layer
            sums = [float(text.translate({0x2066: "", 0x2069: "", 0x2212: "-"})) for text in
                    page.locator("#sources td:last-child").all_inner_texts()]  # fmt: skip
            shown = re.search(r"Sum \u2066(\S+)\u2069", page.locator("#unit-sum").inner_text())
            assert sum(sums) == pytest.approx(float(shown[1].replace("\u2212", "-")), abs=0.005 * (len(sums) + 1))
        page.locator("#maps .c3 canvas").focus()
        page.keyboard.press("ArrowRight")
        assert page.locator("#unit-name").inner_text().startswith("C3")
        page.click("#close")
        assert page.locator("#unit").is_hidden()


def test_languages_change_everything_and_hebrew_runs_to_the_left(chromium, page_file):
    with opened(chromium, page_file.as_uri() + "#de", SCREENS["tablet"]) as page:
        assert page.title() == "LeNet-5 liest deine Ziffern"
        board, answer = page.locator("#board"), page.locator("#answer")
        assert board.bounding_box()["x"] < answer.bounding_box()["x"]
        page.select_option("#language", "he")
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["he", "rtl"]
        assert board.bounding_box()["x"] > answer.bounding_box()["x"]
        left = [
            element for element in page.locator("[data-text]").all() if re.search("[a-z]{9}", element.inner_text())
        ]
        assert left == []


@pytest.mark.parametrize("language", ["en", "de", "he"])
def test_a_phone_needs_no_scrolling_sideways_at_twice_the_size_of_text(chromium, page_file, language):
    from playwright.sync_api import expect

    with opened(chromium, f"{page_file.as_uri()}#{language}", SCREENS["phone"]) as page:
        draw(page, placed(drawings(13, 1)[0], page), "finger")
        page.click("#inside summary")
        page.locator("#maps .c5 canvas").click(position={"x": 8, "y": 5})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        small = page.locator("#headline").evaluate("element => getComputedStyle(element).fontSize")
        session = page.context.new_cdp_session(page)
        session.send("Page.enable")
        session.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
        expect(page.locator("html")).to_have_css("font-size", "32px")
        assert page.locator("#headline").evaluate("element => getComputedStyle(element).fontSize") != small
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_nothing_moves_by_itself(chromium, page_file):
    """Whoever wants less motion has it, and a frame while drawing starts no transition (that took half of it)."""
    with opened(chromium, page_file.as_uri(), SCREENS["desktop"], reduced_motion="no-preference") as page:
        page.evaluate("""() => {
            globalThis.begun = [];
            for (const name of ["transitionrun", "animationstart"]) {
                document.addEventListener(name, (event) => begun.push(event.target.className), true);
            }
        }""")
        draw(page, placed(drawings(13, 1)[0], page), "mouse")
        clear(page)
        assert page.evaluate("[begun.length, document.getAnimations().length]") == [0, 0]


def test_it_runs_from_a_web_space_under_its_policy(chromium, page_file):
    content = page_file.read_bytes()
    headers = {"Content-Type": "text/html", "Content-Security-Policy": policy(content.decode())}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        with opened(chromium, address, SCREENS["desktop"]) as page:
            draw(page, placed(drawings(13, 1)[0], page), "mouse")
            assert said(page)[0] == expected(Recognizer("touch").predict_strokes(drawings(13, 1)[0]))
        server.shutdown()


def test_a_script_that_someone_puts_in_does_not_run(chromium, page_file, tmp_path):
    content = page_file.read_text("utf-8").replace("</body>", "<script>document.title = 'taken'</script></body>")
    (tmp_path / "other.html").write_text(content, encoding="utf-8")
    page = chromium.new_page()
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto((tmp_path / "other.html").as_uri())
    assert page.title() != "taken"
    assert any("Content Security Policy" in text for text in refused)
    page.close()


def test_a_network_of_named_classes_shows_their_names(chromium, mnist, tmp_path):
    model = network("letters", mnist)
    (written,) = export_network(model, "html", tmp_path / "letters.html")
    with opened(chromium, written.as_uri(), SCREENS["desktop"]) as page:
        assert page.title() == "LeNet-5 reads what you draw"
        assert page.locator("#number").is_hidden()
        draw(page, placed([[[0, 0], [0.1, 1.0]]], page), "mouse")
        labels = page.locator("#bars .label").all_inner_texts()
        assert len(set(labels)) == 10
        assert said(page)[0] == labels[0] in model.class_labels


def test_two_fingers_draw_two_strokes(chromium, page_file):
    with opened(chromium, page_file.as_uri(), SCREENS["phone"]) as page:
        box = page.locator("#board").bounding_box()
        session = page.context.new_cdp_session(page)
        for step in range(12):
            points = [
                {"x": box["x"] + box["width"] * share, "y": box["y"] + box["height"] * (0.2 + 0.05 * step), "id": k}
                for k, share in enumerate((0.3, 0.7))
            ]
            session.send("Input.dispatchTouchEvent",
                         {"type": "touchMove" if step else "touchStart", "touchPoints": points})  # fmt: skip
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.click("#number")
        assert said(page)[0] == "11"
        page.click("#undo")
        assert said(page)[0] == "1"


PEN_AND_FINGERS = Screen(820, 1180, "finger", 2.0)
LINE = [[[0.0, 0.0], [0.02, 1.0]]]


def pen(page, *kinds, at=None):
    """Messages of a pen, one a kind, each a little further down the board; `at` as of `draw`."""
    box, session = page.locator("#board").bounding_box(), page.context.new_cdp_session(page)
    for step, kind in enumerate(kinds):
        place = {"x": box["x"] + 0.4 * box["width"], "y": box["y"] + (0.2 + 0.1 * step) * box["height"]}
        held = {"button": "left", "buttons": int(kind != "mouseReleased"), "pointerType": "pen", "clickCount": 1}
        when = {} if at is None else {"timestamp": at}
        session.send("Input.dispatchMouseEvent", {"type": kind, **place, **held, **when})
    session.detach()


def test_a_hand_beside_a_pen_draws_nothing(chromium, page_file):
    """It rests before the pen comes, beside it and after it; without a pen fingers draw, however its stroke ended."""
    with opened(chromium, page_file.as_uri(), PEN_AND_FINGERS) as page:
        palm = placed(LINE, page, 0.6, 0.9)
        session = page.context.new_cdp_session(page)
        now = time.time()
        points = [{"x": float(palm[0][0, 0]), "y": float(palm[0][0, 1]), "radiusX": 40, "radiusY": 60}]
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points, "timestamp": now})
        pen(page, "mousePressed", *["mouseMoved"] * 4, at=now + 1)
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": [], "timestamp": now + 2})
        draw(page, palm, "finger", at=now + 3)
        pen(page, "mouseReleased", at=now + 4)
        draw(page, palm, "finger", at=now + 4.4)
        page.click("#undo")
        assert page.locator("#undo").is_disabled(), "more than the pen drew"
        pen(page, "mousePressed", *["mouseMoved"] * 4, at=now + 10)
        page.keyboard.press("Delete")
        pen(page, "mouseMoved", "mouseReleased", at=now + 11)
        assert said(page) == ("", "", ""), "a stroke went on after it was cleared"
        draw(page, palm, "finger", at=now + 11.6)
        assert said(page)[0] == "1"


def test_a_tablet_is_turned_printed_from_and_kept_small(chromium, page_file):
    """Turning ends a stroke and keeps what is drawn; on paper ink is dark; 320 x 480 points suffice."""
    from playwright.sync_api import expect

    ink = """() => {
        const { width, height } = document.getElementById("board");
        const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(document.getElementById("board"), 0, 0);
        const { data } = copy.getImageData(0, 0, width, height);
        const at = data.findIndex((value, k) => k % 4 === 3 && value === 255);
        return at < 0 ? null : data[at - 3];
    }"""
    with opened(chromium, page_file.as_uri(), PEN_AND_FINGERS, color_scheme="dark") as page:
        assert page.evaluate(ink) is None
        pen(page, "mousePressed", *["mouseMoved"] * 5)
        page.set_viewport_size({"width": 1180, "height": 820})
        expect(page.locator("#undo")).to_be_enabled()
        pen(page, "mouseMoved", "mouseReleased")
        assert said(page)[0] == "1"
        assert page.evaluate(ink) > 200
        page.emulate_media(media="print")
        expect(page.locator("#tools")).to_be_hidden()
        assert page.evaluate(ink) < 60
        page.emulate_media(media="screen")
        page.set_viewport_size({"width": 320, "height": 480})
        page.evaluate("location.hash = 'he'")
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        assert page.locator("#language").input_value() == "he"
        clear(page)
        page.click("#number")
        draw(page, placed(numbers(21, 3)[2], page, 0.05, 0.95), "finger")
        page.click("#inside summary")
        assert page.locator("#digits button").count()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
