"""Reads a junction within one chromosome, equally from either of its two breakends.

A junction joins two pieces. The base of a piece next to the junction is either its last base, when
the piece reaches to the left, or its first, when it reaches to the right. This gives four forms, by
the lower and the higher of the two bases:

    form    lower   higher  brackets at the two bases   event
    DEL     last    first   t[p[  ]p]t                  deletion of the bases between
    DUP     first   last    ]p]t  t[p[                  tandem duplication
    LEFT    last    last    t]p]  t]p]                  left end of an inversion
    RIGHT   first   first   [p[t  [p[t                  right end of an inversion

When both pieces continue with the same bases (microhomology), the junction may lie at several
positions. Callers choose different ones, Manta even in the two records of one junction.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from akita_bayes import dna

if TYPE_CHECKING:
    from akita_bayes.variants.alleles import records

DEL, DUP, LEFT, RIGHT = "DEL", "DUP", "LEFT", "RIGHT"
HOMOLOGY = 1_000  # most bases by which a junction is moved to the position of its twin
_FORMS = {
    (True, False): DEL,
    (False, True): DUP,
    (True, True): LEFT,
    (False, False): RIGHT,
}


class Junction(NamedTuple):
    """Describes two bases of one chromosome that an allele joins.

    Attributes:
        chrom: Chromosome.
        form: DEL, DUP, LEFT or RIGHT.
        low: The lower of the two bases, from 0.
        high: The higher of the two bases.
        letters: New letters between them: for DEL and DUP on the forward strand, for LEFT as they
            follow the lower base, for RIGHT as they precede the higher base.
    """

    chrom: str
    form: str
    low: int
    high: int
    letters: str

    def moved(self, by: int) -> "Junction":
        """Returns the junction whose lower base lies `by` bases to the right.

        The higher base moves equally far: left at an end of an inversion, right otherwise.
        """
        of_high = by if self.form in (DEL, DUP) else -by
        return self._replace(low=self.low + by, high=self.high + of_high)


def of_row(row: "records.Variant") -> Junction | None:
    """Returns the junction of a breakend; None when it joins two chromosomes."""
    if row.mate is None or row.mate.chrom != row.chrom:
        return None
    near_base, far_base = _bases(row, row.mate)
    low, high = sorted((near_base, far_base))
    form = _FORMS[low[1], high[1]]
    return Junction(row.chrom, form, low[0], high[0], letters(row, row.inserted))


def letters(row: "records.Variant", inserted: str) -> str:
    """Converts letters of a record to those of its junction, and the reverse.

    t]p] is read from the lower base and [p[t towards the higher base. A record at the opposite base
    shows the opposite strand.
    """
    assert row.mate is not None
    near_base, far_base = _bases(row, row.mate)
    # LEFT (True, True) is read at its lower base, RIGHT (False, False) at its higher one.
    other_strand = near_base[1] == far_base[1] and (near_base <= far_base) != near_base[1]
    return dna.reverse_complement(inserted) if other_strand else inserted


def _bases(
    row: "records.Variant", mate: "records.Breakend"
) -> tuple[tuple[int, bool], tuple[int, bool]]:
    """Returns the record's base and the far one, each with True where its piece ends there.

    Of two equal bases the one that starts a piece sorts first, since False < True: t[p[ at p itself
    repeats that base.
    """
    near = row.end - 1 if mate.joined_after else row.start
    return (near, mate.joined_after), (mate.position, not mate.extends_right)


def canonical(junction: Junction, genome: Any) -> Junction:
    """Returns the same junction with its lower base as far left as homology allows."""
    return junction.moved(0 if junction.letters else -_homology(junction, genome, right=False))


def room(junction: Junction, genome: Any) -> tuple[int, int]:
    """Returns by how many bases the lower base can move left and right for the same sequence.

    A junction with new letters cannot move.

    Args:
        junction: The junction.
        genome: Reads letters.
    """
    if junction.letters:
        return 0, 0
    return _homology(junction, genome, right=False), _homology(junction, genome, right=True)


def _homology(junction: Junction, genome: Any, *, right: bool) -> int:
    """Returns by how many bases the junction can move in one direction, at most HOMOLOGY."""
    limit = HOMOLOGY
    # The two bases of an inversion's end move towards each other and must not meet.
    if right and junction.form in (LEFT, RIGHT):
        limit = min(limit, (junction.high - junction.low) // 2)
    bases = 16
    while True:
        bases = min(bases, limit)
        first, second = _continued(junction, genome, bases, right=right)
        equal = next((i for i in range(bases) if first[i] != second[i] or first[i] == "N"), bases)
        if equal < bases or bases == limit:
            return equal
        bases *= 4


def _continued(junction: Junction, genome: Any, bases: int, *, right: bool) -> tuple[str, str]:
    """Returns letters of two sequences that must be equal for the junction to move.

    On the way right they are the letters that follow the first piece in the genome, and the first
    letters of the second piece: while they are equal, the junction may lie behind them. On the way
    left they are the last letters of the first piece, and those before the second piece. Letters
    near the junction come first.
    """
    low, high = junction.low, junction.high

    def forward(start: int) -> str:
        return genome.padded(junction.chrom, start, start + bases).upper()

    def backward(end: int) -> str:
        return dna.reverse_complement(genome.padded(junction.chrom, end - bases, end).upper())

    if junction.form in (DEL, DUP):
        last, first = (low, high) if junction.form == DEL else (high, low)
        if right:
            return forward(last + 1), forward(first)
        return backward(last + 1), backward(first)
    if junction.form == LEFT:
        if right:
            return forward(low + 1), backward(high + 1)
        return backward(low + 1), forward(high + 1)
    return (forward(low), backward(high)) if right else (backward(low), forward(high))
