"""*Save figures…*: table, record and report of what was measured, to a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_spineseg.measurement import MeasureSettings
from napari_spineseg.progress import Control
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.measure.result import Measured
from napari_spineseg.widgets.measure.saving import (
    FigureFiles,
    check_folder,
    suggested_folder,
    write_figures,
)
from napari_spineseg.widgets.save_fold import SaveFold, listed
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.settings_form import SettingsForm


class FigureSaver(SaveFold):
    """Unfolds a folder below the table, and whether there is to be a report."""

    opens = "Save figures…"
    place_title = "Folder to save to"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        self._measured: Measured | None = None
        self.form = SettingsForm(MeasureSettings, ("report",))
        super().__init__(session, self.form, parent=parent)
        self.open_button.setObjectName("save_figures")
        self.folder = self.place
        self.folder.setObjectName("figures_folder")
        self.write.setObjectName("write_figures")
        self.form.changed.connect(self.look)

    def show_result(self, measured: Measured | None, old: bool) -> None:
        """Save `measured` from now on; figures that are out of date are not saved."""
        if measured is not self._measured or old:
            self.fold()
        self._measured = measured
        self.open_button.setEnabled(not old)

    def suggestion(self) -> str | None:
        """The folder that was named before, at first that of the scan."""
        if self._measured is None:
            return None
        return self.folder.text() or str(suggested_folder(self._source()))

    def target(self, text: str) -> tuple[FigureFiles, list[Path], str]:
        """The files in that folder."""
        files = FigureFiles.of(check_folder(text), self._name(), self.form.values()["report"])
        return files, files.there, f"Writes {listed(files.all)}."

    def work(self, target: FigureFiles) -> Callable[[Control], FigureFiles]:
        """The figures that are shown."""
        result = self._measured.result
        return lambda control: write_figures(result, target, control)

    def in_words(self, written: FigureFiles) -> str:
        """Their names and folder."""
        return f"Saved {listed(written.all)} in {written.table.parent}"

    def dialog(self) -> QFileDialog:
        """For a folder."""
        dialog = QFileDialog(self, "Folder for figures", self.folder.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        return dialog

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
