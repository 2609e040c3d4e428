"""The audit finds what was made wrong on purpose, and nothing in what is right."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from napari_spineseg.datasets.audit import audit, repair, repaired
from napari_spineseg.datasets.cases import find_cases, patient_of
from napari_spineseg.datasets.checks import Looked, level_order
from napari_spineseg.errors import DatasetError, OutputError
from napari_spineseg.io import read_segmentation
from napari_spineseg.sample_data import LABELS, sample_path
from napari_spineseg.scan import Segmentation

from .labelled import AFFINE, image_of, levels, save


def found(folder, check=None) -> list:
    report = audit(folder)
    return [f for f in report.findings if check is None or f.check == check]


def with_one(tmp_path, labels, image=None, **more):
    save(tmp_path, "7_t2", labels, image_of(levels(), 7) if image is None else image, **more)
    return tmp_path


def test_a_sound_dataset_has_no_findings(tmp_path):
    for n in (1, 2, 3):
        save(tmp_path / "train", f"{n}_t2", levels(), image_of(levels(), n))
    save(tmp_path / "val", "4_t2", levels(), image_of(levels(), 4))
    report = audit(tmp_path)
    assert report.findings == ()
    assert [c["split"] for c in report.cases] == ["train"] * 3 + ["val"]
    assert report.cases[0]["found"]["L5"] == 6 * 8 * 16
    assert json.loads(json.dumps(report.as_dict()))["counts"] == {}


def test_stray_labels(tmp_path):
    labels = levels()
    labels[4, 40, 40] = 150
    (finding,) = found(with_one(tmp_path, labels))
    assert (finding.check, finding.weight, finding.labels) == ("stray labels", "error", (150,))
    assert finding.place == (4, 40, 40)
    assert finding.repairable


def test_missing_structures(tmp_path):
    labels = levels()
    labels[labels == 100] = 0
    (finding,) = found(with_one(tmp_path, labels, image_of(labels)))
    assert finding.check == "missing structures"
    assert "spinal canal" in finding.sentence


def test_a_slice_that_was_forgotten(tmp_path):
    labels = levels()
    labels[4] = 0
    (finding,) = found(with_one(tmp_path, labels), "missing structures")
    assert finding.place[0] == 4


def test_islands(tmp_path):
    labels = levels()
    labels[3, 20:22, 40:42] = 2
    (finding,) = found(with_one(tmp_path, labels))
    assert (finding.check, finding.labels) == ("islands", (2,))
    assert finding.place[0] == 3


def test_a_missing_level(tmp_path):
    labels = levels()
    labels[labels == 3] = 0
    finding = next(f for f in found(with_one(tmp_path, labels)) if f.labels == (2, 4))
    assert "L3" in finding.sentence


def test_swapped_levels(tmp_path):
    labels = levels()
    labels[levels() == 2], labels[levels() == 4] = 4, 2
    checks = found(with_one(tmp_path, labels), "level order")
    assert any(f.weight == "error" and "below" in f.sentence for f in checks)


def test_a_disc_at_the_wrong_level(tmp_path):
    labels = levels()
    labels[levels() == 202] = 205
    labels[levels() == 205] = 202
    assert any(f.labels == (205,) for f in found(with_one(tmp_path, labels), "level order"))


@pytest.mark.parametrize("name", LABELS.values())
def test_what_the_picture_cuts_is_not_out_of_order(name):
    """Of the uppermost vertebra in view the samples show only a spinous process, below its disc."""
    assert list(level_order(Looked.at(read_segmentation(sample_path(name))))) == []


def test_touching_the_border(tmp_path):
    labels = levels()
    labels[3, 30, 24:48] = 4
    (finding,) = found(with_one(tmp_path, labels), "touching the border")
    assert "back edge" in finding.sentence
    assert finding.place == (3, 30, 47)


def test_the_canal_may_leave_at_top_and_bottom(tmp_path):
    labels = levels()
    labels[2:6, :, 28:34] = 100
    assert found(with_one(tmp_path, labels), "touching the border") == []


def test_labels_beside_their_structures(tmp_path):
    (finding,) = found(with_one(tmp_path, np.roll(levels(), 5, axis=1)), "image-label misfit")
    assert "higher" in finding.sentence


def test_labels_on_another_grid(tmp_path):
    affine = AFFINE.copy()
    affine[:3, 3] += 5
    (finding,) = found(with_one(tmp_path, levels(), affine=affine))
    assert (finding.check, finding.weight) == ("image-label misfit", "error")
    (finding,) = found(with_one(tmp_path / "cut", levels(), image_of(levels())[:, :60]))
    assert "60" in finding.sentence


def test_a_scan_in_two_splits(tmp_path):
    save(tmp_path / "train", "1_t2", levels(), image_of(levels(), 1))
    save(tmp_path / "val", "9_t2", levels(), image_of(levels(), 1) * 2)
    (finding,) = found(tmp_path)
    assert (finding.check, finding.weight) == ("duplicates", "error")
    assert "9_t2" in finding.sentence


def test_a_patient_in_two_splits(tmp_path):
    save(tmp_path / "train", "1_t2", levels(), image_of(levels(), 1))
    save(tmp_path / "val", "001_t1", levels(), image_of(levels(), 2))
    (finding,) = found(tmp_path)
    assert "Patient 1 is in train and in val" in finding.sentence


def test_a_broken_file_is_a_finding_not_the_end(tmp_path):
    save(tmp_path, "1_t2", levels(), image_of(levels(), 1))
    (tmp_path / "2_t2_levels.nii.gz").write_bytes(b"broken")
    (finding,) = found(tmp_path)
    assert (finding.case, finding.check) == ("2_t2", "unreadable")


def test_folders_without_labels_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="no labelled scans"):
        audit(tmp_path)
    with pytest.raises(DatasetError, match="not a folder"):
        audit(tmp_path / "none")


def release(folder, n=3):
    from napari_spineseg.datasets.export import masks_to_grey

    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    structures = np.where(levels() == 100, 3, np.where(levels() > 200, 2, levels() > 0)).astype(np.uint8)
    image = (image_of(levels(), 2) / 4).clip(0, 255).astype(np.uint8)
    for index in range(n):
        name = f"12_t2_SPACE_slice{50 + index}.png"
        Image.fromarray(image[2 + index]).save(folder / "images" / name)
        Image.fromarray(masks_to_grey(structures[2 + index])).save(folder / "masks" / name)


def test_the_png_release_is_a_dataset_too(tmp_path):
    release(tmp_path)
    (case,) = find_cases(tmp_path)
    assert (case.name, case.patient, case.sequence) == ("12_t2_SPACE_50-52", "12", "t2_SPACE")
    assert case.read_scan().orientation == "RIP"
    assert [f for f in audit(tmp_path).findings if f.weight == "error"] == []


def test_greys_that_stand_for_nothing(tmp_path):
    release(tmp_path)
    path = tmp_path / "masks" / "12_t2_SPACE_slice51.png"
    grey = np.array(Image.open(path))
    grey[5, 5] = 99
    Image.fromarray(grey).save(path)
    (finding,) = found(tmp_path, "stray labels")
    assert finding.labels == (99,)
    assert finding.place[0] == 1


def test_spider_as_downloaded_is_a_dataset(tmp_path):
    from napari_spineseg.io import write_scan, write_segmentation
    from napari_spineseg.scan import Scan

    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    write_scan(Scan(image_of(levels(), 1), AFFINE), tmp_path / "images" / "1_t2_SPACE.mha")
    write_segmentation(Segmentation(levels(), AFFINE), tmp_path / "masks" / "1_t2_SPACE.mha")
    (case,) = find_cases(tmp_path)
    assert (case.name, case.patient, case.sequence) == ("1_t2_SPACE", "1", "t2_SPACE")
    assert audit(tmp_path).findings == ()


@pytest.mark.parametrize(("name", "patient"), [("005", "5"), ("sub-12_T1w", "12"), ("anna_t1", "anna")])
def test_patients_from_names(name, patient):
    assert patient_of(name) == patient


def test_what_is_safe_is_repaired_and_nothing_else(tmp_path):
    labels = levels()
    labels[4, 40, 40] = 150
    labels[3, 20:22, 40:42] = 2
    labels[levels() == 3] = 0
    folder = with_one(tmp_path / "data", labels)
    before = (folder / "7_t2_levels.nii.gz").read_bytes()
    done = repair(folder, tmp_path / "better")
    assert [f.check for f in done["7_t2"]] == ["stray labels", "islands"]
    expected = levels()
    expected[expected == 3] = 0
    better = read_segmentation(tmp_path / "better" / "7_t2_levels.nii.gz")
    assert np.array_equal(better.labels, expected)
    assert (folder / "7_t2_levels.nii.gz").read_bytes() == before


def test_a_vertebra_with_a_number_that_names_none_is_found_but_not_erased(tmp_path):
    labels = levels()
    labels[labels == 3] = 60
    folder = with_one(tmp_path / "data", labels)
    stray = next(f for f in audit(folder).findings if f.check == "stray labels")
    assert (stray.weight, stray.labels, stray.repairable) == ("error", (60,), False)
    better, _ = repaired(Segmentation(labels, AFFINE))
    assert np.array_equal(better.labels, labels)


def test_sound_labels_are_left_alone(tmp_path):
    segmentation = Segmentation(levels(), AFFINE)
    better, done = repaired(segmentation)
    assert done == []
    assert np.array_equal(better.labels, segmentation.labels)
    folder = with_one(tmp_path / "data", levels())
    assert repair(folder, tmp_path / "better") == {}
    assert not (tmp_path / "better").exists()


def test_a_dataset_is_never_repaired_in_place(tmp_path):
    with_one(tmp_path, levels())
    with pytest.raises(OutputError, match="itself"):
        repair(tmp_path, tmp_path)


def test_an_earlier_repair_stays(tmp_path):
    labels = levels()
    labels[4, 40, 40] = 150
    folder, out = with_one(tmp_path / "data", labels), tmp_path / "better"
    repair(folder, out)
    (out / "7_t2_levels.nii.gz").write_bytes(b"looked over")
    with pytest.raises(OutputError, match="there already"):
        repair(folder, out)
    assert (out / "7_t2_levels.nii.gz").read_bytes() == b"looked over"
