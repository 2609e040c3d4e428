"""The dataset audit: a folder in, a table of findings out, a way to each place, and the safe repairs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.datasets.findings import AuditReport, Finding
from napari_spineseg.widgets.card import Card
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.prepare.audit_open import CaseOpener
from napari_spineseg.widgets.prepare.audit_table import FindingTable
from napari_spineseg.widgets.run_bar import RunBar
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.progress import Control

_START = (
    "Choose a folder of labelled scans: images/ and masks/ as in SPIDER, or files such as 5_image.nii.gz "
    "beside 5_labels.nii.gz."
)
_REPAIR = "Numbers outside the scheme and small islands become background, in copies."


class AuditTab(QWidget):
    """Looks for what is inconsistent in a folder of labelled scans. The folder stays as it is."""

    audited = Signal(object)
    repaired = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self._folder = Path()
        self.report: AuditReport | None = None
        self.opener = CaseOpener(session, self)
        self.folder = _path_line("audit_folder", "Folder of labelled scans")
        self.browse = QPushButton("Browse…")
        self.run_bar = RunBar("Audit")
        self.run_bar.button.setObjectName("audit")
        self.hint = Words(_START, "muted")
        self.card = Card()
        self.table = FindingTable()
        self.open_button = QPushButton("Open at this place")
        self.open_button.setObjectName("open_case")
        self.open_button.setToolTip(tooltip("Opens the scan and its labels; a double click does it too"))
        self.repair_button = QPushButton("Repair…")
        self.repair_button.setObjectName("repair")
        self.repair_button.setToolTip(tooltip(_REPAIR))
        self.repair_folder = _path_line("repair_folder", "Folder for repaired labels")
        self.repair_now = QPushButton("Write repaired labels")
        self.repair_now.setObjectName("repair_now")
        self.repair_panel = QWidget()
        self._lay_out()
        self._connect()
        self._show(None)

    def audit(self) -> None:
        """Start looking at the folder that is named."""
        text = self.folder.text().strip()
        if self._job is not None:
            return
        if not text:
            self.hint.say(_START)
            return
        folder = self._folder = Path(text).expanduser()
        self.card.clear()
        self._show(None)
        job = self._start(lambda control: _audit(folder, control), f"Auditing {folder.name}")
        job.returned.connect(self._show)
        job.returned.connect(self.audited)
        job.failed.connect(lambda error: self.card.say_error("Not audited", report(error)))
        job.stopped.connect(lambda: self.card.say("Stopped", "Nothing was changed."))

    def repair(self) -> None:
        """Write what is safe to repair to another folder."""
        text = self.repair_folder.text().strip()
        if self._job is not None or not text:
            return
        folder, out = self._folder, Path(text).expanduser()
        self.repair_now.setEnabled(False)
        job = self._start(lambda control: _repair(folder, out, control), f"Repairing {folder.name}")
        job.returned.connect(lambda done: self._on_repaired(done, out))
        job.failed.connect(lambda error: self.card.say_error("Not repaired", report(error)))
        job.stopped.connect(lambda: self.card.say("Stopped", f"What was written so far is in {out}."))

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.setAlignment(Qt.AlignmentFlag.AlignTop)
        row = QHBoxLayout()
        row.addWidget(self.folder, stretch=1)
        row.addWidget(self.browse)
        layout.addLayout(row)
        for part in (self.run_bar, self.hint, self.card, self.table):
            layout.addWidget(part)
        row = QHBoxLayout()
        row.addWidget(self.open_button, stretch=1)
        row.addWidget(self.repair_button)
        layout.addLayout(row)
        inner = QVBoxLayout(self.repair_panel)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(Words(_REPAIR, "muted", self.repair_panel))
        inner.addWidget(self.repair_folder)
        inner.addWidget(self.repair_now)
        self.repair_panel.hide()
        layout.addWidget(self.repair_panel)

    def _connect(self) -> None:
        self.browse.clicked.connect(self._browse)
        self.folder.returnPressed.connect(self.run_bar.button.click)
        self.run_bar.started.connect(self.audit)
        self.table.chosen.connect(lambda _: self.open_button.setEnabled(True))
        self.table.opened.connect(self._open)
        self.opener.opening.connect(lambda case: self.hint.say(f"Opening {case} …"))
        self.opener.ended.connect(lambda: self.hint.say(""))
        self.open_button.clicked.connect(lambda: self._open(self.table.current()))
        self.repair_button.clicked.connect(self._unfold_repair)
        self.repair_now.clicked.connect(self.repair)
        self.opener.opened.connect(lambda _: self._tell(self.report) if self.report is not None else None)
        self.opener.failed.connect(lambda error: self.card.say_error("Not opened", report(error)))

    def _browse(self) -> None:
        dialog = QFileDialog(self, "Folder of labelled scans", self.folder.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.folder.setText)
        dialog.open()

    def _start(self, work: object, title: str) -> Job:
        job = self._job = Job(work, title, owner=self)
        job.ended.connect(self._on_ended)
        self.run_bar.follow(job)
        return job.start()

    def _on_ended(self) -> None:
        self._job = None
        self.repair_now.setEnabled(True)

    def _show(self, found: AuditReport | None) -> None:
        self.report = found
        some = found is not None and bool(found.findings)
        self.table.show_findings(found.findings if found is not None else ())
        self.hint.say(_START if found is None else "")
        for part in (self.table, self.open_button, self.repair_button):
            part.setVisible(some)
        self.repair_panel.hide()
        self.open_button.setEnabled(False)
        if found is not None:
            self.repair_button.setEnabled(any(f.repairable for f in found.findings))
            self._tell(found)

    def _tell(self, found: AuditReport) -> None:
        """What was found, in numbers."""
        cases = len(found.cases)
        good = cases - len({f.case for f in found.findings})
        headline = f"{cases} scan{'s' if cases != 1 else ''}, {_counts(found.findings)}"
        remark = f"{good} of them without a finding." if found.findings else ""
        self.card.say(headline, remark, footnote=str(self._folder))

    def _open(self, finding: Finding | None) -> None:
        if finding is not None:
            self.opener.open(self._folder, finding)

    def _unfold_repair(self) -> None:
        if not self.repair_folder.text() or _holds_files(Path(self.repair_folder.text()).expanduser()):
            self.repair_folder.setText(str(_unused(self._folder.with_name(f"{self._folder.name}_repaired"))))
        self.repair_panel.show()

    def _on_repaired(self, done: dict[str, list[Finding]], out: Path) -> None:
        self.repair_panel.hide()
        count = len(done)
        unread = sum(f.check == "unreadable" for f in self.report.findings) if self.report is not None else 0
        left = f" {unread} of the scans could not be read and {'was' if unread == 1 else 'were'} left out."
        self.card.say(
            f"Labels of {count} scan{'s' if count != 1 else ''} repaired",
            f"The folder that was audited is as it was.{left if unread else ''}",
            footnote=str(out),
        )
        self.repaired.emit(out)


def _path_line(name: str, help_text: str) -> QLineEdit:
    line = QLineEdit()
    line.setObjectName(name)
    line.setAccessibleName(help_text)
    line.setPlaceholderText(help_text)
    return line


def _holds_files(folder: Path) -> bool:
    """Whether something is there already that repaired labels might replace."""
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _unused(folder: Path) -> Path:
    """`folder`, or the first of `folder_2`, `folder_3`, … with nothing in it."""
    names = (folder.with_name(f"{folder.name}_{n}") for n in itertools.count(2))
    return folder if not _holds_files(folder) else next(name for name in names if not _holds_files(name))


def _counts(findings: tuple[Finding, ...]) -> str:
    """How many findings of each weight, in words.

    >>> _counts(())
    'nothing found'
    """
    parts = []
    for weight in ("error", "warning", "note"):
        number = sum(f.weight == weight for f in findings)
        if number:
            parts.append(f"{number} {weight}{'s' if number != 1 else ''}")
    return ", ".join(parts) or "nothing found"


def _audit(folder: Path, control: Control) -> AuditReport:
    from napari_spineseg.datasets.audit import audit

    return audit(folder, control)


def _repair(folder: Path, out: Path, control: Control) -> dict[str, list[Finding]]:
    from napari_spineseg.datasets.audit import repair

    return repair(folder, out, control=control)
