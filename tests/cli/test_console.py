import json
import os
import pty
import re
import select
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from napari_spineseg.cli.console import Console, flat, show
from napari_spineseg.errors import ScanError
from napari_spineseg.io.guard import refuse
from napari_spineseg.progress import Control
from napari_spineseg.strict_json import strict


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\n  c\t d", "a b c d"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("L5–T11 ✓", "L5–T11 ✓"),
        ("a\u2028b", "a b"),
        ("two  spaces", "two  spaces"),
    ],
)
def test_flat_is_one_harmless_line(text, line):
    assert flat(text) == line


def test_a_path_that_is_not_utf8_is_shown():
    assert show(Path(os.fsdecode(b"sp\xffne.nii"))) == "sp\\xffne.nii"


def test_a_path_is_shown_and_recorded_to_the_letter():
    path = Path("my  scans") / "a\nb .nii"
    assert show(path) == "my  scans/a\\nb .nii"
    assert strict(path) == str(path)


@pytest.mark.parametrize("name", ["x.nii.gz", "a\nb.nii", "two  spaces.nii", os.fsdecode(b"sp\xffne.nii")])
@pytest.mark.parametrize("folder", ["", "in"])
def test_a_failure_names_its_scan_once(capfd, name, folder):
    path = Path(folder) / name
    with pytest.raises(ScanError) as refused:
        refuse(path, "is empty")
    Console().fail(path, refused.value)
    assert capfd.readouterr().err == f"error: {show(path)}: is empty.\n"


def test_a_scans_name_without_its_ending_is_not_said_again(capfd):
    Console().fail(Path("in/back.1.nii.gz"), "back.1: is 9 m long.")
    Console().fail(Path("in/back.1.nii.gz"), "Step clip: is wrong.")
    first, second = capfd.readouterr().err.splitlines()
    assert first == "error: in/back.1.nii.gz: is 9 m long."
    assert second == "error: in/back.1.nii.gz: Step clip: is wrong."


def test_strict_json_knows_no_nan():
    content = {
        "a": float("nan"),
        "b": [np.float32("inf"), np.int64(3)],
        "c": Path("x"),
        4: (True, None),
        "s": "\udcff",
    }
    text = json.dumps(strict(content), allow_nan=False)
    assert json.loads(text) == {"a": None, "b": [None, 3], "c": "x", "4": [True, None], "s": "\\udcff"}


def test_results_go_out_and_the_rest_goes_to_stderr(capfd):
    console = Console()
    console.say("done\nnow")
    console.record({"not": "asked for"})
    console.warn("look")
    console.note("by the way")
    console.fail(Path("x.nii"), "is\nempty")
    console.fail(Path("x.nii"), "x.nii: is empty")
    out, err = capfd.readouterr()
    assert out == "done now\n"
    assert err == "warning: look\nby the way\nerror: x.nii: is empty\nerror: x.nii: is empty\n"


def test_json_lines_leave_stdout_to_json(capfd):
    console = Console(json_lines=True)
    console.say("done")
    console.record({"a": 1})
    assert json.loads(capfd.readouterr().out) == {"a": 1}


def test_hushed_swallows_chatter_from_anywhere(capfd):
    console = Console()
    with console.hushed():
        print("python")
        print("python", file=sys.stderr)
        os.write(1, b"c++\n")
        os.write(2, b"c++\n")
        warnings.warn("library", stacklevel=1)
        console.warn("still heard")
    print("after")
    out, err = capfd.readouterr()
    assert (out, err) == ("after\n", "warning: still heard\n")


def test_hushed_lets_errors_through_and_speaks_again(capfd):
    with pytest.raises(ZeroDivisionError), Console().hushed():
        raise ZeroDivisionError
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_hushed_leaves_no_file_open():
    console = Console()
    before = os.dup(1)
    os.close(before)
    for _ in range(5):
        with console.hushed():
            pass
    after = os.dup(1)  # the lowest number that is free
    os.close(after)
    assert before == after


def test_no_bar_where_there_is_no_terminal(capfd):
    with Console().bar("scan") as control:
        assert isinstance(control, Control)
        control.step("Segmenting", 1, 2)
    assert capfd.readouterr() == ("", "")


def test_a_bar_on_a_terminal():
    """On a pseudo-terminal the stage is shown while it runs."""
    main, side = pty.openpty()
    console = Console()
    console._err = os.fdopen(side, "w")
    with console.bar("scan.nii") as control:
        control.step("Segmenting", 1, 2)
    console._err.flush()
    # The terminal hands over what was written in pieces.
    shown = ""
    while "Segmenting" not in shown and select.select([main], [], [], 5)[0]:
        shown += os.read(main, 65536).decode()
    assert "scan.nii" in shown
    assert "Segmenting" in shown


def test_a_warning_is_said_once_and_keeps_clear_of_the_bar():
    main, side = pty.openpty()
    console = Console()
    console._err = os.fdopen(side, "w")
    with console.bar("scan.nii", "scan.nii: ") as control:
        control.step("Reading", 1, 2)
        control.warn("It is axial.")
    console.warn_once("scan.nii: It is axial.")
    console.note("end")
    shown = ""
    while "end" not in shown and select.select([main], [], [], 5)[0]:
        shown += os.read(main, 65536).decode()
    assert shown.count("It is axial.") == 1
    assert re.search(r"(^|[\n\r]|\x1b\[[0-9;?]*[A-Za-z])warning: scan\.nii: It is axial\.\r?\n", shown)
