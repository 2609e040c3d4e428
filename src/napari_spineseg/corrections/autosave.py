"""Finds what changed since the last look and hands it to a journal.

It compares with a copy instead of listening to whoever paints: a stroke, an undo, another plugin or
a script are all found, and a look costs a few tens of milliseconds beside the window, whatever was
done. The labels may change while it looks: what it misses it finds the next time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_spineseg.corrections.journal import Journal
from napari_spineseg.grid import Box

INTERVAL_S = 2.0
"""How often to look. A change is then on disk well within 5 s."""


class Autosave:
    """Watches one array of labels, (slices, rows, columns), and writes to one journal."""

    def __init__(self, labels: np.ndarray, journal: Journal, saved: np.ndarray | None = None) -> None:
        """Watch `labels`. `saved` is what the journal started with, if that is not what they are now."""
        self._journal = journal
        self.labels = labels
        self._saved = labels.copy() if saved is None else saved

    def look(self, **said: Any) -> int:
        """Save what changed. Returns how many voxels did.

        Raises
        ------
        StoreError
            If the disk refuses; the changes are tried again at the next look.
        """
        changes, count = [], 0
        for number, (plane, saved) in enumerate(zip(self.labels, self._saved, strict=True)):
            different = plane != saved
            in_rows = different.any(1)
            if in_rows.any():
                rows, columns = np.flatnonzero(in_rows), np.flatnonzero(different.any(0))
                box: Box = (
                    slice(number, number + 1),
                    slice(int(rows[0]), int(rows[-1]) + 1),
                    slice(int(columns[0]), int(columns[-1]) + 1),
                )
                # A copy: what goes to the journal and what is remembered as saved are the same voxels.
                changes.append((box, self.labels[box].copy()))
                count += int(np.count_nonzero(different))
        if changes:
            self._journal.write(changes, **said)
            for box, part in changes:
                self._saved[box] = part
        return count

    def settle(self, **said: Any) -> tuple[np.ndarray, int]:
        """Save what changed, and return the labels as they are in the journal now, with its changes.

        That, and nothing that is drawn meanwhile, is what a version is made of.
        """
        self.look(**said)
        return self._saved.copy(), self._journal.changes
