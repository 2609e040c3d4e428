"""What a napari layer, or the tuple that stands for one, says about its voxels and where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_spineseg.errors import ScanError
from napari_spineseg.grid import Grid
from napari_spineseg.io.volume import check_affine

METADATA_KEY = "spineseg"
"""Where a layer's metadata keeps what SpineSeg knows about it."""


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
                f"{name}: has {axes} axes where one volume has three; right-click the layer, choose Split "
                "Stack, and take one of the volumes."
            )
        to_mm = _to_mm(options.get("units"), axes)
        scale = _last_three(options.get("scale"), axes, 1.0) * to_mm
        translate = _last_three(options.get("translate"), axes, 0.0) * to_mm
        known = (options.get("metadata") or {}).get(METADATA_KEY)
        return cls(array, scale, translate, name, known if isinstance(known, Mapping) else {})

    @property
    def own_grid(self) -> Grid | None:
        """The file's own grid; None where the layer knows none that its voxels lie on."""
        own = _own_grid(self.known)
        return own if own is not None and own.to_orientation().grid.shape == self.data.shape else None

    def grid(self) -> tuple[Grid, list[str]]:
        """The file's own grid, and what to say if it had to be made up.

        Where a person gave the layer another scale, its spacing follows.

        Raises
        ------
        ScanError
            If the layer has an impossible scale.
        """
        if (own := self.own_grid) is not None:
            return _with_spacing(own, self.scale), []
        slices, rows, columns = self.scale
        affine = np.array([[slices, 0, 0, 0], [0, 0, -columns, 0], [0, -rows, 0, 0], [0, 0, 0, 1.0]])
        affine[:3, 3] = self.translate[0], -self.translate[2], -self.translate[1]
        check_affine(Path(self.name), affine)
        cut = _own_grid(self.known) is not None
        changed = "was cropped or resampled" if cut else "does not come from a medical file"
        sizes = " x ".join(f"{v:g}" for v in self.scale)
        return Grid(self.data.shape, affine), [
            f"The layer {self.name} {changed}: its own spacing of {sizes} mm and sagittal axes are used."
        ]


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
