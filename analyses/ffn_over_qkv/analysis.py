"""Fig. 3: visualizations of ffn against those of query, key and value, at three depths."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, by_model, deciding
from vitexplore.claims.pictures import ceilings, summary_of, told, usable, visualized
from vitexplore.figures import plots
from vitexplore.figures.feature_rows import CROSSED_OUT, OF_JUDGE, drawn, judged
from vitexplore.statistics.intervals import Means

QKV = ("query", "key", "value")
SITES = ("ffn", *QKV)
SHOWN = 4  # features of each site and depth in the figure


def of_site(mine: pd.DataFrame, site: str, values: pd.Series) -> Means:
    """The mean over depths of the mean over a site's features of ``values``, which has the rows of ``mine``."""
    rows = mine[mine["site"] == site]
    model, depths = rows["model"].iloc[0], rows["depth"].nunique()
    samples = {f"{model} {site} {depth}": values[found.index] / depths for depth, found in rows.groupby("depth")}
    return Means({name: sample.to_numpy(np.float64) for name, sample in samples.items()})


def ffn_minus(mine: pd.DataFrame, site: str, values: pd.Series) -> Means:
    return of_site(mine, "ffn", values) - of_site(mine, site, values)


def analyse(table: pd.DataFrame) -> Analysis:
    recipes = list(table["variant"].unique())  # the first decides, the others are in the table beside it
    first = table[table["variant"] == recipes[0]]
    vits = {name: mine for name, mine in by_model(deciding(first), "vit").items() if set(SITES) <= set(mine["site"])}
    if not vits:
        raise NotTested("needs visualizations of ffn, query, key and value")
    usable(pd.concat(vits.values()))
    statements = {f"over_{site}": Measured({"": identified(vits, site)}, list(vits), gates(vits, site)) for site in QKV}
    every_gate = [gate for site in QKV for gate in gates(vits, site)]
    less = {site: identified(vits, site, less_ceiling=True) for site in QKV}
    statements["less_ceiling"] = Measured(less, list(vits), every_gate)
    statements["high_frequency"] = Measured({site: high_frequency(vits, site) for site in QKV}, list(vits), every_gate)
    mine = next(iter(vits.values()))
    shown = {"ffn_over_qkv": pictures(mine, recipes[0])} if visualized(mine) else {}
    return Analysis(statements, summary_of(table, ["variant", "model", "site", "depth"]), shown)


def gates(vits: dict[str, pd.DataFrame], site: str) -> list:
    return [ceilings(mine[mine["site"] == each]) for mine in vits.values() for each in ("ffn", site)]


def identified(vits: dict[str, pd.DataFrame], site: str, less_ceiling: bool = False) -> Comparison:
    """How well a judge tells a feature by its picture, ffn minus ``site``; the control, by the next feature's picture.
    Of either also ``less_ceiling``, less what held-out exemplars reach."""
    each, controls = {}, []
    for name, mine in vits.items():
        ceiling = mine["identification_natural"] if less_ceiling else 0.0
        each[name] = ffn_minus(mine, site, told(mine) - ceiling)
        controls.append(ffn_minus(mine, site, told(mine, "identification_other") - ceiling))
    return Comparison(each, dict(zip(each, controls, strict=True)))


def high_frequency(vits: dict[str, pd.DataFrame], site: str) -> Comparison:
    """The share of high frequencies, ``site`` minus ffn; the control, of features' pictures drawn from both sites."""
    each, controls = {}, {}
    for name, mine in vits.items():
        each[name] = ffn_minus(mine, site, mine["high_frequency"]) * -1.0
        both = mine[mine["site"].isin(("ffn", site))]
        exchanged = both["high_frequency"].copy()
        for _, rows in both.groupby("depth"):
            exchanged[rows.index] = np.random.default_rng(0).permutation(rows["high_frequency"])
        controls[name] = ffn_minus(both, site, exchanged) * -1.0
    return Comparison(each, controls)


def pictures(mine: pd.DataFrame, recipe: str) -> Figure:
    """Like the paper's Fig. 3: rows are sites, columns depths, some features of each, by the recipe that decides."""
    rows = []
    for site in SITES:
        cells = []
        for _, each in drawn(mine[mine["site"] == site]).groupby("depth", sort=False):
            cells += [*([plots.GAP] if cells else []), *map(judged, each[:SHOWN].itertuples())]
        rows.append((site, cells))
    depths = mine.drop_duplicates("depth")
    columns = ", ".join(f"{row.depth} (block {row.block})" for row in depths.itertuples())
    title = f"{mine['model'].iloc[0]}: what features of its sites look for, recipe {recipe}"
    return plots.picture_rows(rows, title, f"From left to right: {columns}. {OF_JUDGE} {CROSSED_OUT}")
