"""An X server of our own, and a hand on its mouse and keyboard."""

import os
import subprocess


class Display:
    """An X server of our own, and a hand on its mouse and keyboard."""

    def __init__(self, folder):
        read, write = os.pipe()
        self.log = (folder / "xvfb.log").open("w")
        self.server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1000x900x24", "-nolisten", "tcp"],
            pass_fds=[write], stdout=self.log, stderr=self.log,
        )  # fmt: skip
        os.close(write)
        with os.fdopen(read) as numbers:
            self.name = f":{numbers.readline().strip()}"

    def do(self, *arguments):
        ended = subprocess.run(
            ["xdotool", *map(str, arguments)],
            env={**os.environ, "DISPLAY": self.name}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def close(self):
        self.server.terminate()
        self.server.wait(20)
        self.log.close()
