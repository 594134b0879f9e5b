"""Files and figures of fits, posteriors, comparisons and designs."""
