"""Whether a painted tumour can be seen: a rule, the same for training and for tests.

A tumour that no radiologist could see teaches a network to guess, and as a test case it measures
luck. So one is kept only if

* most of its outline (`LEAST_SHARE`) is an edge: there, the mean within some 3 mm on the inside
  differs from that on the outside by `LEAST_STEP` of the image's bright tissue, and by
  `LEAST_TO_NOISE` standard deviations of the noise beside it, and
* the image changed by as much inside: the edge of a vertebra is not that of a tumour.

Others are painted once more in another brightness, and left out if that does not help either.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_spineseg.synthesis.lesion_sites import Slab

LEAST_STEP, LEAST_TO_NOISE, LEAST_SHARE = 0.1, 1.5, 0.6
_REACH_MM = 3.0


def is_visible(slab: Slab, inside: np.ndarray, before: np.ndarray, top: float) -> bool:
    """Whether what was painted `inside` (bool) shows.

    Parameters
    ----------
    slab
        As painted.
    before
        Its image before, the same shape.
    top
        Brightness of bright tissue.
    """
    there = np.flatnonzero(inside.any((1, 2)))
    image, mask = slab.image[there], inside[there]
    outline = mask & ~ndimage.binary_erosion(mask, np.ones((1, 3, 3), bool), border_value=1)
    if not outline.any():
        # It fills all that is seen: nothing to tell it from.
        return False
    width = max(3, round(_REACH_MM / slab.pixel_mm) | 1)
    within, beyond = _mean(image, mask, width), _mean(image, ~mask, width)
    near = ndimage.uniform_filter(mask.astype(np.float32), (0, width, width)) > 0
    detail = (image - ndimage.uniform_filter(image, (0, width, width)))[near & ~mask]
    noise = 1.48 * float(np.median(np.abs(detail))) if detail.size else 0.0
    floor = max(LEAST_STEP * top, LEAST_TO_NOISE * noise)
    edge = float((np.abs(within - beyond)[outline] >= floor).mean())
    changed = float(np.abs(image - before[there])[mask].mean())
    return edge >= LEAST_SHARE and changed >= LEAST_STEP * top


def _mean(image: np.ndarray, where: np.ndarray, width: int) -> np.ndarray:
    """Mean of `image` where `where`, in a square of `width` pixels around each pixel of each slice."""
    weight = ndimage.uniform_filter(where.astype(np.float32), (0, width, width))
    total = ndimage.uniform_filter(image * where, (0, width, width))
    return total / np.maximum(weight, 1e-4)
