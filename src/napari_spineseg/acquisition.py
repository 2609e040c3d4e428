"""What the geometry of a scan says, before any network looks at it, on whether it can be segmented well."""

from __future__ import annotations

from napari_spineseg.errors import ScanError
from napari_spineseg.grid import Grid

# Of slices along the axes of the sagittal view: across, down and back.
_PLANE_OF_AXIS = ("sagittal", "axial", "coronal")
# Slices this much further apart than pixels, and at least so far, were acquired in their plane.
_THICK, _THICK_MM = 1.5, 1.5
# A vertebra with a disc is higher than this, and deeper with its canal; mm.
_LEAST_MM = 40.0
# Wider than any scanner's bore, and longer than a person; mm.
_WIDEST_MM, _LONGEST_MM = 700.0, 2300.0
# No field of view is this long: the spacing must be wrong, and the network's grid would be without end.
_ENDLESS_MM = 3000.0
_INSTEAD = "segment the sagittal series of this examination instead."


def plane_of(grid: Grid) -> str:
    """The plane that the slices were acquired in: "sagittal", "axial", "coronal"; "" if nothing tells.

    It is the one of a single slice, else the one across the thickest axis; voxels about as long as wide, or
    thin ones, could come from any.

    >>> import numpy as np
    >>> [plane_of(Grid((20, 30, 40), np.diag([*mm, 1]))) for mm in ((4, 1, 1), (0.5, 0.5, 4), (1, 1, 1))]
    ['sagittal', 'axial', '']
    """
    seen = grid.to_orientation().grid
    alone = [axis for axis, count in enumerate(seen.shape) if count == 1]
    if alone:
        return _PLANE_OF_AXIS[alone[0]] if len(alone) == 1 else ""
    spacing = seen.spacing
    thickest = max(range(3), key=lambda axis: spacing[axis])
    in_plane = max(mm for axis, mm in enumerate(spacing) if axis != thickest)
    return _PLANE_OF_AXIS[thickest] if spacing[thickest] >= max(_THICK * in_plane, _THICK_MM) else ""


def doubt_about(grid: Grid) -> str:
    """One sentence on why a scan of this geometry will not segment well and what to do; "" if nothing tells.

    Isotropic volumes, and single sagittal slices, can be segmented.
    """
    plane, shown = plane_of(grid), grid.to_orientation().grid
    if plane in ("axial", "coronal"):
        if 1 in shown.shape:
            return (
                f"The scan is one {plane} slice, but the model reads sagittal ones: it will hardly find "
                f"anything; {_INSTEAD}"
            )
        apart = f"{max(shown.spacing):.1f} mm apart"
        return (
            f"The scan has {plane} slices {apart}, but the model reads sagittal ones: "
            f"borders will be coarse and structures may be missed; {_INSTEAD}"
        )
    across, down, back = (n * mm for n, mm in zip(shown.shape, shown.spacing, strict=True))
    if min(down, back) < _LEAST_MM:
        return (
            f"The scan covers {down:.0f} mm from head to foot and {back:.0f} mm from front to back, less "
            "than a vertebra with its disc and canal: take one of the whole lumbar spine, or correct the "
            "spacing in the file."
        )
    if max(across, back) > _WIDEST_MM or down > _LONGEST_MM:
        return (
            f"By its spacing the scan is {across:.0f} × {down:.0f} × {back:.0f} mm (across, head to foot, "
            "front to back), more than fits a scanner: correct the spacing in the file, or structures will "
            "be missed."
        )
    return ""


def refuse_endless(grid: Grid, name: str) -> None:
    """Refuse a grid that by its spacing is longer than anything that is scanned.

    Raises
    ------
    ScanError
        If it is; `name` is what the scan is called.
    """
    longest = max(n * mm for n, mm in zip(grid.shape, grid.spacing, strict=True))
    if longest > _ENDLESS_MM:
        raise ScanError(
            f"{name}: by its spacing this scan is {longest / 1000:.1f} m long, which cannot be; "
            "correct the spacing in the file (it is read as millimetres)."
        )
