"""Which vertebra is the lowest, and what is said when it is not plain."""

from dataclasses import replace

import numpy as np
import pytest

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.instances import label_levels
from napari_spineseg.instances.numbering import Level, decide

SPACING = (4.0, 1.5, 1.5)
SLOPES = (-33.0, -13.0, -4.0, 4.0, 8.0)


def column(count=5, room=60.0):
    """Ordinary vertebrae from the top down; L5 is the last."""
    return [
        Level(27.0, 0.95, 45.0, 12.0, 9.0, SLOPES[min(n, 4)], room + 34.0 * n)
        for n in range(count - 1, -1, -1)
    ]


def with_last(levels, *changes):
    """The column with its lowest levels changed, the last change for the last level."""
    out = list(levels)
    for place, change in zip(range(-len(changes), 0), changes, strict=True):
        out[place] = replace(out[place], **change)
    return out


def words(decision):
    return " ".join(decision.warnings)


def test_an_ordinary_column_needs_no_words():
    assert decide(column()) == type(decide(column()))()


def test_a_missing_lowest_disc_makes_the_junction_uncertain():
    decision = decide(with_last(column(), {"disc_volume": 0.0, "slope": None}))
    assert decision.left_out == 0
    assert "No disc was found below" in words(decision)
    assert all(a.shift > 0 for a in decision.alternatives) and decision.alternatives


def test_a_scan_that_ends_under_a_level_disc_offers_higher_numbers():
    above_l3 = [replace(v, room=v.room - 130) for v in column(7, room=64.0)[:-2]]
    decision = decide(above_l3)
    assert "ends just below the lowest disc" in words(decision)
    # The discs slope as those of L3 and up do, so L3 comes first.
    assert decision.alternatives[0].shift == 2
    assert decision.alternatives[0].description == "The lowest vertebra is L3."


def test_room_below_a_level_disc_does_not_convince():
    above_l3 = [replace(v, room=v.room - 40) for v in column(7, room=40.0)[:-2]]
    assert "slopes less than L5/S1" in words(decide(above_l3))


def test_a_steep_disc_is_enough_where_the_scan_ends():
    assert decide(column(room=2.0)).warnings == ()


@pytest.mark.parametrize("below", [{"disc_volume": 0.0, "slope": None}, {"disc_volume": 0.8, "slope": -50.0}])
def test_a_bit_of_s1_is_left_out(below):
    s1 = replace(column()[-1], volume=15.0, posterior=0.0, height=14.0, room=30.0, **below)
    decision = decide([*column(), s1])
    assert decision.left_out == 1
    assert "S1" in words(decision)
    assert all(a.shift == 1 for a in decision.alternatives)


@pytest.mark.parametrize(("volume", "said"), [(8.0, False), (12.0, False), (15.0, True), (24.0, True)])
def test_a_sliver_of_s1_goes_without_a_word(volume, said):
    sliver = {"volume": volume, "posterior": 0.0, "disc_volume": 0.0, "slope": None}
    decision = decide([*with_last(column(), {"slope": -33.0}), replace(column()[-1], **sliver)])
    assert decision.left_out == 1
    assert bool(decision.warnings) == said


def test_a_sliver_below_a_disc_that_hardly_slopes_may_be_l5():
    sliver = {"volume": 8.0, "posterior": 0.0, "disc_volume": 0.0, "slope": None}
    decision = decide(with_last(column(), {"slope": -14.0}, sliver))
    assert decision.warnings and decision.alternatives


def test_l5_that_is_painted_in_part_is_not_taken_for_s1():
    faint = {"volume": 14.0, "posterior": 11.0, "disc_volume": 0.0, "slope": None}
    decision = decide(with_last(column(), {"slope": -26.0}, faint))
    assert decision.left_out == 0
    small_but_level = decide(with_last(column(), {}, faint | {"posterior": 0.0}))
    assert small_but_level.left_out == 0


def test_an_island_far_below_is_left_out_with_the_gap_above_it():
    gap = Level(27.0, 0.0, 0.0, 0.0, 0.0, None, 60.0)
    island = Level(20.0, 0.5, 9.0, 0.0, 0.0, None, 20.0)
    assert decide([*column(), gap, island]).left_out == 2


def test_a_whole_vertebra_below_one_that_was_missed_stays():
    levels = column()
    levels[-2] = replace(levels[-2], evidence=0.0, volume=0.0)
    assert decide(levels).left_out == 0


