"""*Save…*: the segmentation that is shown, to a file beside its scan, with a record of how it was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari.layers import Labels
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_spineseg.io.layers import scan_from_layer, segmentation_from_layer
from napari_spineseg.io.record import names_a_model, place_of_record, write_record
from napari_spineseg.io.write import ENDINGS
from napari_spineseg.progress import Control
from napari_spineseg.scan import Segmentation
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.save_fold import SaveFold
from napari_spineseg.widgets.segment.saving import (
    check_path,
    record_of,
    suggested_path,
    with_checksum,
    would_replace,
)
from napari_spineseg.widgets.session import Session


class SavePanel(SaveFold):
    """Unfolds a path, filled in with a name beside the scan."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent=parent)
        self.open_button.setObjectName("save")
        self.path = self.place
        self.path.setObjectName("path")
        self.write.setObjectName("write")
        while_alive(self, session.segmentation_changed, self.fold)

    def suggestion(self) -> str | None:
        """A path beside the scan."""
        layer = self._session.segmentation
        if layer is None:
            return None
        scan = self._session.scan_of(layer)
        prepared = scan is not None and bool(about(scan).get("history"))
        return str(suggested_path(self._scan_name(layer), self._source(layer), prepared))

    def target(self, text: str) -> tuple[Path, list[Path], str]:
        """The file."""
        layer = self._session.segmentation
        path = check_path(text, self._source(layer) if layer is not None else None)
        for scan in self._session.fitting(layer) if layer is not None else ():
            check_path(text, about(scan).get("source"))  # any of them may be theirs, where that is not known
        record = place_of_record(path)
        if layer is None or not _has_record(layer):
            return path, would_replace(path), f"On the scan's own grid, in {path.parent}."
        there = [record] if record.exists() else []
        words = f"On the scan's own grid, in {path.parent}; how it was made is in {record.name}."
        return path, [*would_replace(path), *there], words

    def work(self, target: Path) -> Callable[[Control], Path]:
        """The labels on the grid of their scan, as they are now."""
        layer = self._session.segmentation
        scan = self._session.scan_of(layer)
        segmentation = segmentation_from_layer(layer, scan_from_layer(scan) if scan is not None else None)
        record = record_of(layer, segmentation, scan) if _has_record(layer) else None
        return lambda control: _write(segmentation, target, record, control)

    def in_words(self, written: Path) -> str:
        """Its path."""
        return f"Saved {written}"

    def dialog(self) -> QFileDialog:
        """For a file."""
        patterns = " ".join(f"*{ending}" for ending in ENDINGS)
        dialog = QFileDialog(self, "Save segmentation", self.path.text(), f"Segmentation ({patterns})")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        # What would be replaced is said in the panel, where it stays readable.
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        return dialog

    def _source(self, layer: Labels) -> str | None:
        """The file of the scan that `layer` belongs to."""
        scan = self._session.scan_of(layer)
        known = about(scan) if scan is not None else about(layer)
        source = known.get("source") or (scan.source.path if scan is not None else None)
        return str(source) if source else None

    def _scan_name(self, layer: Labels) -> str:
        scan = self._session.scan_of(layer)
        return (scan if scan is not None else layer).name.removesuffix("_seg")


def _has_record(layer: Labels) -> bool:
    return names_a_model(about(layer).get("provenance") or {})


def _write(segmentation: Segmentation, path: Path, record: dict[str, Any] | None, control: Control) -> Path:
    from napari_spineseg.io import write_segmentation

    control.check()
    write_segmentation(segmentation, path)
    if record is not None:
        write_record(with_checksum(record), place_of_record(path))
    return path
