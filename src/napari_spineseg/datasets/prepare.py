"""From SPIDER, in any of its forms, to the prepared volumes that training reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.datasets.cases import SPLITS, patient_of
from napari_spineseg.datasets.png_release import (
    PIXEL_MM,
    SLICE_MM,
    consecutive_runs,
    find_slices,
    read_slice,
)
from napari_spineseg.datasets.prepared import PreparedVolume, resized, resized_labels, windowed
from napari_spineseg.errors import DatasetError
from napari_spineseg.io import read_scan, read_segmentation, stem_of
from napari_spineseg.progress import Control
from napari_spineseg.scan import Segmentation
from napari_spineseg.synthesis.tissues import paint_tissues

SPACING_MM = 0.5
# Finer volumes are thinned to about this, so that a slice has a neighbour at every distance drawn.
_THINNEST_MM = 2.0


def prepare_release(folder: Path, out: Path, control: Control = Control()) -> list[Path]:
    """Prepare the PNG release: one volume for each run of neighbouring slices."""
    runs = consecutive_runs(find_slices(folder))
    written = []
    for done, run in enumerate(runs):
        images, masks = zip(*(read_slice(item) for item in run), strict=True)
        size = tuple(round(n * PIXEL_MM / SPACING_MM) for n in images[0].shape)
        volume = PreparedVolume(
            name=f"{run[0].patient}_{run[0].sequence}_{run[0].index}",
            patient=run[0].patient.lstrip("0"),
            kind="image",
            values=windowed(resized(np.stack(images), size)),
            structures=resized_labels(np.stack(masks), size, range(4)),
            slice_mm=SLICE_MM,
            spacing_mm=SPACING_MM,
        )
        written.append(volume.save(out))
        control.step("Preparing slices", done + 1, len(runs))
    return written


def prepare_masks(masks: list[Path], out: Path, seed: int, control: Control = Control()) -> list[Path]:
    """Prepare label volumes without images: a painted tissue map each, see `synthesis.tissues`."""
    written = []
    for done, path in enumerate(masks):
        written.append(_prepare_mask(path, seed + done).save(out))
        control.step("Painting tissues", done + 1, len(masks))
    return written


def _prepare_mask(path: Path, seed: int) -> PreparedVolume:
    segmentation = read_segmentation(path)
    levels, (slice_mm, *in_plane) = _sagittal(segmentation)
    step = max(1, round(_THINNEST_MM / slice_mm))
    levels = levels[::step]
    size = tuple(round(n * mm / SPACING_MM) for n, mm in zip(levels.shape[1:], in_plane, strict=True))
    fine = resized_labels(levels, size, np.unique(levels))
    tissues = paint_tissues(fine, (slice_mm * step, SPACING_MM, SPACING_MM), seed)
    return PreparedVolume(
        name=f"{stem_of(path).removesuffix('_mask')}_tissues_{seed}",
        patient=stem_of(path).split("_")[0].lstrip("0"),
        kind="tissues",
        values=tissues,
        structures=levels_to_structures(fine),
        slice_mm=slice_mm * step,
        spacing_mm=SPACING_MM,
    )


def prepare_scans(folder: Path, out: Path, control: Control = Control()) -> list[Path]:
    """Prepare a folder of `<id>_image.*` with `<id>_levels.*` or `<id>_labels.*` beside them.

    Folders in it that are splits (`train`, `val` or `test`) are prepared into folders of these names.

    Raises
    ------
    DatasetError
        If there are no such scans, or one has no labels.
    """
    splits = sorted(p for p in folder.iterdir() if p.is_dir() and p.name.lower() in SPLITS)
    written = []
    for split in splits:
        place = out / SPLITS[split.name.lower()]
        place.mkdir(parents=True, exist_ok=True)
        prepare = prepare_release if (split / "images").is_dir() else prepare_scans
        written += prepare(split, place, control)
    images = sorted(p for p in folder.iterdir() if "_image." in p.name)
    if not images and not splits:
        raise DatasetError(
            f"{folder} holds no scans to prepare: expected files such as 5_image.nii.gz beside "
            "5_levels.nii.gz, images/ and masks/ of the PNG release, or folders train and val of either."
        )
    for done, image in enumerate(images):
        stem = image.name.split("_image.")[0]
        labels = next((p for kind in ("levels", "labels") for p in folder.glob(f"{stem}_{kind}.*")), None)
        if labels is None:
            raise DatasetError(f"{image} has no {stem}_levels.* or {stem}_labels.* beside it.")
        scan, segmentation = read_scan(image), read_segmentation(labels)
        turn = scan.grid.to_orientation()
        slice_mm, *in_plane = turn.grid.spacing
        values = turn.apply(scan.voxels)
        size = tuple(round(n * mm / SPACING_MM) for n, mm in zip(values.shape[1:], in_plane, strict=True))
        structures = _structures(segmentation)
        volume = PreparedVolume(
            name=stem,
            patient=patient_of(stem),
            kind="image",
            values=windowed(resized(windowed(values), size)),
            structures=resized_labels(structures, size, range(4)),
            slice_mm=slice_mm,
            spacing_mm=SPACING_MM,
        )
        written.append(volume.save(out))
        control.step("Preparing scans", done + 1, len(images))
    return written


def _sagittal(segmentation: Segmentation) -> tuple[np.ndarray, tuple[float, float, float]]:
    turn = segmentation.grid.to_orientation()
    return np.ascontiguousarray(turn.apply(segmentation.labels)).astype(np.uint16), turn.grid.spacing


def _structures(segmentation: Segmentation) -> np.ndarray:
    labels, _ = _sagittal(segmentation)
    return labels.astype(np.uint8) if segmentation.scheme == "structures" else levels_to_structures(labels)
