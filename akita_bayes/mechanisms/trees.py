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
"""Spanning trees of the longest rate law that is written out."""


class Diagrams(NamedTuple):
    """Every King-Altman diagram of a network, ordered by the species that it leads to."""

    trees: NDArray[np.int32]
    """[trees, K - 1] indices of the edges of each tree."""
    root: NDArray[np.int32]
    """[trees] the species that each tree leads to, ascending."""


def reachable(species: int, edges: Sequence[Edge], start: int) -> set[int]:
    """The species that can be reached from `start`, itself included."""
    seen, stack = {start}, [start]
    while stack:
        here = stack.pop()
        for source, target in edges:
            if source == here and target not in seen:
                seen.add(target)
                stack.append(target)
    return seen


def strongly_connected(species: int, edges: Sequence[Edge]) -> bool:
    """Whether every species can be reached from every other, so that the steady state is unique."""
    back = [(target, source) for source, target in edges]
    return (
        len(reachable(species, edges, 0)) == species and len(reachable(species, back, 0)) == species
    )


def count(species: int, edges: Sequence[Edge]) -> int:
    """Number of spanning trees over all roots, to the digits of a double; none are enumerated.

    The minors of the Laplacian L count the trees to each root, and since the rows of L sum to 0,
    those minors add up to det(L + J / K), J all ones. Its logarithm does not overflow.
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
        found = list(_trees_to(root, species, edges))
        trees += found
        roots += [root] * len(found)
    return Diagrams(
        np.array(trees, np.int32).reshape(len(trees), species - 1), np.array(roots, np.int32)
    )


def _trees_to(root: int, species: int, edges: Sequence[Edge]) -> Iterator[tuple[int, ...]]:
    """Chooses one edge out of each species in turn, never closing a cycle."""
    others = [node for node in range(species) if node != root]
    leaving = {node: [i for i, edge in enumerate(edges) if edge[0] == node] for node in others}
    target = [edge[1] for edge in edges]
    chosen: dict[int, int] = {}

    def closes_cycle(node: int, edge: int) -> bool:
        here = target[edge]
        while here in chosen:
            here = target[chosen[here]]
        return here == node

    def extend(depth: int) -> Iterator[tuple[int, ...]]:
        if depth == len(others):
            yield tuple(chosen[node] for node in others)
            return
        node = others[depth]
        for edge in leaving[node]:
            if not closes_cycle(node, edge):
                chosen[node] = edge
                yield from extend(depth + 1)
                del chosen[node]

    return extend(0)


def steady_state(rates: NDArray, species: int, edges: Sequence[Edge]) -> NDArray:
    """Occupancies by solving M p = 0, sum p = 1, M the transition matrix. [..., R] -> [..., K]."""
    rates = np.asarray(rates, float)
    matrix = np.zeros((*rates.shape[:-1], species, species))
    for index, (source, target) in enumerate(edges):
        matrix[..., target, source] += rates[..., index]
        matrix[..., source, source] -= rates[..., index]
    matrix[..., -1, :] = 1.0
    one = np.zeros((*rates.shape[:-1], species, 1))
    one[..., -1, 0] = 1.0
    return np.linalg.solve(matrix, one)[..., 0]


def rate_law(
    species: Sequence[str], edges: Sequence[Edge], rates: Sequence[str], product: str
) -> str:
    """The steady-state occupancy of `product` in symbols, e.g. `P_open = k1 k2 / (k1 k2 + ...)`.

    Where a network has more than `MOST_WRITTEN` spanning trees, in words, with their number.

    Args:
        species: Names of the K species.
        edges: (source, target) of each transition.
        rates: Name of the rate of each edge; edges may share a rate.
        product: The species whose occupancy is written.
    """
    number = count(len(species), edges)
    if number > MOST_WRITTEN:
        exponent = len(str(number)) - 1
        many = f"{number:,}" if exponent < 12 else f"about 10^{exponent}"
        return (
            f"P_{product} = the products of rates of the spanning trees that lead to {product} / "
            f"those of all spanning trees, {many} (King and Altman 1956)"
        )
    found = diagrams(len(species), edges)
    terms = [_monomial([rates[edge] for edge in tree], rates) for tree in found.trees]
    mine = [
        term for term, root in zip(terms, found.root, strict=True) if root == species.index(product)
    ]
    numerator = _sum(mine)
    if len(set(mine)) > 1:
        numerator = f"({numerator})"
    return f"P_{product} = {numerator} / ({_sum(terms)})"


def _monomial(factors: Sequence[str], order: Sequence[str]) -> str:
    powers = Counter(factors)
    names = sorted(powers, key=list(order).index)
    return " ".join(name if powers[name] == 1 else f"{name}^{powers[name]}" for name in names)


def _sum(terms: Sequence[str]) -> str:
    counted = Counter(term or "1" for term in terms)
    return " + ".join(term if n == 1 else f"{n} {term}" for term, n in counted.items())
