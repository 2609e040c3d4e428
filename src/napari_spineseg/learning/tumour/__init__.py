"""Models that look for tumours: how the bundled one was made, and what is special when one goes on learning.

`recipe` says how one is made, `pretrain` makes it in `stages`, from `patches` into which tumours are painted
as they are drawn (`tones` sets their brightness); `replay` keeps a model that learns from corrections from
forgetting. `cases` are painted scans with the truth, `figures` what papers print.
"""

from napari_spineseg.learning.tumour.pretrain import pretrain_tumour
from napari_spineseg.learning.tumour.recipe import TumourSettings, is_tumour_recipe

__all__ = ["TumourSettings", "is_tumour_recipe", "pretrain_tumour"]
