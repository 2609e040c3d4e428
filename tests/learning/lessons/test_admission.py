"""Corrections that cannot be right are refused; those that are right are not."""

from dataclasses import replace

import numpy as np
import pytest

from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.corrections.entry import structures_of
from napari_spineseg.datasets.prepared import PreparedVolume, resized, resized_labels, windowed
from napari_spineseg.io import read_scan, read_segmentation
from napari_spineseg.learning.lessons.admission import objection
from napari_spineseg.learning.lessons.belonging import objection_to_lesson
from napari_spineseg.learning.lessons.lesson import Lesson
from napari_spineseg.sample_data import LABELS, STIR, T1, T2, sample_path
from napari_spineseg.scan import Segmentation

SPEC = InputSpec(spacing_mm=1.0)


@pytest.fixture(scope="module")
def samples():
    return {n: (read_scan(sample_path(n)), read_segmentation(sample_path(LABELS[n]))) for n in (T1, T2, STIR)}


def lesson_for(scan, structures) -> Lesson:
    """(slices, h, w) structures on the sagittal view of a scan, as a lesson."""
    turn = scan.grid.to_orientation()
    size = SPEC.working_size(*structures.shape[1:], turn.grid.spacing[1:])
    volume = PreparedVolume(
        name=scan.name,
        patient=scan.name,
        kind="image",
        values=windowed(resized(windowed(turn.apply(scan.voxels)), size)),
        structures=resized_labels(structures, size, range(4)),
        slice_mm=turn.grid.spacing[0],
        spacing_mm=1.0,
    )
    return Lesson(scan.name, "0" * 64, 1, "1" * 64, scan.name, volume, (1, 2, 3), None)


def refused(scan, labels, structures, seen) -> str | None:
    """What the whole audit says. `seen`: what the parent makes of the scan, (slices, h, w) structures."""
    parent = lesson_for(scan, seen).volume.structures
    return objection(scan, labels, None) or objection_to_lesson(
        lesson_for(scan, structures), lambda volume, slices: parent[list(slices)]
    )


def relabelled(labels, table):
    out = labels.labels.copy()
    for old, new in table.items():
        out[labels.labels == old] = new
    return replace(labels, labels=out)


def on_scan(scan, structures):
    labels = np.ascontiguousarray(scan.grid.to_orientation().invert(structures)).astype(np.uint16)
    return Segmentation(labels, scan.affine, scheme="structures")


def moved(down_mm, back_mm, right=0):
    def poison(scan, structures, other):
        mm = scan.grid.to_orientation().grid.spacing
        return np.roll(structures, (right, round(down_mm / mm[1]), round(back_mm / mm[2])), (0, 1, 2))

    return poison


def fitted(other, shape):
    out = np.zeros(shape, np.uint8)
    n, h, w = np.minimum(shape, other.shape)
    out[:n, :h, :w] = other[:n, :h, :w]
    return out


POISONS = {
    "6 mm too low": moved(6, 0),
    "10 mm too high": moved(-10, 0),
    "6 mm too far back": moved(0, 6),
    "8 mm too far front": moved(0, -8),
    "15 mm and 10 mm off": moved(15, 10),
    "two slices to the side": moved(0, 0, right=2),
    "upside down": lambda scan, structures, other: structures[:, ::-1],
    "back to front": lambda scan, structures, other: structures[:, :, ::-1],
    "of another scan": lambda scan, structures, other: fitted(other, structures.shape),
    "vertebra and disc swapped": lambda scan, structures, other: np.array([0, 2, 1, 3], np.uint8)[structures],
    "disc and canal swapped": lambda scan, structures, other: np.array([0, 1, 3, 2], np.uint8)[structures],
    "empty": lambda scan, structures, other: np.zeros_like(structures),
}


@pytest.mark.parametrize("sees", [True, False], ids=["parent sees the spine", "parent is blind"])
@pytest.mark.parametrize("name", [T1, T2, STIR])
def test_true_labels_are_admitted(samples, name, sees):
    scan, labels = samples[name]
    structures = scan.grid.to_orientation().apply(structures_of(labels))
    seen = np.roll(structures, 1, 1) if sees else np.zeros_like(structures)
    assert refused(scan, labels, structures, seen) is None


@pytest.mark.parametrize("poison", POISONS)
@pytest.mark.parametrize("name", [T1, T2])
def test_poison_is_refused_with_a_sentence(samples, name, poison):
    scan, labels = samples[name]
    turn = scan.grid.to_orientation()
    structures = turn.apply(structures_of(labels))
    other = samples[STIR][0].grid.to_orientation().apply(structures_of(samples[STIR][1]))
    wrong = np.ascontiguousarray(POISONS[poison](scan, structures, other))
    why = refused(scan, on_scan(scan, wrong), wrong, structures)
    assert why and why.endswith(".") and "\n" not in why


@pytest.mark.parametrize(
    "table", [{2: 3, 3: 2}, {1: 4, 4: 1}, {202: 204, 204: 202}, {1: 77}, {8: 30}, {3: 412}]
)
def test_swapped_levels_and_stray_numbers_are_refused(samples, table):
    scan, labels = samples[T2]
    why = objection(scan, relabelled(labels, table), None)
    assert why and ("out of order" in why)


def test_labels_on_another_grid_are_refused(samples):
    scan, labels = samples[T2]
    affine = labels.affine.copy()
    affine[2, 3] += 7
    assert "grid" in objection(scan, replace(labels, affine=affine), None)


def test_what_was_erased_is_no_correction(samples):
    scan, labels = samples[T2]
    no_discs = np.where(labels.labels > 200, 0, labels.labels)
    assert "Every disc" in objection(scan, replace(labels, labels=no_discs), labels)
    nearly = np.where(labels.labels == 1, 1, 0).astype(np.uint16)
    assert "erased" in objection(scan, replace(labels, labels=nearly), labels)
