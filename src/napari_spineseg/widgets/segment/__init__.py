"""The Segment page: results, numberings, tumours, and saving."""
