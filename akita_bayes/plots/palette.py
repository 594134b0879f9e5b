"""Gives each target one colour in all figures.

The colours are those of Okabe and Ito (2008), which readers with any common colour blindness can
distinguish. The report for the browser uses the same ones, in the same order.
"""

TARGETS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Colours of the first targets, in the order of the targets of the data."""


def target(number: int) -> str:
    """Returns the colour of a target by its number, from 0; colours repeat after the sixth."""
    return TARGETS[number % len(TARGETS)]
