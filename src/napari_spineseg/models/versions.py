"""Adding, choosing and removing versions of a person's own models.

A version appears whole or not at all: its card is put in place first, under a number that nobody
else can take, and its weights last, which is what makes it exist. Windows and commands may do
this at once.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from napari_spineseg.errors import ModelError
from napari_spineseg.files import write_whole
from napari_spineseg.models.registry import (
    IN_USE,
    ModelEntry,
    check_new_name,
    get_model,
    home,
    list_models,
    read_in_use,
)

# How many earlier choices `rollback` can return to.
_REMEMBERED = 50


def add_version(name: str, weights: Path, changes: dict[str, Any] | None = None) -> ModelEntry:
    """Copy `weights` and its card into the registry as the next version of `name`.

    What is in use stays in use, also where nobody has chosen yet and the new version bears its name.

    Parameters
    ----------
    weights
        X.safetensors with X.json beside it.
    changes
        What the card says differently there, besides its name and version.

    Raises
    ------
    ModelError
        If the name cannot be one.
    """
    folder = home() / "models" / check_new_name(name)
    folder.mkdir(parents=True, exist_ok=True)
    card = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    _hold_on_to_present()
    number, target = _reserve(name, folder)
    card |= (changes or {}) | {"name": name, "version": str(number)}
    text = json.dumps(card, indent=1, allow_nan=False) + "\n"
    write_whole(target.with_suffix(".json"), text)
    write_whole(target, lambda path: shutil.copyfile(weights, path))
    return ModelEntry(name, target)


def use_model(key: str) -> ModelEntry:
    """Make `name` or `name@version` the model that is used when none is named.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    entry = get_model(key)
    _choose(entry)
    return entry


def rollback() -> ModelEntry:
    """Return to the model that was in use before the present one.

    Raises
    ------
    ModelError
        If nothing was in use before, or none of it is there any more.
    """
    with _lock():
        chosen = read_in_use()
        entry, history = _earlier(chosen)
        if entry is None:
            raise ModelError("There is no earlier model to go back to.")
        _write_choice(_without_overruling(chosen), entry, history)
        return entry


def earlier_model() -> ModelEntry | None:
    """What `rollback` would return to; None if there is nothing."""
    return _earlier(read_in_use())[0]


def remove_version(key: str) -> None:
    """Delete one version of an own model. Its number is never given to another.

    Raises
    ------
    ModelError
        If it is bundled, is in use, or other versions were made from it.
    """
    entry = get_model(key)
    if entry.bundled:
        raise ModelError(f"{entry.key} comes with SpineSeg and cannot be removed.")
    if get_model().key == entry.key:
        raise ModelError(f"{entry.key} is in use; use another model first (`spineseg models use NAME`).")
    children = [other.key for other in list_models() if other.card.get("parent") == entry.key]
    if children:
        raise ModelError(f"{', '.join(children)} was made from {entry.key}; remove that first.")
    entry.weights.unlink()
    _forget(entry)


def _forget(entry: ModelEntry) -> None:
    """Let the name of a version that is gone mean the newest of the others again."""
    with _lock():
        chosen = read_in_use()
        names = dict(chosen.get("names", {}))
        if names.get(entry.name) == entry.version:
            del names[entry.name]
            _write(chosen | {"names": names})


def _without_overruling(chosen: dict[str, Any]) -> dict[str, Any]:
    """The choice without a version that the gate refused: what is left must not be meant by its bare name."""
    name, names = chosen.get("default"), dict(chosen.get("names", {}))
    try:
        refused = get_model().card.get("promoted") is False
    except ModelError:
        refused = False
    if refused:
        names.pop(name, None)
    return chosen | {"names": names}


def _earlier(chosen: dict[str, Any]) -> tuple[ModelEntry | None, list[str]]:
    """The latest model in the history that is still there, and the history before it."""
    history = list(chosen.get("history", []))
    while history:
        try:
            return get_model(history.pop()), history
        except ModelError:
            continue
    return None, history


def _choose(entry: ModelEntry) -> None:
    with _lock():
        chosen = read_in_use()
        history = list(chosen.get("history", []))
        before = _present()
        if before and before != entry.key:
            history.append(before)
        _write_choice(chosen, entry, history)


def _hold_on_to_present() -> None:
    """Write down what is in use where that was nobody's choice but the newest version's."""
    with _lock():
        chosen, present = read_in_use(), _present()
        if present is not None and get_model(present).name not in chosen.get("names", {}):
            _write_choice(chosen, get_model(present), list(chosen.get("history", [])))


def _present() -> str | None:
    try:
        return get_model().key
    except ModelError:
        return None


def _write_choice(chosen: dict[str, Any], entry: ModelEntry, history: list[str]) -> None:
    names = dict(chosen.get("names", {})) | {entry.name: entry.version}
    _write({"default": entry.name, "names": names, "history": history[-_REMEMBERED:]})


def _write(choice: dict[str, Any]) -> None:
    text = json.dumps(choice, indent=1) + "\n"
    write_whole(home() / "models" / IN_USE, text)


def _reserve(name: str, folder: Path) -> tuple[int, Path]:
    """The next free number of `name`, taken by creating its card, which only one can do."""
    taken = [int(p.stem) for p in folder.glob("*.json") if p.stem.isdecimal()]
    taken += [int(e.version) for e in list_models() if e.name == name and e.version.isdecimal()]
    number = max(taken, default=0) + 1
    while True:
        try:
            os.close(os.open(folder / f"{number}.json", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            number += 1
            continue
        return number, folder / f"{number}.safetensors"


def _lock() -> FileLock:
    folder = home() / "models"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / ".in-use.lock", timeout=20)
