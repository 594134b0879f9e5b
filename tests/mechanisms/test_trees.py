import itertools

import numpy as np
import pytest

from akita_bayes.mechanisms import trees

RNAP = ("unbound", "closed", "open")
RNAP_EDGES = [(0, 1), (1, 0), (1, 2), (2, 0)]


def naive_trees(species, edges, root):
    """All subsets of K - 1 edges in which every species has a path to the root."""
    diagrams = []
    for subset in itertools.combinations(range(len(edges)), species - 1):
        step = {edges[i][0]: edges[i][1] for i in subset}
        if len(step) == species - 1 and root not in step:
            walks = [root]
            for node in step:
                for _ in range(species):
                    node = step.get(node, root)
                walks.append(node)
            if set(walks) == {root}:
                diagrams.append(frozenset(subset))
    return diagrams


def random_network(seed, species):
    generator = np.random.default_rng(seed)
    ring = [(i, (i + 1) % species) for i in range(species)]
    rest = [(i, j) for i in range(species) for j in range(species) if i != j and (i, j) not in ring]
    extra = generator.permutation(len(rest))[: generator.integers(0, species + 1)]
    return ring + [rest[i] for i in extra]


@pytest.mark.parametrize("species", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(3))
def test_diagrams_are_all_subsets_of_edges_that_lead_to_the_root(species, seed):
    edges = random_network(seed, species)
    diagrams = trees.diagrams(species, edges)
    assert trees.count(species, edges) == len(diagrams.trees)
    for root in range(species):
        mine = [frozenset(tree.tolist()) for tree in diagrams.trees[diagrams.root == root]]
        assert sorted(map(sorted, mine)) == sorted(map(sorted, naive_trees(species, edges, root)))


def test_cayleys_formula_counts_the_trees_of_a_complete_network():
    for species in (3, 5, 6):
        edges = list(itertools.permutations(range(species), 2))
        assert len(trees.diagrams(species, edges).trees) == species ** (species - 1)
        assert trees.count(species, edges) == species ** (species - 1)


def test_rate_law_of_transcript_initiation_is_the_papers():
    law = trees.rate_law(RNAP, RNAP_EDGES, ["k1", "k_1", "k2", "k3"], "open")
    assert law == "P_open = k1 k2 / (k_1 k3 + k2 k3 + k1 k3 + k1 k2)"


def test_rate_law_collects_shared_rates():
    ring = [(0, 1), (1, 2), (2, 0)]
    law = trees.rate_law("ABC", ring, ["a", "a", "b"], "A")
    assert law == "P_A = a b / (2 a b + a^2)"


def test_a_law_too_long_to_write_says_how_many_trees_it_has():
    names = [f"s{i}" for i in range(7)]
    edges = list(itertools.permutations(range(7), 2))
    law = trees.rate_law(names, edges, [f"k{i}" for i in range(len(edges))], "s3")
    assert law.startswith("P_s3 = ")
    assert "117,649" in law
    # Four sites of a promoter, bound one at a time: never to be enumerated.
    cube = [(i, i ^ 1 << site) for i in range(16) for site in range(4)]
    law = trees.rate_law([f"s{i}" for i in range(16)], cube, ["k"] * len(cube), "s0")
    assert "679,477,248" in law


def test_trees_are_counted_beyond_the_range_of_a_double():
    edges = list(itertools.permutations(range(150), 2))
    digits = 149 * np.log10(150)
    assert len(str(trees.count(150, edges))) == int(digits) + 1
    law = trees.rate_law([f"s{i}" for i in range(150)], edges, ["k"] * len(edges), "s0")
    assert f"about 10^{int(digits)}" in law
    assert trees.count(3, [(0, 1), (1, 0)]) == 0


def test_steady_state_balances_every_flux():
    edges = random_network(5, 6)
    rates = np.random.default_rng(0).lognormal(size=(3, len(edges)))
    occupancy = trees.steady_state(rates, 6, edges)
    flux = np.zeros((3, 6))
    for i, (source, target) in enumerate(edges):
        flux[:, target] += rates[:, i] * occupancy[:, source]
        flux[:, source] -= rates[:, i] * occupancy[:, source]
    np.testing.assert_allclose(flux, 0, atol=1e-14)
    np.testing.assert_allclose(occupancy.sum(-1), 1, rtol=1e-14)


def test_a_network_with_a_dead_end_has_no_unique_steady_state():
    with pytest.raises(ValueError, match="not strongly connected"):
        trees.diagrams(3, [(0, 1), (1, 0), (1, 2)])
    with pytest.raises(ValueError, match="to itself"):
        trees.diagrams(2, [(0, 1), (1, 0), (1, 1)])
