"""Maps of variants in files: REF, ALT, their difference and its spread."""
