from akita_bayes.mechanisms import mechanism_spec, rate_laws
from tests.mechanism_json import CYCLE, TWO_SITES, changed


def test_rate_laws_in_symbols():
    assert rate_laws.rate_law(mechanism_spec.parse(TWO_SITES)) == (
        "t = (e^-b + e^-(a + b + ab)) / (1 + e^-a + e^-b + e^-(a + b + ab))"
    )
    # Briggs-Haldane with an irreversible isomerisation: k3 k1 k2 / (k2 k3 + k-1 k3 + ...).
    flux, law = rate_laws.rate_law(mechanism_spec.parse(CYCLE)).splitlines()
    assert flux == "t = k3 P_open"
    assert law.startswith("P_open = k1 k2 / (")
    terms = law[law.index("(") + 1 : -1].split(" + ")
    assert sorted(" ".join(sorted(term.split())) for term in terms) == sorted(
        ["k-1 k3", "k2 k3", "k1 k3", "k1 k2"]
    )


def test_the_symbolic_law_of_activities_names_what_is_fitted():
    spec = changed(TWO_SITES, activities={"helped": {}}, states__ab__activity="helped")
    assert "helped e^-(a + b + ab)" in rate_laws.rate_law(mechanism_spec.parse(spec))
