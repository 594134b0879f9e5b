"""Makes data directories from coolers and a genome: windows, splits, records, summary."""
