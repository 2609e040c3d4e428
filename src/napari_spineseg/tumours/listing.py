"""The tumours that labels hold by now: found by a model, corrected since, or outlined by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from napari_spineseg.anatomy import FIRST_TUMOUR_LABEL, Numbering
from napari_spineseg.corrections.edit import boxes_of
from napari_spineseg.grid import Box, grown
from napari_spineseg.tumours.findings import finding_of
from napari_spineseg.tumours.place import place_of

# Voxels around a tumour in which its neighbours are.
_BESIDE = (1, 16, 16)


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
        What a model said of its findings (`Finding.record`), and what was listed before. Of a tumour that
        was changed since, place and size are measured anew, and nothing says how likely it is one:
        `confidence` None.
    """
    known: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        known.setdefault(int(record["label"]), []).append(record)
    out, anatomy = [], None
    for label, box in _tumours(labels).items():
        inside = labels[box] == label
        around = _around(labels, box)
        same = next((r for r in known.get(label, ()) if _unchanged(r, inside, box, spacing, around)), None)
        if same is not None:
            out.append(dict(same))
            continue
        if anatomy is None:
            anatomy = np.where(labels >= FIRST_TUMOUR_LABEL, np.uint16(0), labels)
        place = place_of(inside, box, anatomy, spacing, numbering)
        found = finding_of(label, box, inside, 0.0, place, spacing).record()
        out.append({**found, "confidence": None, "around": around})
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


def _around(labels: np.ndarray, box: Box) -> list[int]:
    """The labels beside a tumour: where they are other ones, so may be its place."""
    return [
        int(n) for n in np.unique(labels[grown(box, _BESIDE, labels.shape)]) if 0 < n < FIRST_TUMOUR_LABEL
    ]


def _unchanged(
    record: Mapping[str, Any],
    inside: np.ndarray,
    box: Box,
    spacing: tuple[float, float, float],
    around: list[int],
) -> bool:
    centre = tuple(int(c) - s.start for c, s in zip(record["centre"], box, strict=True))
    there = all(0 <= c < n for c, n in zip(centre, inside.shape, strict=True))
    extents = [round(n * mm, 1) for n, mm in zip(inside.shape, spacing, strict=True)]
    if not there or extents != [round(mm, 1) for mm in record.get("extent_mm", extents)]:
        return False
    same = bool(inside[centre]) and int(inside.sum()) == record["voxels"]
    return same and record.get("around", around) == around
