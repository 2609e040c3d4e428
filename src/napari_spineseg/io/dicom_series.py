"""Which images belong together. Two series or two echoes are never stacked into one scan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_spineseg.errors import SeveralScansError
from napari_spineseg.io.dicom_slices import Slice
from napari_spineseg.io.guard import refuse, shown

_SAME_PLACE_MM = 1e-2
# Echo times of one echo may differ by this much: ms, and as a share.
_SAME_ECHO_MS, _SAME_ECHO = 0.5, 0.05


@dataclass
class Series:
    """Images that may be one scan.

    Attributes
    ----------
    key
        What `--series` takes: the series number, with the echo or variant where there are several.
    title
        The key with the description, for messages.
    copies
        Slices that were stored twice and are here once.
    """

    key: str
    title: str
    uid: str
    number: str
    description: str
    slices: list[Slice]
    copies: int


def group(slices: Iterable[Slice]) -> list[Series]:
    """Images by series, then by echo, then by whatever tells images at one place apart."""
    by_series: dict[tuple[str, ...], list[Slice]] = defaultdict(list)
    for one in slices:
        by_series[_series_of(one)].append(one)
    found: list[Series] = []
    numbers: set[str] = set()
    for (uid, *_), members in by_series.items():
        number = members[0].header.text("SeriesNumber") or "0"
        # Two series may share a number, or have none.
        name, copy = number, 2
        while name in numbers:
            name, copy = f"{number}#{copy}", copy + 1
        numbers.add(name)
        found += _parts(name, uid, members)
    return sorted(found, key=lambda s: s.key)


def _series_of(one: Slice) -> tuple[str, ...]:
    """What images of one series have in common.

    The UID would be enough, did those who take patients' names out not blank it, or give one to all.
    """
    uid, number = one.header.text("SeriesInstanceUID"), one.header.text("SeriesNumber")
    if uid:
        return uid, number
    return uid, number, *(one.header.text(name) for name in ("StudyInstanceUID", "SeriesDescription"))


def _parts(name: str, uid: str, members: list[Slice]) -> list[Series]:
    """One series, or its echoes and variants."""
    description = members[0].header.text("SeriesDescription") or members[0].header.text("ProtocolName")
    parts: list[Series] = []
    echoes = _echoes(members)
    for number, same_echo in enumerate(echoes, 1):
        key = f"{name}e{number}" if len(echoes) > 1 else name
        said = f", echo {number}" if len(echoes) > 1 else ""
        time = same_echo[0].times.get("EchoTime")
        said += f" (TE {time:g} ms)" if said and time else ""
        unique = list({(one.uid, _place(one)): one for one in same_echo}.values())
        variants = _variants(unique)
        for index, (kind, images) in enumerate(variants, 1):
            tail = f"v{index}" if len(variants) > 1 else ""
            title = f"{key}{tail} = {description or 'no description'}{said}" + (f", {kind}" if tail else "")
            parts.append(
                Series(key + tail, title, uid, name, description, images, len(same_echo) - len(unique))
            )
    return parts


def _echoes(slices: list[Slice]) -> list[list[Slice]]:
    """Images by echo: by its number where there are numbers, and by its time where one number has several."""
    found: list[list[Slice]] = []
    before: Slice | None = None
    for one in sorted(slices, key=lambda one: (one.echo, one.times.get("EchoTime", 0.0))):
        if before is None or one.echo != before.echo or _other_time(before, one):
            found.append([])
        found[-1].append(one)
        before = one
    return found


def _other_time(before: Slice, after: Slice) -> bool:
    """Whether echo times differ by more than rounding does."""
    one, other = (each.times.get("EchoTime", 0.0) for each in (before, after))
    return other - one > max(_SAME_ECHO_MS, _SAME_ECHO * other)


def _variants(slices: list[Slice]) -> list[tuple[str, list[Slice]]]:
    """Images at the same places told apart by an element, if one does it; else all as one."""
    if not _doubled(slices):
        return [("", slices)]
    for index in range(len(slices[0].variant)):
        split: dict[str, list[Slice]] = defaultdict(list)
        for one in slices:
            split[one.variant[index]].append(one)
        if len(split) > 1 and not any(_doubled(part) for part in split.values()):
            return sorted(split.items())
    return [("", slices)]


def _doubled(slices: list[Slice]) -> bool:
    """Whether two images lie at the same place."""
    places = [_place(one) for one in slices if one.placed]
    return len(set(places)) < len(places)


def _place(one: Slice) -> tuple[int, ...]:
    """Where an image lies, in hundredths of a millimetre; nowhere if it does not say."""
    return tuple(int(n) for n in np.round(one.position / _SAME_PLACE_MM)) if one.placed else ()


def choose(path: Path, found: list[Series], wanted: str | None) -> Series:
    """The one series to read.

    Raises
    ------
    ScanError
        If there are several and none was picked, or the pick fits none or several.
    """
    if wanted is not None:
        exact = [s for s in found if wanted == s.key] or [
            s for s in found if wanted in (s.uid, s.description, s.number)
        ]
        if len(exact) == 1:
            return exact[0]
        if not exact:
            refuse(path, f"has no series {wanted}; --series may be {_listed(found)}")
        found = exact
    # Screenshots and reports have no place in the patient; they do not compete with a scan.
    placed = [s for s in found if any(one.placed for one in s.slices)] or found
    if len(placed) > 1:
        raise SeveralScansError(
            shown(path),
            f"{len(placed)} series or echoes",
            f"--series {placed[0].key}",
            f"pick one with --series: {_listed(placed)}",
        )
    return placed[0]


def _listed(found: list[Series]) -> str:
    some = [s.title for s in found[:12]]
    more = f" and {len(found) - 12} more" if len(found) > 12 else ""
    return "; ".join(some) + more
