"""What a step is: settings, what it reads off a scan, and what it does to it.

Reading (`measure`) is apart from changing (`change`): what was measured goes into the scan's
history, so that a step can be done again to the bit, undone, and its geometry inverted, without
the reference scan or the model that it asked the first time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from napari_spineseg.errors import SettingsError
from napari_spineseg.grid import Grid
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation

Measured = Mapping[str, Any]
"""What a step read off a scan. JSON-able."""


def _no_other_scans(reference: str) -> Scan:
    raise SettingsError(f"The reference {reference!r} cannot be opened here.")


def _no_model(scan: Scan, control: Control) -> np.ndarray:
    raise SettingsError("Cropping to the spine needs a model, and none is at hand here.")


@dataclass(frozen=True)
class Tools:
    """What steps may ask of the rooms above this one, which they do not know.

    Attributes
    ----------
    open_scan
        The scan that a `reference` setting names: a path, or a layer.
    find_spine
        (scan, control) -> (i, j, k) array on the scan's grid, not zero where the spine is.
    """

    open_scan: Callable[[str], Scan] = _no_other_scans
    find_spine: Callable[[Scan, Control], np.ndarray] = _no_model


NO_TOOLS = Tools()
"""For recipes whose steps need no other scan and no model."""


class Step(BaseModel):
    """One change of a scan. A subclass is its settings; `step` is its name in files and commands.

    Attributes
    ----------
    title, help
        For lists and tooltips.
    slicewise
        Whether a sagittal slice of the result depends on that slice and on what was measured alone.
    quick
        Whether it takes well under 200 ms on a clinical scan, slice by slice.
    same_units
        Whether grey values of the result mean what they meant before, so that both can be shown alike.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: ClassVar[str]
    help: ClassVar[str]
    slicewise: ClassVar[bool] = False
    quick: ClassVar[bool] = True
    same_units: ClassVar[bool] = True

    step: str

    def __call__(self, scan: Scan, tools: Tools = NO_TOOLS, control: Control = Control()) -> Scan:
        """Measure, change, and write it down in the history.

        Raises
        ------
        SettingsError
            If the settings do not fit this scan.
        Stopped
            If `control` said so; `scan` is as it was.
        """
        return self.again(scan, self.measure(scan, tools, control), control)

    def again(self, scan: Scan, measured: Measured, control: Control = Control()) -> Scan:
        """Change `scan` with what was measured before, and write it down in the history."""
        changed = self.change(scan, measured, control)
        entry = {"step": self.step, "settings": self.settings(), "measured": dict(measured)}
        return changed.with_voxels(changed.voxels, history=(*scan.history, entry))

    def measure(self, scan: Scan, tools: Tools, control: Control) -> Measured:
        """What has to be known of the scan before it is changed. JSON-able."""
        return {}

    @abstractmethod
    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """The changed scan; `scan` itself stays as it is."""

    def settings(self) -> dict[str, Any]:
        """The settings, JSON-able, without the name."""
        return self.model_dump(mode="json", exclude={"step"})


class GeometricStep(Step):
    """A step that puts a scan on another grid. It only has to say which.

    Every one of them can be undone for a segmentation: see `pipeline.bring_back`.
    """

    slicewise: ClassVar[bool] = False

    @abstractmethod
    def target(self, scan: Scan, tools: Tools, control: Control) -> Target:
        """The grid to go to."""

    def measure(self, scan: Scan, tools: Tools, control: Control) -> Measured:
        """Both grids, and how world positions move between them."""
        target = self.target(scan, tools, control)
        return {
            "from": grid_to_json(scan.grid),
            "to": grid_to_json(target.grid),
            "moved": None if target.moved is None else np.asarray(target.moved, float).tolist(),
            "warnings": list(target.warnings),
        }

    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """Resample onto the target grid; exact where voxels only change place."""
        from napari_spineseg.preprocessing.regrid import regrid

        grid = grid_from_json(measured["to"])
        voxels = regrid(scan.voxels, scan.grid, grid, moved_of(measured), self.kernel(), control)
        warnings = (*scan.warnings, *measured.get("warnings", ()))
        return scan.with_voxels(voxels, affine=grid.affine, warnings=warnings)

    def kernel(self) -> str:
        """How values between voxels are found."""
        return "linear"

    def carry(
        self, segmentation: Segmentation, measured: Measured, control: Control = Control()
    ) -> Segmentation:
        """Labels of the scan before this step, on the grid after it."""
        from napari_spineseg.preprocessing.regrid_labels import regrid_labels

        grid = grid_from_json(measured["to"])
        moved = moved_of(measured)
        labels = regrid_labels(segmentation.labels, segmentation.grid, grid, moved, control)
        return with_labels(segmentation, labels, grid)

    def bring_back(
        self, segmentation: Segmentation, measured: Measured, control: Control = Control()
    ) -> Segmentation:
        """Labels of the scan after this step, on the grid before it."""
        from napari_spineseg.preprocessing.regrid_labels import regrid_labels

        grid = grid_from_json(measured["from"])
        moved = moved_of(measured)
        back = None if moved is None else np.linalg.inv(moved)
        labels = regrid_labels(segmentation.labels, segmentation.grid, grid, back, control)
        return with_labels(segmentation, labels, grid)


@dataclass(frozen=True, eq=False)
class Target:
    """Where a geometric step goes.

    Attributes
    ----------
    grid
        The grid of the result.
    moved
        (4, 4) RAS mm: where a point of the scan is afterwards; None where it stays (all but `align`).
    """

    grid: Grid
    moved: np.ndarray | None = None
    warnings: tuple[str, ...] = ()


def grid_to_json(grid: Grid) -> dict[str, Any]:
    """A grid as the history keeps it; `grid_from_json` gives the same to the last bit."""
    return {"shape": [int(n) for n in grid.shape], "affine": np.asarray(grid.affine, float).tolist()}


def grid_from_json(content: Mapping[str, Any]) -> Grid:
    """The grid that `grid_to_json` wrote."""
    return Grid(tuple(content["shape"]), np.array(content["affine"], float))


def moved_of(measured: Measured) -> np.ndarray | None:
    """How world positions moved in a geometric step."""
    return None if measured.get("moved") is None else np.array(measured["moved"], float)


def with_labels(segmentation: Segmentation, labels: np.ndarray, grid: Grid) -> Segmentation:
    """The same segmentation with other labels on another grid."""
    return Segmentation(
        labels,
        grid.affine,
        segmentation.name,
        segmentation.scheme,
        segmentation.numbering,
        segmentation.provenance,
        segmentation.warnings,
    )
