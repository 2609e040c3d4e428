"""From structures to levels: the one call that other rooms use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, Numbering, Structure
from napari_spineseg.instances.blocks import Blocks, to_blocks
from napari_spineseg.instances.cleanup import fill_holes, keep_bone, keep_canal
from napari_spineseg.instances.column import Column, Coordinates, trace_column
from napari_spineseg.instances.numbering import Alternative, Decision, Level, decide
from napari_spineseg.instances.profile import Segment, read_column, signals
from napari_spineseg.instances.split import Cut, assign_discs, bands, fit_cuts, flood, keep_discs

# Less bone and disc than this is no spine, ml.
_LEAST_SPINE_ML = 1.5
# Within this of a cut, mm, a posterior voxel is unsure; a voxel of the body only right at the cut.
_UNSURE_BEHIND, _UNSURE_BODY, _BODY_BACK = 10.0, 1.0, 15.0
# In block labels: numbers count up from here for whatever is left out at the bottom.
_CANAL_CODE, _DISC_CODE = 50, 60


@dataclass(frozen=True, eq=False)
class LevelResult:
    """Instances and their levels.

    Attributes
    ----------
    levels
        uint16, the shape that came in, `levels` scheme.
    numbering
        What the numbers are called.
    warnings
        What a person should know about the numbering.
    alternatives
        Other numberings that the picture allows, likeliest first.
    """

    levels: np.ndarray
    numbering: Numbering = Numbering()
    warnings: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, eq=False)
class _Parts:
    """Bone and disc blocks with their coordinates, in array order."""

    bone: np.ndarray
    disc: np.ndarray
    bone_at: Coordinates
    disc_at: Coordinates
    bone_amount: np.ndarray
    disc_amount: np.ndarray


def label_levels(structures: np.ndarray, spacing: tuple[float, float, float]) -> LevelResult:
    """Give every vertebra and disc its own number, counted upward from the lumbosacral junction.

    Parameters
    ----------
    structures
        (slices, rows, columns) of the `structures` scheme in sagittal orientation: slices to the
        right, rows down, columns to the back. Tumours are ignored.
    spacing
        mm along the same axes.

    Returns
    -------
    LevelResult
        Voxels that are not part of one spine (islands, bits of the sacrum) are 0 in its levels;
        holes in a vertebra or disc are closed. A spine that is not there gives an empty result
        with a warning.
    """
    levels = np.zeros(structures.shape, np.uint16)
    box = _box(structures)
    if box is None:
        return LevelResult(levels, warnings=("No spine was found in this scan.",))
    inner = np.ascontiguousarray(structures[box])
    blocks = to_blocks(inner, spacing)
    read = _read(blocks)
    if read is None:
        return LevelResult(levels, warnings=("No vertebra and no disc was found in this scan.",))
    parts, segments = read
    border = structures.shape[1] - box[1].stop
    codes, decision = _label_blocks(blocks, parts, segments, border * spacing[1])
    small = _paint(inner, blocks, codes)
    fill_holes(small, spacing)
    levels[box] = _to_levels(small)
    return LevelResult(levels, Numbering(), decision.warnings, decision.alternatives)


def _box(structures: np.ndarray) -> tuple[slice, slice, slice] | None:
    """The smallest box around everything that is painted."""
    used = structures > 0
    plane = used.any(0)
    spans = [np.flatnonzero(v) for v in (used.any((1, 2)), plane.any(1), plane.any(0))]
    if not len(spans[0]):
        return None
    return tuple(slice(int(s[0]), int(s[-1]) + 1) for s in spans)


def _read(blocks: Blocks) -> tuple[_Parts, list[Segment]] | None:
    """Trace the column and read it from the top down; None where there is none."""
    amount = int(blocks.bone.sum(dtype=np.int64) + blocks.disc.sum(dtype=np.int64))
    column = trace_column(blocks) if amount * blocks.voxel_ml >= _LEAST_SPINE_ML else None
    if column is None:
        return None
    parts = _parts(blocks, column)
    bone, disc = (parts.bone_at, parts.bone_amount), (parts.disc_at, parts.disc_amount)
    segments = read_column(*signals(bone, disc, len(column.points)))
    if not segments:
        return None
    if segments[0].is_disc:
        # Above every disc there is a vertebra, if only its posterior elements are in view.
        segments.insert(0, Segment(False, segments[0].start, segments[0].start, 0.0))
    return parts, segments


def _parts(blocks: Blocks, column: Column) -> _Parts:
    masks = [blocks.bone > 0, blocks.disc > 0]
    places = [column.coordinates(np.nonzero(mask)) for mask in masks]
    return _Parts(*masks, *places, blocks.bone[masks[0]], blocks.disc[masks[1]])


def _label_blocks(
    blocks: Blocks, parts: _Parts, segments: list[Segment], room: float
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], Decision]:
    """Numbers of bone blocks, of disc blocks, and the canal that stays, with what was decided."""
    discs = [k for k, segment in enumerate(segments) if segment.is_disc]
    owner = assign_discs(segments, parts.disc_at)
    cuts = fit_cuts(segments, owner, parts.disc_at, parts.disc_amount)
    owner = keep_discs(parts.disc, owner, discs, cuts, parts.disc_at)
    below, sure = _split_bone(blocks, parts, cuts)
    total = len(segments) - len(discs)
    kept = keep_bone(parts.bone, parts.bone_at, parts.bone_amount, blocks.voxel_ml)
    levels = _describe(blocks, parts, segments, cuts, np.where(kept, below, -1), owner, room)
    decision = decide(levels)
    count = total - decision.left_out
    if decision.left_out or segments[-1].is_disc:
        cuts = [*cuts[: count - 1], Cut(**{**vars(cuts[count - 1]), "lowest": True})]
        below, sure = _split_bone(blocks, parts, cuts)
    below = flood(
        parts.bone,
        blocks.bone * 2 > blocks.full,
        below,
        sure,
        blocks.spacing,
    )
    bone = np.where(kept & (below < count), count - below, 0)
    order = np.full(len(segments), -1)
    order[discs] = np.arange(len(discs))
    rank = np.where(owner >= 0, order[owner], count)
    disc = np.where(rank < count, count - rank, 0)
    return (bone, disc, keep_canal(blocks.canal > 0, blocks.spacing)), decision


def _split_bone(blocks: Blocks, parts: _Parts, cuts: list[Cut]) -> tuple[np.ndarray, np.ndarray]:
    """How many cuts each bone block is below, and whether that is beyond doubt."""
    below, clear = bands(cuts, parts.bone_at)
    return below, clear > np.where(parts.bone_at.behind < _BODY_BACK, _UNSURE_BODY, _UNSURE_BEHIND)


def _describe(blocks, parts, segments, cuts, below, owner, room) -> list[Level]:
    """What numbering needs to know of each vertebra, from the top down."""
    discs = [k for k, segment in enumerate(segments) if segment.is_disc]
    bodies = [segment for segment in segments if not segment.is_disc]
    rows = [np.nonzero(mask)[1] for mask in (parts.bone, parts.disc)]
    height = parts.bone.shape[1]
    out = []
    for rank, body in enumerate(bodies):
        mine = below == rank
        disc = owner == discs[rank] if rank < len(discs) else np.zeros(owner.shape, bool)
        lowest = max(
            int(rows[0][mine & (parts.bone_at.behind < _BODY_BACK)].max(initial=0)),
            int(rows[1][disc].max(initial=0)),
        )
        out.append(
            Level(
                body.height,
                body.evidence,
                float(parts.bone_amount[mine].sum()) * blocks.voxel_ml,
                float(parts.disc_amount[disc].sum()) * blocks.voxel_ml,
                _slope(disc, parts, blocks),
                room + (height - 1 - lowest) * blocks.spacing[1],
            )
        )
    return out


def _slope(disc: np.ndarray, parts: _Parts, blocks: Blocks) -> float | None:
    """Slope of a disc in the sagittal plane of the scan, degrees, front end lower = negative."""
    core = disc & (np.abs(parts.disc_at.beside) < 12)
    if core.sum() < 20:
        return None
    _, rows, columns = (index[core] for index in np.nonzero(parts.disc))
    y, x = rows * blocks.spacing[1], columns * blocks.spacing[2]
    spread = np.cov(np.stack([y, x]), aweights=parts.disc_amount[core])
    axis = np.linalg.eigh(spread)[1][:, 1]
    angle = np.degrees(np.arctan2(axis[0], axis[1]))
    return float((angle + 90) % 180 - 90)


def _paint(inner: np.ndarray, blocks: Blocks, codes) -> np.ndarray:
    """Block numbers on the voxels: vertebra n is n, the canal 50, disc n 60 + n. uint8."""
    bone, disc, canal = codes
    tables = []
    for mask, values in ((blocks.bone > 0, bone), (blocks.disc > 0, disc + _DISC_CODE * (disc > 0))):
        table = np.zeros(mask.shape, np.uint8)
        table[mask] = values
        tables.append(blocks.spread(table, inner.shape))
    out = np.where(inner == Structure.VERTEBRA, tables[0], np.uint8(0))
    np.copyto(out, tables[1], where=inner == Structure.DISC)
    np.copyto(
        out, np.uint8(_CANAL_CODE), where=(inner == Structure.CANAL) & blocks.spread(canal, inner.shape)
    )
    return out


def _to_levels(codes: np.ndarray) -> np.ndarray:
    """Codes of `_paint` to the `levels` scheme, uint16."""
    table = np.arange(256, dtype=np.uint16)
    table[_CANAL_CODE] = CANAL_LABEL
    table[_DISC_CODE + 1 :] = np.arange(FIRST_DISC_LABEL, FIRST_DISC_LABEL + 256 - _DISC_CODE - 1)
    return table[codes]
