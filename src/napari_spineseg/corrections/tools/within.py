"""Restricting a tool to one slice."""

from __future__ import annotations

from napari_spineseg.grid import Box


def restrict(box: Box | None, plane: tuple[int, int] | None) -> Box | None:
    """The part of `box` on slice `plane` = (axis, index); None if there is none."""
    if box is None or plane is None:
        return box
    axis, index = plane
    if not box[axis].start <= index < box[axis].stop:
        return None
    return tuple(slice(index, index + 1) if n == axis else span for n, span in enumerate(box))
