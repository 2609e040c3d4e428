"""Pictures of what training images go through, on phantoms. Drawn by `make_docs_pictures.py`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

_PIXEL_MM = 0.5

Tiles = list[tuple[np.ndarray, str]]


def painted() -> Tiles:
    """A label volume turned into images: contrasts, then a real slice's texture, then dark discs."""
    from napari_spineseg.core.appearance import soften
    from napari_spineseg.synthesis.contrast import degenerate, draw_look, render
    from napari_spineseg.synthesis.texture import lend_texture
    from napari_spineseg.synthesis.tissues import paint_tissues

    truth, grey, middle = _phantom()
    tissues = torch.from_numpy(paint_tissues(truth.labels, (4.0, _PIXEL_MM, _PIXEL_MM), 0)[middle][None])

    def drawn(look: str, seed: int, change: Callable[..., torch.Tensor] | None = None) -> np.ndarray:
        generator = torch.Generator().manual_seed(seed)
        chosen = draw_look(generator, look)
        chosen = degenerate(chosen, generator) if look == "T2" and change is None and seed else chosen
        image = soften(render(tissues, chosen, _PIXEL_MM, generator))
        return (change(image, generator) if change else image)[0].clamp(0, 1).numpy()

    return [
        (drawn("T1", 2), "T1"),
        (drawn("T2", 0), "T2"),
        (drawn("STIR", 3), "STIR"),
        (drawn("random", 4), "random"),
        (drawn("T2", 5), "T2, worn discs"),
        (drawn("T2", 6, lambda image, g: lend_texture(image, grey, g)), "T2, borrowed texture"),
    ]


def spoiled() -> Tiles:
    """One slice, and what wear, deformity, movement, bands and metal make of it."""
    from napari_spineseg.core import artefacts
    from napari_spineseg.synthesis import degeneration

    truth, grey, middle = _phantom()
    structures = _structures(truth)[middle][None]

    def worn(kind: Callable[..., torch.Tensor], seed: int) -> np.ndarray:
        return kind(grey, structures, torch.Generator().manual_seed(seed))[0].clamp(0, 1).numpy()

    def acquired(kind: Callable[..., torch.Tensor], seed: int) -> np.ndarray:
        return kind(grey, torch.Generator().manual_seed(seed))[0].clamp(0, 1).numpy()

    return [
        (grey[0].numpy(), "as it is"),
        (worn(degeneration.darken_discs, 1), "discs like endplates"),
        (worn(degeneration.narrow_canal, 5), "canal without fluid"),
        (worn(degeneration.change_endplates, 19), "endplate change"),
        (_deformed(grey, slip_mm=12.0, seed=16), "slip"),
        (_deformed(grey, crush=0.6, seed=6), "crushed bodies"),
        (acquired(artefacts.ghosts, 2), "ghosts"),
        (acquired(artefacts.smear, 8), "smear"),
        (acquired(artefacts.saturate, 5), "saturation band"),
        (_metal(grey, 18), "metal"),
        (_along_sheet(lean_mm=9, bow_mm=0, turn_deg=0), "leaning to the side"),
        (_along_sheet(lean_mm=0, bow_mm=14, turn_deg=12), "bowed and turned"),
    ]


def _phantom() -> tuple[object, torch.Tensor, int]:
    """(labels, middle slice (1, H, W) in 0..1, its number) of a T2 phantom with pixels of 0.5 mm."""
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    scan, truth = make_phantom(
        PhantomSettings(seed=2, spacing_mm=(4.0, _PIXEL_MM, _PIXEL_MM), saturation_band=False)
    )
    middle = len(scan.voxels) // 2
    slice_ = torch.from_numpy(scan.voxels[middle][None].astype(np.float32))
    return truth, (slice_ / float(np.percentile(slice_, 99.5))).clamp(0, 1), middle


def _along_sheet(**reach: float) -> np.ndarray:
    """The phantom in thin slices, along a sheet that bends as far as `reach` says."""
    from napari_spineseg.datasets.planes import SheetSettings, View, draw_sheet, positions
    from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

    thin = PhantomSettings(seed=2, spacing_mm=(1.0, _PIXEL_MM, _PIXEL_MM), saturation_band=False)
    voxels = make_phantom(thin)[0].voxels.astype(np.float32)
    greys = (voxels / np.percentile(voxels, 99.5)).clip(0, 1) * 255
    size, middle = voxels.shape[1:], len(voxels) // 2
    sheet = draw_sheet(size, _PIXEL_MM, SheetSettings(share=1, **reach), np.random.default_rng(3))
    rows, columns = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in size), indexing="ij")
    centre = ((size[0] - 1) / 2, (size[1] - 1) / 2)
    at = positions([middle], len(voxels), sheet)
    return (
        View([middle], centre, torch.stack([columns, rows], -1), at)
        .grey(greys.astype(np.uint8), 1)[0]
        .numpy()
    )


def _structures(truth: object) -> torch.Tensor:
    from napari_spineseg.anatomy import levels_to_structures

    return torch.from_numpy(levels_to_structures(truth.labels)).float()


def _deformed(grey: torch.Tensor, seed: int, **strength: float) -> np.ndarray:
    from napari_spineseg.core import augment

    still = {"rotation_deg": 0, "scale": 1, "shear": 0, "warp_mm": 0}
    size = tuple(grey.shape[1:])
    generator = torch.Generator().manual_seed(seed)
    plain = augment.AugmentSettings(**still, **strength)
    offsets = augment.draw_grid(1, size, _PIXEL_MM, plain, generator)[0]
    return augment.sample(grey, ((size[0] - 1) / 2, (size[1] - 1) / 2), offsets, "bilinear")[0].numpy()


def _metal(grey: torch.Tensor, seed: int) -> np.ndarray:
    from napari_spineseg.core.artefacts import draw_voids

    inside, rim = draw_voids(1, tuple(grey.shape[1:]), 1.0, torch.Generator().manual_seed(seed))
    return (grey + rim).masked_fill(inside, 0)[0].clamp(0, 1).numpy()
