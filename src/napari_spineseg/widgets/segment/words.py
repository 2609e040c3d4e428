"""What the page *Segment* says of a scan, and of what a result warns of."""

from __future__ import annotations

from collections.abc import Iterable

from napari.layers import Image

from napari_spineseg.acquisition import doubt_about
from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.layer_view import LayerView
from napari_spineseg.tumours.scan import WARNING as EXPERIMENTAL
from napari_spineseg.widgets.known import about


def describe(layer: Image) -> str:
    """Sequence, slices and spacing of a scan layer, in one line."""
    slices, height, width = layer.data.shape
    known = about(layer)
    spacing = " × ".join(f"{step:.2g}" for step in layer.scale[-3:])
    sequence = known.get("sequence", "unknown")
    parts = [] if sequence == "unknown" else [sequence]
    parts += [f"{slices} × {height} × {width}", f"{spacing} mm"]
    if not known:
        unknown = all(step == 1 for step in layer.scale[-3:])
        parts.append("no spacing, 1 mm assumed" if unknown else "spacing from the layer")
    return " · ".join(parts)


def doubt_of(layer: Image) -> str:
    """Why this scan will not segment well, by its geometry, and what to do; "" if nothing tells."""
    try:
        return doubt_about(LayerView.of(layer).grid()[0])
    except SpineSegError:
        return ""  # said when it is to be segmented


def places_to_look(warnings: Iterable[str], findings: int = 0) -> str:
    """How many places the person should look at: that a model is experimental is none in the picture.

    >>> places_to_look([]), places_to_look(["Look at L5.", EXPERIMENTAL])
    ('', '1 place to look at')
    >>> places_to_look(["Look at L5.", EXPERIMENTAL], findings=2)
    '3 places to look at'
    """
    number = findings + sum(warning != EXPERIMENTAL for warning in warnings)
    return f"{number} place{'s' if number != 1 else ''} to look at" if number else ""
