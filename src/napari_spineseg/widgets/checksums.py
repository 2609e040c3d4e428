"""Checksums of the files of open scans, read beside the window: a file may be large, or far away."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path

from napari.layers import Image

from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.identity import sha256_of
from napari_spineseg.widgets.known import file_of
from napari_spineseg.widgets.worker import Job


class Checksums:
    """Each file is read once, when somebody first asks for its checksum.

    Parameters
    ----------
    told
        Called in the thread of the window whenever one more is known.
    """

    def __init__(self, told: Callable[[], object]) -> None:
        self._told = told
        self._known: weakref.WeakKeyDictionary[Image, str | None] = weakref.WeakKeyDictionary()

    def of(self, scan: Image) -> str | None:
        """The sha256 of a scan's file; None while it is read, empty where it cannot be."""
        if scan not in self._known:
            self._known[scan] = ""
            if source := file_of(scan):
                self._known[scan] = None
                self._read(weakref.ref(scan), Path(source))
        return self._known[scan]

    def _read(self, scan: weakref.ref[Image], path: Path) -> None:
        job = Job(lambda _: _sha256(path))
        job.returned.connect(lambda sha256: self._on_read(scan(), sha256))
        job.start()

    def _on_read(self, scan: Image | None, sha256: str) -> None:
        if scan is not None:  # it may have been closed meanwhile
            self._known[scan] = sha256
            self._told()


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except (SpineSegError, OSError):
        return ""  # it is not there any more: the scan is known by its name alone
