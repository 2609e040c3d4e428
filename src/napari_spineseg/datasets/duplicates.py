"""Scans that are in a dataset twice, and patients that are on both sides of a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from napari_spineseg.datasets.cases import Case
from napari_spineseg.datasets.findings import Finding

_SIZE = (6, 24, 24)
# Scans of different people correlate less than this at the size above; copies in another format more.
_ALIKE = 0.995


def signature(volume: np.ndarray) -> np.ndarray:
    """(n,) float32: a volume in the sagittal view, shrunken to one small size, mean 0 and length 1."""
    for axis, size in enumerate(_SIZE):
        edges = np.linspace(0, volume.shape[axis], size + 1).astype(int)[:-1]
        edges = np.minimum(edges, volume.shape[axis] - 1)
        ends = np.append(edges[1:], volume.shape[axis])
        counts = np.maximum(ends - edges, 1).reshape([-1 if a == axis else 1 for a in range(3)])
        volume = np.add.reduceat(volume, edges, axis, dtype=np.float64) / counts
    values = volume.ravel() - volume.mean()
    length = np.linalg.norm(values)
    return (values / length if length else values).astype(np.float32)


def duplicated_scans(cases: Sequence[Case], signatures: Mapping[str, np.ndarray]) -> Iterator[Finding]:
    """Pairs of scans that look the same; an error where they are in different splits or patients."""
    known = [case for case in cases if key_of(case) in signatures]
    if len(known) < 2:
        return
    table = np.stack([signatures[key_of(case)] for case in known])
    alike = np.triu(table @ table.T > _ALIKE, 1)
    for first, second in zip(*np.nonzero(alike), strict=True):
        a, b = known[first], known[second]
        if a.patient == b.patient and a.split == b.split and a.name != b.name and not _same_kind(a, b):
            continue  # a T1 and a T2 of one visit may look alike when they are small
        across = a.split != b.split
        where = f" in {b.split or 'another split'}" if across else ""
        yield Finding(
            a.name,
            "duplicates",
            "error" if across or a.patient != b.patient else "warning",
            f"The same scan as {b.name}{where}.",
        )


def _same_kind(a: Case, b: Case) -> bool:
    return a.sequence.lower() == b.sequence.lower()


def patients_across_splits(cases: Sequence[Case]) -> Iterator[Finding]:
    """Patients with scans in more than one split: what is learnt there is not what is measured."""
    splits: dict[str, dict[str, list[Case]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        if case.split:
            splits[case.patient][case.split].append(case)
    for patient, parts in splits.items():
        if len(parts) > 1:
            first = next(iter(parts.values()))[0]
            yield Finding(
                first.name,
                "duplicates",
                "error",
                f"Patient {patient} is in {' and in '.join(sorted(parts))}.",
            )


def key_of(case: Case) -> str:
    """What tells a case from all others of a dataset."""
    return f"{case.split}/{case.name}/{case.labels}"
