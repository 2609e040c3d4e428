"""Scan and Segmentation <-> napari layers.

A layer shows the sagittal view (slices, height, width) with a scale in mm and no rotation:
napari drops rotations out of the plane. The file's own grid stays in `metadata["spineseg"]`, and
what is brought back from a layer is on that grid, voxel for voxel, whatever was painted meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_spineseg.anatomy import (
    FIRST_DISC_LABEL,
    FIRST_TUMOUR_LABEL,
    Numbering,
    Scheme,
    colour_of,
    names_of,
)
from napari_spineseg.grid import Grid
from napari_spineseg.io.labels import guess_scheme, whole_numbers
from napari_spineseg.io.layer_view import METADATA_KEY, LayerView
from napari_spineseg.io.volume import Volume
from napari_spineseg.io.voxels import settle
from napari_spineseg.scan import Scan, Segmentation

if TYPE_CHECKING:
    from napari.layers import Image, Labels

LayerTuple = tuple[np.ndarray, dict[str, Any], str]

# Shown grey: numbers outside the scheme, which a person may have painted by mistake.
_STRAY_COLOUR = "#999999"
# Light enough to judge the anatomy below, strong enough to tell neighbours apart.
_LABEL_OPACITY = 0.45


def layer_tuple_for_scan(scan: Scan) -> LayerTuple:
    """What napari needs to show a scan: (slices, height, width), scale in mm, affine in metadata."""
    shown = np.ascontiguousarray(scan.sagittal())
    known = _known("scan", scan.grid, scan.name, scan.source)
    known |= {
        "header": dict(scan.header),
        "sequence": scan.sequence,
        "warnings": tuple(scan.warnings),
        "history": tuple(scan.history),
    }
    options = _placement(scan.name, scan.grid, known)
    low, high = _contrast(shown)
    if low < high:
        options["contrast_limits"] = (low, high)
    return shown, {**options, "colormap": "gray"}, "image"


def layer_tuple_for_segmentation(segmentation: Segmentation) -> LayerTuple:
    """What napari needs to show labels: names in `features`, the colours of `anatomy`.

    The voxels are a copy: painting on the layer leaves `segmentation` as it is.
    """
    turn = segmentation.grid.to_orientation()
    source = segmentation.provenance.get("source")
    known = _known("segmentation", segmentation.grid, segmentation.name, source)
    known |= {
        "scheme": segmentation.scheme,
        "numbering": {
            "lumbar": segmentation.numbering.lumbar,
            "thoracic": segmentation.numbering.thoracic,
        },
        "provenance": dict(segmentation.provenance),
        "warnings": tuple(segmentation.warnings),
    }
    options = _placement(segmentation.name, segmentation.grid, known)
    numbers = sorted({*usual_numbers(segmentation.scheme), *segmentation.found()})
    names = names_of([0, *numbers], segmentation.scheme, segmentation.numbering)
    options["features"] = {"index": list(names), "name": list(names.values())}
    options["colormap"] = colormap_of(numbers, segmentation.scheme)
    options["opacity"] = _LABEL_OPACITY
    return np.array(turn.apply(segmentation.labels), np.uint16, order="C"), options, "labels"


def scan_from_layer(layer: Image) -> Scan:
    """The scan that an image layer shows, on the file's own grid.

    A layer that did not come from SpineSeg is taken as it is shown (slices to the right, rows
    down, columns to the back) at its own scale, with a warning.

    Raises
    ------
    ScanError
        If the layer is no single grey-scale volume.
    """
    return scan_from(LayerView.of(layer))


def segmentation_from_layer(layer: Labels, scan: Scan | None = None) -> Segmentation:
    """The labels of a layer, on the file's own grid; a copy, so that painting may go on.

    Parameters
    ----------
    scan
        The scan the labels were drawn on: gives the grid to a layer that knows none.

    Raises
    ------
    ScanError
        If the layer is no single volume of whole numbers from 0 to 65535.
    """
    return segmentation_from(LayerView.of(layer), scan)


def scan_from(view: LayerView) -> Scan:
    """The scan in a view of a layer. Raises `ScanError` as `scan_from_layer` does."""
    grid, notes = view.grid()
    known = view.known
    voxels = grid.to_orientation().invert(view.data)
    earlier = tuple(w for w in known.get("warnings", ()) if isinstance(w, str))
    settled = settle(Volume(voxels, grid.affine, {}, [*earlier, *notes]), Path(view.name))
    source = known.get("source")
    return Scan(
        settled.voxels,
        settled.affine,
        name=view.name,
        sequence=known.get("sequence", "unknown"),
        source=Path(source) if source else None,
        header=known.get("header", {}),
        warnings=tuple(dict.fromkeys(settled.warnings)),
        history=tuple(known.get("history", ())),
    )


def segmentation_from(view: LayerView, scan: Scan | None = None) -> Segmentation:
    """The labels in a view of a layer. Raises `ScanError` as `segmentation_from_layer` does."""
    if scan is not None and view.own_grid is None and scan.sagittal().shape == view.data.shape:
        grid, notes = scan.grid, []
    else:
        grid, notes = view.grid()
    shown = grid.to_orientation().invert(view.data)
    labels = whole_numbers(Volume(shown, grid.affine), Path(view.name)).copy()
    known = view.known
    scheme: Scheme = known.get("scheme") or guess_scheme(labels, grid.affine, view.name)
    return Segmentation(
        labels,
        grid.affine,
        name=view.name,
        scheme=scheme,
        numbering=_numbering(known.get("numbering")),
        provenance=known.get("provenance", {}),
        warnings=tuple(notes),
    )


def _known(kind: str, grid: Grid, name: str, source: object) -> dict[str, Any]:
    return {
        "kind": kind,
        "affine": np.array(grid.affine, float),
        "shape": tuple(int(n) for n in grid.shape),
        "header": {},
        "name": name,
        "source": str(source) if source else None,
    }


def _placement(name: str, grid: Grid, known: dict[str, Any]) -> dict[str, Any]:
    spacing = grid.to_orientation().grid.spacing
    return {"name": name, "scale": spacing, "units": ("mm",) * 3, "metadata": {METADATA_KEY: known}}


def usual_numbers(scheme: Scheme) -> list[int]:
    """Numbers a person may paint with: all of them have a name and a colour from the start."""
    if scheme == "structures":
        return [1, 2, 3, 4]
    discs = range(FIRST_DISC_LABEL, FIRST_DISC_LABEL + 25)
    return [*range(1, 26), 100, *discs, *range(FIRST_TUMOUR_LABEL, FIRST_TUMOUR_LABEL + 10)]


def colormap_of(numbers: Sequence[int], scheme: Scheme) -> Any:
    """The colours of `anatomy` for `numbers`, as napari wants them; others are grey."""
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, str] = {number: colour_of(number, scheme) for number in numbers}
    return DirectLabelColormap(color_dict={None: _STRAY_COLOUR, 0: "transparent", **colours})


def _contrast(shown: np.ndarray) -> tuple[float, float]:
    """Limits that a few very bright voxels (vessels, artefacts) do not set."""
    part = shown[:, ::4, ::4] if shown[0].size > 4096 else shown
    low, high = np.percentile(part, (0.5, 99.7))
    return float(low), float(high)


def _numbering(value: Any) -> Numbering:
    if isinstance(value, Numbering):
        return value
    if isinstance(value, Mapping):
        return Numbering(int(value.get("lumbar", 5)), int(value.get("thoracic", 12)))
    return Numbering()
