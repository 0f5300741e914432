"""Whether a program says only what was asked for: without bars, without what goes on meanwhile, without notes."""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("lenet_gpu")


def is_quiet() -> bool:
    """Tell whether the package's warnings are switched off, and with them its bars."""
    return not LOGGER.isEnabledFor(logging.WARNING)


def be_quiet() -> None:
    """Switch warnings and bars off for this process; errors remain."""
    LOGGER.setLevel(logging.ERROR)
