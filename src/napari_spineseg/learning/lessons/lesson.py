"""From corrections to what is learnt: images on the model's grid, the answers, how much each pixel counts.

- Where the person changed what the model said, and 2 mm around it, a pixel counts more.
- What nobody labelled teaches nothing (255): a structure that neither the labels nor what they started
  from hold; and, of labels that did not start from a prediction, slices without any label, and places
  away from all labels where the model sees a spine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.corrections.entry import Entry, structures_of
from napari_spineseg.datasets.cases import patient_of
from napari_spineseg.datasets.crops import UNLABELLED
from napari_spineseg.datasets.prepared import PreparedVolume, resized, resized_labels, windowed
from napari_spineseg.scan import Scan, Segmentation

Predict = Callable[[PreparedVolume, Sequence[int]], np.ndarray]
"""A prepared volume and some of its slices to what the parent sees there, (n, height, width) uint8."""

_BORDER_MM = 2.0
# Labels that did not start from a prediction are believed this far around them.
_REACH_MM = 8.0


@dataclass(frozen=True, eq=False)
class Lesson:
    """One corrected scan, ready to learn from.

    Attributes
    ----------
    volume
        `structures` holds the network's classes, 255 where nobody labelled.
    taught
        Classes that somebody labelled in this scan.
    changed_voxels
        How many voxels of the scan differ from the prediction; None without one.
    """

    name: str
    sha256: str
    version: int
    labels_sha256: str
    patient: str
    volume: PreparedVolume
    taught: tuple[int, ...]
    changed_voxels: int | None

    @cached_property
    def labelled_slices(self) -> list[int]:
        """Slices that hold anything but background."""
        known = (self.volume.structures > 0) & (self.volume.structures != UNLABELLED)
        return [int(i) for i in np.flatnonzero(known.any((1, 2)))]

    @property
    def key(self) -> str:
        """This version of this scan's labels."""
        return f"{self.sha256}@{self.labels_sha256}"


def lesson_of(
    entry: Entry,
    scan: Scan,
    labels: Segmentation,
    spec: InputSpec,
    table: np.ndarray,
    parent: Predict,
    changed_weight: int = 1,
) -> Lesson:
    """The lesson of a corrected scan.

    Parameters
    ----------
    table
        `Structure` to the network's class, see `reading.class_table`.
    parent
        What the parent sees. Asked only where the corrections leave something open.
    changed_weight
        How much a pixel counts where the person changed something; 1 elsewhere.
    """
    prediction = entry.prediction.load() if entry.prediction is not None else None
    turn = scan.grid.to_orientation()
    spacing = turn.grid.spacing
    truth = table[turn.apply(structures_of(labels))]
    said = None if prediction is None else table[turn.apply(structures_of(prediction))]
    size = spec.working_size(*truth.shape[1:], spacing[1:])
    volume = PreparedVolume(
        name=f"{entry.name}-{entry.identity.sha256[:12]}",
        patient=patient_of(entry.name),
        kind="image",
        values=windowed(resized(windowed(turn.apply(scan.voxels)), size)),
        structures=resized_labels(truth, size, np.unique([0, *table])),
        slice_mm=spacing[0],
        spacing_mm=spacing[1] * truth.shape[1] / size[0],
    )
    taught = taught_classes(truth, said, table)
    structures = _with_gaps(volume, taught, said is None, set(table[table > 0].tolist()), parent)
    changed = None if said is None else resized_mask(truth != said, size)
    weights = None if changed is None else weights_of(changed, volume.spacing_mm, changed_weight)
    volume = replace(volume, structures=structures, weights=weights)
    return Lesson(
        name=entry.name,
        sha256=entry.identity.sha256,
        version=entry.latest.number,
        labels_sha256=str(entry.latest.about.get("sha256", "")),
        patient=volume.patient,
        volume=volume,
        taught=taught,
        changed_voxels=None if said is None else int(np.count_nonzero(truth != said)),
    )


def taught_classes(truth: np.ndarray, said: np.ndarray | None, table: np.ndarray) -> tuple[int, ...]:
    """Classes that the labels hold, or that the prediction held: then the person took them away."""
    present = set(np.unique(truth)) | (set() if said is None else set(np.unique(said)))
    return tuple(sorted(int(c) for c in present & set(table.tolist()) if c))


def weights_of(changed: np.ndarray, pixel_mm: float, changed_weight: int) -> np.ndarray:
    """(slices, height, width) uint8: `changed_weight` on and near what was changed, 1 elsewhere."""
    weights = np.ones(changed.shape, np.uint8)
    for index in np.flatnonzero(changed.any((1, 2))):
        near = ndimage.distance_transform_edt(~changed[index]) <= _BORDER_MM / pixel_mm
        weights[index][near] = changed_weight
    return weights


def resized_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask's slices at another size, bool."""
    return resized_labels(mask.astype(np.uint8), size, (0, 1)).astype(bool)


def _with_gaps(
    volume: PreparedVolume, taught: tuple[int, ...], from_scratch: bool, known: set[int], parent: Predict
) -> np.ndarray:
    """The classes of `volume`, 255 where nobody labelled."""
    structures = volume.structures
    untaught = known - set(taught)
    if not untaught and not from_scratch:
        return structures
    seen = parent(volume, range(len(structures)))
    out = structures.copy()
    out[(structures == 0) & np.isin(seen, list(untaught))] = UNLABELLED
    if from_scratch:
        for index, slice_ in enumerate(structures):
            if not slice_.any():
                out[index] = UNLABELLED
                continue
            away = ndimage.distance_transform_edt(slice_ == 0) > _REACH_MM / volume.spacing_mm
            out[index][away & (seen[index] > 0)] = UNLABELLED
    return out
