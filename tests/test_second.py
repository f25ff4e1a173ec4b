"""The analyses and a second implementation of every deciding statement give the same numbers on the same tables."""

import pytest
from second import STATEMENTS
from test_analyses import CLAIMS, PLANTED, claim_of

from vitexplore.claims.decide import run_analysis


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
        else:
            own = {what: one.measured.value for what, one in numbers.comparisons.items()}
        assert own == pytest.approx({what: wanted[what] for what in own}, abs=1e-9, nan_ok=True), statement
        compared += 1
    assert compared or all(not found[statement].numbers().each for statement in STATEMENTS[name])
