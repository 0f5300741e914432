"""Every size, pane, language and text size: what lies wrong?"""

from acting import ONE, draw, faults
from kivy.core.window import Window


def scene(app):
    view, commands, lecture, wrong = app.view, app.commands, app.lecture, {}
    view.fill = lambda on: None  # the window keeps the size that is tried
    yield 0.1
    draw(view.page, ONE)
    checked = 0
    for width, height, scale, language, left_handed in app.options["shapes"]:
        resize = getattr(Window, "resize", None)
        if resize:
            resize(width, height)
        commands.change(text_scale=scale, language=language, left_handed=left_handed)
        yield 0.05
        assert tuple(view.size) == (width, height), view.size
        for pane in ("draw", "answer", "inside", "teach", "more"):
            for number in (False, True):
                if number != app.session.settings.number_mode:
                    commands.toggle_number()
                commands.open_pane(pane)
                if pane == "inside" and not number:
                    commands.look_at("c3", (15, 2, 2))
                yield 0.03
                found = faults(view)
                checked += 1
                if found:
                    wrong[f"{width}x{height} x{scale} {language} {left_handed} {pane} {number}"] = found[:6]
        commands.change(number_mode=False)
        lecture.toggle()
        for lesson in range(3):
            lecture.choose(lesson)
            for _ in range(3):
                lecture.turn(1)
            for pane in ("draw", "inside", "lesson", "answer"):
                if lesson == 2 and pane == "draw":
                    lecture.toggle_asking()
                commands.open_pane(pane)
                yield 0.03
                found = faults(view)
                checked += 1
                if found:
                    wrong[f"{width}x{height} x{scale} {language} {left_handed} lesson {lesson} {pane}"] = found[:6]
        lecture.leave()
    return {"wrong": wrong, "checked": checked}
