"""Keep a finished run's claims table, tables and figures in results/reference, and bring README up to date."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vitexplore.claims.paper import CATALOGUE
from vitexplore.claims.text import claims_in_order
from vitexplore.errors import InputError
from vitexplore.graph import CHECKOUT
from vitexplore.io import write_atomically, write_text
from vitexplore.registry import shipped
from vitexplore.tools.badges import badges_line, write_badges

LARGE = "visualizations_"  # megabytes of near-noise each; the claim's own figure shows a choice of them


def with_table(readme: str, name: str, table: str) -> str:
    """``readme`` with ``table`` between the two marks of ``name``. Raises InputError where they are missing."""
    marks = f"<!-- {name}: generated, do not edit -->", f"<!-- end of {name} -->"
    before, begin, rest = readme.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise InputError(f"the README lacks the marks {marks[0]!r} and {marks[1]!r}")
    return f"{before}{begin}\n\n{table.rstrip()}\n\n{end}{after}"


def bench_table(bench: Path) -> str:
    """What the benches measured against their bars (``*_bars.csv`` of the folder ``bench``), in markdown."""
    lines = ["| what | bar | measured | reached |", "| --- | --- | --- | --- |"]
    for row in pd.concat([pd.read_csv(path) for path in sorted(bench.glob("*_bars.csv"))]).itertuples():
        lines.append(f"| {row.what} | {row.bar:.3f} | {row.measured:.3f} | {'yes' if row.reached else 'no'} |")
    return "\n".join(lines)


def models_table() -> str:
    """The paper's models and where they live now, in markdown."""
    table = pd.read_csv(CATALOGUE, keep_default_na=False)
    lines = ["| the paper's | here | pixels | differs |", "| --- | --- | ---: | --- |"]
    for row in table[table["paper_name"] != ""].itertuples():
        lines.append(f"| {row.paper_name} | `{row.name}` | {row.input_size} | {row.differs} |")
    return "\n".join(lines)


def experiments_table() -> str:
    """From each claim to its experiment, the module that measures it and its table; then the other experiments."""
    lines = ["| claim | experiment | module | table |", "| --- | --- | --- | --- |"]
    claims = [claim for claim in claims_in_order(CHECKOUT / "analyses").values() if claim]
    for claim in claims:
        lines.append(_row(f"[{claim.name}](analyses/{claim.name}/claim.yaml)", claim.experiment, claim.tables))
    decided = {claim.experiment for claim in claims}
    lines += [
        _row("", name, (*entry.tables, *entry.arrays)) for name, entry in shipped().items() if name not in decided
    ]
    return "\n".join(lines)


def _row(claim: str, experiment: str, tables: Iterable[str]) -> str:
    module = f"[{experiment}.py](src/vitexplore/experiments/{experiment}.py)"
    return f"| {claim} | {experiment} | {module} | {', '.join(f'`{table}/`' for table in tables)} |"


def keep(finished: Path, out: Path, readme: Path | None = None) -> None:
    """Copy the claims, tables and figures of ``finished``, results/<scale> of a finished run, to ``out``. With
    ``readme`` also copy the benches and the calibration beside it, draw badges, and bring that page's tables up to
    date. Raises InputError where the run is not finished, or ``readme`` lacks the marks."""
    if not (finished / "claims.csv").exists():
        raise InputError(f"{finished}: no claims.csv there; finish a run first")
    figures = [path for path in sorted(finished.glob("figures/*.png")) if not path.name.startswith(LARGE)]
    for source in (finished / "claims.csv", finished / "claims.md", *sorted(finished.glob("tables/*.csv")), *figures):
        _copy(source, out / source.relative_to(finished))
    if readme:
        for source in sorted([*finished.parent.glob("bench/*.csv"), *finished.parent.glob("bench/*.png")]):
            _copy(source, out / "bench" / source.name)
        for source in finished.parent.glob("calibration.csv"):
            _copy(source, out / source.name)
        write_badges(out / "claims.csv", finished.name, out / "badges", CHECKOUT)
        text = with_table(readme.read_text(), "badges", badges_line(out / "badges", readme))
        text = with_table(text, "results", (finished / "claims.md").read_text())
        if list((out / "bench").glob("*_bars.csv")):
            text = with_table(text, "bench", bench_table(out / "bench"))
        text = with_table(text, "experiments", experiments_table())
        write_text(readme, with_table(text, "models", models_table()))


def _copy(source: Path, to: Path) -> None:
    write_atomically(to, lambda path: shutil.copyfile(source, path))
