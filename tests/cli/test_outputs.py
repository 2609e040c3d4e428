import json
import os
from pathlib import Path

import pytest

from napari_spineseg.cli.outputs import BACK, Outputs, folder_for, make_folder, plan, write_json
from napari_spineseg.errors import OutputError


def stems(*scans, folder="out"):
    return [output.stem for output in plan([Path(s) for s in scans], Path(folder))[0]]


def test_names_follow_the_scan():
    (output,), remarks = plan([Path("a/scan.1.nii.gz")], Path("out"))
    assert output.segmentation == Path("out/scan.1_seg.nii.gz")
    assert output.record == Path("out/scan.1_seg.json")
    assert output.beside == Path("out/scan.1_uncertainty.nii.gz")
    assert remarks == []


def test_scans_of_one_name_are_numbered_in_order():
    assert stems("a/x.nii", "b/x.nii.gz", "c/x.mha") == ["x", "x_2", "x_3"]
    _, remarks = plan([Path("a/x.nii"), Path("b/x.mha")], Path("out"))
    assert remarks == ["b/x.mha: another scan of this call has this name too; results go to x_2_seg."]


def test_numbers_pass_names_that_are_taken():
    assert stems("a/x.nii", "b/x.nii", "x_2.nii", "X.nii") == ["x", "x_3", "x_2", "X_4"]


def test_a_scan_named_twice_is_one_scan(tmp_path):
    (tmp_path / "x.nii").write_bytes(b"")
    (tmp_path / "link.nii").symlink_to(tmp_path / "x.nii")
    outputs, remarks = plan([tmp_path / "x.nii", tmp_path / "." / "x.nii", tmp_path / "link.nii"], tmp_path)
    assert len(outputs) == 1
    assert len(remarks) == 2
    assert "named twice" in remarks[0]


@pytest.mark.parametrize("name", [".", "..", "/", "a/..", "./"])
def test_no_name_leads_out_of_the_folder(name, tmp_path, monkeypatch):
    (tmp_path / "here" / "a").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    (output,), _ = plan([Path(name)], tmp_path / "out")
    for path in (output.segmentation, output.record, output.beside):
        assert Path(os.path.normpath(path)).parent == tmp_path / "out"
        assert not path.name.startswith(".")


def test_a_result_never_takes_the_place_of_a_scan(tmp_path):
    with pytest.raises(OutputError, match="is a scan of this call"):
        plan([tmp_path / "x.nii", tmp_path / "x_seg.nii.gz"], tmp_path)


def test_nor_that_of_another_file_of_the_call(tmp_path):
    with pytest.raises(OutputError, match=r"x_back\.json is a file of this call"):
        plan([tmp_path / "x.nii"], tmp_path, BACK, [tmp_path / "x_back.json"])


def test_results_arrive_together(tmp_path):
    output = Outputs(Path("x.nii"), tmp_path, "x")
    assert output.existing() is None
    with output.being_written() as staged:
        staged.segmentation.write_text("labels")
        write_json({"a": float("nan")}, staged.record)
        assert output.existing() is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x_seg.json", "x_seg.nii.gz"]
    assert json.loads(output.record.read_text()) == {"a": None}
    assert output.existing() == output.segmentation


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_leaves_nothing(tmp_path, error):
    output = Outputs(Path("x.nii"), tmp_path, "x")
    with pytest.raises(error), output.being_written() as staged:
        staged.segmentation.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_replacing_a_link_leaves_what_it_led_to(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    folder = tmp_path / "out"
    folder.mkdir()
    output = Outputs(Path("x.nii"), folder, "x")
    output.segmentation.symlink_to(elsewhere)
    assert output.existing() == output.segmentation
    with output.being_written() as staged:
        staged.segmentation.write_text("labels")
        staged.record.write_text("{}")
    assert elsewhere.read_text() == "kept"
    assert output.segmentation.read_text() == "labels"


def test_a_record_says_whether_it_is_of_this_scan(tmp_path):
    output = Outputs(tmp_path / "x.nii", tmp_path, "x")
    assert output.made_from_another() is None
    write_json({"input": {"path": tmp_path / "x.nii"}}, output.record)
    assert output.made_from_another() is None
    write_json({"input": {"path": "/elsewhere/x.nii"}}, output.record)
    assert output.made_from_another() == "another scan, /elsewhere/x.nii"
    write_json({"input": {"path": tmp_path / "x.nii", "series": "3"}}, output.record)
    assert output.made_from_another({"series": "3"}) is None
    assert output.made_from_another({"series": "4"}) == "another series of it, 3"
    output.record.write_text("not json")
    assert output.made_from_another() is None


def test_folders_are_made_and_files_are_not_folders(tmp_path):
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    for bad in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="is not a folder"):
            make_folder(bad)
    assert (tmp_path / "file").read_text() == ""


def test_a_folder_that_nothing_came_into_is_not_left(tmp_path):
    with folder_for(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert not (tmp_path / "a").exists()
    (tmp_path / "own").mkdir()
    with pytest.raises(OutputError), folder_for(tmp_path / "own" / "new"):
        raise OutputError("stopped")
    with folder_for(tmp_path / "own"):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "own"] and not list((tmp_path / "own").iterdir())
    with folder_for(tmp_path / "c" / "d"):
        (tmp_path / "c" / "d" / "result").write_text("")
    assert (tmp_path / "c" / "d" / "result").exists()


def test_nor_are_those_on_the_way_to_one_that_cannot_be_made(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match="Permission denied"), folder_for(tmp_path / "a" / "b"):
        raise AssertionError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with (
        pytest.raises(OutputError, match="Permission denied"),
        Outputs(Path("x"), tmp_path, "x").being_written(),
    ):
        raise AssertionError


def test_the_remark_on_a_name_is_part_of_what_the_record_warns_of():
    (first, second), _ = plan([Path("a/x.nii"), Path("b/x.mha")], Path("out"))
    remark = "another scan of this call has this name too; results go to x_2_seg."
    assert (first.warnings("dark"), second.warnings("dark", "dark")) == (["dark"], [remark, "dark"])
