"""Runs one scene (see kivy_process.py): python stage.py SCENE FOLDER OPTIONS-AS-JSON."""

import faulthandler
import importlib
import json
import os
import sys
import traceback
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "scenes"), str(HERE)]

if os.environ.get("KIVY_GL_BACKEND") == "mock":
    importlib.import_module("mock_window")  # before the app: it takes the window's place
faulthandler.dump_traceback_later(280)  # a scene that hangs says where
scene_name, folder, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
before = set(sys.modules)

from app.main import ReaderApp  # noqa: E402
from app.system import System  # noqa: E402

scene_module = importlib.import_module(scene_name)
phone = System(camera=object(), chooser=object(), sheet=object(), has_paths=False) if options.get("phone") else None
app = ReaderApp(options.get("model"), Path(folder) / "user", options.get("kiosk", False), phone)
app.options, app.modules_before = options, before
outcome = {}


def run(_):
    from kivy.clock import Clock

    steps = scene_module.scene(app)

    def advance(_):
        try:
            Clock.schedule_once(advance, next(steps) or 0)
        except StopIteration as end:
            outcome["result"] = end.value
            app.stop()
        except BaseException:
            outcome["error"] = traceback.format_exc()
            app.stop()

    advance(0)


app.bind(on_start=lambda _: __import__("kivy.clock").clock.Clock.schedule_once(run, 0))
app.run()
if "error" in outcome:
    print(outcome["error"])
    sys.exit(1)
from kivy_process import SEPARATOR  # noqa: E402

# In one piece: what threads say at the end (a provider's listener, say) goes to the same pipe.
print(f"\n{SEPARATOR}{json.dumps(outcome['result'])}", flush=True)
