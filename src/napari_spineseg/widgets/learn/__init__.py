"""The Learn page: what would be learnt, a run as it goes, its verdict, and versions."""
