"""The size of text that a phone's owner has set for all apps."""

from __future__ import annotations

import importlib
import sys

from .android_bridge import Bridge
from .system import on_android

IOS_SIZES = {
    **{"XS": 0.8, "S": 0.9, "M": 0.95, "L": 1.0, "XL": 1.1, "XXL": 1.25, "XXXL": 1.4},
    **{"AccessibilityM": 1.6, "AccessibilityL": 1.8, "AccessibilityXL": 2.0},
}
"""Factor of all text by the end of the name of iOS's content size categories; larger ones are as the largest here."""


def system_text_scale() -> float:
    """Ask the phone; 1 on a desktop, or where it does not answer."""
    try:
        if on_android():
            return float(Bridge().activity.getResources().getConfiguration().fontScale)
        if sys.platform == "ios":
            application = importlib.import_module("pyobjus").autoclass("UIApplication").sharedApplication()
            name = str(application.preferredContentSizeCategory.UTF8String()).removeprefix("UICTContentSizeCategory")
            return IOS_SIZES.get(name, max(IOS_SIZES.values()) if name.startswith("Accessibility") else 1.0)
    except Exception:  # whatever the bridge to the system raises
        return 1.0
    return 1.0
