"""The Measure page: figures, the lines they were taken along, and saving them."""
