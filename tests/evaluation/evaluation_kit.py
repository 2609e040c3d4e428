"""A column of two vertebrae, and files of it."""

import nibabel as nib
import numpy as np

AFFINE = np.diag([4.0, 1.0, 1.0, 1.0])


def column(shift=0, number=0):
    """L5 and L4 with the disc between them and the canal, in `levels` numbers."""
    labels = np.zeros((3, 20, 40), np.uint16)
    for label, first in ((1, 4), (2, 18)):
        labels[:, 8:14, first + shift : first + 10 + shift] = label + number
    labels[:, 8:14, 14 + shift : 18 + shift] = 202 + number
    labels[:, 2:5] = 100
    return labels


def save(folder, name, labels, affine=AFFINE):
    folder.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(labels, affine), folder / name)
    return folder / name
