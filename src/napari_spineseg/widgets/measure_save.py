"""*Save figures…*: a folder, the files that would be there, what they would replace, one button."""

from __future__ import annotations

from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.errors import OutputError
from napari_spineseg.measurement import MeasureSettings
from napari_spineseg.widgets.measure_result import Measured
from napari_spineseg.widgets.measure_saving import (
    FigureFiles,
    check_folder,
    suggested_folder,
    write_figures,
)
from napari_spineseg.widgets.parts import Part, Words
from napari_spineseg.widgets.path_line import PathLine
from napari_spineseg.widgets.session import Session, about
from napari_spineseg.widgets.settings_form import SettingsForm
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.worker import Job, report

_SETTLE_MS = 120


class FigureSaver(Part):
    """Unfolds below the table; files that are there already are named before they go."""

    saved = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._measured: Measured | None = None
        self._job: Job | None = None
        self._announced: list[Path] = []
        self.open_button = QPushButton("Save figures…")
        self.open_button.setObjectName("save_figures")
        self.folder = PathLine()
        self.folder.setObjectName("figures_folder")
        self.folder.setAccessibleName("Folder to save to")
        self.browse = QPushButton("Browse…")
        self.form = SettingsForm(MeasureSettings, ("report",))
        self.notice = Words("", "muted")
        self.write = QPushButton("Save")
        self.write.setObjectName("write_figures")
        give_role(self.write, "primary")
        self.cancel = QPushButton("Cancel")
        give_role(self, "plain")
        self._panel = self._lay_out()
        # Looking at a network folder at every key stroke would be felt.
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._look)
        self.open_button.clicked.connect(self.unfold)
        self.cancel.clicked.connect(self.fold)
        self.browse.clicked.connect(self._browse)
        self.folder.textChanged.connect(lambda: self._settle.start())
        self.folder.returnPressed.connect(self.write.click)
        self.form.changed.connect(self._look)
        self.write.clicked.connect(self._save)
        self.fold()

    @property
    def job(self) -> Job | None:
        """The saving that is going on, if one is."""
        return self._job

    def show_result(self, measured: Measured | None, old: bool) -> None:
        """Save `measured` from now on; figures that are out of date are not saved."""
        if measured is not self._measured or old:
            self.fold()
        self._measured = measured
        self.open_button.setEnabled(not old)

    def unfold(self) -> None:
        """Show the folder, at first that of the scan."""
        if self._measured is None:
            return
        if not self.folder.text():
            self.folder.setText(str(suggested_folder(self._source())))
        self.open_button.hide()
        self._panel.show()
        self._look()
        self.folder.setFocus(Qt.FocusReason.OtherFocusReason)

    def fold(self) -> None:
        """Hide the folder again."""
        self._panel.hide()
        self.open_button.show()

    def _lay_out(self) -> QWidget:
        panel = Part()
        give_role(panel, "plain")
        inner = QVBoxLayout(panel)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(5)
        row = QHBoxLayout()
        row.addWidget(self.folder, stretch=1)
        row.addWidget(self.browse)
        inner.addLayout(row)
        inner.addWidget(self.form)
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

    def _look(self) -> FigureFiles | None:
        """Say what saving would do. Returns the files if it may be done."""
        if self._measured is None:
            return None
        try:
            folder = check_folder(self.folder.text())
        except OutputError as error:
            self._say(str(error), "error")
            self.write.setEnabled(False)
            return None
        files = FigureFiles.of(folder, self._name(), self.form.values()["report"])
        replaced = self._announced = files.there
        if replaced:
            are = "is" if len(replaced) == 1 else "are"
            self._say(f"{_names(replaced)} {are} there already and would be replaced.", "warning")
        else:
            self._say(f"Writes {_names(files.all)}.", "muted")
        self.write.setText("Replace" if replaced else "Save")
        self.write.setEnabled(True)
        return files

    def _say(self, text: str, role: str) -> None:
        give_role(self.notice, role)
        self.notice.say(text)

    def _browse(self) -> None:
        dialog = QFileDialog(self, "Folder for figures", self.folder.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.folder.setText)
        dialog.open()

    def _save(self) -> None:
        announced, measured, files = self._announced, self._measured, self._look()
        if measured is None or files is None or self._job is not None:
            return
        if self._announced != announced:
            return  # a file came to be since the person looked; `_look` has just said so
        self.write.setEnabled(False)
        self.write.setText("Saving …")
        job = self._job = Job(
            lambda control: write_figures(measured.result, files, control), "Saving figures", self
        )
        job.returned.connect(self._on_saved)
        job.failed.connect(self._on_failed)
        job.ended.connect(self._on_ended)
        job.start()

    def _on_saved(self, files: FigureFiles) -> None:
        self.fold()
        show_info(f"Saved {_names(files.all)} in {files.table.parent}")
        self.saved.emit(files)

    def _on_failed(self, error: Exception) -> None:
        self._look()
        self._say(report(error), "error")

    def _on_ended(self) -> None:
        self._job = None

    def _name(self) -> str:
        """Files are called after the scan, as its segmentation is; without one after the labels."""
        result = self._measured.result
        return result.scan.name if result.scan is not None else self._measured.layer.name

    def _source(self) -> str | None:
        """The file that the scan, or else the labels, came from."""
        scan = self._measured.result.scan
        source = scan.source if scan is not None else None
        source = source or about(self._measured.layer).get("source")
        return str(source) if source else None


def _names(paths: list[Path]) -> str:
    names = [path.name for path in paths]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
