"""Keep a finished run's claims, tables and figures in results/reference, and bring the generated blocks of README and
docs/ up to date."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import dropwhile, takewhile
from pathlib import Path

import pandas as pd

from vitexplore.claims import render
from vitexplore.claims.decide import PAPER
from vitexplore.claims.instrument import KEPT, VALID, instruments
from vitexplore.claims.leaderboard import to_markdown
from vitexplore.claims.page import PAGE, claims_page
from vitexplore.claims.paper import CATALOGUE
from vitexplore.claims.run import RUN, no_rehearsal
from vitexplore.claims.text import Claim, claims_in_order
from vitexplore.data.downloads import MB, read_list
from vitexplore.errors import InputError
from vitexplore.figures.emergence import AXES, SEEDS, along, short
from vitexplore.graph import CHECKOUT
from vitexplore.io import write_atomically, write_text
from vitexplore.registry import shipped
from vitexplore.scale import read
from vitexplore.tools import leaderboard
from vitexplore.tools.badges import badges_line, write_badges
from vitexplore.tools.blocks import up_to_date
from vitexplore.tools.cost_table import costs_table
from vitexplore.tools.costs import COLUMNS

OF_PAPER = ("tables/paper", "figures/paper")  # the paper's figures, and what they are drawn from
# of the suite, no run's own
BESIDE = ("bench/*.csv", "bench/*.png", "emergence/emergence.*", "calibration.csv", "costs.csv")
LARGE = "visualizations_"  # megabytes of near-noise each; the claim's own figure shows a choice of them


def generated(reference: Path) -> dict[str, str]:
    """By name, the blocks of README and docs/ in markdown, from what is kept in ``reference`` and from the project.
    There is no block of benches or of twins where none are kept; that of costs then has empty cells."""
    claims = {name: claim for name, claim in claims_in_order(CHECKOUT / "analyses").items() if claim}
    table = pd.read_csv(reference / "claims.csv")
    scale = json.loads((reference / RUN).read_text())["scale"]
    costs, hub = _kept_costs(reference / "costs.csv"), read(CHECKOUT / "workflow/scales/hub.yaml")
    blocks = {
        "badges": badges_line(reference / "badges", CHECKOUT / "README.md"),
        "log": log_list(claims.values()),
        "results": results_table(table, (reference / "claims.md").read_text(), scale),
        "numbers": numbers_table(table, claims),
        "deviations": deviations_list(claims.values()),
        "experiments": experiments_table(claims.values()),
        "models": models_table(),
        "downloads": downloads_table(),
        "costs": costs_table(costs, hub),
        leaderboard.BLOCK: to_markdown(leaderboard.read_entries(leaderboard.KEPT).values()),
    }
    if (twins := reference / KEPT.name).exists():
        blocks["twins"] = twins_block(pd.read_csv(twins), twins.with_suffix(".png"))
    if (grown := reference / "emergence" / "emergence.csv").exists():
        blocks["emergence"] = emergence_table(pd.read_csv(grown), claims)
    if list((reference / "bench").glob("*_bars.csv")):
        blocks["bench"] = bench_table(reference / "bench")
    if (peers := reference / "bench" / "peers.csv").exists():
        blocks["peers"] = peers_table(pd.read_csv(peers))
    return blocks


def _kept_costs(path: Path) -> pd.DataFrame:
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)


def peers_table(table: pd.DataFrame) -> str:
    """What each library's pictures cost and how good they are (``table``: peers.csv), the cheapest first."""
    lines = [
        "| way | version | features | passes | processor seconds | activation | identification | kernel distance |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    ways = [(mine["cpu_seconds"].mean(), way, mine) for way, mine in table.groupby("way")]
    for seconds, way, mine in sorted(ways, key=lambda each: each[0]):
        qualities = mine["clean_over_natural"].median(), mine["identification"].mean(), mine["kernel_distance"].mean()
        version = mine["version"].iloc[0].partition("+")[0]
        numbers = [f"{len(mine)}", f"{mine['passes'].mean():.0f}", f"{seconds:.1f}", *(f"{x:.2f}" for x in qualities)]
        lines.append(f"| {way} | {version} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def results_table(table: pd.DataFrame, page: str, scale: str) -> str:
    """How many statements of ``table`` (claims.csv of ``scale``) have which word, then the first table of ``page``
    (claims.md)."""
    words = render.deciding_words(table)
    rows = takewhile(_of_a_table, dropwhile(lambda line: not _of_a_table(line), page.splitlines()))
    counts = f"Of {len(words)} statements of the paper at the scale `{scale}`: {render.counted_words(words)}."
    return "\n".join([counts, "", *rows])


def _of_a_table(line: str) -> bool:
    return line.startswith("|")


def numbers_table(table: pd.DataFrame, claims: Mapping[str, Claim]) -> str:
    """What the paper prints beside what was measured, for the statements of ``table`` (claims.csv) that have both."""
    lines = [
        "| in the paper | what is measured | there | here | 95% interval |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    found = render.decisive(table)
    for row in found[(found["role"] == PAPER) & found["paper"].notna()].itertuples():
        claim = claims[row.claim]
        what = claim.statements[row.statement]["statistic"]
        here = f"{row.measured:.3f} | {row.low:.3f} to {row.high:.3f}" if pd.notna(row.measured) else f"{row.word} |"
        lines.append(f"| {claim.text['paper']['where']} | {what} | {row.paper:.3f} | {here} |")
    return "\n".join(lines)


def log_list(claims: Iterable[Claim]) -> str:
    """What the released code's own log says about claims, without a run."""
    return "\n\n".join(
        f"{claim.text['paper']['log']} [`{claim.name}`](analyses/{claim.name})"
        for claim in claims
        if "log" in claim.text["paper"]
    )


def deviations_list(claims: Iterable[Claim]) -> str:
    """By claim, what is done differently from the paper."""
    lines = []
    for claim in claims:
        lines += [f"**[{claim.name}](../analyses/{claim.name}/claim.yaml)** ({claim.text['paper']['where']})", ""]
        lines += [*(f"- {deviation}" for deviation in claim.text["deviations"]), ""]
    return "\n".join(lines)


def twins_block(table: pd.DataFrame, figure: Path) -> str:
    """By claim how many statements came out as wanted on their twins (``table``: instrument.csv), and how many distinct
    numbers they are, in markdown for docs/; below it ``figure``, where it is kept."""
    lines = ["| claim | statements tried on a twin | distinct numbers | as wanted |", "| --- | ---: | ---: | ---: |"]
    tried = table.dropna(subset="instrument")
    for name, mine in [*tried.groupby("claim", sort=False), ("all", tried)]:
        distinct = mine["measured"].round(6).nunique()
        lines.append(f"| {name} | {len(mine)} | {distinct} | {(mine['instrument'] == VALID).sum()} |")
    if figure.exists():
        path = Path(os.path.relpath(figure, CHECKOUT / "docs")).as_posix()
        lines += ["", f"![What each deciding statement measures on each of its twins, beside its margin]({path})"]
    return "\n".join(lines)


def emergence_table(table: pd.DataFrame, claims: Mapping[str, Claim]) -> str:
    """What each statement on networks of growing size and training measures (``table``: emergence.csv), in markdown.
    What changes along an axis by more than three networks of one size and training differ is bold."""
    rising = {name: along(table, name) for name in AXES}
    headers = [
        f"{', '.join(short(value) for value in sorted(rows[name].unique()))} {AXES[name].partition(' ')[0]}"
        for name, rows in rising.items()
    ]
    lines = [f"| statement | margin | {' | '.join(headers)} | three seeds |", "| --- | ---: | --- | --- | --- | --- |"]
    seeds = table[table["model"].isin(SEEDS)]
    for claim, statement in table[["claim", "statement"]].drop_duplicates().itertuples(index=False):
        own, *others = (
            each[(each["claim"] == claim) & (each["statement"] == statement)] for each in (seeds, *rising.values())
        )
        low, high = own["measured"].min(), own["measured"].max()
        cells = []
        for name, mine in zip(rising, others, strict=True):
            values = mine.groupby(name)["measured"].mean()
            text = ", ".join(map(_short, values))
            cells.append(f"**{text}**" if abs(values.iloc[-1] - values.iloc[0]) > high - low else text)
        margin = claims[claim].statements[statement]["margin"]
        lines.append(f"| {claim}: {statement} | {margin:g} | {' | '.join(cells)} | {_short(low)} to {_short(high)} |")
    return "\n".join(lines)


def _short(value: float) -> str:
    """A dash for what was not testable."""
    return "–" if pd.isna(value) else f"{value:.2f}"


def bench_table(bench: Path) -> str:
    """What the benches measured against their bars (``*_bars.csv`` of the folder ``bench``), in markdown; rows of
    ``*_gpu_bars.csv`` say so."""
    lines = ["| what | bar | measured | reached |", "| --- | --- | --- | --- |"]
    for path in sorted(bench.glob("*_bars.csv")):
        where = "on a GPU: " if path.stem.endswith("_gpu_bars") else ""
        for row in pd.read_csv(path).itertuples():
            reached = "yes" if row.reached else "no"
            lines.append(f"| {where}{row.what} | {row.bar:.3f} | {row.measured:.3f} | {reached} |")
    return "\n".join(lines)


def models_table() -> str:
    """The paper's models and where they live now, in markdown."""
    table = pd.read_csv(CATALOGUE, keep_default_na=False)
    lines = ["| the paper's | here | pixels | differs |", "| --- | --- | ---: | --- |"]
    for row in table[table["paper_name"] != ""].itertuples():
        lines.append(f"| {row.paper_name} | `{row.name}` | {row.input_size} | {row.differs} |")
    return "\n".join(lines)


def downloads_table() -> str:
    """The public files, with their licences and what to cite, in markdown."""
    lines = ["| name | file | MB | SHA-256 known | licence | cite |", "| --- | --- | ---: | --- | --- | --- |"]
    for name, entry in read_list(CHECKOUT / "workflow/downloads.yaml").items():
        size, known = f"{entry.bytes / MB:.0f}" if entry.bytes else "", "yes" if entry.sha256 else "at first use"
        file = f"[{entry.file}]({entry.url})"
        lines.append(f"| {name} | {file} | {size} | {known} | {entry.licence} | {entry.citation} |")
    return "\n".join(lines)


def experiments_table(claims: Iterable[Claim]) -> str:
    """From each claim to its experiment, the module that measures it and its table; then the other experiments."""
    lines, decided = ["| claim | experiment | module | table |", "| --- | --- | --- | --- |"], set()
    for claim in claims:
        lines.append(_row(f"[{claim.name}](../analyses/{claim.name}/claim.yaml)", claim.experiment, claim.tables))
        decided.add(claim.experiment)
    lines += [
        _row("", name, (*entry.tables, *entry.arrays)) for name, entry in shipped().items() if name not in decided
    ]
    return "\n".join(lines)


def _row(claim: str, experiment: str, tables: Iterable[str]) -> str:
    module = f"[{experiment}.py](../src/vitexplore/experiments/{experiment}.py)"
    return f"| {claim} | {experiment} | {module} | {', '.join(f'`{table}/`' for table in tables)} |"


def keep(finished: Path, out: Path, pages: Sequence[Path] = (), figures: bool = True) -> None:
    """Copy the claims and tables of ``finished``, results/<scale> of a finished run, to ``out``; with ``figures``, the
    figures too. With ``pages`` also copy what is beside it (twins, benches, emergence, calibration, costs), draw
    badges, and bring the generated blocks of these files up to date. Where ``finished`` is ``out``, only what is beside
    it is copied. Words of instruments are those of the kept twins, and titles those of the claims' texts, today. Raises
    InputError where the run is not finished or is a rehearsal, and where a block of a page has no end."""
    if not (finished / "claims.csv").exists():
        raise InputError(f"{finished}: no claims.csv there; finish a run first")
    no_rehearsal(finished)
    if finished.resolve() != out.resolve():
        _copy_run(finished, out, figures)
        if pages:
            write_badges(out / "claims.csv", finished.name, out / "badges", CHECKOUT)
    if pages:
        beside = [path for pattern in BESIDE for path in finished.parent.glob(pattern)]
        for source in sorted(beside):
            _copy(source, out / source.relative_to(finished.parent))
        for source in finished.parent.glob("instrument/instrument.*"):
            _copy(source, out / source.name)
    renew_words(out, claims_in_order(CHECKOUT / "analyses"), CHECKOUT / KEPT)
    write_text(out / PAGE, claims_page(out, CHECKOUT))  # shows the twins
    if pages:
        blocks = generated(out)
        for page in pages:
            write_text(page, up_to_date(page.read_text(), blocks))


def renew_words(out: Path, claims: Mapping[str, Claim | None], twins: Path) -> None:
    """Write claims.csv and claims.md of ``out`` anew, with the words that the kept table ``twins`` gives instruments
    now; numbers stay to the letter."""
    csv = out / "claims.csv"
    table = pd.read_csv(csv, dtype=str, keep_default_na=False)
    for name, rows in table[table["instrument"] != ""].groupby("claim"):
        table.loc[rows.index, "instrument"] = rows["statement"].map(instruments(claims[name], twins))
    write_atomically(csv, lambda path: table.to_csv(path, index=False))
    write_text(out / "claims.md", render.to_markdown(pd.read_csv(csv), claims))


def _copy_run(finished: Path, out: Path, figures: bool) -> None:
    for folder in OF_PAPER:
        shutil.rmtree(out / folder, ignore_errors=True)
        kept = sorted((finished / folder).glob("[!.]*")) if figures else []
        for source in kept:
            _copy(source, out / folder / source.name)
    texts = [finished / name for name in ("claims.csv", RUN)]
    drawn = [*finished.glob("figures/*.png"), *finished.glob("figures/*.csv")] if figures else []
    shown = [path for path in sorted(drawn) if not path.name.startswith(LARGE)]
    for source in (*texts, *sorted(finished.glob("tables/*.csv")), *shown):
        _copy(source, out / source.relative_to(finished))


def _copy(source: Path, to: Path) -> None:
    write_atomically(to, lambda path: shutil.copyfile(source, path))
