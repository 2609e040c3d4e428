from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_spineseg.errors import ScanError
from napari_spineseg.io import guard, read_scan

ENDINGS = ["a.nii", "a.nii.gz", "a.mha", "a.mhd", "a.nrrd", "a.dcm", "a.tif", "a"]


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("linked", [False, True])
def test_pipes_sockets_and_devices_are_refused_unopened(tmp_path, name, linked):
    path, target = tmp_path / name, tmp_path / "t"
    pipe = target if linked else path
    os.mkfifo(pipe)
    if linked:
        path.symlink_to(target)
    with pytest.raises(ScanError, match=f"{name}: is a pipe"):
        read_scan(path)
    pipe.unlink()
    plug = socket.socket(socket.AF_UNIX)
    plug.bind(str(pipe))
    with pytest.raises(ScanError, match=f"{name}: is a socket"):
        read_scan(path)
    plug.close()
    pipe.unlink()
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")
    with pytest.raises(ScanError, match=f"{name}: is a device"):
        read_scan(path)


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 5000, b"<html>" * 100, b"\x1f\x8b"])
def test_nonsense_is_refused_in_one_sentence(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    said = str(caught.value)
    assert said.startswith(f"{name}: ") and said.endswith(".") and "\n" not in said


def test_what_is_not_there(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path / "no.nii", tmp_path / "loop", tmp_path / ("x" * 300), Path("nul\0.nii")):
        with pytest.raises(ScanError, match="cannot be opened"):
            read_scan(path)


def test_a_name_cannot_break_the_line(tmp_path):
    path = tmp_path / "a\nb\x1b[31m.nii"
    path.write_bytes(b"x" * 400)
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    assert str(caught.value).isprintable()
    assert guard.shown(os.fsdecode(b"\xff.nii")).isascii()


def packed(tmp_path, spoil) -> Path:
    values = np.random.default_rng(0).integers(0, 99, (20, 30, 40)).astype(np.int16)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(spoil(gzip.compress(nib.Nifti1Image(values, np.eye(4)).to_bytes())))
    return path


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


SPOILS = {
    "as it is": lambda c: c,
    "padded with zeros": lambda c: c + bytes(512),
    "two members": lambda c: (
        gzip.compress(gzip.decompress(c)[:700]) + gzip.compress(gzip.decompress(c)[700:])
    ),
    "empty second member": lambda c: c + gzip.compress(b""),
    "cut in half": lambda c: c[: len(c) // 2],
    "last byte gone": lambda c: c[:-1],
    "checksum gone": lambda c: c[:-8],
    "bad checksum": lambda c: flipped(c, len(c) - 6),
    "bad length": lambda c: flipped(c, len(c) - 2),
    "bad data": lambda c: flipped(c, len(c) // 2),
    "garbage behind": lambda c: c + b"garbage",
    "one byte behind": lambda c: c + b"g",
    "garbage behind zeros": lambda c: c + bytes(40) + b"g",
    "half a member behind": lambda c: c + gzip.compress(b"abc")[:12],
    "reserved flag": lambda c: c[:3] + b"\xe0" + c[4:],
    "unknown method": lambda c: c[:2] + b"\x07" + c[3:],
    "bad header checksum": lambda c: c[:3] + b"\x02" + c[4:10] + b"\0\0" + c[10:],
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS.keys())
def test_gzip_agrees_with_gzip_t(tmp_path, spoil):
    path = packed(tmp_path, spoil)
    sound = subprocess.run(["gzip", "-t", path], capture_output=True).returncode == 0
    if sound:
        assert read_scan(path).voxels.shape == (20, 30, 40)
    else:
        with pytest.raises(ScanError, match=r"a.nii.gz: .*gzip"):
            read_scan(path)


def bomb(path: Path, head: bytes, megabytes: int) -> Path:
    engine = zlib.compressobj(1, wbits=31)
    block = bytes(1 << 20)
    with path.open("wb") as file:
        file.write(engine.compress(head))
        for _ in range(megabytes):
            file.write(engine.compress(block))
        file.write(engine.flush())
    return path


def test_gzip_bomb_behind_the_voxels_is_refused(tmp_path):
    head = nib.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4)).to_bytes()
    with pytest.raises(ScanError, match="far more data"):
        read_scan(bomb(tmp_path / "bomb.nii.gz", head, 66))


def test_a_false_claim_costs_no_memory(tmp_path):
    """A header of 250 MB over a few bytes is refused without the process growing."""
    picture = nib.Nifti1Image(np.ones((4, 5, 6), np.int16), np.eye(4))
    content = bytearray(picture.to_bytes())
    content[42:48] = np.array([500, 500, 500], "<i2").tobytes()
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(bytes(content)))
    code = (
        "import resource, sys; from pathlib import Path; from napari_spineseg.io import read_scan\n"
        "from napari_spineseg.errors import ScanError\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "try: read_scan(Path(sys.argv[1]))\n"
        "except ScanError as error: print(peak() - before, error)\n"
    )
    # A process of its own: the peak of this one was set by other tests.
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=120)
    grown, _, said = done.stdout.partition(" ")
    assert "cut short" in said and int(grown) < 50_000  # kilobytes


def test_sparse_giants_are_refused_unread(tmp_path):
    for name in ("a.nii", "a.mha", "a.tif", "a.dcm"):
        path = tmp_path / name
        with path.open("wb") as file:
            file.truncate(6 * 2**30)
        with pytest.raises(ScanError, match=r"6\.0 GB"):
            read_scan(path)


def test_unreadable_file(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = tmp_path / "a.nii"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(ScanError, match="permissions"):
        read_scan(path)


def test_nothing_is_printed(tmp_path):
    """Damage and warnings in every format leave both streams empty."""
    (tmp_path / "a.nii").write_bytes(nib.Nifti1Image(np.ones((3, 4, 5), "f4"), np.eye(4)).to_bytes()[:-9])
    (tmp_path / "a.mha").write_bytes(
        b"ObjectType = Image\nNDims = 3\nDimSize = 1 2\nElementDataFile = LOCAL\n"
    )
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\ntype: short\ndimension: 3\n\n")
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff" + bytes(50))
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + b"\x08\0\x05\0CS\xff\xff" + bytes(90))
    code = (
        "import sys; from pathlib import Path; from napari_spineseg.io import read_scan\n"
        "from napari_spineseg.errors import ScanError\n"
        "for name in sys.argv[1:]:\n"
        "    try: read_scan(Path(name))\n"
        "    except ScanError: continue\n"
        "    sys.exit(name)\n"
    )
    names = [str(p) for p in sorted(tmp_path.iterdir())]
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
