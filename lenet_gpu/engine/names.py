"""Names of the engines: importable by the command line without importing any engine."""

ENGINES = ("layered",)
