"""What stands around the presenter and the commands where there is no window: it remembers what it was told."""

import threading

from PIL import Image

from app.commands import Commands
from app.exchange import Exchange
from app.presenter import Presenter
from app.session import Session
from app.system import System
from app.viewport import Viewport

BOX = Viewport.fit(0, 0, 400, 400, None).box


def draw(session, *points, key="finger"):
    """Draw a stroke with one finger."""
    session.ink.begin(key, points[0], BOX)
    for point in points[1:]:
        session.ink.extend(key, point)
    session.ink.finish(key)


def down(x=0.0, top=-0.3, bottom=0.3):
    """The points of a one."""
    return [(x, top + (bottom - top) * i / 12) for i in range(13)]


class Trigger:
    def __init__(self, timer, callback, timeout):
        self.timer, self.callback, self.timeout, self.due = timer, callback, timeout, None

    def __call__(self):
        if self.due is None:
            self.due = self.timer.now + max(self.timeout, 0)

    def cancel(self):
        self.due = None


class Timer:
    """A clock that stands until it is told to go on."""

    def __init__(self):
        self.now, self.triggers, self.calls, self.called = 0.0, [], [], threading.Event()

    def create_trigger(self, callback, timeout):
        self.triggers.append(Trigger(self, callback, timeout))
        return self.triggers[-1]

    def schedule_once(self, callback, timeout=0):
        self.calls.append(callback)
        self.called.set()

    def go_on(self, seconds=0.0):
        self.now += seconds
        calls, self.calls = self.calls, []
        for call in calls:
            call(0.0)
        for trigger in self.triggers:
            if trigger.due is not None and trigger.due <= self.now:
                trigger.due = None
                trigger.callback(0.0)


class Screen:
    """Both the presenter's screen and the commands' workspace."""

    def __init__(self):
        self.shows_inside = False
        self.dressed, self.tools, self.samples, self.answer, self.bars = [], None, None, None, None
        self.maps, self.hint, self.unit, self.kept, self.note = None, None, None, [], ""
        self.fields, self.on_ink, self.lesson, self.part, self.full, self.lecture = {}, None, None, None, False, False
        self.selected, self.acts, self.outlines = None, [], ([], 0)
        self.pane, self.canvas_opened, self.picture, self.redrawn, self.saved = "draw", 0, None, 0, []

    def dress(self, settings, strings, lecture):
        self.dressed.append((settings.palette, strings.language))
        self.lecture = lecture

    def show_tools(self, state):
        self.tools = state

    def show_samples(self, state):
        self.samples = state

    def show_answer(self, state):
        self.answer = state

    def show_bars(self, probabilities, is_digit, selected):
        self.bars, self.selected = (probabilities, is_digit), selected

    def show_outlines(self, boxes, chosen):
        self.outlines = list(boxes), chosen

    def show_maps(self, maps, hint):
        self.maps, self.hint = maps, hint

    def show_unit(self, unit):
        self.unit = unit

    def mark_unit(self, layer, unit):
        self.kept.append(layer)

    def show_fields(self, fields, on_ink):
        self.fields, self.on_ink = fields, on_ink

    def show_lesson(self, lesson):
        self.lesson = lesson

    def show_part(self, part):
        self.part = part

    def fill_screen(self, on):
        self.full = on

    def show_note(self, text, acts):
        self.note, self.acts = text, list(acts)

    def open_pane(self, name):
        self.pane = name

    def open_canvas(self):
        self.canvas_opened += 1

    def show_picture(self, image):
        self.picture = image

    def redraw_ink(self):
        self.redrawn += 1

    def save_canvas(self, path):
        self.saved.append(path)
        Image.new("L", (2, 2)).save(path)


class Speaker:
    def __init__(self):
        self.heard = []

    def say(self, text, language):
        self.heard.append((text, language))
        return True


def finish_reading(stage):
    """Wait for what is read beside the drawing."""
    stage.timer.go_on()
    while stage.presenter.reader.busy or stage.timer.calls:
        stage.timer.called.wait(0.05)
        stage.timer.go_on()


class Stage:
    """A user in front of a screen that only remembers."""

    def __init__(self, folder, system=None):
        self.session, self.screen, self.timer = Session.open(folder), Screen(), Timer()
        self.presenter = Presenter(self.session, self.screen, self.timer, Speaker())
        self.commands = Commands(self.session, self.screen, self.presenter, self.timer)
        self.exchange = Exchange(self.session, self.screen, self.presenter, self.timer, system or System())
        self.presenter.dress()

    def draw(self, *points):
        draw(self.session, *points)
        self.commands.ink_changed()
        self.commands.ink_lifted()
        self.finish_reading()

    def finish_reading(self):
        """Wait for what is read beside the drawing."""
        finish_reading(self)
