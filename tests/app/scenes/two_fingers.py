"""Two fingers through Kivy's TUIO provider, sent over loopback UDP, and the mouse as a ghost of one of them."""

import os
import socket
import time

from acting import place
from kivy.config import Config
from kivy.core.window import Window

PORT = int(os.environ["TUIO_PORT"])
Config.set("input", "fingers", f"tuio,127.0.0.1:{PORT}")


def scene(app):
    from oscpy.client import OSCClient

    client = OSCClient("127.0.0.1", PORT)
    page, ink = app.view.page, app.session.ink
    yield 0.5

    def frame(fingers):
        """A TUIO frame: who is alive, and where (shares of the window, y down)."""
        client.send_message(b"/tuio/2Dcur", [b"alive", *fingers])
        for number, (x, y) in fingers.items():
            client.send_message(
                b"/tuio/2Dcur", [b"set", number, x / Window.width, 1 - y / Window.height, 0.0, 0.0, 0.0]
            )
        client.send_message(b"/tuio/2Dcur", [b"fseq", 1])

    most = 0
    for step in range(20):
        frame({1: place(page, (0.25, 0.2 + step * 0.03)), 2: place(page, (0.75, 0.2 + step * 0.03))})
        yield 0.03
        most = max(most, len(ink.live))
        if step == 10:  # the system also makes a mouse of the first finger
            x, y = place(page, (0.25, 0.2 + step * 0.03))
            Window.dispatch("on_mouse_down", x, Window.height - y, "left", [])
            Window.dispatch("on_mouse_move", x, Window.height - y + 5, [])
            Window.dispatch("on_mouse_up", x, Window.height - y + 5, "left", [])
    client.send_message(b"/tuio/2Dcur", [b"alive"])
    ends = time.monotonic() + 5
    while ink.live and time.monotonic() < ends:
        yield 0.05
    return {
        "most": most,
        "strokes": sorted(
            [round(float(s.points[:, 0].mean() / page.viewport.box[2]), 2), len(s.points)] for s in ink.strokes
        ),
        "socket": socket.gethostname() != "",
    }
