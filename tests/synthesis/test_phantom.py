"""What a phantom promises: a spine that is put together right, at the right place, every time the same."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from napari_spineseg.anatomy import CANAL_LABEL, Structure, structure_of
from napari_spineseg.errors import Stopped
from napari_spineseg.grid import SAGITTAL
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

COARSE = {"spacing_mm": (4.0, 2.0, 2.0), "field_of_view_mm": (72.0, 264.0, 200.0)}
TINY = {"spacing_mm": (8.0, 4.0, 4.0), "field_of_view_mm": (72.0, 260.0, 200.0)}


@cache
def coarse(**choices) -> tuple[Scan, Segmentation]:
    """A phantom of person 6 (unless told otherwise) on a coarse grid; made once, so do not change it."""
    return make_phantom(PhantomSettings(**({"seed": 6} | COARSE | choices)))


PEOPLE = [{}, {"seed": 2, "lumbar_levels": 4}, {"seed": 3, "lumbar_levels": 6}, {"scoliosis_deg": 25.0}]


@pytest.fixture(params=PEOPLE, ids=str)
def phantom(request) -> tuple[Scan, Segmentation]:
    return coarse(**request.param)


def whole(truth: Segmentation) -> list[int]:
    """Labels of the vertebrae that no edge of the field of view cuts."""
    rims = (truth.labels[:, :2], truth.labels[:, -2:], truth.labels[:1], truth.labels[-1:])
    cut = {int(n) for rim in rims[:2] for n in np.unique(rim)}
    return [n for n in truth.found() if structure_of(n) is Structure.VERTEBRA and n not in cut]


def place(truth: Segmentation, label: int) -> np.ndarray:
    """RAS mm of the middle of a label."""
    return truth.affine[:3, :3] @ np.argwhere(truth.labels == label).mean(axis=0) + truth.affine[:3, 3]


def body(truth: Segmentation, label: int) -> np.ndarray:
    """RAS mm of the middle of a vertebra's body: what lies in front of its canal."""
    canal_front = place(truth, CANAL_LABEL)
    voxels = np.argwhere(truth.labels == label) @ truth.affine[:3, :3].T + truth.affine[:3, 3]
    rows = truth.labels.shape[1]
    fronts = [np.flatnonzero((truth.labels[:, r] == CANAL_LABEL).any(axis=0)) for r in range(rows)]
    row = np.argwhere(truth.labels == label)[:, 1]
    edge = np.array(
        [
            truth.affine[1, 3] - columns[0] * truth.grid.spacing[2] if columns.size else canal_front[1]
            for columns in fronts
        ]
    )
    return voxels[voxels[:, 1] > edge[row]].mean(axis=0)


def test_equal_settings_give_equal_voxels_and_another_seed_another_person():
    settings = PhantomSettings(seed=7, **TINY)
    (scan, truth), (again, truth_again) = make_phantom(settings), make_phantom(settings)
    assert np.array_equal(scan.voxels, again.voxels)
    assert np.array_equal(truth.labels, truth_again.labels)
    other, other_truth = make_phantom(PhantomSettings(seed=8, **TINY))
    assert not np.array_equal(truth.labels, other_truth.labels)
    assert not np.array_equal(scan.voxels, other.voxels)


def test_scan_and_labels_share_a_sagittal_grid_of_the_asked_spacing(phantom):
    scan, truth = phantom
    assert scan.grid.same_place_as(truth.grid)
    assert scan.orientation == "".join(SAGITTAL)
    assert scan.spacing == pytest.approx(COARSE["spacing_mm"])
    assert scan.voxels.shape == (18, 132, 100)
    assert scan.voxels.dtype == np.int16
    assert truth.labels.dtype == np.uint16
    assert scan.voxels.min() >= 0 and scan.voxels.max() <= 255


def test_levels_ascend_and_discs_lie_between_their_vertebrae(phantom):
    _, truth = phantom
    found = truth.found()
    vertebrae = sorted(n for n in found if structure_of(n) is Structure.VERTEBRA)
    discs = sorted(n for n in found if structure_of(n) is Structure.DISC)
    assert vertebrae == list(range(1, len(vertebrae) + 1))
    assert discs == list(range(201, 201 + len(discs)))
    assert len(vertebrae) >= truth.numbering.lumbar + 1
    heights = [body(truth, n)[2] for n in whole(truth)]
    assert heights == sorted(heights)
    for n in whole(truth):
        assert place(truth, 200 + n)[2] < body(truth, n)[2]
        if n > 1:
            assert body(truth, n - 1)[2] < place(truth, 200 + n)[2]


def test_a_disc_touches_both_neighbours_but_for_the_unlabelled_endplates(phantom):
    _, truth = phantom
    for n in whole(truth)[1:]:
        away = ndimage.distance_transform_edt(truth.labels != 200 + n, sampling=truth.grid.spacing)
        for neighbour in (n, n - 1):
            gap = away[truth.labels == neighbour].min()
            assert gap <= 4.5, f"{truth.numbering.vertebra(neighbour)} is {gap:.1f} mm from its disc"


def test_canal_vertebrae_and_discs_are_each_in_one_piece(phantom):
    _, truth = phantom
    for label in [CANAL_LABEL, *whole(truth), *(200 + n for n in whole(truth))]:
        pieces, count = ndimage.label(truth.labels == label, np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.ravel())[1:]
        assert sizes.max() >= 0.97 * sizes.sum(), f"{truth.numbering.name(label)} has {count} pieces"
        if label == CANAL_LABEL:
            assert count == 1


