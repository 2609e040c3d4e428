import json
import os
import subprocess
import sys
import time

import pytest

from napari_spineseg.corrections import files
from napari_spineseg.errors import StoreError


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    def broken(folder):
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left"):
        files.publish(tmp_path / "1", broken)
    assert list(tmp_path.iterdir()) == []
    assert files.publish(tmp_path / "1", lambda folder: (folder / "whole").write_text("a"))
    assert not files.publish(tmp_path / "1", lambda folder: (folder / "whole").write_text("b"))
    assert (tmp_path / "1" / "whole").read_text() == "a"
    assert [p.name for p in tmp_path.iterdir()] == ["1"]


def test_several_processes_never_get_the_same_number(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from napari_spineseg.corrections.files import publish_next\n"
        "for n in range(15):\n"
        "    publish_next(pathlib.Path(sys.argv[1]), "
        "lambda f, k: (f / 'who').write_text(f'{sys.argv[2]} {n}'))"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(n)]) for n in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    found = [(p / "who").read_text() for p in files.numbered(tmp_path)]
    assert sorted(found) == sorted(f"{a} {b}" for a in range(3) for b in range(15))
    assert [int(p.name) for p in files.numbered(tmp_path)] == list(range(1, 46))


def test_old_leftovers_are_swept_and_young_ones_stay(tmp_path):
    for name in (".new-old", ".new-young"):
        (tmp_path / name).mkdir()
    old = time.time() - 2 * 24 * 3600
    os.utime(tmp_path / ".new-old", (old, old))
    files.sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [".new-young"]


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path):
    path = tmp_path / "lines.jsonl"
    files.append_line({"n": 1}, path)
    path.write_bytes(path.read_bytes() + b'{"n": 2')
    files.append_line({"n": 3}, path)
    assert files.read_lines(path) == [{"n": 1}, {"n": 3}]
    assert files.read_lines(tmp_path / "none.jsonl") == []


def test_a_lock_goes_with_its_process(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    code = (
        "import sys, time\nfrom napari_spineseg.corrections.files import hold\n"
        "f = open(sys.argv[1], 'r+b')\nprint(hold(f), flush=True)\ntime.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline().strip() == "True"
    assert files.is_held(path)
    holder.kill()
    holder.wait()
    assert not files.is_held(path)


def test_damaged_json_is_a_store_error(tmp_path):
    path = tmp_path / "about.json"
    for content in ("{", json.dumps([1])):
        path.write_text(content)
        with pytest.raises(StoreError, match=r"about\.json"):
            files.read_json(path)
