"""What belongs to one window: the chosen scan, its segmentation, and who hears of a change."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, TypeVar, cast

from napari.layers import Image, Labels, Layer
from napari.settings import get_settings
from psygnal import Signal

from napari_spineseg.widgets.belonging import Belonging
from napari_spineseg.widgets.checksums import Checksums
from napari_spineseg.widgets.known import about, same_grid
from napari_spineseg.widgets.scheme import settle_scheme
from napari_spineseg.widgets.view import bring_into_view

if TYPE_CHECKING:
    from napari.viewer import Viewer

T = TypeVar("T")

# Layers that carry the name of something shown beside a scan, and are not scans themselves.
_NOT_SCANS = {"uncertainty", "preview"}
_NOT_SEGMENTATIONS = {"preview"}


class Session:
    """The state that all pages of one viewer share.

    Ask for it with `session_of(viewer)`. The scan and the segmentation follow napari's layer
    selection; a page may also set them. Setting one brings the other along, so that a page never
    shows the scan of one patient beside the result of another.
    """

    scan_changed = Signal(object)
    segmentation_changed = Signal(object)
    layers_changed = Signal()
    corrections_changed = Signal()
    """A version was saved into the corrections store."""
    theme_changed = Signal(str)
    """The window's colours or the size of its text are others now."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = weakref.ref(viewer)
        self._scan: Image | None = None
        self._segmentation: Labels | None = None
        self._belonging = Belonging(Checksums(self._on_checksum).of)
        self.histories: dict[Labels, Any] = {}
        """What can be undone on each segmentation; ask with `correct.history.history_of`."""
        events = viewer.layers.events
        events.inserted.connect(self._on_layers)
        events.removed.connect(self._on_layers)
        events.renamed.connect(self._on_renamed)
        viewer.layers.selection.events.active.connect(self._on_selected)
        viewer.events.theme.connect(self._on_theme)
        get_settings().appearance.events.font_size.connect(self._on_theme, position="last")
        self._follow(viewer.layers.selection.active)
        self._on_layers()

    @property
    def viewer(self) -> Viewer:
        """The window's viewer."""
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("the viewer of this session is gone")
        return viewer

    @property
    def open(self) -> bool:
        """Whether the window is still there: a timer of a panel may fire when it has just gone."""
        return self._viewer() is not None

    @property
    def scan(self) -> Image | None:
        """The layer that jobs work on."""
        return self._scan

    @scan.setter
    def scan(self, layer: Image | None) -> None:
        layer = unwrapped(layer)
        if layer is self._scan:
            return
        self._scan = layer
        if layer is not None:
            bring_into_view(self.viewer, layer)
        self.scan_changed.emit(layer)
        if layer is None or self._segmentation not in self.over(layer):
            self.segmentation = self._newest_of(layer)

    @property
    def segmentation(self) -> Labels | None:
        """The labels layer that is looked at, saved, corrected."""
        return self._segmentation

    @segmentation.setter
    def segmentation(self, layer: Labels | None) -> None:
        layer = unwrapped(layer)
        if layer is self._segmentation:
            return
        self._segmentation = layer
        if layer is not None:
            settle_scheme(layer)
        if layer is not None and (scan := self.scan_of(layer) or self._shown_with(layer)) is not None:
            self.scan = scan
        self.segmentation_changed.emit(layer)

    def tell(self, words: str) -> None:
        """Say something in the window's status bar."""
        self.viewer.status = words or "Ready"

    def scans(self) -> list[Image]:
        """Layers that can be segmented, in the order of the layer list."""
        return [layer for layer in self._layers() if is_scan(layer)]

    def segmentations(self) -> list[Labels]:
        """Layers that hold labels of a volume."""
        return [layer for layer in self._layers() if is_segmentation(layer)]

    def _layers(self) -> list:
        # A timer of a panel may fire when its window has just gone
        viewer = self._viewer()
        return [] if viewer is None else layers_of(viewer)

    def link(self, segmentation: Labels, scan: Image) -> None:
        """Remember that `segmentation` was made from `scan`."""
        self._belonging.say(unwrapped(segmentation), unwrapped(scan))

    def say_scan(self, segmentation: Labels, scan: Image) -> None:
        """A person says that `segmentation` was drawn on `scan`."""
        self._belonging.say(unwrapped(segmentation), unwrapped(scan), known=False)
        self.scan = scan
        self.viewer.layers.selection.active = segmentation
        self.layers_changed.emit()

    def may_change_scan(self, segmentation: Labels) -> bool:
        """Whether a person may say that `segmentation` was drawn on another scan than it counts for."""
        return self._belonging.may_change(segmentation)

    def unsay_scan(self, segmentation: Labels) -> None:
        """It is not known any more which scan `segmentation` was drawn on."""
        self._belonging.unsay(segmentation)
        self.layers_changed.emit()

    def scan_of(self, segmentation: Labels) -> Image | None:
        """The scan in this window that `segmentation` was drawn on; None where it is closed, or not known."""
        return self._belonging.scan_of(segmentation, self.scans(), self._scan)

    def scan_name_of(self, segmentation: Labels) -> str:
        """What the scan of `segmentation` is called, open or not; empty where nobody knows which it is."""
        return self._belonging.named(segmentation)

    def fitting(self, segmentation: Labels) -> list[Image]:
        """The scans that `segmentation` may have been drawn on."""
        return [scan for scan in self.scans() if same_grid(scan, segmentation)]

    def over(self, scan: Image | None) -> list[Labels]:
        """Segmentations of `scan`, and those on its grid of which nobody knows the scan; the topmost last."""
        if scan is None:
            return []
        there = [(segmentation, self.scan_of(segmentation)) for segmentation in self.segmentations()]
        unknown = [s for s, of in there if of is None and not self.scan_name_of(s) and same_grid(scan, s)]
        return [*unknown, *(s for s, of in there if of is scan)]

    def _newest_of(self, scan: Image | None) -> Labels | None:
        """The topmost segmentation of `scan`."""
        return next(reversed(self.over(scan)), None)

    def _shown_with(self, segmentation: Labels) -> Image | None:
        """A scan to look at where nobody knows which one is meant: never another patient's."""
        fitting = [] if self.scan_name_of(segmentation) else self.fitting(segmentation)
        return self._scan if self._scan in fitting else next(reversed(fitting), None)

    def _on_selected(self, event: Any) -> None:
        self._follow(event.value)

    def _follow(self, layer: Layer | None) -> None:
        layer = unwrapped(layer)
        if is_segmentation(layer):
            self.segmentation = layer
        elif is_scan(layer):
            self.scan = layer

    def _on_layers(self, event: Any = None) -> None:
        scans, segmentations = self.scans(), self.segmentations()
        for segmentation in segmentations:
            self.scan_of(segmentation)  # which scans were there when it came is known only now
        if self._segmentation is not None and self._segmentation not in segmentations:
            self.segmentation = None
        if self._scan is None or self._scan not in scans:
            self.scan = scans[-1] if scans else None
        if self._segmentation is None:
            self.segmentation = self._newest_of(self._scan) or (
                segmentations[-1] if segmentations and not scans else None
            )
        self.layers_changed.emit()

    def _on_checksum(self) -> None:
        """Labels may now be known to be those of a scan that was moved."""
        if not self.open:
            return
        if self._segmentation is not None and (scan := self.scan_of(self._segmentation)) is not None:
            self.scan = scan
        self._on_layers()

    def _on_renamed(self, event: Any = None) -> None:
        self.layers_changed.emit()

    def _on_theme(self, event: Any = None) -> None:
        if self.open:  # settings outlive the window
            self.theme_changed.emit(self.viewer.theme)


