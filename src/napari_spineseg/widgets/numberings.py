"""What changes in words when a column gets other numbers: warnings, tumours' places, provenance."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Labels

from napari_spineseg.anatomy import FIRST_DISC_LABEL, Numbering, Structure, structure_of
from napari_spineseg.corrections.edit import Edit
from napari_spineseg.corrections.tools import relabel_column
from napari_spineseg.errors import SettingsError
from napari_spineseg.widgets.legend import labels_in, scheme_of
from napari_spineseg.widgets.session import about

if TYPE_CHECKING:
    from napari_spineseg.instances.numbering import Alternative

_LEVELS = 30
# Up to T4: above, "T1" and "T2" are more likely to be the sequence than the level.
_NAMED = 14
# Doubts about the numbers themselves (`instances.numbering`): whoever chose them has answered them.
_ANSWERED = ("junction", "may be S1 or L6", "may be transitional")
_NAME = re.compile(r"\b[LTC]\d+(?:/[LTCS]\d+)?\b")


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
    warnings = [w for w in known.get("warnings", ()) if not any(part in w for part in _ANSWERED)]
    return {
        "numbering": provenance["numbering"],
        "warnings": tuple(renamed(w, shift, before, numbering) for w in warnings),
        "numberings": (),
        "chosen": words,
        "provenance": provenance,
    }


def renamed(text: str, shift: int, before: Numbering, after: Numbering) -> str:
    """`text` with the names of levels as they are once every number has gone up by `shift`.

    >>> renamed("L5 is painted only in part.", 1, Numbering(), Numbering())
    'L4 is painted only in part.'
    """
    discs = range(FIRST_DISC_LABEL + max(0, -shift), FIRST_DISC_LABEL + _NAMED)
    names = {before.vertebra(n): after.vertebra(n + shift) for n in range(1, _NAMED + 1)}
    names |= {before.disc(n): after.disc(n + shift) for n in discs}
    return _NAME.sub(lambda found: names.get(found.group(), found.group()), text)


def shift_to(label: int, name: str, numbering: Numbering) -> int:
    """By how much numbers go up where `label` is really called `name`; below the lowest is sacrum."""
    first = FIRST_DISC_LABEL if structure_of(label) is Structure.DISC else 1
    names: Sequence[str] = [numbering.name(first + n) for n in range(_LEVELS)]
    return (first + names.index(name) if name in names else first - 1) - label
