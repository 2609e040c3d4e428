"""What cannot be known is not given, and why is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spineseg.anatomy import Numbering
from napari_spineseg.errors import SpineSegError, Stopped
from napari_spineseg.measurement import CATALOGUE, measure
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.synthesis.ruled import RuledLevel, draw_ruled, rule_spine

GEOMETRY = [k for k, m in CATALOGUE.items() if m.of == "vertebra" and k != "vertebra_volume"]


def reasons(found, level: str) -> dict[str, str]:
    return {key: figure.reason for key, figure in found.of(level).items() if figure.value is None}


def test_each_level_has_each_of_its_measures_once(lordotic):
    _, _, found = lordotic
    assert found.levels == (
        "L5/S1", "L5", "L4/L5", "L4", "L3/L4", "L3", "L2/L3", "L2", "L1/L2", "L1", "spine",
    )  # fmt: skip
    for level in found.levels:
        of = "spine" if level == "spine" else "disc" if "/" in level else "vertebra"
        assert list(found.of(level)) == [key for key, m in CATALOGUE.items() if m.of == of]
    assert len(found.figures) == sum(len(found.of(level)) for level in found.levels)
    assert all(figure.reason.endswith(".") for figure in found.figures if figure.value is None)


def test_structures_are_refused_with_what_to_do(short):
    with pytest.raises(SpineSegError, match="levels"):
        measure(replace(short, scheme="structures"))


def test_nothing_labelled_is_nothing_measured(short):
    for labels in (np.zeros_like(short.labels), np.where(short.labels == 100, 100, 0).astype(np.uint16)):
        found = measure(replace(short, labels=labels))
        assert found.figures == () and "nothing was measured" in found.warnings[-1]


def test_warnings_of_the_segmentation_are_handed_on(short):
    assert "Mind the gap." in measure(replace(short, warnings=("Mind the gap.",))).warnings


def test_the_sacrum_is_not_labelled(short):
    found = reasons(measure(short), "L5/S1")
    assert found["slip"] == found["disc_angle"] == found["slip_share"] == "The sacrum is not labelled."


def test_without_the_canal_bodies_are_not_told_from_arches(short, change):
    found = measure(change(short, lambda a: np.where(a == 100, 0, a).astype(np.uint16)))
    for key in GEOMETRY:
        assert "canal is not labelled" in reasons(found, "L4")[key]
    assert found.of("L4")["vertebra_volume"].value == measure(short).of("L4")["vertebra_volume"].value
    assert "canal" in reasons(found, "L4/L5")["canal_area"]
    # The disc needs no canal.
    assert found.of("L4/L5")["disc_height_middle"].value == pytest.approx(9, abs=0.6)


def test_a_canal_that_ends_leaves_the_levels_beside_it(short, change):
    rows = np.argwhere(short.labels == 2)[:, 1]
    cut = int(np.quantile(rows, 0.5))

    def above(labels):
        labels[:, :cut][labels[:, :cut] == 100] = 0
        return labels

    found = measure(change(short, above))
    assert "canal is not labelled" in reasons(found, "L4")["body_depth"]
    assert found.of("L5")["body_depth"].value == pytest.approx(34, abs=0.5)


@pytest.mark.parametrize("rows", [8, 15])
def test_a_hole_in_the_canal_is_bridged_where_it_is_small(short, change, rows):
    middle = int(np.median(np.argwhere(short.labels == 2)[:, 1]))

    def holed(labels):
        part = labels[:, middle - rows // 2 : middle - rows // 2 + rows]
        part[part == 100] = 0
        return labels

    found = measure(change(short, holed)).of("L4")["body_depth"]
    if rows == 8:
        assert found.value == pytest.approx(34, abs=0.5)
    else:
        assert "canal is not labelled" in found.reason


@pytest.mark.parametrize(
    ("edge", "level"), [("upper", "L4"), ("lower", "L5"), ("front", "L4"), ("left", "L4"), ("right", "L4")]
)
def test_what_the_scan_cuts_off_is_not_measured(short, edge, level):
    index = np.argwhere(short.labels == (2 if level == "L4" else 1))
    axis, end = {"left": (0, 0), "right": (0, 1), "upper": (1, 0), "lower": (1, 1), "front": (2, 0)}[edge]
    low, high = np.quantile(index[:, axis], (0.25, 0.75)).astype(int)
    if edge == "front":
        low = index[:, 2].min() + 8
    part = [slice(None)] * 3
    part[axis] = slice(None, high) if end else slice(low, None)
    labels = short.labels[tuple(part)]
    found = measure(replace(short, labels=labels))
    reason = f"cut off by the {edge} edge of the scan"
    assert reason in reasons(found, level)["vertebra_volume"]
    if axis:
        assert reason in reasons(found, level)["body_height_middle"]
        assert level in reasons(found, "L4/L5")["slip"] and reason in reasons(found, "L4/L5")["slip"]
    else:
        # Heights near the middle are still seen; the area of the canal and the coronal angle are not.
        assert found.of("L4")["body_height_middle"].value == pytest.approx(27, abs=0.5)
        assert found.of("spine")["coronal_cobb"].value is None


def test_a_slab_of_the_middle_says_what_it_cannot_show(lordotic):
    _, drawn, _ = lordotic
    middle = drawn.labels.shape[0] // 2
    found = measure(replace(drawn, labels=drawn.labels[middle - 2 : middle + 2]))
    assert "left and right edges" in reasons(found, "L3/L4")["canal_area"]
    assert "left and right edges" in reasons(found, "L3")["vertebra_volume"]
    assert "sides" in reasons(found, "spine")["coronal_cobb"]
    assert any("middle of the spine" in warning for warning in found.warnings)
    assert found.of("L3")["body_height_anterior"].value == pytest.approx(27, abs=0.4)


def test_processes_that_are_cut_off_leave_a_volume_with_a_caution(short, change):
    def with_wing(labels):
        top = int(np.argwhere(labels == 2)[:, 1].mean())
        column = int(np.argwhere(labels == 100)[:, 2].mean())
        labels[:, top - 4 : top + 4, column - 4 : column + 4][
            labels[:, top - 4 : top + 4, column - 4 : column + 4] == 0
        ] = 2
        return labels

    volume = measure(change(short, with_wing)).of("L4")["vertebra_volume"]
    assert volume.value is not None and "left and right edges" in volume.caution


def test_one_label_in_two_places_is_measured_in_neither(lordotic):
    _, drawn, _ = lordotic
    labels = np.where(drawn.labels == 5, 2, np.where(drawn.labels == 205, 202, drawn.labels))
    found = measure(replace(drawn, labels=labels.astype(np.uint16)))
    assert "separate pieces" in reasons(found, "L4")["body_depth"]
    assert "separate pieces" in reasons(found, "L4/L5")["disc_depth"]
    assert "separate pieces" in reasons(found, "L3/L4")["slip"]


def test_a_crumb_is_left_out_and_mentioned(short, change):
    def with_crumb(labels):
        rows = np.argwhere(labels == 2)[:, 1]
        labels[8:11, rows.min() - 20 : rows.min() - 12, 4:22] = 2
        return labels

    found, truth = (measure(s).of("L4")["body_height_middle"] for s in (change(short, with_crumb), short))
    assert found.value == pytest.approx(truth.value, abs=0.05)
    assert "Loose pieces" in found.caution and not truth.caution


def test_a_missing_level_parts_its_neighbours(lordotic):
    _, drawn, _ = lordotic
    found = measure(replace(drawn, labels=np.where(drawn.labels == 3, 0, drawn.labels).astype(np.uint16)))
    assert "L3" not in found.levels and any("L3 is missing" in w for w in found.warnings)
    for level in ("L3/L4", "L2/L3"):
        for key in ("slip", "disc_angle", "disc_height_index"):
            assert reasons(found, level)[key] == "L3: it is not labelled."
    assert found.of("L1/L2")["slip"].value is not None


def test_a_skipped_number_is_not_a_neighbour(lordotic):
    """L2 counted as L1 and so on: the disc between L3 and what is called L1 belongs to neither pair."""
    _, drawn, _ = lordotic
    labels = drawn.labels.astype(int)
    labels = np.where(np.isin(labels, (4, 5, 204, 205)), labels + 1, labels).astype(np.uint16)
    found = measure(replace(drawn, labels=labels))
    assert reasons(found, "L1/L2")["slip"] == "L2: it is not labelled."


def test_numbers_out_of_order_are_noticed(lordotic):
    _, drawn, _ = lordotic
    labels = np.array(drawn.labels)
    labels[drawn.labels == 2], labels[drawn.labels == 4] = 4, 2
    found = measure(replace(drawn, labels=labels))
    assert any("do not run upward" in warning for warning in found.warnings)
    assert "check their numbers" in reasons(found, "L3/L4")["slip"]
    assert "check their numbers" in reasons(found, "L3/L4")["disc_height_middle"]


def test_a_broken_body_is_not_measured(short, change):
    def broken(labels):
        body = np.argwhere(labels == 2)
        row = int(np.quantile(body[:, 1], 0.4))
        front = body[:, 2].min()
        labels[:, row : row + 8, front + 6 : front + 40][
            labels[:, row : row + 8, front + 6 : front + 40] == 2
        ] = 0
        return labels

    for key in ("body_height_middle", "body_depth"):
        assert reasons(measure(change(short, broken)), "L4")[key]


def test_too_little_to_measure_is_not_measured(short, change):
    def sliver(labels):
        body = np.argwhere(labels == 2)
        labels[(labels == 2) & (np.arange(labels.shape[1])[None, :, None] != int(np.median(body[:, 1])))] = 0
        return labels

    assert reasons(measure(change(short, sliver)), "L4").keys() >= set(GEOMETRY)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_disc_as_thin_as_the_rows_is_doubtful_or_not_measured(short, change, rows):
    def thinned(labels):
        disc = labels == 202
        top = np.where(disc.any(1), disc.argmax(1), 10**6)[:, None]
        down = np.arange(labels.shape[1])[None, :, None] - top
        labels[disc & ((down < 4) | (down >= 4 + rows))] = 0
        return labels

    found = measure(change(short, thinned)).of("L4/L5")["disc_height_middle"]
    if rows == 1:
        assert "too thin" in found.reason
    else:
        assert found.value == pytest.approx(2, abs=0.3) and "hardly higher than the rows" in found.caution


def test_far_voxels_make_it_doubtful():
    coronal = draw_ruled(rule_spine([RuledLevel(), RuledLevel()]), (0.9, 0.9, 4.0))
    assert "4.0 mm apart" in measure(coronal).of("L4/L5")["slip"].caution


@pytest.mark.parametrize("lumbar", [4, 6])
def test_lordosis_is_that_of_all_lumbar_vertebrae(lumbar):
    levels = [RuledLevel(disc_wedge=5)] * lumbar
    drawn = replace(draw_ruled(rule_spine(levels), (4.0, 0.9, 0.9)), numbering=Numbering(lumbar=lumbar))
    found = measure(drawn)
    assert f"L{lumbar}" in found.levels and "L1" in found.levels
    assert found.of("spine")["lordosis"].value == pytest.approx(5 * (lumbar - 1), abs=1.3)
    five = measure(replace(drawn, numbering=Numbering()))
    if lumbar == 4:
        assert reasons(five, "spine")["lordosis"] == "L1: it is not labelled."


def test_a_tumour_in_a_body_is_a_part_of_it(short, change):
    def with_tumour(labels):
        body = np.argwhere(labels == 2)
        row, front = int(np.median(body[:, 1])), body[:, 2].min()
        block = labels[8:13, row - 9 : row + 9, front + 5 : front + 24]
        block[block == 2] = 301
        return labels

    found, truth = (measure(s).of("L4") for s in (change(short, with_tumour), short))
    assert found["body_height_middle"].value == pytest.approx(truth["body_height_middle"].value, abs=0.1)
    assert "tumour" in found["body_height_middle"].caution and "tumour" in found["vertebra_volume"].caution


def scan_of(segmentation: Segmentation, **changes) -> Scan:
    """Canal 200, discs 80, everything else 20."""
    labels = segmentation.labels
    voxels = np.where(labels == 100, 200, np.where(labels > 200, 80, 20)).astype(np.int16)
    return Scan(voxels, segmentation.affine, **{"sequence": "T2", **changes})


def test_signal_of_a_disc_against_the_canal(short):
    found = measure(short, scan_of(short)).of("L4/L5")["disc_signal"]
    assert found.value == pytest.approx(0.4) and not found.caution
    for sequence in ("T1", "unknown"):
        assert "T2" in measure(short, scan_of(short, sequence=sequence)).of("L4/L5")["disc_signal"].caution


def test_signal_needs_its_own_scan(short):
    assert reasons(measure(short), "L4/L5")["disc_signal"] == "No scan was given."
    other = scan_of(short)
    moved = replace(other, affine=other.affine + np.array([[0, 0, 0, 5.0]] + [[0] * 4] * 3))
    assert "not on the same grid" in reasons(measure(short, moved), "L4/L5")["disc_signal"]
    dark = other.with_voxels(np.zeros_like(other.voxels))
    assert "no signal" in reasons(measure(short, dark), "L4/L5")["disc_signal"]


def test_it_stops_when_asked_and_tells_where_it_is(short):
    seen = []
    measure(short, control=Control(seen.append))
    assert [p.done for p in seen] == list(range(seen[0].total)) and seen[0].total == 5
    with pytest.raises(Stopped):
        measure(short, control=Control(should_stop=lambda: True))


def test_figures_say_with_what_they_were_taken(short):
    said = measure(short).provenance
    assert said["settings"]["band_mm"] == 8.0 and said["spacing_mm"] == [4.0, 1.0, 1.0]
