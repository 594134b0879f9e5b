"""Steady states of a chemical network, read from its spanning trees (King and Altman 1956).

The occupancy of a species is proportional to the sum, over the spanning trees whose edges all lead
to it, of the product of the rates on the tree (the matrix-tree theorem; Hill 1989):

    P_i = sum_{trees T to i} prod_{e in T} k_e / sum_j sum_{trees T to j} prod_{e in T} k_e

Species are 0..K-1, an edge is (source, target), and a tree to i has one edge out of every other
species. Two edges may join the same two species.
"""

import decimal
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Edge = tuple[int, int]

MOST_WRITTEN = 100
"""Most spanning trees of a rate law that is written term by term."""


class Diagrams(NamedTuple):
    """Holds every King-Altman diagram of a network, ordered by the species that it leads to."""

    trees: NDArray[np.int32]
    """[trees, K - 1] indices of the edges of each tree."""
    root: NDArray[np.int32]
    """[trees] species that each tree leads to, ascending."""


def reachable(species: int, edges: Sequence[Edge], start: int) -> set[int]:
    """Returns the species that can be reached from `start`, including `start`."""
    visited, stack = {start}, [start]
    while stack:
        node = stack.pop()
        for source, target in edges:
            if source == node and target not in visited:
                visited.add(target)
                stack.append(target)
    return visited


def strongly_connected(species: int, edges: Sequence[Edge]) -> bool:
    """Returns True when every species can be reached from every other: a unique steady state."""
    back = [(target, source) for source, target in edges]
    # From species 0 everything is reachable, and backwards everything reaches it.
    return (
        len(reachable(species, edges, 0)) == species and len(reachable(species, back, 0)) == species
    )


def count(species: int, edges: Sequence[Edge]) -> int:
    """Counts the spanning trees over all roots without enumerating them, to double precision.

    The minors of the Laplacian L count the trees to each root. The rows of L sum to 0, so that
    the minors add up to det(L + J / K), J all ones. Its logarithm does not overflow.
    """
    laplacian = np.zeros((species, species))
    for source, target in edges:
        laplacian[source, source] += 1
        laplacian[source, target] -= 1
    sign, log_count = np.linalg.slogdet(laplacian + 1 / species)
    return round(decimal.Decimal(float(log_count)).exp()) if sign > 0 else 0


def diagrams(species: int, edges: Sequence[Edge]) -> Diagrams:
    """Enumerates the spanning trees to every species.

    Raises:
        ValueError: The network is not strongly connected, or an edge leads back to its source.
    """
    if any(source == target for source, target in edges):
        raise ValueError("An edge leads from a species to itself; such a rate changes nothing.")
    if not strongly_connected(species, edges):
        raise ValueError(
            f"{species} species with edges {list(edges)} are not strongly connected: "
            "some species cannot be reached from another, so there is no unique steady state."
        )
    trees, roots = [], []
    for root in range(species):
        rooted = list(_trees_to(root, species, edges))
        trees += rooted
        roots += [root] * len(rooted)
    return Diagrams(
        np.array(trees, np.int32).reshape(len(trees), species - 1), np.array(roots, np.int32)
    )


def _trees_to(root: int, species: int, edges: Sequence[Edge]) -> Iterator[tuple[int, ...]]:
    """Yields the edges of each tree to `root`: one edge out of every other species, no cycle."""
    nodes = [node for node in range(species) if node != root]
    leaving = {node: [i for i, edge in enumerate(edges) if edge[0] == node] for node in nodes}
    target = [edge[1] for edge in edges]
    exits: dict[int, int] = {}

    def closes_cycle(node: int, edge: int) -> bool:
        # Follows the exits from the end of the edge; a path that comes back to `node` is a cycle.
        end = target[edge]
        while end in exits:
            end = target[exits[end]]
        return end == node

    def extend(depth: int) -> Iterator[tuple[int, ...]]:
        if depth == len(nodes):
            yield tuple(exits[node] for node in nodes)
            return
        node = nodes[depth]
        for edge in leaving[node]:
            if not closes_cycle(node, edge):
                exits[node] = edge
                yield from extend(depth + 1)
                del exits[node]

    return extend(0)


def steady_state(
    rates: NDArray[np.float64], species: int, edges: Sequence[Edge]
) -> NDArray[np.float64]:
    """Solves M p = 0, sum p = 1 for p, with M the transition matrix. [..., R] -> [..., K]."""
    rates = np.asarray(rates, float)
    matrix = np.zeros((*rates.shape[:-1], species, species))
    for index, (source, target) in enumerate(edges):
        matrix[..., target, source] += rates[..., index]
        matrix[..., source, source] -= rates[..., index]
    # The rows of M are dependent (they sum to 0), so the last one can state sum p = 1.
    matrix[..., -1, :] = 1.0
    right_side = np.zeros((*rates.shape[:-1], species, 1))
    right_side[..., -1, 0] = 1.0
    return np.linalg.solve(matrix, right_side)[..., 0]


def rate_law(
    species: Sequence[str], edges: Sequence[Edge], rates: Sequence[str], product: str
) -> str:
    """Writes the occupancy of `product` in symbols, e.g. `P_open = k1 k2 / (k1 k2 + ...)`.

    A network with more than `MOST_WRITTEN` spanning trees is described in words instead.

    Args:
        species: Names of the K species.
        edges: (source, target) of each transition.
        rates: Name of the rate of each edge; edges may share a rate.
        product: Name of the species.
    """
    number = count(len(species), edges)
    if number > MOST_WRITTEN:
        exponent = len(str(number)) - 1
        many = f"{number:,}" if exponent < 12 else f"about 10^{exponent}"
        return (
            f"P_{product} = the products of rates of the spanning trees that lead to {product} / "
            f"those of all spanning trees, {many} (King and Altman 1956)"
        )
    all_trees = diagrams(len(species), edges)
    terms = [_monomial([rates[edge] for edge in tree], rates) for tree in all_trees.trees]
    to_product = [
        term
        for term, root in zip(terms, all_trees.root, strict=True)
        if root == species.index(product)
    ]
    numerator = _sum(to_product)
    if len(set(to_product)) > 1:
        numerator = f"({numerator})"
    return f"P_{product} = {numerator} / ({_sum(terms)})"


def _monomial(factors: Sequence[str], order: Sequence[str]) -> str:
    # Rates k1 k2 k1 become "k1^2 k2", in the order of the declaration.
    powers = Counter(factors)
    names = sorted(powers, key=list(order).index)
    return " ".join(name if powers[name] == 1 else f"{name}^{powers[name]}" for name in names)


def _sum(terms: Sequence[str]) -> str:
    counted = Counter(term or "1" for term in terms)
    return " + ".join(term if n == 1 else f"{n} {term}" for term, n in counted.items())
