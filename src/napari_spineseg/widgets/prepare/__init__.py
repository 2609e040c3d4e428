"""The Prepare page: steps, recipes, the live preview, and the audit of datasets."""
