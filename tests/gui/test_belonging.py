"""Labels stay with the scan that they were drawn on, whatever is opened, closed, chosen or renamed meanwhile.

Needs no window: a viewer model is enough.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_spineseg.widgets.session import session_of

SHAPE = (4, 6, 5)
T1, T2 = "/p/t1.mha", "/p/t2.mha"


@pytest.fixture
def model():
    return ViewerModel()


def known(kind: str, source: str | None, **more) -> dict:
    name = Path(source).name.split(".")[0] if source else kind
    return {"spineseg": {"kind": kind, "affine": np.eye(4), "source": source, "name": name, **more}}


def scan(model, source: str | None, **more):
    metadata = known("scan", source, **more)
    return model.add_image(np.zeros(SHAPE), name=metadata["spineseg"]["name"], metadata=metadata)


def labels(model, source: str | None = "/q/mask.mha", **more):
    metadata = known("segmentation", source, **more)
    return model.add_labels(np.ones(SHAPE, int), name=metadata["spineseg"]["name"], metadata=metadata)


def made_from(source: str, sha256: str = "", steps: int = 0) -> dict:
    name = Path(source).name.split(".")[0]
    return {"drawn_on": {"name": name, "source": source, "sha256": sha256, "steps": steps}}


# What is opened, in that order; the scan that the labels are then known to be drawn on.
OPENED = {
    "the only scan, opened first": ([T2, "labels /q/mask.mha"], T2),
    "the only scan, opened later": (["labels /q/mask.mha", T2], T2),
    "another scan later does not matter": ([T2, "labels /q/mask.mha", T1], T2),
    "the first scan after the labels was a guess": (["labels /q/mask.mha", T1, T2], None),
    "two scans fit": ([T1, T2, "labels /q/mask.mha"], None),
    "one file opened twice is one scan": ([T2, T2, "labels /q/mask.mha"], T2),
    "the file is called after its scan": ([T1, T2, "labels /p/t2_seg.mha"], T2),
    "called after a scan that comes last": (["labels /p/t2_seg.mha", T1, T2], T2),
    "called after a scan, for want of it the only one": ([T1, "labels /p/t2_seg.mha", T2], T2),
    "called exactly like its scan, elsewhere": ([T1, T2, "labels /masks/t2.mha"], T2),
    "a longer name is another scan": ([T2, T1, "labels /p/t2_space_seg.mha"], None),
    "the longest name": (["/p/t2.mha", "/p/t2_seg.mha", "labels /q/t2_seg_mask.mha"], "/p/t2_seg.mha"),
    "namesakes: the one beside them": (
        ["/a/t2.mha", "/b/t2.mha", "labels /b/t2_seg.mha"],
        "/b/t2.mha",
    ),
    "a namesake of elsewhere was a guess": (["/a/t2.mha", "labels /b/t2_seg.mha", "/b/t2.mha"], "/b/t2.mha"),
    "namesakes: neither is beside the labels": (["/a/t2.mha", "/b/t2.mha", "labels /c/t2_seg.mha"], None),
}


@pytest.mark.parametrize(("order", "expected"), OPENED.values(), ids=OPENED)
def test_which_scan_labels_from_a_file_were_drawn_on(model, order, expected):
    session = session_of(model)
    mask = None
    for what in order:
        if what.startswith("labels "):
            mask = labels(model, what.removeprefix("labels "))
        else:
            scan(model, what)
    of = session.scan_of(mask)
    assert (of.metadata["spineseg"]["source"] if of is not None else None) == expected


RECORDS = {
    "by its path": ([T1, T2], made_from(T2), T2),
    "by its path, though another is called so": (["/a/t2.mha", T2], made_from(T2), T2),
    "moved, with no checksum: by its name": ([T1, "/new/t2.nii.gz"], made_from(T2), "/new/t2.nii.gz"),
    "moved, and another is called so": (["/a/t2.mha", "/b/t2.mha"], made_from(T2), None),
    "not open": ([T1], made_from(T2), None),
    "a namesake with another checksum": (["/new/t2.mha"], made_from(T2, sha256="1"), None),
    "of a preprocessed scan": ([T2], made_from(T2, steps=2), None),
}


@pytest.mark.parametrize(("scans", "record", "expected"), RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("first", ["scans", "labels"])
def test_the_record_beside_labels_names_their_scan(model, scans, record, expected, first):
    session = session_of(model)
    # What the file is called counts less than its record.
    mask = labels(model, "/p/t1_seg.mha", **record) if first == "labels" else None
    for path in scans:
        scan(model, path)
    mask = mask or labels(model, "/p/t1_seg.mha", **record)
    of = session.scan_of(mask)
    assert (of.metadata["spineseg"]["source"] if of is not None else None) == expected
    assert session.scan_name_of(mask).startswith("t2")  # napari numbers layers of one name


def test_a_scan_that_was_renamed_on_disk_is_known_by_its_checksum(model, tmp_path, qtbot):
    for name in ("x", "y"):
        (tmp_path / f"{name}.mha").write_text(name)
    record = made_from(T2, sha256=hashlib.sha256(b"y").hexdigest())
    session = session_of(model)
    scan(model, str(tmp_path / "y.mha"))
    scan(model, str(tmp_path / "x.mha"))
    mask = labels(model, **record)
    qtbot.waitUntil(lambda: session.scan_of(mask) is not None)
    assert session.scan_of(mask).name == "y" and session.scan.name == "y"


def test_a_file_that_is_far_away_does_not_hold_up_the_window(model, tmp_path, qtbot, monkeypatch):
    """Until its checksum is known the labels are nobody's, and not another scan's."""
    may_go_on = Event()
    monkeypatch.setattr(
        "napari_spineseg.widgets.checksums.sha256_of", lambda path: may_go_on.wait(60) and path.name
    )
    session = session_of(model)
    for name in ("x", "y"):
        scan(model, f"/p/{name}.mha")
    mask = labels(model, **made_from(T2, sha256="x.mha"))
    heard = []
    session.layers_changed.connect(lambda: heard.append(session.scan_of(mask)))
    assert session.scan_of(mask) is None and session.segmentation is mask
    may_go_on.set()
    qtbot.waitUntil(lambda: session.scan_of(mask) is not None)
    assert session.scan.name == "x" and session.segmentation is mask and heard[-1] is session.scan


def test_of_several_volumes_of_a_file_the_name_tells(model):
    session = session_of(model)
    first = scan(model, "/p/dicom", name="dicom-T1")
    second = scan(model, "/p/dicom", name="dicom-T2")
    record = made_from("/p/dicom")
    record["drawn_on"]["name"] = "dicom-T2"
    assert session.scan_of(labels(model, **record)) is second is not first


def test_labels_that_two_scans_fit_are_nobodys_until_a_person_says(model):
    session = session_of(model)
    t1, t2 = scan(model, T1), scan(model, T2)
    mask = labels(model)
    for chosen in (t1, t2, t1):
        model.layers.selection.active = chosen
        # Seen with either, as somebody may want to look; kept with neither.
        assert session.segmentation is mask and session.scan_of(mask) is None
    session.say_scan(mask, t2)
    assert session.scan is t2 and session.segmentation is mask
    model.layers.selection.active = t1
    assert session.scan_of(mask) is t2 and session.segmentation is None
    model.layers.selection.active = mask
    assert session.scan is t2


def test_what_a_person_said_is_taken_back_and_the_record_is_what_it_was(model):
    session = session_of(model)
    t1 = scan(model, T1)
    scan(model, "/p/stir.mha")
    mask = labels(model, **made_from(T2))
    assert session.scan_of(mask) is None and not session.may_change_scan(mask)
    session.say_scan(mask, t1)
    assert session.scan_of(mask) is t1 and session.may_change_scan(mask)
    session.unsay_scan(mask)
    assert session.scan_of(mask) is None and session.scan_name_of(mask) == "t2"
    session.say_scan(mask, t1)
    mask.paint((1, 2, 2), 3)
    assert not session.may_change_scan(mask)  # corrections are kept with it


def test_that_the_other_scan_was_closed_says_nothing(model):
    session = session_of(model)
    t1 = scan(model, T1)
    scan(model, T2)
    mask = labels(model)
    model.layers.remove(t1)
    assert session.scan_of(mask) is None
    assert session.fitting(mask) == session.scans()


def test_a_closed_scan_is_missed_and_known_again(model):
    session = session_of(model)
    t2 = scan(model, T2)
    mask = labels(model)
    model.layers.remove(t2)
    t1 = scan(model, T1)
    assert session.scan_of(mask) is None and session.scan_name_of(mask) == "t2"
    assert mask not in session.over(t1)
    again = scan(model, T2)
    assert session.scan_of(mask) is again


def test_a_preprocessed_scan_is_not_the_scan_that_was_closed(model):
    session = session_of(model)
    t2 = scan(model, T2)
    mask = labels(model)
    session.link(mask, t2)
    scan(model, T2, history=({"step": "n4"},))
    model.layers.remove(t2)
    assert session.scan_of(mask) is None


def test_results_of_two_recipes_are_two_scans(model):
    session = session_of(model)
    crops = [{"step": "crop", "settings": {"head_mm": mm}} for mm in (10, 20)]
    first, second = (scan(model, T2, name="t2_prep", history=(crop,)) for crop in crops)
    mask = labels(model)
    session.link(mask, first)
    model.layers.remove(first)
    assert session.scan_of(mask) is None and mask not in session.over(second)
    again = scan(model, T2, name="t2_prep", history=crops[:1])
    assert session.scan_of(mask) is again


def test_a_file_that_holds_something_else_by_now_is_not_the_scan_that_was_closed(model):
    session = session_of(model)
    t2 = scan(model, T2)
    mask = labels(model)
    session.link(mask, t2)
    model.layers.remove(t2)
    model.add_image(np.zeros((9, 6, 5)), metadata=known("scan", T2))
    assert session.scan_of(mask) is None


def test_preprocessing_gives_labels_that_came_first_no_second_scan(model):
    session = session_of(model)
    mask = labels(model)
    t2 = scan(model, T2)
    scan(model, T2, history=({"step": "n4"},))
    assert session.scan_of(mask) is t2


def test_a_guess_that_was_drawn_on_holds(model):
    session = session_of(model)
    mask = labels(model)
    t1 = scan(model, T1)
    mask.paint((1, 2, 2), 3)
    scan(model, T2)
    assert session.scan_of(mask) is t1


def test_new_labels_are_drawn_on_the_scan_that_is_chosen(model):
    session = session_of(model)
    t1 = scan(model, T1)
    scan(model, T2)
    model.layers.selection.active = t1
    mask = model.add_labels(np.zeros(SHAPE, int))
    assert session.scan_of(mask) is t1
    # An empty file was drawn on nobody knows what.
    empty = labels(model)
    empty.data[:] = 0
    assert session.scan_of(empty) is None


def test_renaming_layers_changes_nothing(model):
    session = session_of(model)
    t1, t2 = scan(model, T1), scan(model, T2)
    mask = labels(model, "/p/t2_seg.mha")
    t1.name, t2.name, mask.name = "t2", "t1", "t1_seg"
    scan(model, "/p/stir.mha")
    assert session.scan_of(mask) is t2


def test_another_window_and_a_copy_of_the_layer_know_what_a_person_said(model):
    session, other = session_of(model), ViewerModel()
    scan(model, T1)
    session.say_scan(mask := labels(model), scan(model, T2))
    scans = {path: scan(other, path) for path in (T1, T2)}
    copy = other.add_layer(type(mask)(mask.data, metadata=dict(mask.metadata)))
    assert session_of(other).scan_of(copy) is scans[T2]


def test_two_windows_do_not_disturb_each_other(model):
    other = ViewerModel()
    mask = labels(model)
    t2, t1 = scan(model, T2), scan(other, T1)
    other.layers.append(mask)
    assert session_of(model).scan_of(mask) is t2 and session_of(other).scan_of(mask) is t1


STEPS = st.lists(
    st.sampled_from(["open t1", "open t2", "close t1", "close t2", "choose t1", "choose t2"]), max_size=9
)


@settings(deadline=None, max_examples=60)
@given(before=STEPS, after=STEPS, drawn=st.booleans())
def test_labels_never_go_from_one_scan_to_another(before, after, drawn):
    """Whatever happens to scans: what is known once is true or not known, and never another scan."""
    model = ViewerModel()
    session = session_of(model)

    def do(step: str) -> None:
        verb, name = step.split()
        there = [s for s in session.scans() if s.metadata["spineseg"]["name"] == name]
        if verb == "open" and not there:
            scan(model, f"/p/{name}.mha")
        elif verb == "close" and there:
            model.layers.remove(there[0])
        elif verb == "choose" and there:
            model.layers.selection.active = there[0]

    for step in before:
        do(step)
    mask = labels(model)
    if drawn:
        mask.paint((1, 2, 2), 3)
    seen = [session.scan_name_of(mask)]
    for step in after:
        do(step)
        of = session.scan_of(mask)
        seen.append(session.scan_name_of(mask))
        assert of is None or of.name == seen[-1]
    assert len(set(seen) - {""}) <= 1
