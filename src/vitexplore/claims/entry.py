"""A model's entry for the leaderboard (workflow/schemas/entry.schema.json): the words of the claims that suit it, with
the numbers that they follow from; and what is wrong with an entry."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isclose, isfinite, nan
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd

from vitexplore.claims.decide import PAPER, in_words
from vitexplore.claims.numbers import Decision, Numbers, decide
from vitexplore.claims.paper import OWN, own_weights
from vitexplore.claims.text import Claim
from vitexplore.code_hash import PACKAGE
from vitexplore.statistics.verdict import NOT_RUN, NOT_TESTABLE, Compared, summed_up

SCHEMA = Path("workflow/schemas/entry.schema.json")  # in the checkout
VERSION = 2
SHOWN = ("value", "low", "high")  # of a statement
LAB = PACKAGE / "models" / "weights"  # records of the lab's shipped weights
SAME = 1e-9  # numbers that differ by less are the same but for rounding


@dataclass(frozen=True)
class Subject:
    """A model that was assessed. ``name``: as the catalogue or its library has it; ``key``: its name in tables;
    ``checkpoint``: the file name of a user's own weights; ``weights_sha256``: of the file of its weights."""

    name: str
    key: str
    architecture: str
    family: str
    checkpoint: str
    weights_sha256: str


