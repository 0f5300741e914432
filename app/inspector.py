"""Shows the network's inside for the drawing: the maps of every layer, and one unit taken apart."""

from __future__ import annotations

from collections.abc import Callable

from . import explain
from .interfaces import Screen, Unit
from .session import Session
from .states import UnitState


class Inspector:
    """Shows on a screen how the network reads the session's drawing.

    Args:
        session: What the app works on.
        screen: The view.
        text: Text by key and values.
    """

    def __init__(self, session: Session, screen: Screen, text: Callable[..., str]) -> None:
        self.session, self.screen, self.text = session, screen, text
        self._unit: tuple[str, Unit] | None = None

    def show(self) -> None:
        """Show the maps, and the unit that is looked at; nothing on a blank canvas."""
        prediction = self.session.reading.prediction
        if prediction is None:
            self.screen.show_maps(None, self.text("inside_empty"))
            self.screen.show_unit(None)
            return
        values = explain.activations(self.session.recognizer.network, prediction.image)
        self.screen.show_maps(explain.hidden(values), self.text("inside_hint"))
        self._show_unit(values)

    def look_at(self, layer: str, unit: Unit) -> None:
        """Take a unit apart.

        Args:
            layer: "c1" ... "f6", or "output".
            unit: Its index there.
        """
        self._unit = (layer, unit)
        self.screen.release_units(keep=layer)
        self._show_unit()

    def look_away(self) -> None:
        """Take no unit apart any more."""
        self._unit = None
        self.screen.release_units(keep=None)
        self.screen.show_unit(None)

    def _show_unit(self, values: explain.Activations | None = None) -> None:
        prediction = self.session.reading.prediction
        if self._unit is None or prediction is None:
            return
        layer, unit = self._unit
        found = explain.explain_unit(self.session.recognizer.network, prediction.image, layer, unit, values)
        if isinstance(unit, tuple):
            index, row, column = unit
            title = self.text("unit_map", layer=layer.upper(), map=index, row=row, column=column)
        else:
            title = self.text("unit_output" if layer == "output" else "unit_single", layer=layer.upper(), unit=unit)
        numbers = {"sum": f"{found.sum:.2f}", "bias": f"{found.bias:.2f}", "value": f"{found.value:.2f}"}
        said = "unit_score" if layer == "output" else "unit_sum"
        self.screen.show_unit(UnitState(title, self.text(said, **numbers), found))
