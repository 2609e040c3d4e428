"""Boxes around labels, of whatever size the drawing is."""

from __future__ import annotations

import numpy as np

from napari_spineseg.corrections.edit import boxes_of


def test_a_few_voxels_with_high_numbers_have_boxes_too():
    """The first stroke of a disc or a tumour into an empty volume: fewer voxels than its number."""
    labels = np.zeros((5, 20, 20), np.uint16)
    labels[2, 3:5, 6] = 201
    labels[3, 4, 7:9] = 301
    boxes = boxes_of(labels)
    assert boxes == {
        201: (slice(2, 3), slice(3, 5), slice(6, 7)),
        301: (slice(3, 4), slice(4, 5), slice(7, 9)),
    }


def test_few_and_many_voxels_are_boxed_alike():
    labels = np.zeros((6, 30, 30), np.uint16)
    labels[1:5, 2:28, 2:28] = 3
    labels[2, 5, 5:9] = 201
    assert boxes_of(labels) == {
        3: (slice(1, 5), slice(2, 28), slice(2, 28)),
        201: (slice(2, 3), slice(5, 6), slice(5, 9)),
    }
