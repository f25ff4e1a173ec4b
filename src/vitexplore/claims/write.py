"""The files of one claim: its decision, table, caption and figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vitexplore.claims.alone import own_terms
from vitexplore.claims.decide import Analysis, NotTested, claim_rows, not_run, run_analysis
from vitexplore.claims.instrument import KEPT, instruments
from vitexplore.claims.numbers import plain
from vitexplore.claims.render import to_caption
from vitexplore.claims.text import SCHEMA, Claim, decision_figure, read_claim
from vitexplore.figures import decision, plots
from vitexplore.figures.style import style
from vitexplore.graph import Graph
from vitexplore.io import read_tables, write_atomically, write_json, write_text
from vitexplore.statistics.verdict import NOT_RUN


def write_claim(graph: Graph, name: str) -> None:
    """Decide a claim from its table: writes ``claims/<name>.json`` (its rows of the claims table),
    ``claims/<name>_numbers.json`` (what its words follow from), ``claims/<name>.rst`` (the caption for the report),
    ``tables/claim_<name>.csv``, the claim's figures and, where claim.yaml says what they are, the values of single
    images. Raises InputError for a claim that does not exist."""
    claim = read_claim(graph.root / "analyses" / name, graph.root / SCHEMA)
    measured = [read_tables(graph.tables(table)) for table in claim.tables]
    analysis, rows = write_decision(claim, measured, graph.out / "claims", instruments(claim, graph.root / KEPT))
    if analysis:
        table, figures = analysis.table, analysis.figures | {decision_figure(name): decision.draw(claim.text, rows)}
    else:
        table, figures = pd.DataFrame({"not_run": [rows[0]["why"]]}), {}
    for figure in claim.figures:
        why = rows[0]["why"] if rows[0]["word"] == NOT_RUN else f"nothing of {figure} to draw at this scale"
        plots.save(figures.get(figure) or plots.message(f"{name}: {why}"), graph.figure(figure))
        plots.save_preview(graph.figure(figure), graph.preview(figure))
    if "images" in claim.text:
        found = analysis.by_image if analysis else None
        of_images = pd.DataFrame(columns=["image", "value"]) if found is None else _by_image(found)
        _write_csv(of_images, graph.by_image(name))
    _write_csv(table, graph.summary(f"claim_{name}"))
    write_text(graph.out / "claims" / f"{name}.rst", to_caption(claim, rows))


def _by_image(found: pd.Series) -> pd.DataFrame:
    return found.rename_axis("image").rename("value").dropna().reset_index()


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    write_atomically(path, lambda temporary: table.to_csv(temporary, index=False, float_format="%.4f"))


def write_decision(
    claim: Claim, tables: Sequence[pd.DataFrame], folder: Path, instruments: Mapping[str, str] | None = None
) -> tuple[Analysis | None, list[dict[str, Any]]]:
    """Decide a claim from its ``tables``: writes ``<name>.json``, its rows, and ``<name>_numbers.json`` into
    ``folder``: of each statement its `Numbers`, and of each model its own terms (see claims/alone.py). Returns the
    analysis, None where the claim is about something that the tables have not, and the rows. ``instruments``: see
    claims/instrument.py."""
    try:
        with style():
            analysis = run_analysis(claim, *tables)
        rows = claim_rows(claim, analysis, tables[0], instruments)
    except NotTested as reason:
        analysis, rows = None, [not_run(claim.name, str(reason))]
    found = {name: one.numbers().plain() for name, one in (analysis.statements if analysis else {}).items()}
    terms = own_terms(claim, tables[0])
    own = {model: {name: plain(term) for name, term in mine.items()} for model, mine in terms.items()}
    write_json(folder / f"{claim.name}_numbers.json", {"statements": found, "own": own})
    write_json(folder / f"{claim.name}.json", rows)
    return analysis, rows
