"""Pictures by camera and gallery, what is shared: by plyer's interfaces, Android's own, a desktop's programs."""

import threading

import numpy as np
import pytest
from phone import SPEECHES, Android, Bitmap, Intent
from PIL import Image, ImageDraw, ImageOps
from windowless import Stage, down

from app.android_exchange import AndroidCamera
from app.desktop import file_dialog, folder_window
from app.picture_file import orientation, upright
from app.settings import Settings
from app.speech import Voice
from app.system import INCOMING, System, leave, this_system


def write_page(path):
    """Two sevens above a third, on white paper."""
    image = Image.new("L", (160, 150), 255)
    pen = ImageDraw.Draw(image)
    for x, y in ((15, 10), (65, 10), (15, 85)):
        pen.line([(x, y), (x + 30, y), (x + 10, y + 45)], fill=0, width=5)
    image.save(path, format="PNG")


class Camera:
    """plyer's camera: answers later, from a thread of its own, and removes the file where it is told to."""

    def __init__(self, shot=write_page):
        self.shot, self.filename = shot, None

    def take_picture(self, filename, on_complete):
        self.filename, self.complete = filename, on_complete

    def press(self):
        def work():
            if self.shot:
                self.shot(self.filename)
            assert not self.complete(self.filename)  # not yet read

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()


class Gallery:
    """plyer's filechooser on a phone: returns at once, and answers later."""

    def __init__(self):
        self.opened = threading.Event()

    def open_file(self, **options):
        self.selected = options["on_selection"]
        self.opened.set()


class Sheet:
    def __init__(self):
        self.texts, self.files = [], []

    def send_text(self, text):
        self.texts.append(text)

    def send_file(self, path, kind):
        self.files.append((path.name, kind, path.read_bytes()[:3]))


