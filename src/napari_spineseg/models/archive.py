"""A model as one file: a zip of weights and card, hashes checked, nothing in it executed."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from pathlib import Path

from napari_spineseg.errors import ModelError, OutputError
from napari_spineseg.files import write_whole
from napari_spineseg.models.registry import ModelEntry, get_model
from napari_spineseg.models.versions import add_version

_WEIGHTS, _CARD = "model.safetensors", "model.json"
_LARGEST_BYTES = 2_000_000_000


def export_model(key: str, path: Path, overwrite: bool = False) -> Path:
    """Write `name` or `name@version` as a zip.

    Raises
    ------
    ModelError
        If there is no such model.
    OutputError
        If the file is there already, or cannot be written.
    """
    entry = get_model(key)
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} is there already; choose another name, or --overwrite it.")

    def fill(beside: Path) -> None:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(entry.weights, _WEIGHTS)
            archive.write(entry.weights.with_suffix(".json"), _CARD)

    try:
        write_whole(path, fill)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def import_model(path: Path, name: str | None = None) -> ModelEntry:
    """Add the model in a zip to the registry, as a new version of its own or a given name.

    Raises
    ------
    ModelError
        If the file is not such a zip, or its weights are not those that its card describes.
    """
    if not path.is_file():
        # A pipe or a device would never end.
        what = "is no file" if path.exists() else "does not exist"
        raise ModelError(f"{path} {what}; name one that `models export` wrote.")
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / _WEIGHTS
        card = _unpack(path, weights)
        return add_version(name or str(card.get("name", path.stem)), weights)


def _unpack(path: Path, weights: Path) -> dict:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > _LARGEST_BYTES:
                raise ModelError(f"{path.name} claims to hold more than 2 GB; no model does.")
            weights.write_bytes(archive.read(_WEIGHTS))
            text = archive.read(_CARD)
        card = json.loads(text)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path.name} is not an exported model.") from error
    if not isinstance(card, dict) or card.get("sha256") != hashlib.sha256(weights.read_bytes()).hexdigest():
        raise ModelError(f"{path.name}: the weights are not those that its card describes.")
    weights.with_suffix(".json").write_bytes(text)
    return card
