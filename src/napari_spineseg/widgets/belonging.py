"""Which scan labels were drawn on: settled once, and never by which scan happens to be chosen."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from napari.layers import Image, Labels

from napari_spineseg.io.record import DRAWN_ON
from napari_spineseg.widgets.known import KEY, about, same_grid
from napari_spineseg.widgets.naming import (
    Sha256Of,
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
        self.known = False
        """It was made from the scan, or its record or name says so: no person has to."""
        self.touched = False
        """It was drawn on: corrections may be kept with the scan."""

    def bind(self, scan: Image, said: bool, known: bool = False) -> None:
        self.scan, self.key, self.name, self.said = weakref.ref(scan), key_of(scan), scan.name, said
        self.known = known

    def free(self) -> None:
        self.scan, self.key, self.name, self.several = None, None, "", True
        self.said = False

    def drawn(self) -> None:
        """What was drawn on was taken for the labels of this scan."""
        self.said, self.touched = self.scan is not None, True


class Belonging:
    """The scan of every segmentation in a window.

    Parameters
    ----------
    sha256_of
        Of a scan's file; None while that is being read, and is to be asked for again.
    """

    def __init__(self, sha256_of: Sha256Of) -> None:
        self._sha256_of = sha256_of
        self._ties: weakref.WeakKeyDictionary[Labels, _Tie] = weakref.WeakKeyDictionary()
        self._before: weakref.WeakKeyDictionary[Labels, object] = weakref.WeakKeyDictionary()
        """What the record of labels said before anybody said more."""

    def say(self, labels: Labels, scan: Image, known: bool = True) -> None:
        """`labels` were made from `scan` (`known`), or a person says so: from now on."""
        self._before.setdefault(labels, about(labels).get(DRAWN_ON))
        self._tie(labels).bind(scan, said=True, known=known)
        if about(labels):
            # A copy of the layer, or another window that shows it, knows it too.
            labels.metadata[KEY] = {**about(labels), DRAWN_ON: description_of(scan)}

    def may_change(self, labels: Labels) -> bool:
        """Whether the scan of `labels` was guessed or said by a person, and nothing is kept with it yet."""
        tie = self._tie(labels)
        return tie.key is not None and not tie.known and not tie.touched

    def unsay(self, labels: Labels) -> None:
        """A person takes back that `labels` were drawn on a scan, or says that it was guessed wrong."""
        self._tie(labels).free()
        if labels in self._before:
            known = {key: value for key, value in about(labels).items() if key != DRAWN_ON}
            before = self._before.pop(labels)
            labels.metadata[KEY] = known if before is None else {**known, DRAWN_ON: before}

    def scan_of(self, labels: Labels, scans: Sequence[Image], chosen: Image | None = None) -> Image | None:
        """The scan among the open `scans` that `labels` were drawn on; None where it is closed or not known.

        In this order: what was said; what the labels' record says; what their file is called; the only scan
        on their grid. New and empty labels are drawn on the `chosen` scan.
        """
        new = labels not in self._ties
        tie = self._tie(labels)
        if tie.said:
            return _found(tie, labels, scans)
        fitting = [scan for scan in scans if same_grid(scan, labels)]
        if (scan := named_by(labels, fitting, self._sha256_of)) is not None:
            tie.bind(scan, said=not may_be_a_namesake(labels, scan), known=True)
            tie.early = True
        elif record_names(labels):
            if _found(tie, labels, scans) is not None:
                tie.free()  # a second scan of that name has come
        else:
            self._guess(tie, labels, fitting, chosen if new else None, early=not new)
        return _found(tie, labels, scans)

    def named(self, labels: Labels) -> str:
        """What the scan of `labels` is called, open or not; empty where nobody knows."""
        return self._tie(labels).name or record_names(labels)

    def _tie(self, labels: Labels) -> _Tie:
        if labels not in self._ties:
            self._ties[labels] = _Tie()
            labels.events.paint.connect(self._on_drawn)
        return self._ties[labels]

    def _on_drawn(self, event: Any) -> None:
        labels = event.source
        tie = self._tie(labels)
        tie.drawn()
        if tie.scan is not None and (scan := tie.scan()) is not None:
            _lay_on(labels, scan)

    @staticmethod
    def _guess(
        tie: _Tie, labels: Labels, fitting: Sequence[Image], chosen: Image | None, early: bool
    ) -> None:
        """Take the only scan that fits; give a guess up when a second one comes."""
        if chosen in fitting and not _comes_from_a_file(labels) and not labels.data.any():
            tie.bind(chosen, said=True, known=True)
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


def _found(tie: _Tie, labels: Labels, scans: Sequence[Image]) -> Image | None:
    """The scan of a tie among those that are open: itself, else its file that was opened again."""
    scan = tie.scan() if tie.scan is not None else None
    if scan is not None and any(scan is other for other in scans):
        return scan
    # Something else may be in the file by now.
    alike = (other for other in reversed(scans) if key_of(other) == tie.key and same_grid(other, labels))
    again = next(alike, None)
    if again is not None:
        tie.scan = weakref.ref(again)
    return again


def _lay_on(labels: Labels, scan: Image) -> None:
    """Labels that SpineSeg did not make know no place in space: whoever saves them finds their scan's."""
    grid = {key: about(scan)[key] for key in ("affine", "shape") if key in about(scan)}
    if "affine" not in about(labels) and grid:
        labels.metadata[KEY] = {**about(labels), **grid}


def _comes_from_a_file(labels: Labels) -> bool:
    return bool(about(labels).get("source") or labels.source.path)