def ended(name):
    """Wait for the threads of a name."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join()


def incoming(stage):
    folder = stage.session.settings.folder / INCOMING
    return list(folder.iterdir()) if folder.exists() else []


def test_what_the_camera_took_is_read_as_a_page_and_deleted(tmp_path):
    camera = Camera()
    stage = Stage(tmp_path, System(camera=camera))
    stage.exchange.take_picture()
    camera.press()
    assert len(incoming(stage)) == 1  # in the app's own folder
    stage.finish_reading()
    assert stage.session.reading.answer.big == "77\n7"
    assert len(stage.screen.outlines[0]) == 3
    assert stage.screen.picture.shape == (150, 160)
    assert incoming(stage) == []


def test_who_takes_no_picture_finds_everything_as_it_was(tmp_path):
    camera = Camera(shot=None)
    stage = Stage(tmp_path, System(camera=camera))
    stage.draw(*down())
    stage.exchange.take_picture()
    camera.press()
    stage.finish_reading()
    assert (stage.screen.answer.big, stage.screen.note, stage.screen.picture) == ("1", "", None)


@pytest.mark.parametrize("reason", ["no camera app", ""])
def test_a_camera_that_does_not_answer_is_told(tmp_path, reason):
    camera = Camera()

    def refuse(filename, on_complete):
        if reason:
            raise RuntimeError(reason)
        return False  # as plyer's does on iOS

    camera.take_picture = refuse
    stage = Stage(tmp_path, System(camera=camera))
    stage.exchange.take_picture()
    assert stage.screen.note.strip() == f"No picture came. {reason}".strip()


def test_a_chosen_picture_is_read_and_stays_where_it_is(tmp_path):
    gallery = Gallery()
    stage = Stage(tmp_path / "user", System(chooser=gallery))
    write_page(tmp_path / "page.png")
    page = str(tmp_path / "page.png")
    for paths, note in (([None], "No picture came."), (None, "No picture came."), ([page], "")):
        stage.exchange.choose_picture()
        assert gallery.opened.wait(20)
        gallery.opened.clear()
        gallery.selected(paths)
        ended("dialog")
        stage.finish_reading()
        assert stage.screen.note.strip() == note
    assert stage.session.reading.answer.big == "77\n7"
    assert (tmp_path / "page.png").exists()


def test_a_desktops_own_dialog_chooses(tmp_path):
    write_page(tmp_path / "page.png")
    command = tmp_path / "zenity"
    command.write_text(f"#!/bin/sh\nsleep 0.1\necho {tmp_path}/page.png\n")
    command.chmod(0o755)
    dialog = file_dialog(lambda name: str(command) if name == "zenity" else None)
    stage = Stage(tmp_path / "user", System(chooser=dialog))
    stage.exchange.choose_picture()
    stage.exchange.choose_picture()  # a second press opens no second dialog
    assert stage.timer.called.wait(20)
    assert len(stage.timer.calls) == 1
    stage.finish_reading()
    assert stage.session.reading.answer.big == "77\n7"
    assert file_dialog(lambda name: None) is None


def test_a_desktop_says_where_a_file_is_and_shows_its_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")  # no command for the clipboard
    shown = []
    stage = Stage(tmp_path, System(show_folder=shown.append))
    stage.draw(*down())
    stage.exchange.share()
    assert stage.screen.saved[0] in stage.screen.note
    assert stage.screen.acts == ["Show the folder"]
    stage.commands.act(0)
    stage.commands.teach(1)
    stage.exchange.export()
    stage.commands.act(0)
    assert shown == [tmp_path / "drawings", tmp_path]


def test_a_folder_is_shown_by_the_desktops_command(tmp_path):
    command = tmp_path / "xdg-open"
    command.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/new && mv {tmp_path}/new {tmp_path}/seen\n')
    command.chmod(0o755)
    show = folder_window(lambda name: str(command) if name == "xdg-open" else None)
    show(tmp_path)
    ended("folder")
    assert (tmp_path / "seen").read_text() == f"{tmp_path}\n"
    assert folder_window(lambda name: None) is None


def test_a_phone_hands_answer_drawing_and_samples_to_other_apps(tmp_path):
    sheet = Sheet()
    stage = Stage(tmp_path, System(sheet=sheet))
    stage.exchange.share_answer()
    assert stage.screen.note == "There is no answer yet."
    stage.draw(*down())
    stage.exchange.share_answer()
    stage.exchange.share()
    stage.commands.teach(1)
    stage.exchange.export()
    assert sheet.texts == ["1"]
    assert [(name[-4:], kind) for name, kind, _ in sheet.files] == [(".png", "image/png"), (".csv", "text/csv")]
    assert list((tmp_path / "drawings").iterdir()) == []  # nobody looks into a phone's folder of an app


def test_what_the_system_refuses_is_told(tmp_path):
    sheet = Sheet()

    def refuse(*_):
        raise OSError("no room")

    sheet.send_text = sheet.send_file = refuse
    stage = Stage(tmp_path, System(sheet=sheet))
    stage.draw(*down())
    for send in (stage.exchange.share_answer, stage.exchange.share):
        stage.screen.note = ""
        send()
        assert stage.screen.note == "That did not work: no room"


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_photograph_is_turned_upright_without_pillow_as_with_it(tmp_path, turned):
    image = Image.fromarray(np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6))
    exif = Image.Exif()
    exif[270], exif[274] = "a page", turned
    image.resize((48, 32), Image.Resampling.NEAREST).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "photo.jpg") as photo:
        pixels, expected = np.asarray(photo), np.asarray(ImageOps.exif_transpose(photo))
    assert orientation(str(tmp_path / "photo.jpg")) == turned
    np.testing.assert_array_equal(upright(pixels, turned), expected)


def test_what_is_no_photograph_stands_as_it_is(tmp_path):
    for content in (b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\x00\x10Exif\0\0II*\0\xff\xff\xff\xff", b"\x89PNG\r\n"):
        (tmp_path / "file").write_bytes(content)
        assert orientation(str(tmp_path / "file")) == 1
    assert orientation(str(tmp_path / "nothing")) == 1


# ---- Android


@pytest.fixture
def phone(tmp_path, monkeypatch):
    (tmp_path / "content").mkdir()
    return Android(tmp_path / "content").install(monkeypatch)


def test_android_takes_a_picture_without_a_permission_and_leaves_none_behind(phone, tmp_path):
    stage = Stage(tmp_path / "user", this_system(tmp_path / "user"))
    stage.exchange.take_picture()
    (intent, _) = phone.asked[-1]
    address = intent.extras["OUTPUT"]
    assert (intent.action, phone.resolver.tables[address]["mime_type"]) == ("CAPTURE", "image/jpeg")
    write_page(phone.resolver.file(address))  # the camera app does
    phone.reply(-1)
    stage.finish_reading()
    assert stage.session.reading.answer.big == "77\n7"
    assert (incoming(stage), phone.resolver.tables, phone.listeners) == ([], {}, [])
    stage.exchange.take_picture()
    phone.reply(0)  # the user came back without one
    stage.finish_reading()
    assert (stage.session.reading.answer.big, phone.resolver.tables, phone.listeners) == ("77\n7", {}, [])
    phone.answers = False
    stage.exchange.take_picture()
    assert "No Activity" in stage.screen.note
    assert (phone.resolver.tables, phone.listeners) == ({}, [])


def test_androids_gallery_hands_out_a_copy_that_is_read_and_deleted(phone, tmp_path):
    stage = Stage(tmp_path / "user", this_system(tmp_path / "user"))
    stage.exchange.choose_picture()
    ended("dialog")
    answer = Intent("answer")
    answer.data = "content:9"
    write_page(phone.resolver.file("content:9"))
    phone.reply(-1, answer)
    assert stage.timer.called.wait(20)
    stage.finish_reading()
    assert stage.session.reading.answer.big == "77\n7"
    assert (incoming(stage), phone.listeners) == ([], [])
    assert phone.asked[0][0].kind == "image/*"


def test_androids_share_sheet_gets_text_and_addresses(phone, tmp_path):
    sheet = this_system(tmp_path).sheet
    sheet.send_text("17")
    (tmp_path / "digits.csv").write_bytes(b"label,pixels")
    sheet.send_file(tmp_path / "digits.csv", "text/csv")
    text, file = (chooser.inner for chooser in phone.shown)
    assert (text.action, text.kind, text.extras) == ("SEND", "text/plain", {"TEXT": "17"})
    address = file.extras["STREAM"]
    assert (file.kind, file.flags, phone.resolver.file(address).read_bytes()) == ("text/csv", 1, b"label,pixels")


def test_an_android_without_a_camera_offers_none(phone, tmp_path, monkeypatch):
    assert isinstance(this_system(tmp_path).camera, AndroidCamera)
    without = Android(tmp_path, camera=False).install(monkeypatch)
    assert this_system(tmp_path).camera is None
    leave()
    assert without.behind == 1


def test_an_android_before_10_takes_a_small_picture_without_a_permission(tmp_path, monkeypatch):
    old = Android(tmp_path, version=28).install(monkeypatch)
    stage = Stage(tmp_path / "user", this_system(tmp_path / "user"))
    stage.exchange.take_picture()
    (intent, _) = old.asked[-1]
    assert (intent.action, intent.extras) == ("CAPTURE", {})
    write_page(tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as page:
        page.thumbnail((240, 240))
        answer = Intent("answer")
        answer.extras["data"] = Bitmap(np.asarray(page.convert("RGB")))
    old.reply(-1, answer)
    stage.finish_reading()
    assert stage.session.reading.answer.big == "77\n7"
    for outcome, data in ((0, None), (-1, None), (-1, Intent("without a picture"))):
        stage.exchange.take_picture()
        old.reply(outcome, data)
        stage.finish_reading()
        assert (stage.session.reading.answer.big, incoming(stage), old.listeners) == ("77\n7", [], [])
    old.answers = False
    stage.exchange.take_picture()
    assert "No Activity" in stage.screen.note


def test_an_android_before_10_asks_where_a_file_shall_go(tmp_path, monkeypatch):
    old = Android(tmp_path, version=28).install(monkeypatch)
    sheet, file = this_system(tmp_path).sheet, tmp_path / "a.png"
    for outcome in (0, -1):
        file.write_bytes(b"a drawing")
        sheet.send_file(file, "image/png")
        file.unlink()
        (intent, _) = old.asked[-1]
        assert (intent.action, intent.kind, intent.categories) == ("CREATE_DOCUMENT", "image/png", ["OPENABLE"])
        assert intent.extras == {"TITLE": "a.png"}
        answer = Intent("answer")
        answer.data = "content:9"
        old.resolver.file("content:9").write_bytes(b"")
        old.reply(outcome, answer)
        ended("save")
        assert old.resolver.file("content:9").read_bytes() == (b"a drawing" if outcome else b"")
    assert (old.shown, old.resolver.tables, old.listeners) == ([], {}, [])


def test_androids_voice_speaks_the_texts_language_or_not_at_all(phone):
    SPEECHES.clear()
    voice = Voice(lambda name: None)
    assert voice.available
    for text, language in (("drei", "de"), ("shalosh", "he"), ("three", "en")):
        assert voice.say(text, language)
        ended("voice")
    assert [one.heard for one in SPEECHES] == [[("drei", "de"), ("three", "en")]]


def test_the_phones_size_of_text_is_that_of_the_app_until_another_is_chosen(phone, tmp_path):
    settings = Settings.load(tmp_path)
    assert settings.text_scale_in_use == 1.3
    phone.text_size = 7.0
    assert settings.text_scale_in_use == 2.0
    settings.text_scale = 0.9
    assert settings.text_scale_in_use == 0.9
