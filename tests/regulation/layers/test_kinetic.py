import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.mechanisms import trees
from akita_bayes.regulation.layers import kinetic

RNAP_EDGES = [(0, 1), (1, 0), (1, 2), (2, 0)]


def network(generator, species):
    """A strongly connected network: a cycle through all species and some more transitions."""
    order = generator.permutation(species)
    edges = [(int(a), int(b)) for a, b in zip(order, np.roll(order, -1), strict=True)]
    spare = [edge for edge in itertools.permutations(range(species), 2) if edge not in edges]
    return edges + [spare[i] for i in generator.permutation(len(spare))[: species + 2]]


def naive_occupancies(rates, species, edges):
    """One by one, the products along all choices of an edge out of each species that reach i."""
    weights = np.zeros(species)
    for root in range(species):
        nodes = [node for node in range(species) if node != root]
        choices = [[e for e, edge in enumerate(edges) if edge[0] == node] for node in nodes]
        for tree in itertools.product(*choices):
            step = {edges[e][0]: edges[e][1] for e in tree}
            ends = set()
            for node in nodes:
                for _ in range(species):
                    node = step.get(node, root)
                ends.add(node)
            if ends == {root}:
                weights[root] += np.prod(rates[list(tree)])
    return weights / weights.sum()


@pytest.mark.parametrize("route", ["trees", "elimination"])
@pytest.mark.parametrize("species", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("seed", range(3))
def test_king_altman_is_the_linear_solve_and_the_naive_trees(route, species, seed):
    generator = np.random.default_rng([seed, species])
    edges = network(generator, species)
    log_rates = generator.normal(0, 2, (5, len(edges)))
    occupancy = kinetic.KingAltman(species, edges, route, dtype="float64")(log_rates).numpy()
    solved = trees.steady_state(np.exp(log_rates), species, edges)
    np.testing.assert_allclose(occupancy, solved, rtol=0, atol=1e-10)
    if species <= 6:
        naive = naive_occupancies(np.exp(log_rates[0]), species, edges)
        np.testing.assert_allclose(occupancy[0], naive, rtol=1e-10, atol=0)


def test_both_routes_have_the_gradient_of_the_solve():
    generator = np.random.default_rng(0)
    edges = network(generator, 5)
    log_rates = generator.normal(size=(1, len(edges)))
    step = 1e-6 * np.eye(len(edges))
    up, down = (trees.steady_state(np.exp(log_rates + s), 5, edges)[:, 2] for s in (step, -step))
    for route in ("trees", "elimination"):
        layer = kinetic.KingAltman(5, edges, route, dtype="float64")
        x = tf.constant(log_rates)
        with tf.GradientTape() as tape:
            tape.watch(x)
            occupancy = layer(x)[:, 2]
        slope = tape.gradient(occupancy, x).numpy()[0]
        np.testing.assert_allclose(slope, (up - down) / 2e-6, atol=1e-8)


def test_rates_eighty_orders_apart_neither_overflow_nor_vanish():
    log_rates = np.array([[100.0, -90.0, 95.0, -80.0]], np.float32)
    for route in ("trees", "elimination"):
        log_occupancy = kinetic.KingAltman(3, RNAP_EDGES, route).log_occupancies(log_rates)
        # unbound: k_1 k3 + k2 k3 = e^15; closed: k1 k3 = e^20; open: k1 k2 = e^195.
        np.testing.assert_allclose(log_occupancy, [[-180, -175, 0]], rtol=1e-5)


def test_detailed_balance_gives_the_boltzmann_distribution():
    generator = np.random.default_rng(3)
    energies = generator.normal(0, 2, 5)
    pairs = [(0, 1), (1, 2), (2, 3), (3, 0), (3, 4), (1, 3)]
    edges = pairs + [(j, i) for i, j in pairs]
    barrier = np.tile(generator.normal(0, 2, len(pairs)), 2)
    log_rates = np.array([energies[i] for i, _ in edges]) - barrier
    occupancy = kinetic.KingAltman(5, edges, dtype="float64")(log_rates[None]).numpy()[0]
    boltzmann = np.exp(-energies) / np.exp(-energies).sum()
    np.testing.assert_allclose(occupancy, boltzmann, rtol=1e-12)


def test_parallel_transitions_add():
    double = kinetic.KingAltman(2, [(0, 1), (0, 1), (1, 0)], "elimination", dtype="float64")
    occupancy = double(np.log([[1.0, 2.0, 1.0]])).numpy()
    np.testing.assert_allclose(occupancy, [[0.25, 0.75]], rtol=1e-14)
    summed = kinetic.KingAltman(2, [(0, 1), (0, 1), (1, 0)], "trees", dtype="float64")
    np.testing.assert_allclose(summed(np.log([[1.0, 2.0, 1.0]])), occupancy, rtol=1e-14)


def test_large_and_dense_networks_take_the_elimination():
    dense = list(itertools.permutations(range(7), 2))
    log_rates = np.random.default_rng(1).normal(size=(2, len(dense)))
    layer = kinetic.KingAltman(7, dense, dtype="float64")
    assert layer._diagrams is None
    np.testing.assert_allclose(
        layer(log_rates), trees.steady_state(np.exp(log_rates), 7, dense), atol=1e-12
    )
    ring = [(i, (i + 1) % 12) for i in range(12)] + [(i, (i - 1) % 12) for i in range(12)]
    log_rates = np.random.default_rng(2).normal(size=(2, 24))
    np.testing.assert_allclose(
        kinetic.KingAltman(12, ring, dtype="float64")(log_rates),
        trees.steady_state(np.exp(log_rates), 12, ring),
        atol=1e-12,
    )


def test_a_rate_is_log_linear_in_the_bases_of_its_site():
    layer = kinetic.TransitionRates([(2, 4), None, None], ["k1", "k_1", "k3"], [None, None, 0.5])
    x = np.eye(4, dtype=np.uint8)[[[0, 1, 2, 3, 0], [3, 3, 3, 3, 3]]]
    layer.build(x.shape)
    layer.log_rates[0].assign(1.5)
    layer.log_rates[1].assign(-2.0)
    layer.matrices[0].assign([[1, 2, 3, 4], [5, 6, 7, 8]])
    # Bases 2 and 3: G then T (3 + 8), and T twice (4 + 8).
    np.testing.assert_allclose(layer(x), [[1.5 - 11, -2, 0.5], [1.5 - 12, -2, 0.5]])
    assert [w.name for w in layer.trainable_weights] == [
        "k1_log_rate",
        "k1_activation_energy",
        "k_1_log_rate",
    ]


@pytest.mark.parametrize("route", ["trees", "elimination"])
def test_fluxes_are_rates_times_occupancies_and_balance_at_every_species(route):
    generator = np.random.default_rng(4)
    edges = network(generator, 5)
    log_rates = generator.normal(0, 2, (3, len(edges)))
    layer = kinetic.KingAltman(5, edges, route, fluxes=True, dtype="float64")
    flux = np.asarray(layer(log_rates))
    assert layer.compute_output_shape(log_rates.shape) == flux.shape
    occupancy = trees.steady_state(np.exp(log_rates), 5, edges)
    source, target = np.array(edges).T
    np.testing.assert_allclose(flux, np.exp(log_rates) * occupancy[:, source], rtol=1e-9)
    for species in range(5):
        out, into = flux[:, source == species].sum(1), flux[:, target == species].sum(1)
        np.testing.assert_allclose(into, out, rtol=1e-9)
    assert kinetic.KingAltman.from_config(layer.get_config()).fluxes


def test_layers_come_back_from_their_config():
    model = keras.Sequential(
        [
            keras.Input((6, 4)),
            kinetic.TransitionRates([(0, 3), None, None, None], ["a", "b", "c", "d"]),
            kinetic.KingAltman(3, RNAP_EDGES),
        ]
    )
    twin = keras.Sequential.from_config(model.get_config())
    assert twin.layers[0].get_config() == model.layers[0].get_config()
    assert twin.layers[1].get_config() == model.layers[1].get_config()
    assert model.output_shape == (None, 3)


def test_what_cannot_be_built_says_why():
    for route in ("trees", "elimination"):
        with pytest.raises(ValueError, match="strongly connected network; of 3 species"):
            kinetic.KingAltman(3, [(0, 1), (1, 0), (1, 2)], route)
    with pytest.raises(ValueError, match='route "tree"'):
        kinetic.KingAltman(3, RNAP_EDGES, route="tree")
    with pytest.raises(ValueError, match="one name and one fixed"):
        kinetic.TransitionRates([None, None], ["k1"])
    for start, stop in ((4, 7), (-1, 3), (3, 3), (4, 2)):
        message = rf"site {start}\.\.{stop} lies outside a sequence of 6"
        with pytest.raises(ValueError, match=message):
            kinetic.TransitionRates([(start, stop)]).build((None, 6, 4))
    kinetic.TransitionRates([(0, 6)]).build((None, 6, 4))
