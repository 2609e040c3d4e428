"""Which scan labels were drawn on: settled once, and never by which scan happens to be chosen."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

from napari.layers import Image, Labels

from napari_spineseg.io.record import DRAWN_ON
from napari_spineseg.widgets.known import KEY, about, same_grid
from napari_spineseg.widgets.naming import (
    description_of,
    key_of,
    may_be_a_namesake,
    named_by,
    only,
    record_names,
)


class _Tie:
    """What is known of one labels layer."""

    def __init__(self) -> None:
        self.scan: weakref.ref[Image] | None = None
        self.key: object = None
        self.name = ""
        self.said = False
        """Somebody or something said so, or it was drawn on: no scan that is opened later changes that."""
        self.early = False
        """The labels were there first, or are only called so: a guess, until another scan fits, too."""
        self.several = False
        """Several scans fitted: that all but one were closed since says nothing."""

    def bind(self, scan: Image, said: bool) -> None:
        self.scan, self.key, self.name, self.said = weakref.ref(scan), key_of(scan), scan.name, said

    def free(self) -> None:
        self.scan, self.key, self.name, self.several = None, None, "", True

    def drawn(self, event: object = None) -> None:
        """What was drawn on was taken for the labels of this scan."""
        self.said = self.scan is not None


class Belonging:
    """The scan of every segmentation in a window."""

    def __init__(self) -> None:
        self._ties: weakref.WeakKeyDictionary[Labels, _Tie] = weakref.WeakKeyDictionary()

    def say(self, labels: Labels, scan: Image) -> None:
        """`labels` were made from `scan`, or a person says so: from now on and for good."""
        self._tie(labels).bind(scan, said=True)
        if about(labels):
            # A copy of the layer, or another window that shows it, knows it too.
            labels.metadata[KEY] = {**about(labels), DRAWN_ON: description_of(scan)}

    def scan_of(self, labels: Labels, scans: Sequence[Image], chosen: Image | None = None) -> Image | None:
        """The scan among the open `scans` that `labels` were drawn on; None where it is closed or not known.

        In this order: what was said; what the labels' record says; what their file is called; the only scan
        on their grid. New and empty labels are drawn on the `chosen` scan.
        """
        new = labels not in self._ties
        tie = self._tie(labels)
        if tie.said:
            return _found(tie, scans)
        fitting = [scan for scan in scans if same_grid(scan, labels)]
        if (scan := named_by(labels, fitting)) is not None:
            tie.bind(scan, said=not may_be_a_namesake(labels, scan))
            tie.early = True
        elif record_names(labels):
            if _found(tie, scans) is not None:
                tie.free()  # a second scan of that name has come
        else:
            self._guess(tie, labels, fitting, chosen if new else None, early=not new)
        return _found(tie, scans)

    def named(self, labels: Labels) -> str:
        """What the scan of `labels` is called, open or not; empty where nobody knows."""
        return self._tie(labels).name or record_names(labels)

    def _tie(self, labels: Labels) -> _Tie:
        if labels not in self._ties:
            tie = self._ties[labels] = _Tie()
            labels.events.paint.connect(tie.drawn)
        return self._ties[labels]

    @staticmethod
    def _guess(
        tie: _Tie, labels: Labels, fitting: Sequence[Image], chosen: Image | None, early: bool
    ) -> None:
        """Take the only scan that fits; give a guess up when a second one comes."""
        if chosen in fitting and not _comes_from_a_file(labels) and not labels.data.any():
            tie.bind(chosen, said=True)
        elif tie.key is not None:
            # What was preprocessed here is no other scan.
            rivals = (s for s in fitting if key_of(s) != tie.key and not about(s).get("history"))
            if tie.early and next(rivals, None) is not None:
                tie.free()
        elif not tie.several and (scan := only(fitting)) is not None:
            tie.bind(scan, said=False)
            tie.early = early
        elif fitting:
            tie.several = True


def _found(tie: _Tie, scans: Sequence[Image]) -> Image | None:
    """The scan of a tie among those that are open: itself, else its file that was opened again."""
    scan = tie.scan() if tie.scan is not None else None
    if scan is not None and any(scan is other for other in scans):
        return scan
    again = next((other for other in reversed(scans) if key_of(other) == tie.key), None)
    if again is not None:
        tie.scan = weakref.ref(again)
    return again


def _comes_from_a_file(labels: Labels) -> bool:
    return bool(about(labels).get("source") or labels.source.path)
