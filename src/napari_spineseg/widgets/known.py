"""What SpineSeg knows of a layer, and whether two layers lie on the same grid."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer

KEY = "spineseg"
"""Under this key a layer's metadata holds what SpineSeg knows of it."""


def about(layer: Layer) -> dict[str, Any]:
    """What SpineSeg wrote into the layer's metadata; empty for other people's layers."""
    known = layer.metadata.get(KEY)
    return known if isinstance(known, dict) else {}


def file_of(layer: Layer) -> str:
    """Where the layer was read from; empty if it was not."""
    return str(about(layer).get("source") or layer.source.path or "")


def same_grid(scan: Layer, segmentation: Layer) -> bool:
    """Whether every voxel of both is at the same place, as far as the layers tell."""
    if scan.data.shape != segmentation.data.shape or not np.allclose(scan.scale, segmentation.scale):
        return False
    affines = [about(layer).get("affine") for layer in (scan, segmentation)]
    return any(a is None for a in affines) or np.allclose(*affines, atol=1e-3)
