"""A model's own term is its side of the difference between families, with an interval and without a margin."""

import numpy as np
import pandas as pd
import pytest
from claim_tables import about, background_table, concept_table, depth_table, locality_table, low_pass_table
from project import ROOT

from vitexplore.claims.alone import compares_families, own_terms
from vitexplore.claims.decide import run_analysis
from vitexplore.claims.text import Claim, claims_in_order

CLAIMS: dict[str, Claim] = claims_in_order(ROOT / "analyses")
BACKGROUND = background_table((0.98, 0.9, 0.4), (0.98, 0.7, 0.2))
LOW_PASS = low_pass_table((0.3, 0.6, 0.9, 0.98), (0.1, 0.3, 0.6, 0.9))


def test_the_claims_that_compare_families():
    assert {name for name, claim in CLAIMS.items() if compares_families(claim)} == {
        "background",
        "low_pass",
        "depth_progression",
        "language_concepts",
    }


@pytest.mark.parametrize(
    "name, table, statements, over, under",
    [
        ("background", BACKGROUND, ("background_alone", "foreground_alone"), "vit", "cnn"),
        ("low_pass", LOW_PASS, ("ideal_area", "gaussian_area"), "vit", "cnn"),
    ],
)
def test_the_terms_of_two_families_differ_by_what_the_claim_measures(name, table, statements, over, under):
    terms, found = own_terms(CLAIMS[name], table), run_analysis(CLAIMS[name], table).statements
    for statement in statements:
        (comparison,) = found[statement].comparisons.values()
        own, other = terms[over][statement], terms[under][statement]
        assert own.value - other.value == pytest.approx(comparison.compared.measured.value)
        assert own.low < own.value < own.high


def test_concepts_are_told_by_their_mean_excess():
    """The count's terms: what CLIP's best features tell beyond the pixels, and the label model's, concept by
    concept."""
    table = concept_table(0.9, 0.7, 0.5)
    terms, found = own_terms(CLAIMS["language_concepts"], table), run_analysis(CLAIMS["language_concepts"], table)
    for statement, measured in found.statements.items():
        (comparison,) = measured.comparisons.values()
        mean = np.mean([one.value for one in comparison.each.values()])
        assert terms["clip"][statement].value - terms["vit"][statement].value == pytest.approx(mean)


def test_depth_has_the_least_favourable_term_of_each_model_and_random_weights_have_none():
    table = depth_table()
    terms, found = own_terms(CLAIMS["depth_progression"], table), run_analysis(CLAIMS["depth_progression"], table)
    assert set(terms) == {"vit", "cnn"}
    assert set(terms["vit"]) == {"class_rises", "hue_first", "orientation_first"} and set(terms["cnn"]) == {
        "class_rises_cnn"
    }
    compared = found.statements["class_rises"].comparisons.values()
    assert terms["vit"]["class_rises"].value == min(one.compared.measured.value for one in compared)


def test_what_is_kept_on_backgrounds_is_the_share_of_accuracy_above_chance():
    cnn, chance = BACKGROUND[BACKGROUND["family"] == "cnn"], 2 / 16
    hits = {key: (rows["rank"] < 2).mean() for key, rows in cnn.groupby(["condition", "fill"])}
    kept = (hits["background", "black"] - chance) / (hits["full", ""] - chance)
    assert own_terms(CLAIMS["background"], cnn)["cnn"]["background_alone"].value == pytest.approx(kept)


def test_a_model_that_loses_nothing_under_a_filter_has_an_area_of_one():
    strengths = {"none": [0.0], "disc": [0.1, 0.5], "gaussian": [1.0, 2.0]}
    image = np.arange(64)
    same = {"image": image, "size": "own", "rank": image % 2, "rank_permuted": 9}
    rows = [about("m", "vit", filter=f, strength=s, **same) for f, each in strengths.items() for s in each]
    found = own_terms(CLAIMS["low_pass"], pd.concat(rows))["m"]
    assert found["ideal_area"].value == pytest.approx(1) and found["gaussian_area"].value == pytest.approx(1)


def test_a_claim_about_one_family_has_no_own_terms():
    table = locality_table(np.linspace(0.1, 0.9, 8), np.linspace(0.1, 0.2, 8))
    assert own_terms(CLAIMS["local_until_last"], table) == {}
