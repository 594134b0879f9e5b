"""Reports of directories of results: one HTML file that needs no network."""
