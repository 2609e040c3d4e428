"""Which slices somebody corrected: the labels themselves say it, after undo too."""

from __future__ import annotations

import numpy as np

from napari_spineseg.corrections.handmade import Handmade


def test_a_slice_that_was_drawn_on_is_corrected_until_it_is_undone(column):
    before, kept = column.copy(), Handmade(column)
    assert kept.corrected(column) == []
    column[4, 10:20] = 7
    assert kept.corrected(column) == [4] and np.array_equal(kept.before(), before)
    column[4] = before[4]
    assert kept.corrected(column) == []


def test_what_was_carried_is_no_correction_and_no_beginning(column):
    before, kept = column.copy(), Handmade(column)
    column[4, 10:20] = 7
    column[3, 10:20] = 7
    kept.note_carried(column, [3])
    assert kept.corrected(column) == [4] and np.array_equal(kept.before(), before)
    column[3, 30:40] = 8
    assert kept.corrected(column) == [3, 4] and np.array_equal(kept.before(), before)


def test_a_tool_through_all_slices_is_a_new_beginning_and_undo_brings_the_old_one_back(column):
    first, kept = column.copy(), Handmade(column)
    column[3, 10:20] = 7
    kept.note(column, [3])
    assert kept.corrected(column) == [] and np.array_equal(kept.before(), column)
    column[3] = first[3]
    kept.came_back(column)
    assert kept.corrected(column) == [] and np.array_equal(kept.before(), first)


def test_a_drawn_slice_has_its_own_beginning_again_after_renumbering_was_undone(column):
    """Else all that was renumbered would count as drawn, and be carried over."""
    before, kept = column.copy(), Handmade(column)
    column[4, 10:20] = 7
    kept.drew(column, [4])
    drawn = column.copy()
    column[column > 0] += 1
    kept.note(column, range(len(column)))
    assert kept.corrected(column) == []
    column[:] = drawn
    kept.came_back(column)
    assert kept.corrected(column) == [4] and np.array_equal(kept.before(), before)
