"""What came of segmenting, as layers over the scan, and the words that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels

from napari_spineseg.anatomy_words import summarise
from napari_spineseg.io.layers import layer_tuple_for_segmentation, scan_from_layer
from napari_spineseg.scan import Segmentation
from napari_spineseg.segment import SegmentResult
from napari_spineseg.widgets.known import KEY, about
from napari_spineseg.widgets.legend import labels_in, scheme_of
from napari_spineseg.widgets.numberings import numberings_of
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.view import placement_of

if TYPE_CHECKING:
    from napari_spineseg.scan import Scan


def result_layer(result: SegmentResult, scan: Scan, scan_layer: Image) -> Labels:
    """The segmentation as a labels layer that lies where the scan's layer lies."""
    data, options, _ = layer_tuple_for_segmentation(result.segmentation)
    layer = Labels(data, **{**options, **placement_of(scan_layer)})
    layer.metadata[KEY] = {
        **about(layer),
        "summary": result.summary,
        "warnings": tuple(dict.fromkeys((*scan.warnings, *result.segmentation.warnings))),
        # Without levels there is nothing to number.
        "numberings": numberings_of(result.alternatives) if result.segmentation.scheme == "levels" else (),
        "footnote": _footnote(result),
    }
    return layer


def uncertainty_layer(result: SegmentResult, scan: Scan, segmentation: Labels) -> Image:
    """How unsure the model is, 0 to 1, as an image over the scan; hidden until it is asked for."""
    shown = scan.grid.to_orientation().apply(result.uncertainty)
    return Image(
        shown.astype(np.float32),
        name=f"{scan.name}_uncertainty",
        colormap="inferno",
        blending="additive",
        contrast_limits=(0, 1),
        visible=False,
        metadata={KEY: {**about(segmentation), "kind": "uncertainty"}},
        **placement_of(segmentation),
    )


def empty_layer(session: Session) -> Labels:
    """A labels layer over the chosen scan with nothing in it yet, in the colours of the scheme."""
    scan_layer = session.scan
    scan = scan_from_layer(scan_layer)
    empty = Segmentation(np.zeros(scan.voxels.shape, np.uint16), scan.affine, name=f"{scan.name}_seg")
    data, options, _ = layer_tuple_for_segmentation(empty)
    layer = Labels(data, **{**options, **placement_of(scan_layer)})
    session.link(layer, scan_layer)
    session.viewer.add_layer(layer)
    session.segmentation = layer
    return layer


def summary_of(layer: Labels) -> str:
    """What is in a segmentation that was opened or drawn, in words."""
    scheme, numbering = scheme_of(layer)
    labels = labels_in(layer)
    if scheme == "structures":
        return f"{len(labels)} structure{'s' if len(labels) != 1 else ''}" if labels else "nothing found"
    return summarise(labels, numbering, possible_tumours(layer))


def possible_tumours(layer: Labels) -> set[int]:
    """Labels in `layer` that a model took for tumours; one that a person outlined is not among them."""
    records = (about(layer).get("provenance") or {}).get("tumours") or ()
    return {r["label"] for r in records if r.get("confidence") is not None} & set(labels_in(layer))


def footnote_of(layer: Labels, changed: bool = False) -> str:
    """Where the labels of a layer come from: a run in this window, else a file and the model that made it.

    `changed` says that they were drawn on since: warnings are of what came, not of what is there now.
    """
    return _origin_of(layer) + (" · changed by hand since" if changed else "")


def changed_by_hand(session: Session, layer: Labels) -> bool:
    """Whether anything was done to `layer` in this window that can be undone."""
    history = session.histories.get(layer)
    return history.can_undo if history is not None else bool(getattr(layer, "_undo_history", ()))


def _origin_of(layer: Labels) -> str:
    known = about(layer)
    opened = [f"As opened: {layer.name}", *_model_words(known.get("provenance") or {})]
    return known.get("footnote") or " · ".join(opened)


def _model_words(provenance: Mapping[str, Any]) -> list[str]:
    """Which model it was; one that finds tumours has its levels from another."""
    model, levels = (_called(provenance.get(key) or {}) for key in ("model", "levels_model"))
    if not model:
        return []
    return [f"Model {model}", f"levels by {levels}"] if levels else [f"Model {model}"]


def _called(model: Mapping[str, Any]) -> str:
    return f"{model['name']} {model['version']}" if {"name", "version"} <= set(model) else ""


def _footnote(result: SegmentResult) -> str:
    """Which model, how long and where."""
    provenance = result.segmentation.provenance
    parts = _model_words(provenance)
    parts.append(f"{sum(result.seconds.values()):.1f} s")
    if "device" in provenance:
        parts.append(str(provenance["device"]))
    return " · ".join(parts)
