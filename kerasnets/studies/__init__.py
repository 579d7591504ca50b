"""Studies: many runs declared at once, run so that nothing is lost or mixed up, and held against published numbers."""
