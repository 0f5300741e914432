"""Quiet programs: results and errors, without bars, notes and what goes on meanwhile."""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("lenet_gpu")


def is_quiet() -> bool:
    """Tell whether the package's warnings are switched off, and with them its bars."""
    return not LOGGER.isEnabledFor(logging.WARNING)


def be_quiet() -> None:
    """Switch warnings and bars off for this process; errors remain."""
    LOGGER.setLevel(logging.ERROR)
