"""SpineSeg: segment lumbar spine MRI in napari, correct the result, and learn from the corrections."""

__version__ = "0.1.0"
