from __future__ import annotations

import itertools

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer

from napari_spineseg.anatomy import Numbering, colour_of
from napari_spineseg.errors import ScanError
from napari_spineseg.io.layers import (
    layer_tuple_for_scan,
    layer_tuple_for_segmentation,
    scan_from_layer,
    segmentation_from_layer,
)
from napari_spineseg.scan import Scan, Segmentation

OBLIQUE = np.array([[0.1, 0.2, 3.9, -11], [1.9, 0, 0.3, -21], [0, -2.1, 0.1, 31], [0, 0, 0, 1]])
CLINICAL = np.array([[0, 0, 4.0, -10], [-0.5, 0, 0, 20], [0, -0.7, 0, 30], [0, 0, 0, 1]])


def a_scan(affine=CLINICAL, shape=(6, 7, 5)):
    return Scan(
        np.random.default_rng(0).integers(0, 999, shape).astype(np.int16), affine, name="case", sequence="T2"
    )


def all_affines():
    for order, signs in itertools.product(
        itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)
    ):
        affine = np.eye(4)
        affine[:3, :3] = np.diag([3.3, 0.5, 0.6])[:, order] * signs
        yield affine
    yield OBLIQUE


def test_a_scan_is_shown_sagittally_in_mm():
    before = a_scan()
    layer = Layer.create(*layer_tuple_for_scan(before))
    assert isinstance(layer, Image) and layer.name == "case" and layer.data.shape == (5, 7, 6)
    np.testing.assert_allclose(layer.scale, (4, 0.7, 0.5))
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    # Columns of this scan run to the back and rows downward: anterior left, superior up.
    np.testing.assert_array_equal(layer.data[1], before.voxels[:, :, 1].T)
    known = layer.metadata["spineseg"]
    assert known["kind"] == "scan" and known["shape"] == (6, 7, 5) and known["sequence"] == "T2"
    np.testing.assert_array_equal(known["affine"], CLINICAL)


def test_every_orientation_comes_back():
    for affine in all_affines():
        before = a_scan(affine)
        # A view of the layer tuple is enough here: making 49 layers takes napari a while.
        data, options, _ = layer_tuple_for_scan(before)
        layer = Image(
            data, scale=options["scale"], units=options["units"], metadata=options["metadata"], name="case"
        )
        after = scan_from_layer(layer)
        np.testing.assert_array_equal(after.voxels, before.voxels)
        np.testing.assert_allclose(after.affine, affine, atol=1e-9)
        assert (after.name, after.sequence, after.warnings) == ("case", "T2", ())


def a_segmentation(**changes):
    labels = np.random.default_rng(0).choice([0, 1, 2, 100, 201], (6, 7, 5)).astype(np.uint16)
    return Segmentation(labels, CLINICAL, name="case_seg", numbering=Numbering(lumbar=6), **changes)


