"""Where models are, and which one a name means. No torch: listing models is instant.

Bundled models are files beside this one. A person's own live in a data folder, one folder a name
and one pair of files a version, and are never changed once they are there::

    <home>/models/<name>/<version>.safetensors    the weights
    <home>/models/<name>/<version>.json           the card
    <home>/models/in-use.json                     {"default": "name@3", "names": {"name": "3"}}

`name` means the version of it that is in use (the newest one, if nobody chose); `name@3` means
that version. An own model may carry a bundled one's name: it is then a later version of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from napari_spineseg.errors import ModelError

DEFAULT_MODEL = "lumbar"
BUNDLED = Path(__file__).parent / "bundled"
HOME_VARIABLE = "SPINESEG_HOME"

IN_USE = "in-use.json"
# Names become folder names, so they may hold nothing that leads elsewhere.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ModelEntry:
    """One version of one model: where it is and what its card says."""

    name: str
    weights: Path
    bundled: bool = False

    @property
    def key(self) -> str:
        """What picks exactly this model: "name@version"."""
        return f"{self.name}@{self.version}"

    @cached_property
    def version(self) -> str:
        """The version, a whole number as text for models made here."""
        return str(self.card.get("version", "1")) if self.bundled else self.weights.stem

    @property
    def title(self) -> str:
        """One line for a menu."""
        return str(self.card.get("title") or self.name)

    @property
    def sha256(self) -> str:
        """Hash of the weights, as its card has it."""
        return str(self.card.get("sha256", ""))

    @property
    def structures(self) -> tuple[str, ...]:
        """What it can find, background left out."""
        return tuple(str(s) for s in self.card.get("structures", ()) if s != "background")

    @cached_property
    def card(self) -> dict[str, Any]:
        """The card as it is on disk, read when first asked for.

        Raises
        ------
        ModelError
            If it is missing or is not a JSON object.
        """
        path = self.weights.with_suffix(".json")
        try:
            card = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ModelError(f"{self.weights.name}: its card {path.name} is missing beside it.") from None
        except (OSError, ValueError) as error:
            raise ModelError(f"{path.name} is not a model card: {error}.") from error
        if not isinstance(card, dict):
            raise ModelError(f"{path.name} is not a model card: expected a JSON object.")
        return card


def home() -> Path:
    """The folder that holds a person's own models: $SPINESEG_HOME, else the system's data folder."""
    if chosen := os.environ.get(HOME_VARIABLE):
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("spineseg", appauthor=False)


def list_models() -> list[ModelEntry]:
    """Every version of every model, bundled ones first, the default at the top.

    Models whose card cannot be read are left out: `get_model` says what is wrong with them.
    """
    entries = [entry for entry in (*_bundled(), *_own()) if _readable(entry)]
    return sorted(entries, key=lambda e: (not e.bundled, e.name != DEFAULT_MODEL, e.name, _order(e.version)))


def get_model(name: str | None = None) -> ModelEntry:
    """The model that `name` or `name@version` means; without a name, the one in use.

    Raises
    ------
    ModelError
        If there is none, or its card cannot be read.
    """
    wanted, at, version = (name or model_in_use()).partition("@")
    # "name@", as a script with an empty variable writes it, must not mean some version or other.
    asked = f"{wanted}@" if at and not version else wanted
    if not _NAME.fullmatch(asked):
        raise ModelError(f"{asked!r} is not a model name. {_known()}")
    versions = [entry for entry in (*_bundled(), *_own()) if entry.name == wanted]
    if not versions:
        raise ModelError(f"There is no model called {wanted!r}. {_known()}")
    version = version or str(read_in_use().get("names", {}).get(wanted, ""))
    if not version:
        # A version that lost its card, or failed the gate, is only meant by its number.
        promoted = [entry for entry in versions if _promoted(entry)] or versions
        return max(promoted, key=lambda e: _order(e.version))
    for entry in versions:
        if entry.version == version:
            return entry
    there = ", ".join(sorted((e.version for e in versions), key=_order))
    raise ModelError(f"Model {wanted!r} has no version {version!r}. Its versions are: {there}.")


def check_new_name(name: str) -> str:
    """`name`, if a new model can be called that: it becomes a folder's.

    Raises
    ------
    ModelError
        If it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ModelError(
            f"{name!r} is no good name for a model; take up to 64 letters, digits, dots, dashes and "
            "underscores, with a letter or digit first, as in my-spine."
        )
    return name


def model_in_use() -> str:
    """Name of the model that is used when none is named: the bundled default until a person chooses."""
    return str(read_in_use().get("default") or DEFAULT_MODEL)


def _bundled() -> Iterator[ModelEntry]:
    for weights in sorted(BUNDLED.glob("*.safetensors")):
        yield ModelEntry(weights.stem, weights, bundled=True)


def _own() -> Iterator[ModelEntry]:
    # A half-written version has another name until it is whole.
    for weights in sorted((home() / "models").glob("*/*.safetensors")):
        if _NAME.fullmatch(weights.parent.name) and not weights.name.startswith("."):
            yield ModelEntry(weights.parent.name, weights)


def read_in_use() -> dict[str, Any]:
    """What a person chose to use. A damaged file counts as no choice: the models themselves are safe."""
    try:
        chosen = json.loads((home() / "models" / IN_USE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return chosen if isinstance(chosen, dict) else {}


def _readable(entry: ModelEntry) -> bool:
    try:
        return bool(entry.card)
    except ModelError:
        return False


def _promoted(entry: ModelEntry) -> bool:
    """Whether a version passed the gate (bundled and imported ones have no gate to pass)."""
    return _readable(entry) and entry.card.get("promoted", True) is not False


def _order(version: str) -> tuple[int, str]:
    """Sort key under which 10 comes after 9, and words before numbers."""
    return (int(version), "") if version.isdecimal() else (-1, version)


def _known() -> str:
    names = sorted({entry.name for entry in list_models()})
    return f"Known models: {', '.join(names)}." if names else "No model is installed."
