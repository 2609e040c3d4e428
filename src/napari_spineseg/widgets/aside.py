"""Results that come when somebody has gone over to another scan: kept, and out of the way."""

from __future__ import annotations

from napari.layers import Image, Layer

from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.view import add_beside


def place_over(session: Session, scan: Image) -> int:
    """The place in the layer list right above `scan`; the top where that is closed."""
    layers = layers_of(session.viewer)
    return layers.index(scan) + 1 if scan in layers else len(layers)


def add_aside(session: Session, layer: Layer, at: int) -> None:
    """Add a layer, hidden, and leave what is worked on as it is: nobody is torn away from a patient."""
    scan, segmentation = session.scan, session.segmentation
    layer.visible = False
    add_beside(session.viewer, layer, at)
    session.scan, session.segmentation = scan, segmentation