def test_what_may_be_s1_is_kept_and_offered_as_such():
    piece = {"volume": 18.0, "posterior": 0.0, "disc_volume": 0.0, "slope": None}
    decision = decide(with_last(column(), {"slope": -20.0}, piece))
    assert decision.left_out == 0
    assert decision.alternatives[0].shift == -1


def test_what_was_left_out_with_some_doubt_may_be_l5():
    piece = {"volume": 18.0, "posterior": 0.0, "disc_volume": 0.0, "slope": None}
    decision = decide(with_last(column(), {"slope": -26.0}, piece))
    assert decision.left_out == 1
    assert [a.shift for a in decision.alternatives] == [1]


def test_a_lowest_vertebra_that_is_painted_in_part_is_named():
    decision = decide(with_last(column(), {"evidence": 0.4, "disc_volume": 0.5}))
    assert "L5 is painted only in part" in words(decision)
    assert "rudimentary" not in words(decision)
    assert -1 in [a.shift for a in decision.alternatives]


def test_a_whole_vertebra_under_a_steep_disc_is_kept_and_questioned():
    lumbarised = replace(column()[-1], slope=-48.0, room=30.0)
    decision = decide([*with_last(column(), {"slope": -36.0}), lumbarised])
    assert decision.left_out == 0
    assert {a.shift for a in decision.alternatives} == {-1, 0}
    assert any(a.numbering.lumbar == 6 for a in decision.alternatives)


def test_a_rudimentary_disc_hints_at_a_transitional_vertebra():
    decision = decide(with_last(column(), {"disc_volume": 1.5}))
    assert "rudimentary" in words(decision)
    assert {a.numbering.lumbar for a in decision.alternatives} >= {4, 6}


def test_a_small_lowest_vertebra_may_be_s1():
    """A sacralised vertebra of which the model paints a part, with a disc that is no rudiment."""
    decision = decide(with_last(column(), {"volume": 28.0, "disc_volume": 5.0}))
    assert decision.left_out == 0 and "much smaller" in words(decision)
    assert [a.shift for a in decision.alternatives] == [-1, 0]
    assert "smaller" not in words(decide(with_last(column(), {"volume": 38.0})))


def test_a_stump_at_the_lower_border_is_left_out():
    cut = Level(9.0, 0.9, 12.0, 0.0, 0.0, None, 0.0)
    decision = decide([*column(room=20.0)[:-1], cut])
    assert decision.left_out == 1
    assert "cut off by the lower border" in words(decision)


def test_a_vertebra_that_was_hardly_painted_is_named():
    levels = column()
    levels[2] = replace(levels[2], evidence=0.0)
    assert "L3" in words(decide(levels))


def test_one_as_high_as_two_is_named():
    levels = column()
    levels[3] = replace(levels[3], height=60.0)
    assert "L4 is unusually high" in words(decide(levels))


def test_a_single_vertebra():
    assert decide(column(1)).left_out == 0


@pytest.mark.parametrize(("larger", "said"), [(1.0, False), (1.6, True)])
def test_a_painted_bit_of_s1_does_not_shift_the_count(truth, larger, said):
    structures = levels_to_structures(truth)
    rows = np.nonzero(truth == 201)[1].max()
    z, y, x = np.ogrid[tuple(slice(n) for n in truth.shape)]
    bit = ((z - 7) / 3) ** 2 + ((y - rows - 7) / 6) ** 2 + ((x - 28) / 8) ** 2 < larger
    structures[bit & (truth == 0)] = 1
    result = label_levels(structures, SPACING)
    assert set(np.unique(result.levels)) == set(np.unique(truth))
    assert not result.levels[bit & (truth == 0)].any()
    assert any("S1" in warning for warning in result.warnings) == said


def test_a_scan_without_the_junction_says_so(draw):
    truth = draw(vertebrae=7)
    lowest = np.nonzero(truth == 203)[1].max()
    result = label_levels(levels_to_structures(truth[:, : lowest + 3]), SPACING)
    assert any("junction" in warning for warning in result.warnings)
    assert result.alternatives
    kept = truth[:, : lowest + 3]
    # The same instances, counted from the lowest that is in view.
    for label in (3, 4, 5, 6, 7):
        values = result.levels[kept == label]
        assert np.bincount(values).argmax() == label - 2
