"""Questions of a wing to one above it, which it does not import: the package itself sets who answers.

The package's `__init__` runs before any of its modules, so that nothing here depends on what was imported, or when.
Nothing is imported here either: see `__init__`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

find_reader: "Callable[[Any], Any]"
"""Finds the engine that answers for a `Network`, or None; see engine/reading.py."""
