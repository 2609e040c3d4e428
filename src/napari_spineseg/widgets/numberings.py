"""What changes in words when a column gets other numbers: warnings, tumours' places, provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_spineseg.anatomy import Numbering, Structure, structure_of
from napari_spineseg.anatomy_words import renamed, shift_to
from napari_spineseg.corrections.edit import Edit
from napari_spineseg.corrections.tools import relabel_column
from napari_spineseg.errors import SettingsError
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.legend import labels_in, numbers_in, scheme_of

if TYPE_CHECKING:
    from napari_spineseg.instances.numbering import Alternative


def numberings_of(alternatives: Iterable[Alternative]) -> tuple[dict[str, Any], ...]:
    """Other numberings that fit, as a layer's metadata holds them."""
    return tuple(
        {
            "words": other.description,
            "shift": other.shift,
            "lumbar": other.numbering.lumbar,
            "thoracic": other.numbering.thoracic,
        }
        for other in alternatives
    )


def choice_of(layer: Labels, other: Mapping[str, Any]) -> tuple[Edit, dict[str, Any]]:
    """What choosing another numbering changes: voxels, and what the layer's metadata says of them.

    Parameters
    ----------
    other
        One of `numberings_of`.

    Raises
    ------
    SettingsError
        If there is no column to number.
    """
    column = [n for n in labels_in(layer) if structure_of(n) is Structure.VERTEBRA]
    if not column:
        raise SettingsError("There is no vertebra to number.")
    numbering = Numbering(other["lumbar"], other["thoracic"])
    lowest, shift = min(column), int(other["shift"])
    name = numbering.vertebra(lowest + shift) if lowest + shift >= 1 else "S1"
    edit = relabel_column(layer.data, lowest, name, numbering)
    return edit, said_after(layer, shift, numbering, str(other["words"]))


def named(layer: Labels, label: int, name: str, numbering: Numbering) -> tuple[Edit, dict[str, Any]]:
    """The same where a person says that `label` is really `name`, in a spine with that numbering.

    Raises
    ------
    SettingsError
        If such a spine has no such level, or `label` has none.
    """
    edit = relabel_column(layer.data, label, name, numbering)
    before, shift = scheme_of(layer)[1], shift_to(label, name, numbering)
    if not shift and numbering == before:
        return edit, {}
    return edit, said_after(layer, shift, numbering, f"{before.name(label)} is {name}.")


def said_after(layer: Labels, shift: int, numbering: Numbering, words: str) -> dict[str, Any]:
    """What is said of a column whose numbers went up by `shift`, and why: `words`."""
    known = about(layer)
    before = scheme_of(layer)[1]
    provenance = dict(known.get("provenance") or {})
    provenance["numbering"] = {"lumbar": numbering.lumbar, "thoracic": numbering.thoracic}
    moved = shift + (provenance.get("numbering_chosen") or {}).get("shift", 0)
    provenance["numbering_chosen"] = {"words": words, "shift": moved}
    if provenance.get("tumours"):
        provenance["tumours"] = [
            {**finding, "where": renamed(finding["where"], shift, before, numbering)}
            for finding in provenance["tumours"]
        ]
    return {
        "numbering": provenance["numbering"],
        "warnings": tuple(renamed(w, shift, before, numbering) for w in _without_doubt_of_numbers(known)),
        "numberings": (),
        "chosen": words,
        "provenance": provenance,
    }


def said_with(layer: Labels, labels: np.ndarray, numbering: Numbering) -> dict[str, Any]:
    """What is said of `layer` once it holds other labels of its scan, numbered by a person already."""
    said = {"numbering": {"lumbar": numbering.lumbar, "thoracic": numbering.thoracic}}
    if numbering == scheme_of(layer)[1] and _lowest(labels) == _lowest(layer.data):
        return said
    # What else would fit was told from the numbers that are gone: chosen now, it would number them twice.
    return {**said, "numberings": (), "warnings": tuple(_without_doubt_of_numbers(about(layer)))}


def _without_doubt_of_numbers(known: Mapping[str, Any]) -> list[str]:
    from napari_spineseg.instances.numbering import ABOUT_THE_NUMBERS

    return [w for w in known.get("warnings", ()) if not any(part in w for part in ABOUT_THE_NUMBERS)]


def _lowest(labels: np.ndarray) -> int:
    """The lowest vertebra that is labelled; 0 where there is none."""
    return min((n for n in numbers_in(labels) if structure_of(n) is Structure.VERTEBRA), default=0)
