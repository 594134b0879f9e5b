"""Reasons why an allele has no score: fixed sentences, which can be counted.

Numbers and names, which differ from record to record, are in the column `detail`.
"""

NO_ALT = "no ALT allele"
OVERLAPPING = "ALT * stands for an overlapping deletion"
NO_PARTICULAR_ALLELE = "ALT does not name an allele"
ALT_EQUALS_REF = "ALT equals REF"
ALT_UNREADABLE = "ALT is neither letters of bases nor a symbol nor a breakend"

CHROMOSOME_UNKNOWN = "the chromosome is not in the genome"
OUTSIDE = "POS or REF lies outside the chromosome"
BEFORE_FIRST_BASE = "POS lies before the first base; only a symbol with a REF of N may lie there"
REF_UNREADABLE = "REF is not letters of bases"
REF_DIFFERS = "REF differs from the genome"

SYMBOL_UNDEFINED = "the symbolic allele has no defined sequence"
COPIES_UNDEFINED = (
    "the positions of the copies are unknown; only no copy or one additional copy is scored"
)
INSERTION_UNKNOWN = "insertion without its sequence"
END_MISSING = "neither END nor SVLEN says where the event ends"
END_BEFORE_POS = "END is left of POS"
END_AT_POS = "END equals POS: the event has no bases"
END_OUTSIDE = "the event ends outside the chromosome"

SINGLE_BREAKEND = "single breakend: its other side is unknown"
BREAKEND_UNREADABLE = "the breakend has none of the four forms"
BREAKEND_CHANGES_REF = "the breakend changes the REF base; write it as two records"
TELOMERE = "breakend of a telomere: beyond the chromosome's end are no bases to join"
MATE_CHROMOSOME_UNKNOWN = "the mate's chromosome is not in the genome"
MATE_OUTSIDE = "the mate's position lies outside its chromosome"

ON_CHANGED_BASES = "an edit of the haplotype changes REF"
LETTERS_ON_HAPLOTYPE = "only alleles of letters are scored on a haplotype"

LETTERS_ONLY = "Basenji's window shows alleles given by their letters only"
TOO_LARGE = "the event is larger than two thirds of the window"
CROPPED = "the event lies in the cropped margin of the window"
NO_CONTACT = "no contact of the window can be compared"

ALL = frozenset(
    value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str)
)
