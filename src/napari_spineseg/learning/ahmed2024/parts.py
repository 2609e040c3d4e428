"""Which slices train, which choose the checkpoint, and which are tested: the two protocols.

`slices` is the paper's: slices, not patients, are split at random, nine to one, and the test part
also chooses the checkpoint. Nearly every test slice then has a neighbour, 0.9 mm away, among those
that were learnt from. `patients` is the honest one: nobody is on two sides, and what is tested has
chosen nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.errors import DatasetError
from napari_spineseg.learning.ahmed2024.settings import Protocol
from napari_spineseg.learning.ahmed2024.slices import SliceSet

TEST_SHARE = 0.1
"""Share of the slices that is tested, in the paper and, of patients, without splits in the data."""

_CHOOSE_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Parts:
    """Indices into a `SliceSet`: what trains, what chooses, what is tested (in random order)."""

    train: np.ndarray
    choose: np.ndarray
    test: np.ndarray


def split(slices: SliceSet, protocol: Protocol, fold: int, folds: int, seed: int) -> Parts:
    """The parts of one fold.

    One fold tests a tenth, drawn at random. Of several, each tests another part: of the slices, a
    tenth each (at most ten folds); of the patients, one in `folds`. Where patients come with a
    split and there is one fold, that split is kept: val and test are tested.

    Raises
    ------
    DatasetError
        If there are too few slices or patients.
    """
    if protocol == "slices":
        return _by_slices(len(slices), fold, folds, seed)
    return _by_patients(slices, fold, folds, seed)


def _by_slices(count: int, fold: int, folds: int, seed: int) -> Parts:
    size = round(count * TEST_SHARE)
    if size < 1 or folds * size > count:
        raise DatasetError(f"{count} slices are too few for {folds} folds.")
    order = np.random.default_rng(seed).permutation(count)
    # In drawn order, as the paper stacked them: its ASD depends on it.
    test = order[fold * size : (fold + 1) * size]
    return Parts(np.setdiff1d(order, test), test, test)


def _by_patients(slices: SliceSet, fold: int, folds: int, seed: int) -> Parts:
    of_slice = slices.patients
    patients = np.unique(of_slice)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(patients)
    given = np.unique(of_slice[np.isin(slices.splits, ("val", "test"))])
    if folds > 1:
        tested = shuffled[fold::folds]
    elif 0 < len(given) < len(patients):
        tested = given
    else:
        tested = shuffled[: max(1, round(len(patients) * TEST_SHARE))]
    rest = shuffled[~np.isin(shuffled, tested)]
    choosing = rest[: max(1, round(len(rest) * _CHOOSE_SHARE))]
    training = rest[len(choosing) :]
    if not len(training) or not len(tested):
        raise DatasetError(
            f"{len(patients)} patients are too few for {folds} folds: some have to train and choose."
        )
    train, choose, test = (np.flatnonzero(np.isin(of_slice, who)) for who in (training, choosing, tested))
    # Shuffled for the stacked figures alone: slices in their order are a volume, not the paper's pile.
    return Parts(train, choose, rng.permutation(test))


def with_neighbour(slices: SliceSet, parts: Parts) -> int:
    """How many test slices have the slice before or after them, of the same scan, in training."""
    seen = {(slices.stack[i], int(slices.numbers[i])) for i in parts.train}
    numbers = slices.numbers
    return sum(any((slices.stack[i], int(numbers[i]) + step) in seen for step in (-1, 1)) for i in parts.test)


def rows_of_step(train: np.ndarray, step: int, batch: int, seed: int) -> list[int]:
    """The slices of a step. Every pass sees each slice of `train` once, in an order of its own."""
    places = step * batch + np.arange(batch)
    passes, within = places // len(train), places % len(train)
    orders = {p: np.random.default_rng((seed, p)).permutation(train) for p in set(passes.tolist())}
    return [int(orders[p][w]) for p, w in zip(passes.tolist(), within, strict=True)]
