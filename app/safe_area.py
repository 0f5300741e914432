"""The part of a phone's screen that its own bars, its notch and its rounded corners leave free."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .android_bridge import Bridge
from .system import on_android

Insets = tuple[float, float, float, float]
"""Left, top, right, bottom: pixels that are not ours."""

NONE: Insets = (0.0, 0.0, 0.0, 0.0)


def insets() -> Insets:
    """Ask the system what it keeps for itself; nothing on a desktop, or where it does not answer."""
    try:
        if on_android():
            return _android()
        if sys.platform == "ios":
            return _ios()
    except Exception:  # whatever the bridge to the system raises: then the whole window is ours
        return NONE
    return NONE


def _android() -> Insets:
    """Bars and cutout of the activity's window (WindowInsets, API 30); before 35 the system keeps clear by itself."""
    bridge = Bridge()
    if bridge.version < 30:
        return NONE
    kinds = bridge.java("android.view.WindowInsets$Type")
    root = bridge.activity.getWindow().getDecorView().getRootWindowInsets()
    found = root.getInsets(kinds.systemBars() | kinds.displayCutout())
    return float(found.left), float(found.top), float(found.right), float(found.bottom)


def _ios() -> Insets:
    """kivy-ios counts in points."""
    ios: Any = importlib.import_module("ios")
    area, scale = ios.get_safe_area(), float(ios.get_scale())
    left, top, right, bottom = (float(area[side]) * scale for side in ("left", "top", "right", "bottom"))
    return left, top, right, bottom