def test_the_canal_runs_behind_every_body(phantom):
    _, truth = phantom
    for n in whole(truth):
        middle = body(truth, n)
        index = np.rint(np.linalg.inv(truth.affine) @ [*middle, 1])[:3].astype(int)
        behind = truth.labels[:, index[1], index[2] :]
        assert (behind == CANAL_LABEL).any()
        assert not (truth.labels[:, index[1], : index[2]] == CANAL_LABEL).any()


def test_volumes_are_those_of_adults(phantom):
    _, truth = phantom
    millilitres = {n: count * truth.grid.voxel_ml for n, count in truth.found().items()}
    for n in whole(truth)[: truth.numbering.lumbar]:
        assert 22 < millilitres[n] < 75
        assert 2.5 < millilitres[200 + n] < 20
    rows = (truth.labels == CANAL_LABEL).any(axis=(0, 2)).sum() * truth.grid.spacing[1]
    assert 140 < millilitres[CANAL_LABEL] * 1000 / rows < 320


@pytest.mark.parametrize(
    ("person", "lowest"), list(zip(PEOPLE, ["L5", "L4", "L6", "L5"], strict=True)), ids=str
)
def test_the_lowest_vertebra_is_named_after_the_count(person, lowest):
    _, truth = coarse(**person)
    assert truth.names()[1] == lowest
    assert truth.names()[truth.numbering.lumbar + 1] == "T12"


def test_sequences_show_one_person_in_different_light():
    made = {"T2": coarse(), "T1": coarse(sequence="T1"), "STIR": coarse(sequence="STIR")}
    labels = [truth.labels for _, truth in made.values()]
    assert all(np.array_equal(a, b) for a, b in itertools.pairwise(labels))

    def mean(sequence: str, label: int) -> float:
        scan, truth = made[sequence]
        return float(np.median(scan.voxels[truth.labels == label]))

    assert mean("T1", CANAL_LABEL) < 0.6 * mean("T1", 3)
    assert mean("T2", CANAL_LABEL) > 1.5 * mean("T2", 3)
    assert mean("STIR", CANAL_LABEL) > 3 * mean("STIR", 3)
    # Fat behind the spine is the brightest thing in T1 and gone in STIR.
    fat = made["T1"][0].voxels > 0.9 * made["T1"][0].voxels.max()
    assert np.median(made["STIR"][0].voxels[fat]) < 0.3 * mean("STIR", CANAL_LABEL)
    assert {scan.sequence for scan, _ in made.values()} == {"T1", "T2", "STIR"}


def test_moving_the_field_of_view_leaves_the_person_where_they_are():
    _, here = coarse()
    _, there = coarse(shift_mm=(4.0, 20.0, -10.0))
    # To the right is +x, downward is -z, to the back is -y.
    assert there.affine[:3, 3] - here.affine[:3, 3] == pytest.approx([4.0, 10.0, -20.0], abs=1e-4)
    for n in (2, 3, 202):
        assert place(there, n) == pytest.approx(place(here, n), abs=2.5)


def test_scoliosis_bends_to_the_right_when_positive():
    def bend(cobb: float) -> float:
        _, truth = coarse(scoliosis_deg=float(cobb))
        return body(truth, 3)[0] - (body(truth, 1)[0] + body(truth, 6)[0]) / 2

    assert bend(25) > bend(0) + 4
    assert bend(-25) < bend(0) - 4


def test_a_slip_moves_the_upper_vertebra_forward():
    def step(slip: float) -> float:
        _, truth = coarse(slip_mm=slip, slip_disc=202)
        return body(truth, 2)[1] - body(truth, 1)[1]

    assert step(8) - step(0) == pytest.approx(8, abs=2.5)


def test_degenerate_discs_are_thin_and_dark():
    made = [coarse(degenerate_discs=d) for d in ((), (203,))]
    volume = [truth.found()[203] for _, truth in made]
    shade = [np.percentile(scan.voxels[truth.labels == 203], 80) for scan, truth in made]
    assert volume[1] < 0.8 * volume[0]
    assert shade[1] < 0.7 * shade[0]


def test_the_saturation_band_darkens_the_abdomen_and_nothing_else():
    band, plain = (coarse(saturation_band=b)[0].voxels for b in (True, False))
    _, truth = coarse()
    assert band[:, :, 8:25].mean() < 0.5 * plain[:, :, 8:25].mean()
    vertebrae = (truth.labels > 0) & (truth.labels < 50)
    assert np.median(band[vertebrae]) > 0.9 * np.median(plain[vertebrae])


def test_progress_is_told_a_slice_and_stopping_stops():
    seen = []
    make_phantom(PhantomSettings(**TINY), Control(seen.append))
    assert [p.done for p in seen] == list(range(1, 10))
    with pytest.raises(Stopped):
        make_phantom(PhantomSettings(**TINY), Control(should_stop=lambda: True))


@pytest.mark.parametrize(
    "wrong",
    [
        {"lumbar_levels": 7},
        {"seed": -1},
        {"spacing_mm": (4, 0, 1)},
        {"sequence": "CT"},
        {"noise": -0.1},
        {"colour": 1},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        PhantomSettings(**wrong)
