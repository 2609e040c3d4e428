"""The corrections store: a folder that keeps scans, what models said of them, and what people made of it.

    <store>/corrections.json                     marks the folder, with the number of its format
    <store>/scans/<name>-<id>/scan.json          identity: sha256 of voxels and grid, shape, affine, name
                             /scan.nii.gz        a copy of the scan
                             /predictions/0001/  labels.nii.gz, about.json (model, sha256 ...)
                             /versions/0001/     labels.nii.gz, about.json (author, seconds, changed box ...)
                             /review.jsonl       state and notes, a line each; the last state holds
                             /journals/*.journal what sessions that go on have drawn since

Nothing in it is ever changed or overwritten; everything appears whole or not at all; several
processes, also on several machines that share the folder, may use it at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_spineseg import io
from napari_spineseg.corrections.entry import ABOUT, SCAN, Entry, ReviewState, Version
from napari_spineseg.corrections.files import publish, read_json, sweep, write_json
from napari_spineseg.corrections.identity import ScanIdentity, fit_to, identify
from napari_spineseg.errors import StoreError
from napari_spineseg.io.write import put
from napari_spineseg.models.registry import home
from napari_spineseg.scan import Scan, Segmentation

__all__ = ["CorrectionsStore", "Entry", "ReviewState", "Version", "check_correction", "default_store"]

FORMAT = 1
_MARK = "corrections.json"


def default_store() -> Path:
    """Where corrections go unless a person says otherwise."""
    return home() / "corrections"


class CorrectionsStore:
    """A store on disk.

    Parameters
    ----------
    path
        Its folder.
    create
        Make it if it is not there.

    Raises
    ------
    StoreError
        If there is none, it is something else, or a later version of this program made it.

    Examples
    --------
    >>> store = CorrectionsStore(folder, create=True)  # doctest: +SKIP
    >>> entry = store.add(scan)  # doctest: +SKIP
    >>> entry.add_version(corrected, prediction=entry.add_prediction(predicted))  # doctest: +SKIP
    >>> [e.name for e in store.entries(state="done")]  # doctest: +SKIP
    """

    def __init__(self, path: Path, create: bool = False) -> None:
        self.path = Path(path)
        mark = self.path / _MARK
        if not mark.exists():
            if not create:
                raise StoreError(f"{self.path}: is not a corrections store; fill one with `corrections add`.")
            self._create(mark)
        made_by = read_json(mark).get("format")
        if made_by != FORMAT:
            raise StoreError(f"{self.path}: has format {made_by}, and this version reads format {FORMAT}.")
        sweep(self._scans)

    def entries(self, state: ReviewState | None = None) -> list[Entry]:
        """Every scan, by name; with `state`, those in it. Damaged ones are left out, see `damaged`."""
        found = [entry for entry in self._open() if isinstance(entry, Entry)]
        return [entry for entry in found if state is None or entry.state == state]

    def damaged(self) -> list[str]:
        """A sentence for each scan whose description cannot be read."""
        return [str(problem) for problem in self._open() if isinstance(problem, StoreError)]

    def find(self, scan: Scan | ScanIdentity) -> Entry | None:
        """The entry of a scan, whatever it is called now; None if it is not here."""
        identity = identify(scan) if isinstance(scan, Scan) else scan
        for folder in self._scans.glob(f"*-{identity.sha256[:12]}"):
            entry = Entry(folder)
            if entry.identity.sha256 == identity.sha256:
                return entry
        return None

    def add(self, scan: Scan) -> Entry:
        """The entry of a scan; it is made, with a copy of the scan, if it is not there.

        Raises
        ------
        StoreError
            If the disk refuses.
        """
        identity = identify(scan)
        if (entry := self.find(identity)) is not None:
            return entry

        def fill(folder: Path) -> None:
            io.write_scan(scan, folder / SCAN)
            write_json(identity.as_dict(), folder / ABOUT)

        publish(self._scans / identity.key, fill)
        return Entry(self._scans / identity.key)

    def add_correction(
        self,
        scan: Scan,
        labels: Segmentation,
        prediction: Segmentation | None = None,
        model: Mapping[str, Any] | None = None,
        **said: Any,
    ) -> Version:
        """A scan with its corrected labels, and the prediction they started from, in one call.

        `model` says what made the prediction, where its provenance does not. `said` may hold `author`,
        `seconds`, `note`, as for `Entry.add_version`.

        Raises
        ------
        StoreError
            If labels or prediction do not lie on the scan's grid; nothing is stored then.
        """
        check_correction(scan, labels, prediction)
        entry = self.add(scan)
        started_from = entry.add_prediction(prediction, model) if prediction is not None else None
        return entry.add_version(labels, started_from, **said)

    @property
    def _scans(self) -> Path:
        return self.path / "scans"

    def _create(self, mark: Path) -> None:
        try:
            self._scans.mkdir(parents=True, exist_ok=True)
            put(mark, b'{"format": %d, "what": "SpineSeg corrections"}\n' % FORMAT)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be made ({error.strerror or error}).") from error

    def _open(self) -> Iterator[Entry | StoreError]:
        for folder in sorted(self._scans.iterdir()) if self._scans.is_dir() else []:
            if folder.is_dir() and not folder.name.startswith("."):
                try:
                    yield Entry(folder)
                except StoreError as error:
                    yield error


def check_correction(scan: Scan, labels: Segmentation, prediction: Segmentation | None = None) -> None:
    """Refuse what no store takes, before one is made.

    Raises
    ------
    StoreError
        If labels or prediction do not lie on the scan's grid.
    """
    identity = identify(scan)
    for part in (labels, prediction):
        if part is not None:
            fit_to(identity, part)
