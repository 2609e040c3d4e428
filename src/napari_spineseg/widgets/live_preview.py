"""A preview that follows the slice that is shown: what every such preview does alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from qtpy.QtCore import QEvent, QObject, QTimer, Signal

from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.view import add_beside, sagittal_index
from napari_spineseg.widgets.worker import Job

if TYPE_CHECKING:
    from napari_spineseg.progress import Control

_DEBOUNCE_MS = 60
_SILENT_MS = 600  # a slice that takes longer is told about, or the button seems to do nothing
_WORKING = "Working out this slice …"


class LivePreview(QObject):
    """Draws something over the current sagittal slice of a scan, beside the window.

    One slice is worked out at a time; of those asked for meanwhile only the latest counts. It ends by
    itself when its layer is removed, another scan is chosen or its page is left. Subclasses say in
    `_begin` what to keep of a scan, in `_forget` what to let go, and in `_draw_slice` what to work out
    and how to show it.
    """

    message = Signal(str)
    """What to say beside the button; empty when there is nothing to say."""
    failed = Signal(object)
    ended = Signal()
    """The preview is off again, whoever turned it off."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._scan_layer: Image | None = None
        self._layer: Layer | None = None
        self._job: Job | None = None
        self._timer = QTimer(self, singleShot=True, interval=_DEBOUNCE_MS)
        self._timer.timeout.connect(self._draw)
        self._patience = QTimer(self, singleShot=True, interval=_SILENT_MS)
        self._patience.timeout.connect(self._say_working)
        for event in ("point", "order", "ndisplay"):
            while_alive(self, getattr(session.viewer.dims.events, event), self.refresh)
        while_alive(self, session.layers_changed, self._on_layers)
        while_alive(self, session.scan_changed, self._on_scan)
        parent.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """On another page it would lie over what is worked on there. A window that is minimised keeps it."""
        if event.type() == QEvent.Type.Hide and not event.spontaneous() and self._session.open:
            self.stop()
        return False

    @property
    def active(self) -> bool:
        """Whether the preview is on."""
        return self._scan_layer is not None

    @property
    def layer(self) -> Layer | None:
        """The layer that shows it."""
        return self._layer

    def start(self) -> None:
        """Show the current slice of the session's scan, and every slice the person goes to.

        Raises
        ------
        ScanError
            If the layer cannot be taken as a scan.
        """
        layer = self._session.scan
        if layer is not None:
            self._begin(layer)
            self._scan_layer = layer
            self._timer.start(0)

    def stop(self) -> None:
        """Take the preview away."""
        if not self.active:
            return
        layer, self._layer = self._layer, None
        self._forget()
        self._scan_layer = None
        self._timer.stop()
        self._patience.stop()
        if self._job is not None:
            self._job.stop()
        if layer is not None and layer in layers_of(self._session.viewer):
            self._session.viewer.layers.remove(layer)
        self.message.emit("")
        self.ended.emit()

    def refresh(self, event: object = None) -> None:
        """Look again, soon."""
        if self.active:
            self._timer.start()

    def _begin(self, layer: Image) -> None:
        raise NotImplementedError

    def _forget(self) -> None:
        raise NotImplementedError

    def _draw_slice(self, index: int) -> None:
        raise NotImplementedError

    def _draw(self) -> None:
        if not self.active or (self._job is not None and self._job.running):
            return  # `_on_ended` looks again
        index = sagittal_index(self._session.viewer, self._scan_layer)
        if index is None:
            self.message.emit("The preview shows sagittal slices; the view shows something else.")
        else:
            self._draw_slice(index)

    def _work(
        self,
        task: Callable[[Control], Any],
        returned: Callable[[Any], None],
        failed: Callable[[Exception], None],
        doing: str = "",
    ) -> None:
        """Do `task` beside the window, then look again. `doing` says what takes long, where that is known."""
        self.message.emit(doing)
        if not doing:
            self._patience.start()
        job = self._job = Job(task, owner=self)
        for signal in (job.returned, job.failed, job.ended):
            signal.connect(self._patience.stop)
        job.returned.connect(returned)
        job.failed.connect(failed)
        job.ended.connect(self._on_ended)
        job.start()

    def _say_working(self) -> None:
        self.message.emit(_WORKING)

    def _add_layer(self, layer: Layer, at: int) -> None:
        """Show the preview's layer, `at` that place from below; the selection stays where it is."""
        self._layer = layer
        add_beside(self._session.viewer, layer, at)

    def _on_layers(self) -> None:
        """A person may remove the preview."""
        if self._layer is not None and self._layer not in layers_of(self._session.viewer):
            self._layer = None
            self.stop()

    def _on_scan(self, scan: object) -> None:
        if self.active and scan is not self._scan_layer:
            self.stop()

    def _on_failed(self, error: Exception) -> None:
        self.stop()
        self.failed.emit(error)

    def _on_ended(self) -> None:
        self._job = None
        if self.active:
            self._timer.start(0)
