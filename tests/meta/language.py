"""Which names and docstrings the house refuses, and where they stand."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

EMPTY_NAMES = frozenset(
    re.findall(
        r"\w+",
        """
    found kept place places told held one each made chosen here there given known begun reached
    sought tried said seen taken wanted drawn gone meant named other others thing things what
    which who why how such
    """,
    )
)
"""Names that do not say what they hold. Use the field's noun: `geometry`, `window`, `score`."""

VERBS = frozenset(
    re.findall(
        r"[\w-]+",
        """
Accepts Accumulates Activates Adapts Adds Adjusts Advances Aligns Allocates Allows Annotates
Answers Appends Applies Arranges Asks Assembles Asserts Assigns Attends Augments Averages
Balances Batches Begins Belongs Bins Blends Blocks Broadcasts Builds Caches Calculates
Calibrates Calls Carries Casts Chains Checks Chooses Classifies Clears Climbs Clips Closes
Collects Colours Combines Compares Compiles Completes Composes Compresses Computes
Concatenates Configures Contains Continues Converts Convolves Copies Corrects Counts Covers
Creates Crops Cuts Deals Decides Declares Decodes Defines Deletes Derives Describes
Deserializes Detects Determines Differs Digests Disables Discards Distributes Divides
Downloads Drains Draws Drops Duplicates Edits Emits Enables Encodes Ends Enforces Ensures
Enters Enumerates Estimates Evaluates Examines Excludes Executes Exits Expands Explains
Explores
Exports Exposes Expresses Extends Extracts Feeds Fetches Fills Filters Finds Finishes Fits
Flags Flips Folds Follows Formats Freezes Gates Gathers Generates Gets Gives Groups Grows
Halves Handles Hashes Hides Holds Identifies Imports Includes Indexes Inherits Initializes
Inserts Inspects Integrates Interleaves Interpolates Inverts Iterates Joins Judges Keeps
Labels Launches Lays Learns Leaves Limits Lists Loads Locates Locks Logs Looks Lowers Makes
Maps Marks Masks Matches Maximises Maximizes Measures Merges Minimises Minimizes Mirrors
Mixes Mocks Models Moves Multiplies Mutates Names Normalises Normalizes Notes Numbers
Observes Offers Opens Optimises Optimizes Orders Overlays Packs Pads Pairs Parses Partitions
Passes Performs Permutes Picks Places Plans Plots Points Pools Populates Precomputes
Predicts Prepares Prints Processes Produces Projects Propagates Proposes Provides Puts
Quantifies Quotes Raises Ranks Re-reads Reads Rebuilds Recalibrates Receives Recognises
Recomputes Reconstructs Records Recovers Reduces Refers Refits Refreshes Refuses Registers
Rejects Rejoins Releases Removes Renames Renders Repeats Replaces Reports Represents
Requires Resamples Rescales Reserves Resets Reshapes Resizes Resolves Restores Restricts
Resumes Returns Reuses Reverses Rewrites Rounds Runs Samples Satisfies Saves Scales Scans
Schedules Scores Searches Seeds Selects Sends Separates Serializes Sets Shards Shares Shifts
Shows Shuffles Simulates Skips Slices Smooths Solves Sorts Spells Splits Squares Stacks
Standardises Starts States Steps Stitches Stops Stores Streams Stretches Strips Subtracts
Summarises Summarizes Sums Supplies Supports Swaps Switches Symmetrises Symmetrizes Takes
Tells Tests Tokenizes Totals Traces Tracks Trains Transforms Translates Transposes Tries
Trims Truncates Turns Unpacks Unstacks Updates Uses Validates Varies Visits Waits Walks
Warns Watches Weighs Weights Widens Wraps Writes Yields Zeros Zooms
    """,
    )
)
"""Verbs in the third person with which public docstrings open; add the one that you need."""


class Word(NamedTuple):
    """Holds a name or docstring, and the line where it stands."""

    text: str
    line: int
    owner: str = ""


def assigned_names(tree: ast.Module) -> Iterator[Word]:
    """Yields every variable, parameter, loop and comprehension name of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield Word(node.id.strip("_"), node.lineno)
        elif isinstance(node, ast.arg):
            yield Word(node.arg.strip("_"), node.lineno)


def public_docstrings(tree: ast.Module) -> Iterator[Word]:
    """Yields the docstrings of public classes, functions, methods and properties."""
    yield from _docstrings(tree)


def _docstrings(scope: ast.Module | ast.ClassDef) -> Iterator[Word]:
    for node in scope.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            if text := ast.get_docstring(node):
                yield Word(text, node.lineno, node.name)
            if isinstance(node, ast.ClassDef):
                yield from _docstrings(node)


def opens_with_verb(docstring: str) -> bool:
    """Returns True when the first word is one of `VERBS`."""
    return docstring.split(maxsplit=1)[0].rstrip(",.:;") in VERBS


def empty_names(folder: Path) -> Iterator[str]:
    """Yields one line for every empty name in the modules of a folder."""
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = path.relative_to(folder.parent).as_posix()
        for name in assigned_names(tree):
            if name.text in EMPTY_NAMES:
                yield f"{module}:{name.line}: name: {name.text}"


def complaints(package: Path) -> Iterator[str]:
    """Yields one line for every empty name and every docstring without a verb."""
    yield from empty_names(package)
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = path.relative_to(package.parent).as_posix()
        for docstring in public_docstrings(tree):
            if not opens_with_verb(docstring.text):
                opening = docstring.text.splitlines()[0]
                yield f"{module}:{docstring.line}: docstring of {docstring.owner}: {opening}"
