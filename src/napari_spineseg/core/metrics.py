"""How well a segmentation agrees with a reference: overlap, and distance between surfaces.

Masks are boolean arrays of any number of axes, `reference: (i, j, k)`, `predicted: (i, j, k)`.
A figure that cannot be known (no reference, no surface) is NaN, never 0 or 1 by convention.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage

NAN = float("nan")


@dataclass(frozen=True)
class Agreement:
    """Figures of one structure. Shares are 0 to 1, distances in mm.

    With TP, FP and FN the voxels that both, only the prediction, and only the reference have, and
    D the distances from each surface voxel of one mask to the nearest surface voxel of the other:

    Attributes
    ----------
    dice
        2 TP / (2 TP + FP + FN) (Dice 1945).
    iou
        TP / (TP + FP + FN), also called Jaccard.
    precision, recall
        TP / (TP + FP) and TP / (TP + FN).
    f1
        2 P R / (P + R) of precision P and recall R. For one mask the same number as Dice; of *averaged*
        precision and recall it is another one, which is how papers come to print both.
    asd
        Average surface distance: mean of D over the surface voxels of the prediction only.
    assd
        Average symmetric surface distance: mean of D over the surface voxels of both masks together
        (Heimann et al. 2009).
    hd95
        The larger of the two masks' 95th percentiles of D (Hausdorff distance without outliers).
    nsd
        Share of the surface voxels of both masks with D no more than the tolerance (Nikolov et al.
        2018; also called surface Dice).
    """

    dice: float
    iou: float
    precision: float
    recall: float
    f1: float
    asd: float
    assd: float
    hd95: float
    nsd: float

    def figures(self) -> dict[str, float]:
        """Name to figure."""
        return asdict(self)


def agreement(
    reference: np.ndarray,
    predicted: np.ndarray,
    spacing: tuple[float, ...],
    tolerance_mm: float = 1.0,
) -> Agreement:
    """Compare two masks on one grid.

    Parameters
    ----------
    spacing
        Voxel spacing along each axis, mm.
    tolerance_mm
        How far surfaces may be apart and still count as agreeing in `nsd`.

    Examples
    --------
    >>> square = np.zeros((4, 4), bool); square[1:3, 1:3] = True
    >>> agreement(square, square, (1.0, 1.0)).dice
    1.0
    """
    both = int(np.count_nonzero(reference & predicted))
    in_reference, in_predicted = int(np.count_nonzero(reference)), int(np.count_nonzero(predicted))
    overlap = {
        "dice": _share(2 * both, in_reference + in_predicted),
        "iou": _share(both, in_reference + in_predicted - both),
        "precision": _share(both, in_predicted),
        "recall": _share(both, in_reference),
    }
    overlap["f1"] = f1(overlap["precision"], overlap["recall"])
    there, back = surface_distances(reference, predicted, spacing)
    if there.size == 0 or back.size == 0:
        return Agreement(**overlap, asd=NAN, assd=NAN, hd95=NAN, nsd=0.0 if there.size + back.size else NAN)
    together = np.concatenate((there, back))
    return Agreement(
        **overlap,
        asd=float(back.mean()),
        assd=float(together.mean()),
        hd95=float(max(np.percentile(there, 95), np.percentile(back, 95))),
        nsd=float(np.mean(together <= tolerance_mm)),
    )


def f1(precision: float, recall: float) -> float:
    """Harmonic mean of precision and recall, 0 to 1; NaN where either is not known.

    >>> f1(0.5, 1.0)
    0.6666666666666666
    """
    if math.isnan(precision) or math.isnan(recall):
        return NAN
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def surface_distances(
    reference: np.ndarray, predicted: np.ndarray, spacing: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances in mm between the surface voxels of two masks.

    A surface voxel has a neighbour (across a face) that is not in the mask; what lies beyond the
    array is not in the mask. Distances run between voxel centres.

    Returns
    -------
    there, back
        From each surface voxel of the reference to the nearest of the prediction, and the other
        way round. Where one mask is empty, the distances of the other are infinite.
    """
    box = _bounding_box(reference | predicted)
    if box is None:
        return np.empty(0), np.empty(0)
    edges = [_surface(mask[box]) for mask in (reference, predicted)]
    return tuple(
        _distance_to(other, spacing)[edge] for edge, other in zip(edges, reversed(edges), strict=True)
    )


def mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each figure over `rows`, those that are not known left out; NaN if none is.

    >>> mean_of([{"dice": 1.0}, {"dice": 0.5}, {"dice": float("nan")}])
    {'dice': 0.75}
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _mean([row[name] for row in rows if name in row]) for name in names}


def _mean(values: list[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else NAN


def _share(part: int, whole: int) -> float:
    return part / whole if whole else NAN


def _surface(mask: np.ndarray) -> np.ndarray:
    return mask & ~ndimage.binary_erosion(mask)


def _distance_to(surface: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Distance in mm of every voxel to the nearest one of `surface`; infinite if there is none."""
    if not surface.any():
        return np.full(surface.shape, np.inf)
    return ndimage.distance_transform_edt(~surface, sampling=spacing)


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...] | None:
    """Smallest box around a mask; everything outside it is empty in both masks."""
    return ndimage.find_objects(mask.astype(np.uint8))[0] if mask.any() else None
