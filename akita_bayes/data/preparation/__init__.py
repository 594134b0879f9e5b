"""From coolers and a genome to a data directory: windows, splits, records, account."""
