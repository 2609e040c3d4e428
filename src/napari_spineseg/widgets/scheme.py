"""What the numbers of labels mean that SpineSeg did not make: what is seen is what is saved."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_spineseg.anatomy import Structure
from napari_spineseg.errors import ScanError
from napari_spineseg.io.layers import colormap_of, segmentation_from_layer, usual_numbers
from napari_spineseg.widgets.known import KEY, about


def settle_scheme(layer: Labels) -> None:
    """Say in the metadata of `layer` whether it tells levels or structures apart, if nothing says so yet.

    Guessed anew at every saving it would change with what is drawn: a 2 alone may be a disc, or L4.
    """
    if "scheme" not in about(layer):
        layer.metadata[KEY] = {**about(layer), "scheme": _guessed(layer)}


def colour_as_named(layer: Labels) -> None:
    """Give `layer` the colours that names have beside the picture, in place of napari's passing ones."""
    if not isinstance(layer.colormap, DirectLabelColormap):
        scheme = about(layer)["scheme"]
        layer.colormap = colormap_of(usual_numbers(scheme), scheme)


def _guessed(layer: Labels) -> str:
    """As a file of these labels would be read; what is drawn on new, empty ones are levels."""
    # Where each number lies takes a quarter of a second in a large volume; mostly one of them settles it.
    if not 0 < np.max(layer.data) <= max(Structure):
        return "levels"
    try:
        return segmentation_from_layer(layer).scheme
    except ScanError:
        return "levels"
