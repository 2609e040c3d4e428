"""How long a run is, and how long it has taken over all its processes."""

from __future__ import annotations

import json
import time
from pathlib import Path

from napari_spineseg.io.write import put

_FIRST, _EACH, _MOST = 48, 40, 256


def steps_for(scans: int) -> int:
    """Steps that so many scans are trained for at most.

    >>> steps_for(1), steps_for(4), steps_for(100)
    (48, 168, 256)
    """
    return min(_MOST, _FIRST + _EACH * (max(scans, 1) - 1))


class Timetable:
    """Seconds of work on a run, kept in a file between its processes."""

    def __init__(self, path: Path) -> None:
        self._path, self._started = path, time.monotonic()
        try:
            self._before = float(json.loads(path.read_text())["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            self._before = 0.0

    def seconds(self) -> float:
        """Until now."""
        return self._before + time.monotonic() - self._started

    def save(self) -> None:
        """Keep it for the next process."""
        put(self._path, json.dumps({"seconds": self.seconds()}).encode())
