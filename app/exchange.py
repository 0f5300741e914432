"""Everything that passes between app and device: pictures in; answers, drawings and samples out. No Kivy here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .interfaces import Act, Presentation, Workspace
from .picture_file import load_greyscale
from .picture_source import PictureSource
from .reading import Say
from .sending import copy_image, copy_text, save_drawing
from .services import Timer
from .session import Session
from .system import System

PNG, CSV = "image/png", "text/csv"


class Exchange:
    """Lets pictures in, and hands out what the user made of them.

    Args:
        session: What the app works on.
        workspace: The view's canvas and panes.
        presenter: Shows what came of it.
        timer: Kivy's Clock.
        system: What this device offers.

    Attributes:
        source: Takes pictures and chooses files.
        can_take: There is a camera.
        can_choose: There is a gallery, or a dialog.
        can_share: There are other apps to hand things to.
        has_paths: Files are known by their paths here.
    """

    def __init__(
        self, session: Session, workspace: Workspace, presenter: Presentation, timer: Timer, system: System
    ) -> None:
        self.session, self.workspace, self.presenter, self.system = session, workspace, presenter, system
        self.source = PictureSource(timer, system, Path(session.settings.folder))
        self.can_take, self.can_choose = system.camera is not None, system.chooser is not None
        self.can_share, self.has_paths = system.sheet is not None, system.has_paths

    # ---- in

    def open_picture(self, path: str) -> None:
        """Read a picture's file.

        Args:
            path: The file; an empty text is none.
        """
        if path and self.session.open_picture(path, load_greyscale):
            self.presenter.clear_note()
            self.workspace.redraw_ink()
            self.workspace.show_picture(self.session.picture)
            self.workspace.open_canvas()
        self.presenter.show_messages()
        self.presenter.refresh()

    def choose_picture(self) -> None:
        """Let the user choose a picture in the gallery or in the system's own dialog."""
        self.source.choose(self._arrived, self._failed)

    def take_picture(self) -> None:
        """Let the user take a picture, and read it."""
        self.source.take(self._arrived, self._failed)

    def _arrived(self, path: str) -> None:
        self.open_picture(path)
        self.source.discard(path)

    def _failed(self, reason: str) -> None:
        self.presenter.note(Say("no_picture", {"reason": reason}))

    # ---- out

    def copy(self) -> None:
        """Put the answer on the clipboard."""
        self._answer(copy_text, "copied")

    def share_answer(self) -> None:
        """Hand the answer to another app."""
        if self.system.sheet is not None:
            self._answer(self.system.sheet.send_text, "")

    def _answer(self, send: Callable[[str], None], done: str) -> None:
        text = self.session.read().answer.big
        if not text:
            self.presenter.note(Say("copy_nothing"))
        elif self._try(lambda: send(text)) and done:
            self.presenter.note(Say(done, {"text": text}))

    def share(self) -> None:
        """Save the drawing as a picture, and hand it to another app, or put it on the clipboard where that works."""
        folder = Path(self.session.settings.folder) / "drawings"
        path, failed = save_drawing(self.workspace.save_canvas, folder)
        if failed is not None:
            self.presenter.note(failed)
        elif self.system.sheet is not None:
            self._hand_on(path, PNG)
            path.unlink(missing_ok=True)  # nobody looks into a phone's folder of an app
        else:
            self._saved(Say("share_copied" if copy_image(path) else "shared", {"path": str(path)}), folder)

    def export(self) -> None:
        """Write the samples as a data set, and hand it to another app where there are some."""
        folder = Path(self.session.settings.folder)
        written = self.session.export(folder / "digits.csv")
        if written is not None and self.system.sheet is not None:
            self._hand_on(written, CSV)
        elif written is not None:
            self._saved(Say("exported", {"path": str(written)}), folder)
        self.presenter.show_messages()
        self.presenter.refresh()

    def _hand_on(self, path: Path, kind: str) -> None:
        sheet = self.system.sheet
        if sheet is not None and self._try(lambda: sheet.send_file(path, kind)):
            self.presenter.clear_note()

    def _saved(self, said: Say, folder: Path) -> None:
        """Say where a file is, with a way to it where the desktop has one."""
        show = self.system.show_folder
        acts = [] if show is None else [Act(Say("open_folder"), lambda: show(folder))]
        self.presenter.note(said, acts=acts)

    def _try(self, send: Callable[[], object]) -> bool:
        """Do what another program may refuse; says whether it did not."""
        try:
            send()
        except (OSError, RuntimeError, NotImplementedError) as error:
            self.presenter.note(Say("unexpected", {"reason": str(error)}))
            return False
        return True
