"""Biophysics of cis-regulation: fits, gauges, posteriors."""
