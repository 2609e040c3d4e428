"""Saving a segmentation without a dialog in the way: a path, what it would replace, one button."""

from __future__ import annotations

from pathlib import Path

from napari.layers import Labels
from napari.utils.notifications import show_info
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.errors import OutputError, SpineSegError
from napari_spineseg.io.layers import scan_from_layer, segmentation_from_layer
from napari_spineseg.io.write import ENDINGS
from napari_spineseg.progress import Control
from napari_spineseg.scan import Segmentation
from napari_spineseg.widgets.parts import Words
from napari_spineseg.widgets.saving import check_path, suggested_path, would_replace
from napari_spineseg.widgets.session import Session, about, while_alive
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.worker import Job, report


class SavePanel(QWidget):
    """*Save…* unfolds a row with the path; files that are there already are named before they go."""

    saved = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job | None = None
        self.open_button = QPushButton("Save…")
        self.open_button.setObjectName("save")
        self.path = QLineEdit()
        self.path.setObjectName("path")
        self.path.setAccessibleName("File to save to")
        self.browse = QPushButton("Browse…")
        self.notice = Words("", "muted")
        self.write = QPushButton("Save")
        self.write.setObjectName("write")
        give_role(self.write, "primary")
        self.cancel = QPushButton("Cancel")
        self._panel = self._lay_out()
        # Looking at a network folder at every key stroke would be felt.
        self._settle = QTimer(self, singleShot=True, interval=120)
        self._settle.timeout.connect(self._look)
        self.open_button.clicked.connect(self.unfold)
        self.cancel.clicked.connect(self.fold)
        self.browse.clicked.connect(self._browse)
        self.path.textChanged.connect(lambda: self._settle.start())
        self.path.returnPressed.connect(self.write.click)
        self.write.clicked.connect(self._save)
        while_alive(self, session.segmentation_changed, self.fold)
        self.fold()

    def unfold(self) -> None:
        """Show the path, filled in with a name beside the scan."""
        layer = self._session.segmentation
        if layer is None:
            return
        self.path.setText(str(suggested_path(self._scan_name(layer), self._source(layer))))
        self.open_button.hide()
        self._panel.show()
        self._look()
        self.path.setFocus(Qt.FocusReason.OtherFocusReason)
        self.path.end(False)

    def fold(self, *_: object) -> None:
        """Hide the path again."""
        self._panel.hide()
        self.open_button.show()

    def _lay_out(self) -> QWidget:
        panel = QWidget()
        give_role(panel, "plain")
        inner = QVBoxLayout(panel)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(5)
        row = QHBoxLayout()
        row.addWidget(self.path, stretch=1)
        row.addWidget(self.browse)
        inner.addLayout(row)
        inner.addWidget(self.notice)
        row = QHBoxLayout()
        row.addWidget(self.write, stretch=1)
        row.addWidget(self.cancel)
        inner.addLayout(row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.open_button)
        layout.addWidget(panel)
        return panel

    def _look(self) -> Path | None:
        """Say what saving to this path would do. Returns the path if it may be done."""
        layer = self._session.segmentation
        try:
            path = check_path(self.path.text(), self._source(layer) if layer is not None else None)
        except OutputError as error:
            self._say(str(error), "error")
            self.write.setEnabled(False)
            return None
        replaced = would_replace(path)
        names = " and ".join(file.name for file in replaced)
        if replaced:
            self._say(
                f"{names} {'is' if len(replaced) == 1 else 'are'} there already and would be replaced.",
                "warning",
            )
        else:
            self._say(f"On the scan's own grid, in {path.parent}.", "muted")
        self.write.setText("Replace" if replaced else "Save")
        self.write.setEnabled(True)
        return path

    def _say(self, text: str, role: str) -> None:
        give_role(self.notice, role)
        self.notice.say(text)

    def _browse(self) -> None:
        """Let the system's file dialog choose; it does not block the window."""
        patterns = " ".join(f"*{ending}" for ending in ENDINGS)
        dialog = QFileDialog(self, "Save segmentation", self.path.text(), f"Segmentation ({patterns})")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        # What would be replaced is said in the panel, where it stays readable.
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.path.setText)
        dialog.open()

    def _save(self) -> None:
        layer = self._session.segmentation
        announced = self.write.text()
        path = self._look()
        if layer is None or path is None or (self._job is not None and self._job.running):
            return
        if self.write.text() != announced:
            return  # a file came to be since the person looked; `_look` has just said so
        try:
            segmentation = self._segmentation_of(layer)
        except SpineSegError as error:
            report(error)
            return
        self.write.setEnabled(False)
        self.write.setText("Saving …")
        self._job = Job(lambda control: _write(segmentation, path, control), f"Saving {path.name}", self)
        self._job.returned.connect(self._on_saved)
        self._job.failed.connect(self._on_failed)
        self._job.start()

    def _on_saved(self, path: Path) -> None:
        self.fold()
        show_info(f"Saved {path}")
        self.saved.emit(path)

    def _on_failed(self, error: Exception) -> None:
        self._look()
        self._say(report(error), "error")

    def _segmentation_of(self, layer: Labels) -> Segmentation:
        """The labels on the grid of their scan. Raises ScanError where the layer cannot be labels."""
        scan = self._session.scan_of(layer)
        return segmentation_from_layer(layer, scan_from_layer(scan) if scan is not None else None)

    def _source(self, layer: Labels) -> str | None:
        """The file of the scan that `layer` belongs to."""
        scan = self._session.scan_of(layer)
        known = about(scan) if scan is not None else about(layer)
        source = known.get("source") or (scan.source.path if scan is not None else None)
        return str(source) if source else None

    def _scan_name(self, layer: Labels) -> str:
        scan = self._session.scan_of(layer)
        return (scan if scan is not None else layer).name.removesuffix("_seg")


def _write(segmentation: Segmentation, path: Path, control: Control) -> Path:
    from napari_spineseg.io import write_segmentation

    control.check()
    write_segmentation(segmentation, path)
    return path
