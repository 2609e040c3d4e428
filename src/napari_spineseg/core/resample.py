"""From the network's grid back to the scan's: probabilities of one slice at a time.

Probabilities are interpolated linearly and only then compared, so that borders fall between
pixels where they should. Only the rows and columns that hold foreground are touched; the scan is
never held as one float volume a class.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Window:
    """A rectangle of a slice: rows top..bottom and columns left..right, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.bottom <= self.top or self.right <= self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """For indexing an (h, w) array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def shape(self) -> tuple[int, int]:
        """Its height and width."""
        return self.bottom - self.top, self.right - self.left

    def moved(self, rows: int, columns: int) -> Window:
        """The same window, so many rows further down and columns further right."""
        return Window(self.top + rows, self.bottom + rows, self.left + columns, self.right + columns)

    def union(self, other: Window) -> Window:
        """The smallest window around both."""
        if self.empty or other.empty:
            return other if self.empty else self
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def grown(self, rows: int, columns: int, height: int, width: int) -> Window:
        """Wider by so many rows and columns on each side, within a (height, width) slice."""
        return Window(
            max(0, self.top - rows),
            min(height, self.bottom + rows),
            max(0, self.left - columns),
            min(width, self.right + columns),
        )

    def aligned(self, stride: int) -> Window:
        """The smallest window around it whose borders are multiples of `stride`."""
        return Window(
            self.top // stride * stride,
            -(-self.bottom // stride) * stride,
            self.left // stride * stride,
            -(-self.right // stride) * stride,
        )

    def scaled(self, size: tuple[int, int], to: tuple[int, int]) -> Window:
        """The window on a grid of `to` pixels that covers this one on a grid of `size` pixels."""
        rows, columns = to[0] / size[0], to[1] / size[1]
        return Window(
            int(self.top * rows),
            min(to[0], -int(-self.bottom * rows // 1)),
            int(self.left * columns),
            min(to[1], -int(-self.right * columns // 1)),
        )


def window_of(mask: torch.Tensor) -> Window:
    """The smallest window around the true pixels of an (h, w) mask."""
    rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
    if not len(rows):
        return Window(0, 0, 0, 0)
    return Window(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def interpolate_window(
    image: torch.Tensor,
    origin: tuple[int, int],
    source: tuple[int, int],
    target: tuple[int, int],
    window: Window,
) -> torch.Tensor:
    """Linear interpolation of part of a slice on a grid of another size over the same field of view.

    Equal to the `window` of `interpolate(..., size=target, mode="bilinear", align_corners=False)`
    of the whole slice, where `image` has the pixels that this needs; beyond, its rim is repeated.

    Parameters
    ----------
    image
        (channels, h, w): the part of the source slice that begins at `origin`.
    source, target
        (height, width) of the whole slice before and after.
    window
        Which part of the target is wanted.

    Returns
    -------
    (channels, window height, window width)
    """
    spans = ((window.top, window.bottom), (window.left, window.right))
    for axis, (first, last) in enumerate(spans):
        image = _interpolate_axis(image, axis + 1, origin[axis], source[axis], target[axis], first, last)
    return image


def _interpolate_axis(
    image: torch.Tensor, axis: int, origin: int, source: int, target: int, first: int, last: int
) -> torch.Tensor:
    if source == target:
        return image.narrow(axis, first - origin, last - first)
    # Positions are worked out on the processor: in double precision, which not every GPU has.
    at = (torch.arange(first, last, dtype=torch.float64) + 0.5) * (source / target) - 0.5 - origin
    at = at.clamp_(0, image.shape[axis] - 1)
    below = at.floor().long()
    above = (below + 1).clamp_max(image.shape[axis] - 1)
    share = (at - below).to(image.dtype).reshape([-1 if dim == axis else 1 for dim in range(image.ndim)])
    below, above, share = (index.to(image.device) for index in (below, above, share))
    return torch.lerp(image.index_select(axis, below), image.index_select(axis, above), share)
