"""Folders of labelled scans, and the prepared arrays that training reads."""
