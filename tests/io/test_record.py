"""Labels that were opened say which model made them, if they are still what it made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from napari_spineseg.io import write_segmentation
from napari_spineseg.io.layer_view import METADATA_KEY
from napari_spineseg.io.napari import read_layers
from napari_spineseg.io.record import structures_of, write_record
from napari_spineseg.scan import Segmentation

TUMOUR = {"label": 301, "where": "L5 body", "centre": [1, 4, 4], "voxels": 8}


def labels() -> np.ndarray:
    voxels = np.zeros((8, 8, 8), np.uint16)
    voxels[2:7, 2:7, 2:7] = 1
    voxels[3:5, 3:5, 3:5] = 301
    return voxels


@pytest.fixture
def saved(tmp_path) -> Path:
    """As `spineseg segment` leaves them."""
    segmentation = Segmentation(labels(), np.eye(4), "a_seg")
    path = tmp_path / "a_seg.nii.gz"
    write_segmentation(segmentation, path)
    structures = [{"label": n, "voxels": voxels} for n, voxels in segmentation.found().items()]
    record = {
        "model": {"name": "tumour", "version": "1", "sha256": "0"},
        "tumours": [TUMOUR],
        "structures": structures,
        "labels": segmentation.checksum(),
        "input": {"path": "a.nii.gz"},
        "warnings": ["Look at L5."],
    }
    (tmp_path / "a_seg.json").write_text(json.dumps(record))
    return path


def opened(path: Path) -> dict:
    (_, options, _) = read_layers(str(path))[0]
    return options["metadata"][METADATA_KEY]


def test_the_record_beside_labels_is_their_provenance(saved, monkeypatch):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    known = opened(saved)
    assert known["provenance"]["model"] == {"name": "tumour", "version": "1", "sha256": "0"}
    assert known["provenance"]["tumours"] == [TUMOUR] and known["provenance"]["source"] == str(saved)
    assert "input" not in known["provenance"] and known["warnings"] == ("Look at L5.",)
    assert told == []


def test_labels_keep_which_scan_was_segmented_also_when_they_were_changed_since(saved):
    scan = {"name": "a", "source": "a.nii.gz", "sha256": "", "steps": 0}
    assert opened(saved)["drawn_on"] == scan
    changed = labels()
    changed[0, 0, 0] = 2
    write_segmentation(Segmentation(changed, np.eye(4), "a_seg"), saved)
    known = opened(saved)
    assert known["drawn_on"] == scan and known["provenance"]["labels_changed_since"]


def test_labels_of_a_preprocessed_scan_say_so(saved):
    place = saved.with_name("a_seg.json")
    record = json.loads(place.read_text())
    place.write_text(json.dumps(record | {"history": [{}], "input": {"path": "b", "sha256": "1"}}))
    assert opened(saved)["drawn_on"] == {"name": "b", "source": "b", "sha256": "1", "steps": 1}
    del record["input"]
    place.write_text(json.dumps(record))
    assert "drawn_on" not in opened(saved)


@pytest.mark.parametrize("change", ["fewer", "moved"])
def test_labels_that_were_drawn_on_since_are_not_the_models(saved, change):
    """Also where as many voxels as before carry each label."""
    voxels = labels()
    voxels = np.roll(voxels, 1, 0) if change == "moved" else np.where(voxels == 301, 1, voxels)
    write_segmentation(Segmentation(voxels.astype(np.uint16), np.eye(4), "a_seg"), saved)
    known = opened(saved)
    assert "model" not in known["provenance"] and known["provenance"]["labels_changed_since"]
    assert known["warnings"] == (
        "These labels were changed since they were segmented (by tumour 1, as a_seg.json tells).",
    )


def test_a_record_of_an_earlier_version_has_counts_alone(saved):
    place = saved.with_name("a_seg.json")
    record = json.loads(place.read_text())
    del record["labels"]
    place.write_text(json.dumps(record))
    assert opened(saved)["provenance"]["model"]["name"] == "tumour"
    write_segmentation(Segmentation(np.minimum(labels(), 1), np.eye(4), "a_seg"), saved)
    assert "model" not in opened(saved)["provenance"]


@pytest.mark.parametrize("codes", [("R", "I", "P"), ("L", "P", "S"), ("S", "A", "R")])
def test_labels_in_another_order_of_axes_are_the_same(saved, codes):
    turn = Segmentation(labels(), np.eye(4)).grid.to_orientation(codes)
    write_segmentation(Segmentation(turn.apply(labels()), turn.grid.affine, "a_seg"), saved)
    assert opened(saved)["provenance"]["model"]["name"] == "tumour"


def test_the_checksum_is_of_what_it_says():
    """Said once more, so that a reader of the record can make it: to the right, downward, to the back."""
    voxels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    shown = voxels.transpose(0, 2, 1)[:, ::-1, ::-1]
    said = Segmentation(voxels, np.eye(4)).checksum()
    assert said["sha256"] == hashlib.sha256(shown.astype("<u2").tobytes()).hexdigest()
    assert said["shape"] == [2, 4, 3] and "uint16" in said["of"]
    other = Segmentation(np.array(shown.reshape(2, 3, 4).transpose(0, 2, 1)[:, ::-1, ::-1]), np.eye(4))
    assert other.checksum() != said


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": 3, "structures": []}', '{"structures": [{}]}'])
def test_a_record_of_something_else_is_left_alone(saved, text):
    saved.with_name("a_seg.json").write_text(text)
    assert "model" not in opened(saved)["provenance"]


def test_opened_labels_let_the_scan_show_through_as_fresh_ones_do(saved):
    assert read_layers(str(saved))[0][1]["opacity"] == 0.45


def test_a_record_is_strict_json_whatever_it_tells_of(tmp_path):
    write_record({"confidence": float("nan"), "input": {"path": tmp_path}}, tmp_path / "x_seg.json")
    read = json.loads((tmp_path / "x_seg.json").read_text(), parse_constant=pytest.fail)
    assert read == {"confidence": None, "input": {"path": str(tmp_path)}}


def test_a_stray_number_among_structures_is_told_as_background():
    labels = np.array([1, 1, 7], np.uint16).reshape(3, 1, 1)
    rows = structures_of(Segmentation(labels, np.eye(4), "a", "structures"))
    assert [(row["label"], row["structure"], row["voxels"]) for row in rows] == [
        (1, "vertebra", 2),
        (7, "background", 1),
    ]