def entry_of(
    claims: Sequence[Claim],
    folder: Path,
    left_out: Mapping[str, str],
    subjects: Sequence[Subject],
    data: Mapping[str, Any],
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """For JSON. ``folder`` holds what was decided on ``claims`` (see claims/write.py), ``left_out`` says of others why
    they do not suit; ``subjects``: the model, and the one that it is set against, if any; ``data``: which images;
    ``run``: see claims/run.py."""
    decided = {claim.name: _of_claim(claim, folder, subjects[0].key) for claim in claims}
    others = {name: {"word": NOT_RUN, "why": why, "statements": {}} for name, why in left_out.items()}
    model, *against = map(asdict, subjects)
    about = {"version": VERSION, "model": model, "against": against[0] if against else None}
    return about | {"data": dict(data), "run": dict(run), "claims": decided | others}


def _of_claim(claim: Claim, folder: Path, key: str) -> dict[str, Any]:
    head, *rows = json.loads((folder / f"{claim.name}.json").read_text())
    kept = json.loads((folder / f"{claim.name}_numbers.json").read_text())
    if head["word"] != NOT_RUN:
        decided = [row for row in rows if row["scope"]]
        statements = {row["statement"]: _of_row(row, kept["statements"][row["statement"]]) for row in decided}
        return {"word": head["word"], "why": "", "statements": statements}
    own = kept["own"].get(key, {})
    statements = {name: _of_term(term, claim.statements[name]) for name, term in own.items()}
    return {"word": None if own else NOT_RUN, "why": head["why"], "statements": statements}


def _of_row(row: Mapping[str, Any], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """A statement that was decided; ``value``, ``low`` and ``high`` are those of its least favourable comparison."""
    shown = zip(SHOWN, (row["measured"], row["low"], row["high"]), strict=True)
    finite = {name: value if isfinite(value) else None for name, value in shown}
    kept = {name: row[name] for name in ("word", "why", "role", "scope", "direction", "margin", "instrument", "n")}
    return kept | finite | {"numbers": numbers}


def _of_term(term: Mapping[str, Any], statement: Mapping[str, Any]) -> dict[str, Any]:
    """A statement of which the model's own term is known alone."""
    return {"word": None, "role": statement["role"], **term}


def shown_rows(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Its statements, each with its ``claim`` and ``statement``; numbers that are not finite as nan."""
    for claim, found in entry["claims"].items():
        for name, mine in found["statements"].items():
            numbers = {key: nan if mine[key] is None else mine[key] for key in SHOWN}
            yield {"claim": claim, "statement": name, **mine, **numbers}


def problems(entry: Any, claims: Mapping[str, Claim], root: Path) -> list[str]:
    """What is wrong with an entry, a line each; none where nothing is. It has to be of the schema (in the checkout
    ``root``), of a real run of committed code, and of one set of weights. Each word has to follow, by the rule of
    statistics/verdict.py, from its numbers and from what ``claims`` say today."""
    schema = json.loads((root / SCHEMA).read_text())
    if errors := sorted(jsonschema.Draft202012Validator(schema).iter_errors(entry), key=lambda error: error.json_path):
        return [f"{error.json_path}: {error.message[:200]}" for error in errors]
    if entry["run"].get("rehearsal"):
        return ["run: a rehearsal, of random weights and made images, is no result"]
    found = list(_of_weights(entry))
    if entry["run"]["code"].endswith("-dirty"):
        found.append("run: the code has changes that were not committed; assess the model on a clean checkout")
    for name, kept in entry["claims"].items():
        if name not in claims:
            found.append(f"{name}: no such claim")
            continue
        if kept["word"] != NOT_RUN and (why := claims[name].text.get("left_out", {}).get(entry["model"]["name"])):
            found.append(f"{name}: is not decided on this model: {why}")
        found += [f"{name}{wrong}" for wrong in _of_words(kept, claims[name], entry)]
    return found


def _of_weights(entry: Mapping[str, Any]) -> Iterator[str]:
    measured = {model["model"]: model for model in entry["run"]["models"]}
    for subject in filter(None, (entry["model"], entry["against"])):
        mine = measured.get(subject["key"])
        if mine is None:
            yield f"{subject['name']}: run names no such model"
        elif not subject["weights_sha256"].startswith(mine["weights"]):
            found, wanted = mine["weights"], subject["weights_sha256"][:16]
            yield f"{subject['name']}: the tables are of weights {found}, not {wanted}"
        elif mine["architecture"] != subject["architecture"]:
            yield f"{subject['name']}: the tables are of {mine['architecture']}, not {subject['architecture']}"
        elif subject["checkpoint"] and own_weights(pd.Series([subject["architecture"]])).all():
            yield f"{subject['name']}: {subject['checkpoint']} stands under the name of the paper's own weights"
        elif subject["architecture"].startswith("lab/") and not subject["checkpoint"]:
            records = LAB.glob(f"{subject['architecture'].removeprefix('lab/')}_s*.json")
            if subject["weights_sha256"] not in {json.loads(path.read_text())["sha256"] for path in records}:
                yield f"{subject['name']}: its weights are not those that ship with the lab"


def _of_words(kept: Mapping[str, Any], claim: Claim, entry: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the words of a claim; each line begins with what follows the claim's name."""
    decided: set[str] = set()
    words = []
    for name, mine in kept["statements"].items():
        statement = claim.statements.get(name)
        if statement is None:
            yield f".{name}: no such statement"
        elif mine["word"] is not None:
            yield from (f".{name}: {wrong}" for wrong in _of_statement(mine, claim, statement, entry))
            decided.add(name)
            if statement["role"] == PAPER:
                words.append(mine["word"])
    if not words:
        if kept["word"] not in (None, NOT_RUN):
            yield f": the word {kept['word']!r} rests on no statement"
        return
    if missing := [name for name in claim.statements if name not in decided]:
        yield f": the statement {missing[0]} is missing"
        return
    if (word := summed_up(words)) != kept["word"]:
        yield f": the word is {kept['word']!r}, from the statements follows {word!r}"


def _of_statement(
    mine: Mapping[str, Any], claim: Claim, statement: Mapping[str, Any], entry: Mapping[str, Any]
) -> Iterator[str]:
    numbers = Numbers.read(mine["numbers"])
    decision = decide(numbers, statement)
    wanted = {"role": statement["role"], "direction": statement["direction"], "margin": decision.margin}
    for name, value in wanted.items():
        if mine[name] != value:
            yield f"{name} {mine[name]}, but claim.yaml says {value}: assess the model again"
    measured = {model["model"]: model for model in entry["run"]["models"]}
    if unknown := [model for model in numbers.models if model not in measured]:
        yield f"run names no model {unknown[0]}"
        return
    if not numbers.why and bool(numbers.gates) != ("gate" in statement):
        yield "its gates are not those of claim.yaml"
        return
    if mine["scope"] == OWN and not _of_paper(claim, [measured[model] for model in numbers.models], entry["data"]):
        yield f"the scope is {OWN!r}, but the paper did not measure these models on such images"
    if (word := in_words(decision.word, mine["scope"])) != mine["word"]:
        yield f"the word is {mine['word']!r}, from the numbers follows {word!r}"
    yield from _of_numbers(mine, numbers, decision)


def _of_paper(claim: Claim, models: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> bool:
    named = {f"{model['architecture']}@{model['input_size']}" for model in models}
    return data["kind"] == "photos" and named <= set(claim.text["paper"].get("models", []))


def _of_numbers(mine: Mapping[str, Any], numbers: Numbers, decision: Decision) -> Iterator[str]:
    if decision.word != NOT_TESTABLE:
        shown = {name: getattr(decision.shown.measured, name) for name in SHOWN}
        if any(mine[name] != (value if isfinite(value) else None) for name, value in shown.items()):
            yield "its value and interval are not those of the comparison that decides"
    of_each = [one for found in numbers.each.values() for one in found.values()]
    if not all(map(_fits, [*numbers.comparisons.values(), *of_each])) or not _are_means(numbers):
        yield "the numbers of a comparison do not fit together"


def _fits(one: Compared) -> bool:
    """Whether the lead is what was measured over the control; true where a number is not finite."""
    if one.control is None or one.lead is None:
        return one.control is one.lead
    values = one.measured.value, one.control.value, one.lead.value
    return not all(map(isfinite, values)) or isclose(values[2], values[0] - values[1], abs_tol=SAME)


def _are_means(numbers: Numbers) -> bool:
    """Whether each comparison is the mean over models."""
    for what, one in numbers.comparisons.items():
        each = [found[what].measured.value for found in numbers.each.values() if what in found]
        finite = all(map(isfinite, [one.measured.value, *each]))
        if not each or (finite and not isclose(one.measured.value, sum(each) / len(each), abs_tol=SAME)):
            return False
    return True
