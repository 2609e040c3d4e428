"""Scan and Segmentation <-> napari layers.

A layer shows the sagittal view (slices, height, width) with a scale in mm and no rotation:
napari drops rotations out of the plane. The file's own grid stays in `metadata["spineseg"]`, and
what is brought back from a layer is on that grid, voxel for voxel, whatever was painted meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from napari_spineseg.errors import ScanError
from napari_spineseg.grid import Grid
from napari_spineseg.io.labels import guess_scheme, whole_numbers
from napari_spineseg.io.volume import Volume, check_affine
from napari_spineseg.io.voxels import settle
from napari_spineseg.scan import Scan, Segmentation

if TYPE_CHECKING:
    from napari.layers import Image, Labels

METADATA_KEY = "spineseg"
"""Where a layer's metadata keeps what SpineSeg knows about it."""

LayerTuple = tuple[np.ndarray, dict[str, Any], str]

# Shown grey: numbers outside the scheme, which a person may have painted by mistake.
_STRAY_COLOUR = "#999999"


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
    numbers = sorted({*_usual(segmentation.scheme), *segmentation.found()})
    names = names_of([0, *numbers], segmentation.scheme, segmentation.numbering)
    options["features"] = {"index": list(names), "name": list(names.values())}
    options["colormap"] = _colormap(numbers, segmentation.scheme)
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


@dataclass
class LayerView:
    """What a layer, or the (data, meta) of one, says about its voxels.

    Attributes
    ----------
    data
        (slices, height, width); a single slice and leading axes of length 1 are brought to that.
    scale, translate
        mm along the axes of `data`.
    """

    data: np.ndarray
    scale: np.ndarray
    translate: np.ndarray
    name: str
    known: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, layer: Any) -> LayerView:
        """From a napari layer."""
        options = {"scale": layer.scale, "translate": layer.translate, "units": layer.units}
        options |= {"metadata": layer.metadata, "name": layer.name, "rgb": getattr(layer, "rgb", False)}
        return cls.from_tuple(layer.data[0] if getattr(layer, "multiscale", False) else layer.data, options)

    @classmethod
    def from_tuple(cls, data: Any, options: Mapping[str, Any]) -> LayerView:
        """From what napari hands to a writer.

        Raises
        ------
        ScanError
            If it is no single grey-scale volume.
        """
        name = str(options.get("name") or "layer")
        if options.get("rgb"):
            raise ScanError(f"{name}: is in colour; choose a grey-scale layer.")
        array = np.asarray(data)
        if array.dtype == object or array.dtype.kind not in "biuf":
            raise ScanError(f"{name}: holds {array.dtype} values, not grey values or labels.")
        axes = array.ndim
        while array.ndim > 3 and array.shape[0] == 1:
            array = array[0]
        if array.ndim == 2:
            array = array[None]
        if array.ndim != 3 or 0 in array.shape:
            raise ScanError(
                f"{name}: has {axes} axes where one volume has three; split it into volumes first."
            )
        to_mm = _to_mm(options.get("units"), axes)
        scale = _last_three(options.get("scale"), axes, 1.0) * to_mm
        translate = _last_three(options.get("translate"), axes, 0.0) * to_mm
        known = (options.get("metadata") or {}).get(METADATA_KEY)
        return cls(array, scale, translate, name, known if isinstance(known, Mapping) else {})

    def grid(self) -> tuple[Grid, list[str]]:
        """The file's own grid, and what to say if it had to be made up.

        Where a person gave the layer another scale, its spacing follows.

        Raises
        ------
        ScanError
            If the layer has an impossible scale.
        """
        own = _own_grid(self.known)
        if own is not None:
            turn = own.to_orientation()
            if turn.grid.shape == self.data.shape:
                return _with_spacing(own, self.scale), []
        slices, rows, columns = self.scale
        affine = np.array([[slices, 0, 0, 0], [0, 0, -columns, 0], [0, -rows, 0, 0], [0, 0, 0, 1.0]])
        affine[:3, 3] = self.translate[0], -self.translate[2], -self.translate[1]
        check_affine(Path(self.name), affine)
        changed = "was cropped or resampled" if own is not None else "does not come from a medical file"
        sizes = " x ".join(f"{v:g}" for v in self.scale)
        return Grid(self.data.shape, affine), [
            f"The layer {self.name} {changed}: its own spacing of {sizes} mm and sagittal axes are used."
        ]


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
    if scan is not None and not view.known and scan.sagittal().shape == view.data.shape:
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


