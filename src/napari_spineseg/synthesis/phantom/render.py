"""From settings to voxels: draw the person, paint slice by slice, acquire."""

from __future__ import annotations

import json

import numpy as np

from napari_spineseg.anatomy import Numbering
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.synthesis.phantom.acquisition import acquire
from napari_spineseg.synthesis.phantom.bones import paint_disc, paint_sacrum, paint_vertebra
from napari_spineseg.synthesis.phantom.canal import draw_strands, paint_canal_fat, paint_sac
from napari_spineseg.synthesis.phantom.canvas import Canvas
from napari_spineseg.synthesis.phantom.path import sac_path
from napari_spineseg.synthesis.phantom.settings import PhantomSettings
from napari_spineseg.synthesis.phantom.spine import draw_spine
from napari_spineseg.synthesis.phantom.surroundings import draw_torso, paint_ligaments, paint_torso
from napari_spineseg.synthesis.phantom.texture import draw_grain

# Planes of the finer grid inside a thick slice are about this far apart.
_PLANE_MM = 1.3


def make_phantom(settings: PhantomSettings, control: Control | None = None) -> tuple[Scan, Segmentation]:
    """Make a lumbar spine MRI and its exact labels from nothing but settings.

    Parameters
    ----------
    settings
        Equal settings give equal voxels. The seed decides the person, so that T1, T2 and STIR of
        one seed show the same anatomy.
    control
        Told after each slice.

    Returns
    -------
    The scan (int16) and its segmentation in the `levels` scheme, both on the sagittal grid
    (slices to the right, rows downward, columns to the back).

    Examples
    --------
    >>> scan, truth = make_phantom(PhantomSettings(spacing_mm=(8, 4, 4)))
    >>> scan.orientation, truth.names()[1]
    ('RIP', 'L5')
    """
    control = control or Control()
    body, look, noise = (np.random.default_rng([settings.seed, part]) for part in (1, 2, 3))
    spine = draw_spine(settings, body)
    path, torso = sac_path(spine), draw_torso(spine, body)
    strands = draw_strands(path, spine.vertebrae, body)
    x, z, y = _axes(settings, float(torso.skin_y.min()))
    image, labels = np.zeros(settings.shape, np.float32), np.zeros(settings.shape, np.uint16)
    planes = max(1, round(settings.spacing_mm[0] / _PLANE_MM))
    offsets = (np.arange(planes) - (planes - 1) / 2) * settings.spacing_mm[0] / planes
    for k, grain in enumerate(draw_grain(settings, look)):
        canvas = Canvas((x[k] + offsets).astype(np.float32), z, y, settings.sequence, grain.textures)
        background = canvas.thin()
        paint_torso(background, torso)
        canvas.image[:] = background.image
        paint_canal_fat(canvas, path, spine.vertebrae)
        paint_sac(canvas, path, strands)
        paint_ligaments(canvas, spine)
        for disc in spine.discs:
            paint_disc(canvas, disc)
        paint_sacrum(canvas, spine.sacrum)
        for vertebra in spine.vertebrae:
            paint_vertebra(canvas, vertebra)
        image[k], labels[k] = grain.bent(canvas.average(), canvas.majority())
        control.step("Painting the phantom", k + 1, len(x))
    depth = y[None, :] - torso.at("skin_y", z)
    ahead = y[None, :] - torso.at("body_y", z) - torso.at("half_depth", z)
    voxels = acquire(image, settings, depth, ahead, noise)
    affine = _affine(x, z, y, settings.spacing_mm)
    name = f"phantom-{settings.sequence}-{settings.seed}"
    made = {"phantom": json.loads(settings.model_dump_json())}
    numbering = Numbering(lumbar=settings.lumbar_levels)
    scan = Scan(voxels, affine, name=name, sequence=settings.sequence, header=made)
    return scan, Segmentation(labels, affine, name=f"{name}-labels", numbering=numbering, provenance=made)


def _axes(settings: PhantomSettings, skin_y: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RAS positions of slices (x), rows (z, falling) and columns (y, falling), mm, float32.

    Centred on the middle of the lumbar spine, a little lower so that the sacrum shows; the back's
    skin keeps 10 mm from the edge of a field of view that can hold it.
    """
    extent, step, shift = settings.field_of_view_mm, settings.spacing_mm, settings.shift_mm
    count = settings.shape
    centre_y = max(skin_y - 10 + extent[2] / 2, -25.0 - extent[2] * 0.1)
    start = (
        -(count[0] - 1) / 2 * step[0] + shift[0],
        (count[1] - 1) / 2 * step[1] - 12.0 - shift[1],
        (count[2] - 1) / 2 * step[2] + centre_y - shift[2],
    )
    signs = (1, -1, -1)
    return tuple((start[k] + signs[k] * step[k] * np.arange(count[k])).astype(np.float32) for k in range(3))


def _affine(x: np.ndarray, z: np.ndarray, y: np.ndarray, step: tuple[float, float, float]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = [[step[0], 0, 0], [0, 0, -step[2]], [0, -step[1], 0]]
    affine[:3, 3] = x[0], y[0], z[0]
    return affine
