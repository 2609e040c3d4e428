import os

import pytest

from napari_spineseg.files import write_whole


@pytest.mark.parametrize(
    "content", [b"new \xc3\xa4", "new ä", lambda path: path.write_bytes(b"new \xc3\xa4")]
)
def test_a_file_is_replaced_by_bytes_text_or_what_a_function_writes(tmp_path, content):
    file = tmp_path / "file"
    file.write_text("old")
    write_whole(file, content)
    assert file.read_bytes() == b"new \xc3\xa4"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")

    def half(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_whole(file, half)
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_the_file_is_flushed_before_it_gets_its_name(tmp_path, monkeypatch):
    said, replace, fsync = [], os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (said.append("flushed"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *paths: (said.append("named"), replace(*paths)))
    write_whole(tmp_path / "file", b"")
    assert said[:2] == ["flushed", "named"]


def test_others_may_read_what_replaces_an_ordinary_file(tmp_path):
    (tmp_path / "plain").touch()
    write_whole(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_name_of_the_greatest_length_can_be_written(tmp_path):
    file = tmp_path / ("n" * 255)
    write_whole(file, b"x")
    assert file.read_bytes() == b"x"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_nothing_takes_the_place_of_a_pipe_or_device(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="A device, pipe or socket is there"):
        write_whole(pipe, b"new")
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]
