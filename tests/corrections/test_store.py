import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spineseg import io
from napari_spineseg.anatomy import Numbering
from napari_spineseg.corrections.identity import identify
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.errors import StoreError
from napari_spineseg.grid import Grid
from napari_spineseg.scan import Segmentation


@pytest.fixture
def store(tmp_path) -> CorrectionsStore:
    return CorrectionsStore(tmp_path / "store", create=True)


@pytest.fixture
def predicted(small_scan) -> Segmentation:
    labels = np.zeros(small_scan.voxels.shape, np.uint16)
    labels[4:12, 8:20, 1:4] = 1
    labels[4:12, 21:25, 1:4] = 201
    return Segmentation(labels, small_scan.affine, provenance={"model": {"name": "lumbar", "version": "1"}})


@pytest.fixture
def corrected(predicted) -> Segmentation:
    labels = predicted.labels.copy()
    labels[12:14, 8:20, 1:4] = 1
    return replace(predicted, labels=labels, numbering=Numbering(lumbar=6))


def test_everything_comes_back(store, small_scan, predicted, corrected):
    version = store.add_correction(
        small_scan, corrected, predicted, author="A. Reader", seconds=42.0, note="first"
    )
    (entry,) = CorrectionsStore(store.path).entries()
    assert entry.name == "small" and entry.identity.grid.same_place_as(small_scan.grid)
    assert np.array_equal(entry.load_scan().voxels, small_scan.voxels)
    latest = entry.latest.load()
    assert np.array_equal(latest.labels, corrected.labels) and latest.numbering == Numbering(lumbar=6)
    assert np.array_equal(entry.prediction.load().labels, predicted.labels)
    assert entry.model == {"name": "lumbar", "version": "1"}
    assert version.about["author"] == "A. Reader" and version.about["seconds"] == 42.0
    assert version.about["changed"] == {"voxels": 72, "box": [[12, 14], [8, 20], [1, 4]]}
    assert np.array_equal(entry.changed(), corrected.labels != predicted.labels)


def test_versions_are_added_and_never_changed(store, small_scan, predicted, corrected):
    entry = store.add(small_scan)
    first = entry.add_version(predicted)
    before = {path: path.read_bytes() for path in entry.folder.rglob("*") if path.is_file()}
    second = entry.add_version(corrected)
    assert (first.number, second.number) == (1, 2) and second.about["parent"] == 1
    assert all(path.read_bytes() == content for path, content in before.items())
    assert np.array_equal(entry.latest.load().labels, corrected.labels)


def test_the_same_scan_is_recognised_under_another_name_and_format(store, small_scan, corrected, tmp_path):
    entry = store.add(small_scan)
    for name in ("renamed.nii.gz", "converted.nrrd", "other.mha"):
        io.write_scan(small_scan, tmp_path / name)
        again = io.read_scan(tmp_path / name)
        assert again.name != small_scan.name
        assert store.find(again).folder == entry.folder == store.add(again).folder
    voxels = small_scan.voxels.copy()
    voxels[0, 0, 0] += 1
    assert store.find(small_scan.with_voxels(voxels)) is None
    moved = small_scan.affine.copy()
    moved[0, 3] += 1
    assert store.find(replace(small_scan, affine=moved)) is None


def test_a_level_shift_is_no_change_for_a_network(store, small_scan, predicted):
    shifted = replace(
        predicted, labels=np.where(predicted.labels > 0, predicted.labels + 1, 0).astype(np.uint16)
    )
    store.add_correction(small_scan, shifted, predicted)
    entry = store.find(small_scan)
    assert not entry.changed().any()
    assert np.array_equal(entry.changed(levels=True), predicted.labels > 0)


def test_without_a_prediction_everything_counts(store, small_scan, corrected):
    store.add_correction(small_scan, corrected)
    assert store.find(small_scan).changed().all()
    assert store.find(small_scan).latest.about["changed"] is None


def test_labels_in_another_axis_order_are_brought_to_the_scans(store, small_scan, corrected):
    turn = Grid(corrected.labels.shape, corrected.affine).to_orientation(("L", "P", "S"))
    turned = replace(
        corrected, labels=np.ascontiguousarray(turn.apply(corrected.labels)), affine=turn.grid.affine
    )
    store.add_correction(small_scan, turned)
    assert np.array_equal(store.find(small_scan).latest.load().labels, corrected.labels)


def test_labels_of_another_grid_are_refused_and_nothing_is_kept(store, small_scan, corrected):
    moved = corrected.affine.copy()
    moved[2, 3] += 4
    for wrong in (replace(corrected, affine=moved), replace(corrected, labels=corrected.labels[1:])):
        with pytest.raises(StoreError, match="not on the grid"):
            store.add_correction(small_scan, corrected, wrong)
    assert store.entries() == []


def test_review_states_and_notes(store, small_scan):
    entry = store.add(small_scan)
    assert entry.state == "in-progress" and entry.notes == []
    entry.say("done", "second look wanted")
    entry.say(note="seen")
    assert entry.state == "done" and entry.notes == ["second look wanted", "seen"]
    entry.add_version(
        Segmentation(np.zeros(small_scan.voxels.shape, np.uint16), small_scan.affine), note="redrawn"
    )
    entry.say("done", "redrawn")
    assert sorted(entry.notes) == ["redrawn", "second look wanted", "seen"]
    assert [e.name for e in store.entries(state="done")] == ["small"]
    assert store.entries(state="excluded") == []
    with pytest.raises(StoreError, match="no review state"):
        entry.say("finished")


def test_a_prediction_is_kept_once(store, small_scan, predicted, corrected):
    entry = store.add(small_scan)
    assert entry.add_prediction(predicted).number == entry.add_prediction(predicted).number == 1
    assert entry.add_prediction(predicted, {"name": "lumbar", "version": "2"}).number == 2
    version = entry.add_version(corrected, entry.predictions[0])
    assert version.model["version"] == "1" and entry.prediction.number == 1


def test_damage_is_said_and_does_not_hide_the_rest(store, small_scan, corrected):
    store.add_correction(small_scan, corrected)
    other = store.add(replace(small_scan, voxels=small_scan.voxels + 1, name="other"))
    (other.folder / "scan.json").write_text("{")
    assert [e.name for e in store.entries()] == ["small"]
    assert len(store.damaged()) == 1 and "scan.json" in store.damaged()[0]
    labels = store.entries()[0].latest.labels_path
    labels.write_bytes(labels.read_bytes()[:-4])
    with pytest.raises(StoreError, match="damaged"):
        store.entries()[0].latest.load()


def test_other_folders_and_later_formats_are_refused(tmp_path):
    with pytest.raises(StoreError, match="not a corrections store"):
        CorrectionsStore(tmp_path)
    (tmp_path / "corrections.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(StoreError, match="format 99"):
        CorrectionsStore(tmp_path)


def test_a_name_leads_nowhere_else(store, small_scan):
    entry = store.add(replace(small_scan, name="../../etc/passwd"))
    assert entry.folder.parent == store.path / "scans"
    assert Path(identify(replace(small_scan, name="..")).key).name.startswith("scan-")


def test_half_made_entries_are_not_seen(store, small_scan):
    (store.path / "scans" / ".new-abc").mkdir()
    assert store.entries() == [] and store.damaged() == []
