"""Lumbar spine MRI made from formulas: no patient's data in it, exact labels with it."""

from napari_spineseg.synthesis.phantom.render import make_phantom
from napari_spineseg.synthesis.phantom.settings import PhantomSettings

__all__ = ["PhantomSettings", "make_phantom"]
