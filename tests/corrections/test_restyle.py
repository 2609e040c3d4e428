"""The other slices are drawn in the style of the corrected ones, where these have one."""

import numpy as np
import pytest
from style_kit import SPACING, narrow, spine

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.corrections.carry import STAGE, carry_over
from napari_spineseg.corrections.restyle import DRAWING, LEARNING, LOOKING, restyled
from napari_spineseg.errors import Stopped
from napari_spineseg.progress import Control

MIDDLE = 4


def corrected(change, seed=1, slices=(MIDDLE,)):
    """(labels, base): as the model drew a spine, and with some slices as `change` has them."""
    base = spine(seed)
    labels = base.copy()
    labels[list(slices)] = change(base)[list(slices)]
    return labels, base


def test_one_slice_shows_the_style_of_all():
    labels, base = corrected(narrow)
    found = restyled(labels, base, [MIDDLE], SPACING)
    wanted = narrow(base)
    assert (found != wanted).sum() < 0.1 * (base != wanted).sum()


def test_levels_keep_their_numbers_and_the_labels_given_are_left_alone():
    labels, base = corrected(narrow)
    kept = labels.copy(), base.copy()
    found = restyled(labels, base, [MIDDLE], SPACING)
    assert set(np.unique(found)) == set(np.unique(base))
    assert (found == base)[found > 0].all()
    np.testing.assert_array_equal(labels, kept[0])
    np.testing.assert_array_equal(base, kept[1])


def thin_discs(levels):
    return np.where(levels > 200, narrow(levels), levels)


def test_what_grows_takes_the_number_of_the_nearest():
    whole, slim = spine(1), thin_discs(spine(1))
    labels = slim.copy()
    labels[MIDDLE] = whole[MIDDLE]
    found = restyled(labels, slim, [MIDDLE], SPACING)
    grown = (found != slim) & (found > 200)
    assert grown.sum() > 0.8 * (whole != slim).sum() and (found == whole)[grown].mean() > 0.95


def test_structures_that_were_not_corrected_stay():
    labels, base = corrected(thin_discs)
    found = restyled(labels, base, [MIDDLE], SPACING)
    others = ~np.isin(levels_to_structures(base), [0, 2])
    np.testing.assert_array_equal(found[others], base[others])


def one_disc_erased(levels):
    return np.where(levels == 203, 0, levels)


def moved_down(levels):
    return np.roll(levels, 1, 1)


@pytest.mark.parametrize("change", [one_disc_erased, moved_down, lambda levels: levels])
def test_what_does_not_follow_from_the_labels_is_no_style(change):
    labels, base = corrected(change)
    assert restyled(labels, base, [MIDDLE], SPACING) is None


def test_it_tells_how_far_it_is_and_stops_while_the_style_is_learnt():
    labels, base = corrected(narrow)
    told = []
    carry_over(labels, base, [MIDDLE], SPACING, control=Control(told.append))
    assert list(dict.fromkeys(step.stage for step in told)) == [STAGE, LOOKING, LEARNING, DRAWING]
    for stage, total in ((LOOKING, 200), (LEARNING, 300), (DRAWING, len(labels))):
        done = [(step.done, step.total) for step in told if step.stage == stage]
        assert list(dict.fromkeys(done)) == [(n, total) for n in range(total)]
    stopped = Control(told.append, lambda: told[-1].stage == LEARNING and told[-1].done == 5)
    with pytest.raises(Stopped):
        carry_over(labels, base, [MIDDLE], SPACING, control=stopped)


def test_structures_instead_of_levels():
    labels, base = (levels_to_structures(a).astype(np.uint8) for a in corrected(narrow))
    found = restyled(labels, base, [MIDDLE], SPACING, "structures")
    wanted = levels_to_structures(narrow(spine(1)))
    assert (found != wanted).sum() < 0.1 * (base != wanted).sum()


def test_carry_over_draws_the_others_in_the_style_and_says_so():
    labels, base = corrected(narrow)
    edit = carry_over(labels, base, [MIDDLE], SPACING)
    assert edit.words.endswith("in their style.")
    before = labels.copy()
    edit.apply(labels)
    np.testing.assert_array_equal(labels[MIDDLE], before[MIDDLE])
    wanted = narrow(base)
    assert (labels != wanted).sum() < 0.25 * (before != wanted).sum()
    assert not len(carry_over(labels, base, [MIDDLE], SPACING))
