"""What a page says while there is nothing to work on."""

from __future__ import annotations

from collections.abc import Callable

from napari.layers import Image, Labels, Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.parts import Words
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.worker import report


class EmptyState(QWidget):
    """Says how to get a scan, and opens a sample at one click; with a scan, how to get its segmentation."""

    def __init__(
        self, session: Session, open_sample: Callable[[], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._open_sample = open_sample
        self.title, self.what, self.hint = Words("", "title"), Words(), Words("", "muted")
        self.button = QPushButton("Open a sample")
        self.button.setObjectName("open_sample")
        give_role(self.button, "primary")
        self.button.clicked.connect(self._on_click)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 12, 0, 0)
        layout.setSpacing(8)
        layout.setAlignment(Qt.AlignmentFlag.AlignTop)
        for part in (self.title, self.what, self.hint, self.button):
            layout.addWidget(part)
        while_alive(self, session.layers_changed, self.explain)
        while_alive(self, session.scan_changed, self.explain)
        self.explain()

    def explain(self, *_: object) -> None:
        """Say what is missing and how to get it, or why what is open is not it."""
        without_scan = self._session.scan is None
        self.button.setVisible(without_scan)
        if not without_scan:
            self.title.say("No segmentation yet")
            self.what.say("Segment the scan on the Segment page, or open a file with its labels.")
            self.hint.say("")
            return
        self.title.say("No scan yet")
        self.what.say("Drop a lumbar MRI on the window, or open a sample.")
        no_scan = next(filter(None, map(_why_no_scan, layers_of(self._session.viewer))), "")
        self.hint.say(no_scan or "NIfTI, MHA, MHD, NRRD, TIFF, or a folder of DICOM files.")

    def _on_click(self) -> None:
        try:
            self._open_sample()
        # A sample that cannot be opened must reach the person who clicked, whatever the reason is.
        except Exception as error:
            report(error)


def _why_no_scan(layer: Layer) -> str:
    """Why nothing can be segmented in what is open, and how to get a volume of it; "" if it is no picture."""
    if not isinstance(layer, Image | Labels):
        return ""
    what = f"{layer.name} is not a grey volume with three axes"
    if getattr(layer, "rgb", False):
        return f"{what} but in colour: open the scan that it was made from."
    if layer.ndim > 3:
        return f"{what} but has {layer.ndim}: right-click the layer, choose Split Stack, and take one volume."
    if layer.ndim < 3:
        return (
            f"{what} but a flat picture: open the file or DICOM folder that holds all slices, or select the "
            "layers of the slices, right-click, and choose Merge to Stack."
        )
    return ""
