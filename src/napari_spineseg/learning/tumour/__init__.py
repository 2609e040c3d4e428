"""Models that look for tumours: how the bundled one was made, and what is special when one goes on learning.

`patches` paints tumours as they are drawn (`tones` sets their brightness), `pretrain` trains in stages,
`replay` keeps a model that learns from corrections from forgetting, `cases` are painted scans with the truth.
"""

from napari_spineseg.learning.tumour.pretrain import TumourSettings, is_tumour_recipe, pretrain_tumour

__all__ = ["TumourSettings", "is_tumour_recipe", "pretrain_tumour"]
