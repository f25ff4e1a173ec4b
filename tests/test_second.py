"""The analyses and a second implementation of every deciding statement give the same numbers on the same tables."""

import pytest
from second import STATEMENTS
from test_analyses import CLAIMS, PLANTED, claim_of

from vitexplore.claims.decide import run_analysis


def of_model(table, model, measure):
    return table[(table["model"] == model) & (table["measure"] == measure)]["top1"].item()


def patches_over_natural(table, model, chance):
    return (of_model(table, model, "patch_average") - chance) / (of_model(table, model, "natural") - chance)


def joined_at(surgery, from_last):
    """Top-1 above chance so many blocks from the last, over that of CLS that joins before block 0, or drops none."""

    def value(table, model, chance):
        top1 = table[table["model"] == model].set_index(["surgery", "before_block"])["top1"]
        most = max(at for name, at in top1.index if name == surgery)
        return (top1[surgery, most - from_last] - chance) / (top1["isolated_cls", 0] - chance)

    return value


def retained(condition):
    def value(table, pair, chance):
        rows = table[(table["size"] == "own") & (table["condition"] == condition) & (table["fill"] == "black")]
        kept = rows[rows["along"] != "pixels"].set_index("model")["retained"]
        vit, cnn = pair.split(" over ")
        return kept[vit] - kept[cnn]

    return value


def over_pixels(table, model, chance):
    mine = table[table["model"] == model]
    return (mine["auroc"] - mine["pixels"]).mean()


SHOWN = {
    "head_on_patches": {"mean_position": patches_over_natural},
    "isolated_cls": {"last_block": joined_at("isolated_cls", 1)},
    "background": {"background_alone": retained("background"), "foreground_alone": retained("foreground")},
    "maps_localize": {"best_maps": over_pixels},
}


def test_every_deciding_statement_has_a_second_implementation():
    for name in CLAIMS:
        deciding = {each for each, said in claim_of(name).statements.items() if said["role"] == "paper"}
        assert set(STATEMENTS[name]) == deciding


@pytest.mark.parametrize(("name", "tables"), [(name, tables) for name, tables, _ in PLANTED])
def test_both_implementations_agree(name, tables):
    tables = tables if isinstance(tables, tuple) else (tables,)
    found = run_analysis(claim_of(name), *tables).statements
    compared = 0
    for statement, second in STATEMENTS[name].items():
        numbers = found[statement].numbers()
        if not numbers.each:  # not testable
            continue
        wanted = second(*tables)
        if numbers.counts:
            own = {item: mine[""].measured.value for item, mine in numbers.each.items()}
            wanted = {item: wanted[item] for item in own}  # those that a CLIP answers
        elif numbers.every:
            own = {
                (name, what): one.measured.value for name, mine in numbers.each.items() for what, one in mine.items()
            }
        else:
            own = {what: one.measured.value for what, one in numbers.comparisons.items()}
        assert own == pytest.approx(wanted, abs=1e-9, nan_ok=True), statement
        compared += 1
    assert compared or all(not found[statement].numbers().each for statement in STATEMENTS[name])


@pytest.mark.parametrize(("name", "tables"), [(name, tables) for name, tables, _ in PLANTED if name in SHOWN])
def test_the_table_for_people_has_the_numbers_that_decide(name, tables):
    """Of a single model, or pair, what a statement compares follows from the table alone."""
    tables = tables if isinstance(tables, tuple) else (tables,)
    analysis = run_analysis(claim_of(name), *tables)
    chance, table = 100 / tables[0]["classes"].iloc[0] if "classes" in tables[0] else 0, analysis.table
    for statement, of_table in SHOWN[name].items():
        for model, mine in analysis.statements[statement].numbers().each.items():
            value = next(iter(mine.values())).measured.value
            assert value == pytest.approx(of_table(table, model, chance), abs=1e-9, nan_ok=True), (statement, model)
