"""The table of Chen et al. 2024, beside what a tumour model reaches on held-out synthetic tumours."""
