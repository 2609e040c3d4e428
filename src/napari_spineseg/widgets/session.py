"""What belongs to one window: the chosen scan, its segmentation, and who hears of a change."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.settings import get_settings
from psygnal import Signal, SignalInstance

from napari_spineseg.widgets.view import bring_into_view

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtCore import QObject

T = TypeVar("T")

KEY = "spineseg"
"""Under this key a layer's metadata holds what SpineSeg knows of it."""

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
        self._scan_of: weakref.WeakKeyDictionary[Labels, weakref.ref[Image]] = weakref.WeakKeyDictionary()
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
        if layer is None or self._segmentation is None or self.scan_of(self._segmentation) is not layer:
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
        if layer is not None and (scan := self.scan_of(layer)) is not None:
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
        self._scan_of[unwrapped(segmentation)] = weakref.ref(unwrapped(scan))

    def scan_of(self, segmentation: Labels) -> Image | None:
        """The scan in this window that `segmentation` belongs to: linked, else the only one on its grid."""
        scans = self.scans()
        if (reference := self._scan_of.get(segmentation)) is not None:
            scan = reference()
            return scan if any(scan is other for other in scans) else None
        fitting = [scan for scan in scans if same_grid(scan, segmentation)]
        if self._scan in fitting:
            return self._scan
        return fitting[-1] if fitting else None

    def _newest_of(self, scan: Image | None) -> Labels | None:
        """The topmost segmentation of `scan`."""
        if scan is None:
            return None
        return next((s for s in reversed(self.segmentations()) if self._fits(s, scan)), None)

    def _fits(self, segmentation: Labels, scan: Image) -> bool:
        reference = self._scan_of.get(segmentation)
        return reference() is scan if reference is not None else same_grid(scan, segmentation)

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
        if self._segmentation is not None and self._segmentation not in segmentations:
            self.segmentation = None
        if self._scan is None or self._scan not in scans:
            self.scan = scans[-1] if scans else None
        if self._segmentation is None:
            self.segmentation = self._newest_of(self._scan) or (
                segmentations[-1] if segmentations and not scans else None
            )
        self.layers_changed.emit()

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


def about(layer: Layer) -> dict[str, Any]:
    """What SpineSeg wrote into the layer's metadata; empty for other people's layers."""
    known = layer.metadata.get(KEY)
    return known if isinstance(known, dict) else {}


def while_alive(widget: QObject, signal: SignalInstance, slot: Callable[..., object]) -> None:
    """Connect `signal` to a method of `widget`, until Qt deletes the widget.

    A Python signal does not notice that: it would go on calling into a widget that is no more.
    """
    signal.connect(slot)
    widget.destroyed.connect(lambda: signal.disconnect(slot))


def layers_of(viewer: Viewer) -> list[Layer]:
    """The layers themselves, bottom first."""
    return [unwrapped(layer) for layer in viewer.layers]


def same_grid(scan: Layer, segmentation: Layer) -> bool:
    """Whether every voxel of both is at the same place, as far as the layers tell."""
    if scan.data.shape != segmentation.data.shape or not np.allclose(scan.scale, segmentation.scale):
        return False
    affines = [about(layer).get("affine") for layer in (scan, segmentation)]
    return any(a is None for a in affines) or np.allclose(*affines, atol=1e-3)
