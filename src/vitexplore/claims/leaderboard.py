"""The leaderboard: models by claims, from their entries (claims/entry.py) and what the paper prints; as a table, a page
and a short list for people."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from vitexplore.claims.decide import PAPER
from vitexplore.claims.entry import shown_rows
from vitexplore.claims.page import environment
from vitexplore.claims.text import Claim
from vitexplore.statistics.verdict import NOT_RUN, NOT_SEEN, ON_PAPER_MODELS, OPPOSITE, SEEN, WEAKER

COLUMNS = ["model", "weights_sha256", "claim", "statement", "word", "value", "low", "high", "data"]
PRINTED = "ImageNet, as printed"  # the data of the paper's own numbers
PAPERS = "the paper's models"
TABLE_2 = {"background_alone": "norm_background_top5", "foreground_alone": "norm_foreground_top5"}  # percent
OWN = "{} (own term)"  # of a statement about a difference between families, one model's side of it


def leaderboard(entries: Iterable[Mapping[str, Any]], claims: Mapping[str, Claim]) -> pd.DataFrame:
    """Rows with COLUMNS: of each entry a row a claim that has a word (``statement`` empty), and one a statement, with
    its word unless it is the model's own term; then the paper's numbers, which have no word."""
    rows = [row for entry in entries for row in (*_of_claims(entry), *_of_statements(entry))]
    table = pd.DataFrame([*rows, *_printed(claims)], columns=COLUMNS)
    return table.sort_values(["claim", "statement"], key=_in_order(claims), kind="stable", ignore_index=True)


def _in_order(claims: Mapping[str, Claim]):
    order = {name: number for number, name in enumerate(claims)}
    return lambda column: column.map(order) if column.name == "claim" else column


def _about(entry: Mapping[str, Any]) -> dict[str, str]:
    return {"model": label(entry), "weights_sha256": entry["model"]["weights_sha256"], "data": data(entry)}


def label(entry: Mapping[str, Any]) -> str:
    """The model of an entry, with the checkpoint and the other model, if any."""
    model, against = entry["model"], entry["against"]
    checkpoint = f" with {model['checkpoint']}" if model["checkpoint"] else ""
    return f"{model['name']}{checkpoint}" + (f" against {against['name']}" if against else "")


def data(entry: Mapping[str, Any]) -> str:
    """Which images an entry is of, such as ``100 photographs (1b2c3d4e)``."""
    what = {"scenes": "scenes of the lab", "photos": "photographs"}[entry["data"]["kind"]]
    return f"{entry['data']['images']} {what} ({entry['data']['sha256'][:8]})"


def _of_claims(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, found in entry["claims"].items():
        if found["word"] not in (None, NOT_RUN):
            yield _about(entry) | {"claim": name, "statement": "", "word": found["word"]}


def _of_statements(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in shown_rows(entry):
        statement = row["statement"] if row["word"] else OWN.format(row["statement"])
        yield _about(entry) | {name: row[name] for name in COLUMNS if name in row} | {"statement": statement}


def _printed(claims: Mapping[str, Claim]) -> Iterator[dict[str, Any]]:
    """What the paper's numbers come to in each statement that has some, and Table 2 model by model."""
    common = {"weights_sha256": "", "word": None, "data": PRINTED}
    for name, claim in claims.items():
        for each, statement in claim.statements.items():
            if "paper" in statement:
                printed = {"claim": name, "statement": each, "value": statement["paper"]}
                yield common | {"model": PAPERS} | printed
    for row in pd.read_csv(claims["background"].folder / "reference.csv").to_dict("records"):
        for statement, column in TABLE_2.items():
            printed = {"claim": "background", "statement": OWN.format(statement), "value": row[column] / 100}
            yield common | {"model": f"{row['paper_name']} (the paper)"} | printed


def to_html(entries: Mapping[str, Mapping[str, Any]], claims: Mapping[str, Claim]) -> str:
    """The page, beside leaderboard.csv and the folder entries/ with ``entries`` by file name."""
    models = [{"label": label(e), "data": data(e), "file": name, "claims": e["claims"]} for name, e in entries.items()]
    rows = leaderboard(entries.values(), claims).astype(object)
    rows = rows.where(rows.notna(), None).to_dict("records")
    statements = [row for row in rows if row["statement"]]
    template = environment().get_template("leaderboard.html.jinja")
    return template.render(models=models, claims=claims, statements=statements, not_run=NOT_RUN)


def to_markdown(entries: Iterable[Mapping[str, Any]]) -> str:
    """A row a model: which statements of the paper have which word, and of which there is its own term alone."""
    columns = {word: {word, ON_PAPER_MODELS.get(word, word)} for word in (SEEN, WEAKER, NOT_SEEN, OPPOSITE)}
    heads = ("model", "images", *columns, "left open", "own term alone")
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    for entry in entries:
        words = {
            f"{claim}.{name}": one["word"]
            for claim, found in entry["claims"].items()
            for name, one in found["statements"].items()
            if one["role"] == PAPER
        }
        cells = [[name for name, word in words.items() if word in column] for column in columns.values()]
        known = {word for column in columns.values() for word in column}
        cells.append([f"{name} ({word})" for name, word in words.items() if word and word not in known])
        cells.append([name for name, word in words.items() if word is None])
        lines.append(f"| {' | '.join([label(entry), data(entry), *(', '.join(names) for names in cells)])} |")
    return "\n".join(lines)
