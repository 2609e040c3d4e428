"""Which tumours labels hold, with place and size: as a model said, or measured anew."""

from __future__ import annotations

import numpy as np

from napari_spineseg.tumours.findings import find
from napari_spineseg.tumours.listing import listed

SPACING = (4.0, 1.0, 1.0)


def spine() -> np.ndarray:
    """Two vertebrae, 1 below 2, and a canal behind them."""
    labels = np.zeros((6, 80, 60), np.uint16)
    labels[:, 8:32, 10:34] = 2
    labels[:, 44:68, 10:34] = 1
    labels[:, :, 40:46] = 100
    return labels


def with_findings() -> tuple[np.ndarray, list[dict]]:
    levels = spine()
    mask = np.zeros(levels.shape, bool)
    mask[2:4, 14:22, 14:24] = mask[2:4, 50:60, 14:24] = True
    found, findings = find(mask, None, levels, SPACING)
    return np.where(found > 0, found, levels).astype(np.uint16), [f.record() for f in findings]


def test_what_a_model_found_is_listed_as_it_said():
    labels, records = with_findings()
    assert listed(labels, SPACING, records=records) == records and len(records) == 2


def test_what_was_erased_is_gone_and_what_was_changed_is_measured_anew():
    labels, records = with_findings()
    labels[labels == 301] = 2
    labels[2:4, 55:60, 14:24] = 1
    (left,) = listed(labels, SPACING, records=records)
    assert left["label"] == 302 and left["where"] == "L5 body" and left["confidence"] is None
    assert left["ml"] == round(records[1]["ml"] / 2, 3)


def test_a_tumour_that_somebody_drew_has_a_place_and_a_size():
    labels = spine()
    labels[2:4, 16:20, 16:20] = 303
    (drawn,) = listed(labels, SPACING)
    assert (drawn["label"], drawn["where"], drawn["voxels"]) == (303, "L4 body", 32)
    assert drawn["centre"][0] in (2, 3) and drawn["ml"] == 0.128


def test_without_tumours_there_is_nothing_to_list():
    _, records = with_findings()
    assert listed(spine(), SPACING, records=records) == []


def test_what_was_listed_before_is_not_measured_again(monkeypatch):
    """Placing one takes a tenth of a second, and the list follows every stroke."""
    labels, records = with_findings()
    labels[labels == 302] = 303
    first = listed(labels, SPACING, records=records)
    monkeypatch.setattr("napari_spineseg.tumours.listing.place_of", None)
    assert listed(labels, SPACING, records=[*records, *first]) == first


def test_as_many_voxels_elsewhere_are_another_tumour():
    labels, records = with_findings()
    labels[3, 14:22, 14:24] = 2
    labels[2, 14:22, 24:34] = 301
    changed = listed(labels, SPACING, records=records)[0]
    assert changed["voxels"] == records[0]["voxels"] and changed["confidence"] is None


def test_a_drawn_tumour_has_another_place_once_the_column_is_renumbered():
    labels = spine()
    labels[2:4, 16:20, 16:20] = 303
    before = listed(labels, SPACING)
    labels[labels == 2], labels[labels == 1] = 3, 2
    assert [r["where"] for r in (*before, *listed(labels, SPACING, records=before))] == ["L4 body", "L3 body"]
