"""Shows the network's inside for the drawing: the maps of every layer, one unit taken apart, and all that it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lenet_gpu.errors import InputError
from lenet_gpu.ink.preprocess import place_strokes
from lenet_gpu.paper import IMAGE_SIZE, INPUT_SIZE

from . import explain
from .field import PICTURE, Field, field_of_view
from .ink import Box
from .interfaces import Screen, Unit
from .session import Session
from .states import SourceState, UnitState

MARGIN = (INPUT_SIZE - IMAGE_SIZE) // 2
"""Pixels of the network's input around the 28x28 picture."""


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
            self.screen.show_fields({}, None)
            return
        network = self.session.recognizer.network
        values = explain.activations(network, prediction.image)
        picture = network.input_layer(prediction.image[None])[0]  # (1, 32, 32)
        self.screen.show_maps({PICTURE: picture, **explain.hidden(values)}, self.text("inside_hint"))
        self._show_unit(values)

    def look_at(self, layer: str, unit: Unit) -> None:
        """Take a unit apart.

        Args:
            layer: "c1" ... "f6", or "output".
            unit: Its index there.
        """
        self._unit = (layer, unit)
        self.screen.mark_unit(layer, unit)
        self._show_unit()

    def look_away(self) -> None:
        """Take no unit apart any more."""
        self._unit = None
        self.screen.mark_unit(None, 0)
        self.screen.show_unit(None)
        self.screen.show_fields({}, None)

    def _show_unit(self, values: explain.Activations | None = None) -> None:
        prediction = self.session.reading.prediction
        if self._unit is None or prediction is None:
            return
        layer, unit = self._unit
        network = self.session.recognizer.network
        found = explain.explain_unit(network, prediction.image, layer, unit, values)
        fields = field_of_view(network, layer, unit)
        if isinstance(unit, tuple):
            index, row, column = unit
            title = self.text("unit_map", layer=layer.upper(), map=index, row=row, column=column)
        else:
            title = self.text("unit_output" if layer == "output" else "unit_single", layer=layer.upper(), unit=unit)
        numbers = {"sum": f"{found.sum:.2f}", "bias": f"{found.bias:.2f}", "value": f"{found.value:.2f}"}
        said = self.text("unit_score" if layer == "output" else "unit_sum", **numbers)
        if found.rest:
            said += " " + self.text("unit_rest", rest=f"{found.rest:+.2f}")
        sources = tuple(self._source(source) for source in found.sources)
        self.screen.show_unit(UnitState(title, said, self._sees(fields), found, sources))
        self.screen.show_fields(fields, self._on_ink(fields[PICTURE]))

    def _source(self, source: explain.Source) -> SourceState:
        """Name one of a unit's inputs, and where a tap on it leads: of a map to the unit there that counts most."""
        target: tuple[str, Unit] | None = None
        if source.layer == PICTURE:
            name = self.text("source_picture")
        elif source.corner is None:
            name = self.text("source_unit", layer=source.layer.upper(), unit=source.place)
            target = (source.layer, source.place)
        else:
            name = self.text("source_map", layer=source.layer.upper(), map=source.place)
            products = abs(source.inputs * source.weights)
            row, column = (int(i) for i in np.unravel_index(products.argmax(), products.shape))
            target = (source.layer, (source.place, source.corner[0] + row, source.corner[1] + column))
        return SourceState(name, f"{source.contribution:+.2f}", source.contribution, target)

    def _sees(self, fields: dict[str, Field]) -> str:
        """Say what a unit depends on: how much of the picture, and through which maps."""
        below, picture = list(fields)[1], fields[PICTURE]
        if picture.height == INPUT_SIZE:
            return self.text("unit_sees_all", layer=below.upper())
        size = {"height": picture.height, "width": picture.width}
        if below == PICTURE:
            return self.text("unit_sees_picture", **size)
        maps = fields[below].maps
        if len(maps) == 1:
            return self.text("unit_sees_map", layer=below.upper(), map=maps[0], **size)
        return self.text("unit_sees_maps", layer=below.upper(), maps=", ".join(map(str, maps)), **size)

    def _on_ink(self, field: Field) -> Box | None:
        """Return the part of the canvas under a part of the network's input; None for a picture, or a dot."""
        reading = self.session.reading
        strokes: Sequence[np.ndarray] = reading.strokes[reading.chosen]
        try:
            place = place_strokes(strokes)
        except InputError:
            return None
        if not place.scale:
            return None
        left, top = field.left - MARGIN, field.top - MARGIN
        xs = ((x - place.x) / place.scale for x in (left, left + field.width))
        ys = ((y - place.y) / place.scale for y in (top, top + field.height))
        (x0, x1), (y0, y1) = xs, ys
        return x0, y0, x1, y1
