"""File formats: records, genomes, coolers, count tables."""
