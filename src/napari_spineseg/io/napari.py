"""What napari calls: the reader for every format, and writers for images and labels."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_spineseg.errors import ScanError
from napari_spineseg.io.guard import open_file
from napari_spineseg.io.labels import is_label_file, segmentation_of
from napari_spineseg.io.layer_view import METADATA_KEY, LayerView
from napari_spineseg.io.layers import (
    LayerTuple,
    layer_tuple_for_scan,
    layer_tuple_for_segmentation,
    scan_from,
    segmentation_from,
)
from napari_spineseg.io.read import read_only_volume, scan_of
from napari_spineseg.io.record import recalled
from napari_spineseg.io.sniff import looks_like_dicom, recognise
from napari_spineseg.io.write import write_scan, write_segmentation, written_files
from napari_spineseg.scan import Segmentation

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
# A folder of photographs must not be looked through to its end.
_FILES_LOOKED_AT = 40


def get_reader(path: Paths) -> Callable[[Paths], list[LayerTuple]] | None:
    """napari's question whether `path` is for us; None, at once, for what is not.

    Nothing is read beyond the first bytes, and pipes and devices are never opened.
    """
    paths = _as_paths(path)
    return read_layers if paths and all(_is_ours(one) for one in paths) else None


def read_layers(path: Paths) -> list[LayerTuple]:
    """Layers for one path, or for each of several; files dropped together are separate scans.

    Raises
    ------
    ScanError
        In one sentence, which is shown as a notification too: napari's own dialog keeps it to itself.
    """
    from napari.utils.notifications import show_error, show_warning

    layers = []
    for one in _as_paths(path):
        try:
            layer, segmentation = _layer(one)
            layers.append(layer)
        except ScanError as error:
            show_error(str(error))
            raise
        metadata = layer[1]["metadata"]
        for warning in metadata[METADATA_KEY]["warnings"]:
            show_warning(f"{one.name}: {warning}")
        # What a model said of its labels is for the card; nobody has to be stopped for it now.
        if segmentation is not None:
            metadata[METADATA_KEY] = recalled(metadata[METADATA_KEY], one, segmentation)
    return layers


def write_image(path: str, data: Any, options: Mapping[str, Any]) -> list[str]:
    """Write an image layer to `path` on the grid it was read from. Returns the files written."""
    target = Path(path)
    write_scan(scan_from(LayerView.from_tuple(data, options)), target)
    return [str(file) for file in written_files(target)]


def write_labels(path: str, data: Any, options: Mapping[str, Any]) -> list[str]:
    """Write a labels layer to `path` on the grid of its scan. Returns the files written."""
    target = Path(path)
    write_segmentation(segmentation_from(LayerView.from_tuple(data, options)), target)
    return [str(file) for file in written_files(target)]


def _layer(path: Path) -> tuple[LayerTuple, Segmentation | None]:
    """A layer, and the segmentation that it shows if it holds labels."""
    raw = read_only_volume(path)
    if is_label_file(raw, path):
        segmentation = segmentation_of(raw, path)
        return layer_tuple_for_segmentation(segmentation), segmentation
    return layer_tuple_for_scan(scan_of(raw, path)), None


def _as_paths(path: Paths) -> list[Path]:
    return [Path(path)] if isinstance(path, str | os.PathLike) else [Path(one) for one in path]


def _is_ours(path: Path) -> bool:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISDIR(mode):
        return _is_dicom_folder(path)
    # A pipe or an empty file with our ending is ours to refuse in words.
    return recognise(_head(path), path.name) is not None


def _head(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            return file.read(540)
    except ScanError:
        return b""


def _is_dicom_folder(path: Path) -> bool:
    """Whether one of the first files, here or one folder down, is DICOM."""
    looked = 0
    for folder in (path, *_folders(path)):
        for entry in _files(folder):
            looked += 1
            if looks_like_dicom(_head(Path(entry.path))):
                return True
            if looked >= _FILES_LOOKED_AT:
                return False
    return False


def _folders(path: Path) -> list[str]:
    return [e.path for e in _scan(path) if e.is_dir(follow_symlinks=False)][:8]


def _files(path: Path | str) -> list[os.DirEntry[str]]:
    return [e for e in _scan(path) if e.is_file()]


def _scan(path: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda e: e.name)
    except OSError:
        return []
