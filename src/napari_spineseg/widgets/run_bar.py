"""One primary button; while a job runs, its progress and *Stop* stand in the same place."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QStackedWidget, QWidget

from napari_spineseg.progress import Progress
from napari_spineseg.widgets.parts import tooltip
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.worker import Job


class RunBar(QStackedWidget):
    """The place on a page from which its job is started and stopped."""

    started = Signal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job: Job | None = None
        self.button = QPushButton(title)
        self.button.setObjectName("primary")
        give_role(self.button, "primary")
        self.button.clicked.connect(self.started)
        self.bar = QProgressBar()
        self.stop = QPushButton("Stop")
        self.stop.setObjectName("stop")
        self.stop.clicked.connect(self._on_stop)
        self.addWidget(self._idle())
        self.addWidget(self._running())
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def add_beside(self, button: QPushButton) -> None:
        """Put a secondary button beside the primary one."""
        self.widget(0).layout().addWidget(button)

    def follow(self, job: Job) -> None:
        """Show the progress of `job` until it ends."""
        had_focus = self.button.hasFocus()
        self._job = job
        self.bar.setRange(0, 1)
        self.bar.setValue(0)
        self._say("Getting ready …")
        self.stop.setText("Stop")
        self.stop.setEnabled(True)
        self.setCurrentIndex(1)
        if had_focus:  # so that one and the same key press starts and stops
            self.stop.setFocus(Qt.FocusReason.OtherFocusReason)
        job.progressed.connect(self._on_progress)
        job.ended.connect(self._on_ended)

    def _idle(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button, stretch=1)
        return row

    def _running(self) -> QWidget:
        box = QWidget()
        layout = QHBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar, stretch=1)
        layout.addWidget(self.stop)
        return box

    def _say(self, words: str) -> None:
        """Write on the bar what is being done, shortened to what fits."""
        self.bar.setToolTip(tooltip(words))
        room = self.bar.width() - 8
        # A bar's text is a format of its own, in which a percent sign would be a place holder.
        self.bar.setFormat(
            self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, room).replace("%", "%%")
        )

    def _on_progress(self, progress: Progress) -> None:
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        if not (self._job and self._job.stopping):
            self._say(f"{progress.stage}: {progress.done} of {progress.total}")

    def _on_stop(self) -> None:
        if self._job is not None:
            self._job.stop()
        self.stop.setEnabled(False)
        self._say("Stopping …")

    def _on_ended(self) -> None:
        had_focus = self.stop.hasFocus() or not self.stop.isEnabled()
        self._job = None
        self.setCurrentIndex(0)
        if had_focus:
            self.button.setFocus(Qt.FocusReason.OtherFocusReason)
