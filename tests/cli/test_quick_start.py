"""Start-up without what is never used, in a process of its own as the command is."""

import subprocess
import sys

import pytest

from napari_spineseg.cli import quick_start
from napari_spineseg.sample_data import T2, sample_path


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )


def test_what_nobody_uses_is_not_imported_and_can_be_later():
    found = python(
        "import sys; from napari_spineseg.cli.quick_start import leave_out_unused; leave_out_unused();"
        "import nibabel; print('pydicom' in sys.modules, 'requests' in sys.modules);"
        "import pydicom; print(pydicom.dcmread.__name__)"
    )
    assert found.stdout.split() == ["False", "False", "dcmread"]


def test_torch_computes_as_before_without_its_meta_registrations():
    code = (
        "import sys, torch; torch.manual_seed(0); x = torch.rand(1, 3, 16, 16);"
        "net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 2), torch.nn.ConvTranspose2d(4, 2, 2, 2));"
        "print(float(torch.nn.functional.interpolate(net(x), scale_factor=1.5, mode='bilinear').sum()));"
        "print(len(dir(sys.modules['torch._meta_registrations'])) > 50)"
    )
    first = python(code).stdout.split()
    left_out = "from napari_spineseg.cli.quick_start import leave_out_unused; leave_out_unused();"
    second = python(left_out + code).stdout.split()
    assert first[0] == second[0]
    assert (first[1], second[1]) == ("True", "False")


@pytest.mark.parametrize("name", ["pydicom", "torch._meta_registrations", "json"])
def test_what_is_asked_for_by_anybody_else_is_there(name):
    assert quick_start._LeftOut().find_spec(name, None) is None


def test_it_is_hooked_in_once(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = len(sys.meta_path)
    quick_start.leave_out_unused()
    quick_start.leave_out_unused()
    assert len(sys.meta_path) == before + 1


def test_only_a_command_that_trains_nothing_leaves_modules_out():
    code = (
        "import sys; sys.argv = ['spineseg', *{words}]\n"
        "from napari_spineseg.cli import main, quick_start\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(any(isinstance(f, quick_start._LeftOut) for f in sys.meta_path))"
    )
    for words, expected in ((["segment", "--help"], "True"), (["learn", "--help"], "False"), ([], "False")):
        assert python(code.format(words=words)).stdout.split()[-1] == expected


COMMANDS = {
    "segment": ["segment", "{scan}", "-o", "{out}", "--uncertainty"],
    "segment for tumours": ["segment", "{scan}", "-o", "{out}", "--model", "tumour"],
    "batch": ["batch", "{scan}", "-o", "{out}"],
    "measure": ["measure", "{labels}", "--scan", "{scan}", "-o", "{out}"],
    "evaluate": ["evaluate", "{labels}", "{labels}"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_what_is_left_out_is_not_missed_in_a_whole_call(words, tmp_path):
    scan = sample_path(T2)
    labels = scan.with_name(scan.name.replace(".nii", "_labels.nii"))
    places = {"scan": scan, "labels": labels, "out": tmp_path / "out"}
    words = [word.format(**places) for word in words]
    done = python(
        f"import sys; sys.argv = ['spineseg', *{words}]; from napari_spineseg.cli import main; main()"
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert done.stdout or list((tmp_path / "out").iterdir())
