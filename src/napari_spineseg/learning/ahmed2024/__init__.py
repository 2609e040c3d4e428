"""The lumbar system of Ahmed et al. 2024 (arXiv 2409.06018), trained and scored beside ours.

`slices` reads the data, `parts` splits it in the two protocols, `published` trains the modified
U-Net by its own recipe, `default` trains SpineNet on the same slices, `score` measures both and
`table` puts them beside the printed figures. `reproduce` is all of it.
"""
