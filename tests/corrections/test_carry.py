"""Carry over: what was corrected on a few slices mends the others, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spineseg.corrections.carry import carry_over
from napari_spineseg.errors import Stopped
from napari_spineseg.progress import Control

SPACING = (1.0, 1.0, 1.0)


def tilted(column: np.ndarray, by: int = 1) -> np.ndarray:
    """The column, every slice a bit lower than the one before: the shape to be found."""
    return np.stack([np.roll(plane, by * n, 0) for n, plane in enumerate(column)])


def too_small(labels: np.ndarray, label: int, pixels: int = 2) -> np.ndarray:
    """As a model would have it that leaves the lower border of a structure out."""
    out = labels.copy()
    for plane in out:
        rows = np.flatnonzero((plane == label).any(1))
        if len(rows):
            cut = plane[rows[-1] - pixels + 1 : rows[-1] + 1]
            cut[cut == label] = 0
    return out


def wrong(labels: np.ndarray, truth: np.ndarray) -> int:
    return int(np.count_nonzero(labels != truth))


def test_a_border_that_is_off_everywhere_is_mended_from_two_slices(column):
    truth = column
    base = too_small(truth, 2)
    labels = base.copy()
    labels[[3, 6]] = truth[[3, 6]]
    edit = carry_over(labels, base, [3, 6], SPACING)
    before = labels.copy()
    edit.apply(labels)
    assert wrong(labels, truth) < 0.1 * wrong(before, truth)
    assert set(np.unique(edit.values)) <= {0, 2} and not {3, 6} & set(edit.index[0].tolist())
    assert edit.words == "Carried 2 corrected slices over to 4 others."


def test_it_may_be_done_again_after_each_slice(column):
    """It depends on what the model said and on the corrected slices, not on what was carried before."""
    truth = tilted(column)
    base = too_small(truth, 2)
    once, twice = base.copy(), base.copy()
    twice[3] = truth[3]
    carry_over(twice, base, [3], SPACING).apply(twice)
    for labels in (once, twice):
        labels[[3, 6]] = truth[[3, 6]]
        carry_over(labels, base, [3, 6], SPACING).apply(labels)
    assert np.array_equal(once, twice)
    assert not len(carry_over(once, base, [3, 6], SPACING))


def test_no_other_structure_is_touched(column):
    base = column.copy()
    labels = base.copy()
    labels[5][labels[5] == 2] = 0
    labels[5, 20:44, 6:27] = 2  # over the disc below it, on this slice
    edit = carry_over(labels, base, [5], SPACING)
    before = base[edit.index]
    assert len(edit) and set(np.unique(before)) <= {0, 2} | set(np.unique(base[5][labels[5] != base[5]]))
    unchanged = [n for n in np.unique(base) if n not in np.unique(base[5][labels[5] != base[5]]) and n]
    edit.apply(labels)
    for label in unchanged:
        assert np.array_equal((labels == label)[[2, 3, 4, 6, 7]], (base == label)[[2, 3, 4, 6, 7]])


def test_what_is_missing_altogether_comes_back_nearby(column):
    base = np.where(column == 3, 0, column)
    labels = base.copy()
    labels[4] = column[4]
    carry_over(labels, base, [4], SPACING).apply(labels)
    found = (labels == 3).sum((1, 2)) / (column[4] == 3).sum()
    assert found[3] > 0.8 and found[5] > 0.8


def test_the_image_moves_shapes_along(column):
    """A body that is a pixel further on each slice, which the model does not see at all."""
    truth = tilted(column, 2)
    rng = np.random.default_rng(0)
    image = (100.0 * (truth > 0) + 60 * (truth > 100) + rng.normal(0, 3, truth.shape)).astype(np.float32)
    base = np.where(truth == 2, 0, truth)
    figures = []
    for seen in (None, image):
        labels = base.copy()
        labels[3] = truth[3]
        carry_over(labels, base, [3], SPACING, seen).apply(labels)
        figures.append(wrong(labels[4:7], truth[4:7]))
    assert figures[1] < 0.7 * figures[0]


def test_thick_slices_are_not_followed(column):
    """At 4 mm the next slice shows something else: no image is looked at."""
    base = too_small(column, 2)
    labels = base.copy()
    labels[5] = column[5]
    noise = np.random.default_rng(0).normal(size=column.shape)
    seen, unseen = (carry_over(labels, base, [5], (4.0, 1.0, 1.0), image) for image in (noise, None))
    assert all(np.array_equal(a, b) for a, b in zip(seen.index, unseen.index, strict=True))


def test_nothing_corrected_is_said(column):
    assert "Correct a slice first" in carry_over(column, column, [], SPACING).words
    assert "Correct a slice first" in carry_over(column, column, [4], SPACING).words


def test_it_stops_when_asked(column):
    labels = column.copy()
    labels[4][labels[4] == 2] = 0
    with pytest.raises(Stopped):
        carry_over(labels, column, [4], SPACING, control=Control(should_stop=lambda: True))
