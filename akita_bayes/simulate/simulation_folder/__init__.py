"""Files of a simulation: genome, records, coolers, variants of known effect."""
