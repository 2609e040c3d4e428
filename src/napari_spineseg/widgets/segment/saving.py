"""Where a segmentation would be saved, and what that would replace."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels

from napari_spineseg.errors import OutputError, ScanError
from napari_spineseg.io import checksums_of, stem_of
from napari_spineseg.io.record import DRAWN_ON, structures_of
from napari_spineseg.io.write import ENDINGS, written_files
from napari_spineseg.scan import Segmentation
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.naming import description_of
from napari_spineseg.widgets.segment.result_layers import summary_of


def suggested_path(name: str, source: str | None, prepared: bool = False) -> Path:
    """`<stem>_seg.nii.gz` beside the scan it belongs to; in the home folder for one from nowhere.

    A scan that was `prepared` is called by its own `name`: labels of it may not lie on what is in the file.
    """
    if source is None:
        return Path.home() / f"{name}_seg.nii.gz"
    scan = Path(source).absolute()
    return scan.parent / f"{name if prepared else stem_of(scan)}_seg.nii.gz"


def check_path(text: str, source: str | None) -> Path:
    """The path that a person typed, if a segmentation may go there.

    Raises
    ------
    OutputError
        If the folder is missing, the ending is none of `ENDINGS`, or the scan itself is there.
    """
    path = Path(text.strip()).expanduser()
    if not text.strip() or not path.name:
        raise OutputError("Name a file to save to.")
    if not path.name.lower().endswith(ENDINGS):
        raise OutputError(f"The name has to end in one of {', '.join(ENDINGS)}.")
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(
            f"There is no folder {path.parent}." if not path.is_dir() else f"{path} is a folder."
        )
    if source is not None and _same_file(path, Path(source)):
        raise OutputError("That is the scan itself; a segmentation never replaces it.")
    return path


def would_replace(path: Path) -> list[Path]:
    """Files that exist and that saving to `path` would replace."""
    return [file for file in written_files(path) if file.exists()]


def _same_file(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def record_of(layer: Labels, segmentation: Segmentation, scan: Image | None) -> dict[str, Any]:
    """What to keep of a model's labels beside their file, as `spineseg segment` does.

    The checksum in there stays that of what the model said: whoever opens the file is told if it was changed.

    Parameters
    ----------
    scan
        What the labels were drawn on; None where it is not open.
    """
    provenance = {key: value for key, value in segmentation.provenance.items() if key != "source"}
    return {
        **_input_of(layer, provenance, scan),
        **provenance,
        "summary": summary_of(layer),
        "structures": structures_of(segmentation),
        "warnings": list(about(layer).get("warnings", ())),
    }


def _input_of(layer: Labels, provenance: Mapping[str, Any], scan: Image | None) -> dict[str, Any]:
    """The scan's file: where it is now, else where it was."""
    drawn_on = description_of(scan) if scan is not None else about(layer).get(DRAWN_ON) or {}
    path = drawn_on.get("source") or (provenance.get("scan") or {}).get("source")
    if not path:
        return {}
    known = {"path": path, "sha256": drawn_on.get("sha256")}
    return {"input": {key: value for key, value in known.items() if value}}


def with_checksum(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the checksum of the scan's file, by which that is known again when it was moved."""
    known = dict(record.get("input") or {})
    if not known or known.get("sha256"):
        return dict(record)
    with suppress(ScanError, OSError):  # it may have been moved already
        known |= checksums_of(Path(known["path"]))
    return {**record, "input": known}
