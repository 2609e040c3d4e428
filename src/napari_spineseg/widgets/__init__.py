"""What a person sees in napari: a thin view over the rooms. Nothing imports this room.

`dock` holds the pages; each has a room of its own, whose `page` derives from `page.Page`. Those of one window
share a `session.Session`, which knows the chosen scan and segmentation.
"""
