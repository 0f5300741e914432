"""A stand-in for wandb: keeps what is logged, and writes it to logged.json when the run is finished."""

import json
from pathlib import Path


class Run:
    def __init__(self, project, config):
        json.dumps(config)  # as the real one sends it
        self.lines = [["open", project]]

    def log(self, data, step):
        json.dumps(data)
        self.lines += [["scalar", key, value, step] for key, value in data.items()]

    def finish(self):
        Path("logged.json").write_text(json.dumps([*self.lines, ["close"]]))


def init(project, config):
    return Run(project, config)
