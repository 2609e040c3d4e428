"""Preprocessed scans as layers: where they lie over the scan they were made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_spineseg.grid import Grid
from napari_spineseg.io.layers import layer_tuple_for_scan, scan_from_layer
from napari_spineseg.preprocess import open_reference
from napari_spineseg.preprocessing import Pipeline, Step, make_step
from napari_spineseg.preprocessing.command_line import command_line
from napari_spineseg.widgets.known import KEY, about
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.settings_form import Choices

if TYPE_CHECKING:
    from napari_spineseg.scan import Scan


_OUTPUT = "prepared"


def placed_over(layer: Image, before: Grid, after: Grid) -> dict[str, Any]:
    """Where a scan on the grid `after` lies, if `layer` shows its scan on `before`.

    Options for a layer of the sagittal view. Layers are never turned, so that a result on an
    oblique grid is right in its first voxel and along its own axes.
    """
    seen, made = before.to_orientation().grid, after.to_orientation().grid
    corner = np.linalg.inv(seen.affine) @ made.affine[:, 3]
    scale = np.asarray(layer.scale) / seen.spacing * made.spacing
    return {"scale": scale, "translate": layer.data_to_world(corner[:3]), "units": layer.units}


def result_layer(result: Scan, scan: Scan, scan_layer: Image) -> Image:
    """A preprocessed scan as a layer that lies where its scan lies."""
    data, options, _ = layer_tuple_for_scan(result)
    options |= placed_over(scan_layer, scan.grid, result.grid) | {"name": f"{scan.name}_prep"}
    limits = scan_layer.contrast_limits
    if same_units(result.history[len(scan.history) :]):
        options["contrast_limits"] = tuple(limits)
    layer = Image(data, **options)
    layer.metadata[KEY]["name"] = layer.name
    return layer


def same_units(history: tuple[Mapping[str, Any], ...]) -> bool:
    """Whether grey values mean after these steps what they meant before."""
    return all(make_step(entry["step"], {}).same_units for entry in history)


def reference_choices(session: Session) -> Choices:
    """The window's scans as values of a `reference` setting, the scan that is worked on left out."""
    others = [layer.name for layer in session.scans() if layer is not session.scan]
    return [(name, name) for name in others] or [("", "Open the other scan first")]


def opener(session: Session, recipe: Pipeline) -> Callable[[str], Scan]:
    """Finds what the recipe's references name: a layer of this window, else a file.

    Layers are read now, in the thread that owns them; files when they are asked for.
    """
    wanted = {getattr(step, "reference", None) for step in recipe.steps}
    layers = {layer.name: scan_from_layer(layer) for layer in session.scans() if layer.name in wanted}
    return lambda name: layers[name] if name in layers else open_reference(name)


def with_files(session: Session, recipe: Pipeline) -> Pipeline:
    """The recipe with files in place of layers, as far as those came from files unchanged."""
    files = {}
    for layer in session.scans():
        source = about(layer).get("source")
        if source and not about(layer).get("history"):
            files[layer.name] = str(Path(source).absolute())
    steps = [
        step.model_copy(update={"reference": files.get(step.reference, step.reference)})
        if hasattr(step, "reference")
        else step
        for step in recipe.steps
    ]
    return recipe.model_copy(update={"steps": tuple(steps)})


def command_for(session: Session, layer: Image, recipe: Pipeline) -> tuple[str, str]:
    """The line of a terminal that makes what the page makes of `layer`, and what to say besides."""
    known = about(layer)
    whole = with_files(session, Pipeline(steps=_all_steps(layer, recipe.steps)))
    source = known.get("source")
    series = known.get("header", {}).get("series") if source else None
    line = command_line([source or "SCAN"], whole, _OUTPUT, series)
    return line, "" if source else f"{layer.name} has no file: put its name in the place of SCAN."


def _all_steps(layer: Image, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """From the file of `layer` to what the page shows: the layer's own steps, then those of the recipe.

    A result of these very steps needs them once.
    """
    done = tuple(make_step(e["step"], e["settings"]) for e in about(layer).get("history", ()))
    return done if done[len(done) - len(steps) :] == steps else (*done, *steps)
