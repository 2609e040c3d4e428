"""Corrections in the layouts that other programs train and archive from.

Every export goes into a new or empty folder, on the scans' own grids. Excluded scans stay out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from napari_spineseg import __version__, io
from napari_spineseg.anatomy import Structure
from napari_spineseg.corrections.entry import Entry, structures_of
from napari_spineseg.errors import OutputError, StoreError
from napari_spineseg.progress import Control
from napari_spineseg.scan import Segmentation

Layout = Literal["folders", "nnunet", "bids"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

_NNUNET_FOLDER = "Dataset001_SpineSeg"
_BIDS_VERSION = "1.9.0"
# BIDS knows no name for a sequence that nobody knows, and asks for one.
_BIDS_SUFFIXES, _BIDS_UNKNOWN = {"T1": "T1w", "T2": "T2w", "STIR": "T2w"}, "T2w"
# nnU-Net asks for numbers without a gap, so tumours take part only where there are some.
_NNUNET_LABELS = {"background": 0, "vertebra": 1, "disc": 2, "canal": 3}


def export(
    entries: Sequence[Entry], folder: Path, layout: Layout = "folders", control: Control | None = None
) -> list[Path]:
    """Write the latest version of each entry, with its scan. Returns the label files.

    Parameters
    ----------
    folder
        New, or empty.
    layout
        `folders`: images/ and labels/, names alike. `nnunet`: nnU-Net's raw layout with structures as
        labels. `bids`: scans as a BIDS dataset and labels as derivatives of it.

    Raises
    ------
    OutputError
        If the folder holds something, or cannot be written to.
    StoreError
        If nothing was corrected yet, or a version is damaged.
    """
    chosen = _exported(entries)
    if not chosen:
        raise StoreError("There is no corrected scan to export.")
    folder, control = Path(folder), control or Control()
    _make_empty(folder)
    write = {"folders": _to_folders, "nnunet": _to_nnunet, "bids": _to_bids}[layout]
    names, out = _names(chosen), []
    try:
        for number, entry in enumerate(chosen):
            control.step("Exporting", number, len(chosen))
            out.append(write(entry, names[number], folder))
        _FINISH[layout](folder, chosen)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}).") from error
    control.step("Exporting", len(chosen), len(chosen))
    return out


def doubts(entries: Sequence[Entry], layout: Layout) -> list[str]:
    """What `export` writes without ground, a sentence a scan."""
    if layout != "bids":
        return []
    return [
        f"{entry.name}: its sequence is not known; BIDS asks for one, so its file is called {_BIDS_UNKNOWN}."
        for entry in _exported(entries)
        if entry.identity.sequence not in _BIDS_SUFFIXES
    ]


def _exported(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.latest is not None and entry.state != "excluded"]


def _to_folders(entry: Entry, name: str, folder: Path) -> Path:
    shutil.copyfile(entry.scan_path, _in(folder / "images", f"{name}.nii.gz"))
    target = _in(folder / "labels", f"{name}.nii.gz")
    io.write_segmentation(entry.latest.load(), target)
    return target


def _to_nnunet(entry: Entry, name: str, folder: Path) -> Path:
    dataset = folder / _NNUNET_FOLDER
    shutil.copyfile(entry.scan_path, _in(dataset / "imagesTr", f"{name}_0000.nii.gz"))
    labels = entry.latest.load()
    target = _in(dataset / "labelsTr", f"{name}.nii.gz")
    plain = Segmentation(structures_of(labels), labels.affine, name, "structures")
    io.write_segmentation(plain, target)
    return target


def _finish_nnunet(folder: Path, entries: Sequence[Entry]) -> None:
    dataset, labels = folder / _NNUNET_FOLDER, dict(_NNUNET_LABELS)
    if any((structures_of(entry.latest.load()) == Structure.TUMOUR).any() for entry in entries):
        labels["tumour"] = int(Structure.TUMOUR)
    _json(
        {
            "channel_names": {"0": "MRI"},
            "labels": labels,
            "numTraining": len(entries),
            "file_ending": ".nii.gz",
            "name": "SpineSeg corrections",
        },
        dataset / "dataset.json",
    )


def _to_bids(entry: Entry, name: str, folder: Path) -> Path:
    subject = f"sub-{re.sub('[^A-Za-z0-9]', '', name)}"
    suffix = _BIDS_SUFFIXES.get(entry.identity.sequence, _BIDS_UNKNOWN)
    shutil.copyfile(entry.scan_path, _in(folder / subject / "anat", f"{subject}_{suffix}.nii.gz"))
    stem = f"{subject}_space-orig_desc-corrected_dseg"
    target = _in(folder / "derivatives" / "spineseg" / subject / "anat", f"{stem}.nii.gz")
    labels, version = entry.latest.load(), entry.latest
    io.write_segmentation(labels, target)
    rows = ["index\tname", *(f"{number}\t{name}" for number, name in labels.names().items())]
    target.with_name(f"{stem}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    sources = [f"bids::{subject}/anat/{subject}_{suffix}.nii.gz"]
    said = {"Manual": True, "Sources": sources, "Version": version.number, "Model": dict(version.model)}
    _json(said, target.with_name(f"{stem}.json"))
    return target


def _finish_bids(folder: Path, entries: Sequence[Entry]) -> None:
    _json(
        {"Name": "SpineSeg corrections", "BIDSVersion": _BIDS_VERSION, "DatasetType": "raw"},
        folder / "dataset_description.json",
    )
    _json(
        {
            "Name": "SpineSeg corrected segmentations",
            "BIDSVersion": _BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "SpineSeg", "Version": __version__}],
        },
        folder / "derivatives" / "spineseg" / "dataset_description.json",
    )
    (folder / "README").write_text(
        "Scans and their corrected segmentations, exported from a SpineSeg corrections store.\n"
    )


_FINISH: dict[str, Callable[[Path, Sequence[Entry]], None]] = {
    "folders": lambda folder, entries: None,
    "nnunet": _finish_nnunet,
    "bids": _finish_bids,
}


def _names(entries: Sequence[Entry]) -> list[str]:
    """Names of the scans, told apart by their id where two are called alike (in BIDS too)."""
    plain = [re.sub(r"[^A-Za-z0-9_-]+", "-", entry.name).strip("-") or "scan" for entry in entries]
    keys = [re.sub("[^a-z0-9]", "", name.lower()) for name in plain]
    return [
        name if keys.count(key) == 1 else f"{name}-{entry.identity.sha256[:8]}"
        for name, key, entry in zip(plain, keys, entries, strict=True)
    ]


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(os.scandir(folder)):
            raise OutputError(f"{folder}: holds something already; name a new folder.")
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"{folder} is not a folder; choose another name.") from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error}).") from error


def _in(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def _json(content: dict, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
