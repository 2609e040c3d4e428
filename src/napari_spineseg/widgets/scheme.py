"""What the numbers of labels mean that SpineSeg did not make, settled once: what is seen is what is saved."""

from __future__ import annotations

from napari.layers import Labels

from napari_spineseg.errors import ScanError
from napari_spineseg.io.layers import segmentation_from_layer
from napari_spineseg.widgets.known import KEY, about


def settle_scheme(layer: Labels) -> None:
    """Say in the metadata of `layer` whether it tells levels or structures apart, if nothing says so yet.

    Guessed anew at every saving it would change with what is drawn: a 2 alone may be a disc, or L4.
    """
    if "scheme" not in about(layer):
        layer.metadata[KEY] = {**about(layer), "scheme": _guessed(layer)}


def _guessed(layer: Labels) -> str:
    """As a file of these labels would be read; what is drawn on new, empty ones are levels."""
    try:
        segmentation = segmentation_from_layer(layer)
    except ScanError:
        return "levels"
    return segmentation.scheme if segmentation.labels.any() else "levels"
