"""The tumours that labels hold by now: found by a model, corrected since, or outlined by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from napari_spineseg.anatomy import FIRST_TUMOUR_LABEL, Numbering
from napari_spineseg.corrections.edit import Box, boxes_of
from napari_spineseg.tumours.findings import finding_of
from napari_spineseg.tumours.place import place_of


def listed(
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    numbering: Numbering = Numbering(),
    records: Iterable[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """A record of each tumour that is there, in the order of the labels.

    Parameters
    ----------
    labels
        (slices, rows, columns), `levels` scheme, sagittal view.
    spacing
        mm along the axes.
    records
        What a model said of its findings (`Finding.record`). Of a tumour that was changed since, place
        and size are measured anew, and nothing says how likely it is one: `confidence` None.
    """
    known = {int(record["label"]): record for record in records}
    out, anatomy = [], None
    for label, box in _tumours(labels).items():
        inside = labels[box] == label
        record = known.get(label)
        if record is not None and _unchanged(record, inside, box):
            out.append(dict(record))
            continue
        if anatomy is None:
            anatomy = np.where(labels >= FIRST_TUMOUR_LABEL, np.uint16(0), labels)
        place = place_of(inside, box, anatomy, spacing, numbering)
        out.append({**finding_of(label, box, inside, 0.0, place, spacing).record(), "confidence": None})
    return out


def _tumours(labels: np.ndarray) -> dict[int, Box]:
    """The box around each tumour. Most scans have none, which is seen at once."""
    high = [int(n) for n in np.flatnonzero((labels >= FIRST_TUMOUR_LABEL).any((1, 2)))]
    if not high:
        return {}
    part = labels[high[0] : high[-1] + 1]
    boxes = boxes_of(np.where(part >= FIRST_TUMOUR_LABEL, part, np.uint16(0)))
    return {
        label: (slice(box[0].start + high[0], box[0].stop + high[0]), box[1], box[2])
        for label, box in sorted(boxes.items())
    }


def _unchanged(record: Mapping[str, Any], inside: np.ndarray, box: Box) -> bool:
    centre = tuple(int(c) - s.start for c, s in zip(record["centre"], box, strict=True))
    there = all(0 <= c < n for c, n in zip(centre, inside.shape, strict=True))
    return there and bool(inside[centre]) and int(inside.sum()) == record["voxels"]
