import os

import numpy as np
import pytest

from napari_spineseg.corrections.autosave import Autosave
from napari_spineseg.corrections.journal import (
    Journal,
    count_unsaved,
    discard,
    left_behind,
    new_journal,
    read_journal,
)
from napari_spineseg.errors import StoreError


@pytest.fixture
def labels(column):
    return column.copy()


def edited(labels, rng):
    """A random box with a random label."""
    corner = [rng.integers(0, size - 3) for size in labels.shape]
    size = rng.integers(1, 12, 3)
    labels[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = rng.integers(0, 300)


def test_what_was_drawn_comes_back(tmp_path, labels):
    rng = np.random.default_rng(0)
    journal = new_journal(tmp_path, labels, {"name": "scan", "affine": [[1.0]]})
    autosave = Autosave(labels, journal)
    for n in range(10):
        edited(labels, rng)
        assert autosave.look(numbering={"lumbar": 5 + n % 2}) > 0
    assert autosave.look() == 0
    journal.leave()
    found = read_journal(journal.path)
    assert np.array_equal(found.labels, labels)
    assert found.changes == found.unsaved == 10
    assert found.about == {"name": "scan", "affine": [[1.0]], "numbering": {"lumbar": 6}}


def test_any_cut_gives_an_earlier_state_back(tmp_path, labels):
    """Wherever a crash ends the file, what is whole before is restored, and nothing else."""
    rng = np.random.default_rng(1)
    journal = Journal(tmp_path / "a.journal", labels, {})
    autosave = Autosave(labels, journal)
    states, sizes = [labels.copy()], [journal.path.stat().st_size]
    for _ in range(5):
        edited(labels, rng)
        autosave.look()
        states.append(labels.copy())
        sizes.append(journal.path.stat().st_size)
    journal.leave()
    whole = journal.path.read_bytes()
    for cut in [*rng.integers(sizes[0], len(whole), 40), *sizes, *(size - 1 for size in sizes[1:])]:
        journal.path.write_bytes(whole[:cut])
        expected = states[max(n for n, size in enumerate(sizes) if size <= cut)]
        assert np.array_equal(read_journal(journal.path).labels, expected)
    journal.path.write_bytes(whole[: sizes[0] - 1])
    with pytest.raises(StoreError, match="nothing that could be restored"):
        read_journal(journal.path)


def test_a_flipped_bit_is_noticed(tmp_path, labels):
    journal = Journal(tmp_path / "a.journal", labels, {})
    start = journal.path.stat().st_size
    before = labels.copy()
    labels[3, 5:9, 5:9] = 9
    journal.write([((slice(3, 4), slice(5, 9), slice(5, 9)), labels[3:4, 5:9, 5:9])])
    journal.leave()
    content = bytearray(journal.path.read_bytes())
    content[start + 40] ^= 1
    journal.path.write_bytes(content)
    assert np.array_equal(read_journal(journal.path).labels, before)


def test_only_what_is_in_no_version_is_left_behind(tmp_path, labels):
    journal = new_journal(tmp_path, labels, {})
    autosave = Autosave(labels, journal)
    assert left_behind(tmp_path) == []  # held by us, and nothing drawn
    labels[0, 0, 0] = 1
    saved, changes = autosave.settle()
    labels[0, 0, 1] = 1  # drawn while the version is being written
    autosave.look()
    journal.mark_version(1, changes)
    assert saved[0, 0, 0] == 1 and saved[0, 0, 1] == 0
    assert count_unsaved(journal.path) == 1
    assert left_behind(tmp_path) == []
    journal.leave()
    assert left_behind(tmp_path) == [journal.path]
    discard(journal.path)
    assert left_behind(tmp_path) == [] and len(list(tmp_path.iterdir())) == 1


def test_a_finished_journal_is_gone(tmp_path, labels):
    journal = new_journal(tmp_path, labels, {})
    journal.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_loses_nothing_that_was_saved(tmp_path, labels, monkeypatch):
    journal = new_journal(tmp_path, labels, {})
    autosave = Autosave(labels, journal)
    labels[0, 0, 0] = 1
    autosave.look()
    labels[1, 1, 1] = 2

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            autosave.look()
    assert read_journal(journal.path).labels[0, 0, 0] == 1
    assert autosave.look() == 1  # tried again, once there is room
    assert np.array_equal(read_journal(journal.path).labels, labels)


def test_what_was_restored_is_unsaved_still(tmp_path, labels):
    """A second crash, before anything new was drawn, must not lose what the first one left."""
    journal = new_journal(tmp_path, labels, {}, carried=3)
    journal.leave()
    assert left_behind(tmp_path) == [journal.path]
    assert read_journal(journal.path).unsaved == count_unsaved(journal.path) == 3
    journal = new_journal(tmp_path, labels, {}, carried=3)
    journal.mark_version(1, journal.changes)
    journal.leave()
    assert count_unsaved(journal.path) == 0
