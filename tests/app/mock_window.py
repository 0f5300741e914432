"""A window without a screen, for Kivy's mock GL: layout, kv, mouse and touches work, there are no pixels."""

import kivy.core.window as core
from kivy.config import Config
from kivy.core.window import WindowBase


class MockWindow(WindowBase):
    def create_window(self, *largs):
        from kivy.base import EventLoop

        EventLoop.set_window(self)
        if not self.initialized:  # Kivy calls this again when settings of the window change
            self._size = (Config.getint("graphics", "width"), Config.getint("graphics", "height"))
        super().create_window(*largs)

    def mainloop(self):
        pass

    def close(self, *largs):
        self.dispatch("on_close")

    def resize(self, width, height):
        self._size = (width, height)
        self.dispatch("on_pre_resize", width, height)


core.Window = MockWindow()
