"""The other slices in the style of those that were corrected, where these have one (see `style`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

import edt
import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import Scheme, Structure, levels_to_structures
from napari_spineseg.corrections.edit import Spacing
from napari_spineseg.progress import Control

LOOKING, LEARNING, DRAWING = "Looking for a style", "Learning the style", "Drawing in the style"
"""The stages of it, as a person reads them."""
# Of the optimiser, for each of two trials of whether there is a style.
_TRIAL_STEPS = 100
# What grows is the nearest structure of its kind within this reach, mm.
_REACH_MM = 4.0
# Of a structure's labels; less than this is a place, and no style.
_LEAST_LABELS = 0.5


def restyled(
    labels: np.ndarray,
    base: np.ndarray,
    corrected: Sequence[int],
    spacing: Spacing,
    scheme: Scheme = "levels",
    control: Control | None = None,
) -> np.ndarray | None:
    """`base` in the style of the corrected slices; None where they follow none.

    There is one if at least half of the corrected pixels follow from the labels alone, in bands of the slices
    that it was not fitted to. Structures that were not corrected stay as they are.

    Parameters
    ----------
    labels
        (slices, rows, columns), right on the corrected slices.
    base
        The same shape: before anybody corrected them.
    spacing
        mm along the axes.
    control
        Hears of each step, and stops it.

    Raises
    ------
    Stopped
        If `control` said so.
    """
    control = control or Control()
    pixel, corrected = spacing[1:], list(corrected)
    seen, wanted = (_structures(volume[corrected], scheme) for volume in (base, labels))
    if not _is_everywhere(labels[corrected], base[corrected], seen):
        return None
    control.step(
        LOOKING, 0, 2 * _TRIAL_STEPS
    )  # the first time PyTorch has to be loaded, which takes longest of all
    from napari_spineseg.corrections.style import LEAST_REMOVED, STEPS, explained, fit_style

    kind = len(Structure), Structure.CANAL
    each = _counted(control, LOOKING, 2 * _TRIAL_STEPS)
    if explained(seen, wanted, pixel, *kind, _TRIAL_STEPS, each) < LEAST_REMOVED:
        return None
    each = _counted(control, LEARNING, STEPS)
    style = fit_style([seen], [wanted], [pixel], *kind, STEPS, each)
    touched = sorted(set(np.unique(np.stack([seen, wanted])[:, seen != wanted]).tolist()) - {0})
    out = base.copy()
    for number, plane in enumerate(out):
        control.step(DRAWING, number, len(out))
        old = _structures(plane[None], scheme)
        new = style.labels(old, pixel)[0]
        may = np.isin(old[0], [0, *touched]) & np.isin(new, [0, *touched])
        _draw(plane, old[0], np.where(may, new, old[0]), pixel)
    return out


def _counted(control: Control, stage: str, total: int) -> Callable[[], None]:
    """Tells `control` at each call that one more of `total` steps is done."""
    steps = count()
    return lambda: control.step(stage, next(steps), total)


def _structures(labels: np.ndarray, scheme: Scheme) -> np.ndarray:
    known = (
        levels_to_structures(labels) if scheme == "levels" else np.where(labels < len(Structure), labels, 0)
    )
    return known.astype(np.uint8)


def _is_everywhere(labels: np.ndarray, base: np.ndarray, seen: np.ndarray) -> bool:
    """Whether half of the labels of any structure were changed: who mends one place need not wait."""
    changed = set(np.unique(base[labels != base]).tolist()) | set(np.unique(labels[labels != base]).tolist())
    for structure in np.unique(seen[seen > 0]):
        there = set(np.unique(base[seen == structure]).tolist())
        if len(there & changed) >= _LEAST_LABELS * len(there):
            return True
    return False


def _draw(plane: np.ndarray, old: np.ndarray, new: np.ndarray, pixel: tuple[float, float]) -> None:
    """Give the pixels of `plane` that change their structure the label of the nearest one of that kind."""
    for structure in np.unique(new[new != old]):
        here = (new == structure) & (new != old)
        if structure == Structure.BACKGROUND:
            plane[here] = 0
            continue
        there = old == structure
        if not there.any():
            continue
        near = edt.edt(np.ascontiguousarray(~there), anisotropy=pixel) <= _REACH_MM
        nearest = ndimage.distance_transform_edt(
            ~there, sampling=pixel, return_distances=False, return_indices=True
        )
        taken = here & near
        plane[taken] = plane[tuple(nearest[:, taken])]