_SESSIONS: weakref.WeakKeyDictionary[Viewer, Session] = weakref.WeakKeyDictionary()


def session_of(viewer: Viewer) -> Session:
    """The session of `viewer`, made at the first call. It lives as long as the viewer does."""
    viewer = unwrapped(viewer)
    if viewer not in _SESSIONS:
        _SESSIONS[viewer] = Session(viewer)
    return _SESSIONS[viewer]


def unwrapped(thing: T) -> T:
    """`thing` itself where napari hands plugins a proxy of it, so that `is` and weak keys work."""
    return cast(T, getattr(thing, "__wrapped__", thing))


def is_scan(layer: Layer | None) -> bool:
    """Whether `layer` is a single volume of intensities."""
    return (
        isinstance(layer, Image)
        and layer.ndim == 3
        and not layer.rgb
        and not layer.multiscale
        and about(layer).get("kind") not in _NOT_SCANS
    )


def is_segmentation(layer: Layer | None) -> bool:
    """Whether `layer` holds labels of a volume, other than a passing preview."""
    return (
        isinstance(layer, Labels)
        and layer.ndim == 3
        and not layer.multiscale
        and about(layer).get("kind") not in _NOT_SEGMENTATIONS
    )


def layers_of(viewer: Viewer) -> list[Layer]:
    """The layers themselves, bottom first."""
    return [unwrapped(layer) for layer in viewer.layers]
