"""Grey values that a mask of the PNG release should not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from napari_spineseg.datasets.findings import Finding
from napari_spineseg.datasets.png_release import GREY_OF, SliceFile

_KNOWN = (0, *GREY_OF.values())


def stray_greys(case: str, slices: Sequence[SliceFile]) -> Iterator[Finding]:
    """Masks with other greys than 0, 29, 76 and 150: interpolated where they should not have been."""
    strays: dict[int, int] = {}
    worst, most = 0, 0
    for index, item in enumerate(slices):
        grey = np.asarray(Image.open(item.mask).convert("L"))
        values, counts = np.unique(grey[~np.isin(grey, _KNOWN)], return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            strays[value] = strays.get(value, 0) + count
        if counts.sum() > most:
            worst, most = index, int(counts.sum())
    if strays:
        some = ", ".join(map(str, sorted(strays)[:6]))
        size = Image.open(slices[worst].mask).size
        yield Finding(
            case,
            "stray labels",
            "error",
            f"{sum(strays.values())} pixels of the masks have greys that stand for nothing ({some}).",
            place=(worst, size[1] // 2, size[0] // 2),
            labels=tuple(sorted(strays)),
        )