def _usual(scheme: Scheme) -> list[int]:
    """Numbers a person may paint with: all of them have a name and a colour from the start."""
    if scheme == "structures":
        return [1, 2, 3, 4]
    discs = range(FIRST_DISC_LABEL, FIRST_DISC_LABEL + 25)
    return [*range(1, 26), 100, *discs, *range(FIRST_TUMOUR_LABEL, FIRST_TUMOUR_LABEL + 10)]


def _colormap(numbers: Sequence[int], scheme: Scheme) -> Any:
    from napari.utils.colormaps import DirectLabelColormap

    colours: dict[int | None, str] = {number: colour_of(number, scheme) for number in numbers}
    return DirectLabelColormap(color_dict={None: _STRAY_COLOUR, 0: "transparent", **colours})


def _contrast(shown: np.ndarray) -> tuple[float, float]:
    """Limits that a few very bright voxels (vessels, artefacts) do not set."""
    part = shown[:, ::4, ::4] if shown[0].size > 4096 else shown
    low, high = np.percentile(part, (0.5, 99.7))
    return float(low), float(high)


def _own_grid(known: Mapping[str, Any]) -> Grid | None:
    """The file's own grid if metadata hold a sound one. Metadata are anybody's to change."""
    try:
        affine = np.asarray(known["affine"], float)
        shape = tuple(int(n) for n in known["shape"])
        if affine.shape == (4, 4) and len(shape) == 3:
            check_affine(Path("layer"), affine)
            return Grid(shape, affine)
    except (KeyError, TypeError, ValueError, ScanError):
        return None
    return None


def _with_spacing(own: Grid, scale: np.ndarray) -> Grid:
    """`own` with the spacing of the layer, if a person changed that; same place for voxel 0."""
    shown = own.to_orientation()
    ratio = scale / np.asarray(shown.grid.spacing)
    if np.allclose(ratio, 1, rtol=1e-4) or not (np.isfinite(ratio).all() and ratio.min() > 0):
        return own
    affine = own.affine.copy()
    affine[:3, :3] *= ratio[shown.turn[:, 0].astype(int)]
    return Grid(own.shape, affine)


def _last_three(values: Any, axes: int, missing: float) -> np.ndarray:
    """The last three of a layer's per-axis values; a 2D layer has no slice axis."""
    given = np.atleast_1d(np.asarray(values if values is not None else [missing] * axes, float))
    return np.concatenate([np.full(3, 1.0 if missing else 0.0), given])[-3:]


def _to_mm(units: Any, axes: int) -> np.ndarray:
    """mm in a layer's unit along each of the last three axes; pixels count as mm."""
    import pint

    if units is None:
        return np.ones(3)
    units = [units] * axes if isinstance(units, str | pint.Unit) else list(units)
    factors = []
    for unit in units:
        try:
            factors.append(float(pint.get_application_registry().Quantity(1, str(unit)).to("mm").magnitude))
        except (pint.DimensionalityError, pint.UndefinedUnitError):
            factors.append(1.0)
    return np.asarray(([1.0] * 3 + factors)[-3:])


def _numbering(value: Any) -> Numbering:
    if isinstance(value, Numbering):
        return value
    if isinstance(value, Mapping):
        return Numbering(int(value.get("lumbar", 5)), int(value.get("thoracic", 12)))
    return Numbering()