def test_labels_have_names_and_colours():
    layer = Layer.create(*layer_tuple_for_segmentation(a_segmentation()))
    assert isinstance(layer, Labels)
    names = dict(zip(layer.features["index"], layer.features["name"], strict=True))
    assert (names[0], names[1], names[7], names[201], names[100]) == (
        "background", "L6", "T12", "L6/S1", "spinal canal",
    )  # fmt: skip
    for label in (1, 2, 100, 201, 25, 301):
        expected = [int(colour_of(label)[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        np.testing.assert_allclose(layer.get_color(label)[:3], expected, atol=0.01)
    assert layer.metadata["spineseg"]["scheme"] == "levels"
    assert "name: L6" in layer.get_status((0, 0, 0), world=False)["coordinates"] or layer.data[0, 0, 0] != 1


def test_what_a_person_paints_is_what_comes_back():
    before = a_segmentation(provenance={"model": {"name": "lumbar"}})
    layer = Layer.create(*layer_tuple_for_segmentation(before))
    layer.data[0, 0, 0] = 7
    after = segmentation_from_layer(layer)
    turn = before.grid.to_orientation()
    expected = turn.apply(before.labels).copy()
    expected[0, 0, 0] = 7
    np.testing.assert_array_equal(turn.apply(after.labels), expected)
    assert before.labels is not after.labels and 7 not in before.labels
    assert after.numbering == Numbering(lumbar=6) and after.provenance["model"]["name"] == "lumbar"
    layer.data[1, 1, 1] = 8
    assert 8 not in after.labels


def test_a_foreign_layer_is_taken_as_it_is_shown():
    layer = Image(np.random.default_rng(0).random((3, 4, 5)), scale=(3, 0.5, 0.6), name="photo")
    scan = scan_from_layer(layer)
    assert scan.orientation == "RIP" and scan.spacing == (3, 0.5, 0.6)
    np.testing.assert_array_equal(scan.sagittal(), layer.data)
    assert "photo does not come from a medical file" in scan.warnings[0] and "spacing" in scan.warnings[0]


def test_other_units_become_mm():
    layer = Image(np.random.default_rng(0).random((3, 4, 5)), scale=(300, 50, 60), units=("um",) * 3)
    np.testing.assert_allclose(scan_from_layer(layer).spacing, (0.3, 0.05, 0.06))


def test_a_single_picture_is_one_slice():
    assert scan_from_layer(Image(np.random.default_rng(0).random((4, 5)))).voxels.shape == (1, 4, 5)
    assert scan_from_layer(Image(np.random.default_rng(0).random((1, 3, 4, 5)))).voxels.shape == (3, 4, 5)


def test_a_cropped_layer_loses_its_place_but_not_its_spacing():
    layer = Layer.create(*layer_tuple_for_scan(a_scan()))
    layer.data = layer.data[1:, 1:]
    scan = scan_from_layer(layer)
    assert scan.voxels.shape == (4, 6, 6) and scan.spacing == (4, 0.7, 0.5)
    assert "cropped" in scan.warnings[0]


def test_a_spacing_that_a_person_set_counts():
    layer = Layer.create(*layer_tuple_for_scan(a_scan()))
    layer.scale = (5, 1.4, 0.5)
    scan = scan_from_layer(layer)
    np.testing.assert_allclose(scan.spacing, (0.5, 1.4, 5))
    np.testing.assert_allclose(scan.affine[:3, 3], CLINICAL[:3, 3])


def test_labels_drawn_on_a_scan_take_its_grid():
    before = a_scan(OBLIQUE)
    drawn = Labels(np.ones(before.sagittal().shape, int))
    after = segmentation_from_layer(drawn, before)
    np.testing.assert_array_equal(after.affine, OBLIQUE)
    assert after.labels.shape == before.voxels.shape and after.warnings == ()


@pytest.mark.parametrize(
    "known", [None, "x", {}, {"affine": "x", "shape": 3}, {"affine": np.zeros((4, 4)), "shape": (3, 4, 5)}]
)
def test_broken_metadata_are_passed_over(known):
    layer = Image(np.random.default_rng(0).random((3, 4, 5)), metadata={"spineseg": known})
    assert scan_from_layer(layer).voxels.shape == (3, 4, 5)


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (np.zeros((5, 6, 3), np.uint8), {"rgb": True}, "p: is in colour"),
        (np.zeros((2, 3, 4, 5)), {}, "p: has 4 axes"),
        (np.full((3, 4, 5), np.nan), {"contrast_limits": (0, 1)}, "p: holds no finite voxel"),
    ],
)
def test_layers_that_are_no_scan(data, options, words):
    with pytest.raises(ScanError, match=words):
        scan_from_layer(Image(data, name="p", **options))


def test_negative_labels_are_refused():
    with pytest.raises(ScanError, match="n: is not a label file"):
        segmentation_from_layer(Labels(np.full((3, 4, 5), -1), name="n"))
