"""Names of the engines: importable by the command line without importing any engine."""

ENGINES = ("layered", "cpu_plan", "cuda")
"""Every engine by name."""

FAST_ENGINE = {"cpu": "cpu_plan", "gpu": "cuda"}
"""The fast engine of each backend."""
