"""Fig. 3: visualizations of ffn against those of query, key and value, at three depths."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, by_model, deciding
from vitexplore.claims.pictures import alive, ceilings, summary_of, usable, visualized
from vitexplore.figures import plots
from vitexplore.figures.feature_rows import CROSSED_OUT, OF_JUDGE, drawn, judged
from vitexplore.statistics.intervals import Means

QKV = ("query", "key", "value")
SITES = (*QKV, "ffn")
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
    recipes = list(table["variant"].unique())  # the first decides, the others are shown beside it
    vits = by_model(deciding(table[table["variant"] == recipes[0]]), "vit")
    vits = {name: mine for name, mine in vits.items() if set(SITES) <= set(mine["site"])}
    if not vits:
        raise NotTested("needs visualizations of ffn, query, key and value")
    usable(pd.concat(vits.values()))
    statements = {f"over_{site}": identified(vits, site) for site in QKV}
    high = {site: high_frequency(vits, site) for site in QKV} if all(map(visualized, vits.values())) else {}
    statements["high_frequency"] = Measured(high, list(vits))
    summary = summary_of(table, ["variant", "model", "site", "depth"], alive(table))
    first = next(iter(vits))
    figures = {
        "ffn_over_qkv": pictures(vits[first], recipes[0]),
        "ffn_over_qkv_scores": scores(summary[summary["variant"] == recipes[0]]),
    }
    if len(recipes) > 1:
        same = (table["variant"] == recipes[1]) & (table["model"] == first)
        figures["ffn_over_qkv_fast"] = pictures(table[same], recipes[1])
    return Analysis(statements, summary, figures)


def identified(vits: dict[str, pd.DataFrame], site: str) -> Measured:
    """Identification less its ceiling, ffn minus ``site``; the control, with the next feature's picture."""
    compared = {name: every[every["site"].isin(("ffn", site))] for name, every in vits.items()}
    gate = [ceilings(mine) for every in compared.values() for _, mine in every.groupby("site")]
    if not all(map(visualized, compared.values())):
        return Measured({}, list(vits), gate)
    each, controls = {}, []
    for name, every in compared.items():
        mine = drawn_of_both(alive(every), site)
        if mine.empty:
            raise NotTested(f"{name}: at no depth could two features of ffn and of {site} be visualized")
        each[name] = ffn_minus(mine, site, mine["identification"] - mine["identification_natural"])
        controls.append(ffn_minus(mine, site, mine["identification_other"] - mine["identification_natural"]))
    return Measured.one(each, controls[0], gate=gate)


def drawn_of_both(mine: pd.DataFrame, site: str) -> pd.DataFrame:
    """The rows of the depths at which two features at least of ffn and of ``site`` are there: like is compared with
    like, and one feature has no spread."""
    counts = mine.groupby(["depth", "site"]).size().unstack(fill_value=0).reindex(columns=["ffn", site], fill_value=0)
    return mine[mine["depth"].isin(counts.index[(counts >= 2).all(axis=1)])]


def high_frequency(vits: dict[str, pd.DataFrame], site: str) -> Comparison:
    """The share of high frequencies, ``site`` minus ffn; the control, of features' pictures drawn from both sites."""
    each = {name: ffn_minus(mine, site, mine["high_frequency"]) * -1.0 for name, mine in vits.items()}
    mine = next(iter(vits.values()))
    both = mine[mine["site"].isin(("ffn", site))]
    exchanged = both["high_frequency"].copy()
    for _, rows in both.groupby("depth"):
        exchanged[rows.index] = np.random.default_rng(0).permutation(rows["high_frequency"])
    return Comparison(each, ffn_minus(both, site, exchanged) * -1.0)


def pictures(mine: pd.DataFrame, recipe: str) -> Figure:
    """Like the paper's Fig. 3: rows are sites, columns depths, some features of each."""
    rows = []
    for site, of_site in drawn(mine).groupby("site", sort=False):
        cells = []
        for _, each in of_site.groupby("depth", sort=False):
            cells += [*([plots.GAP] if cells else []), *map(judged, each[:SHOWN].itertuples())]
        rows.append((site, cells))
    depths = mine.drop_duplicates("depth")
    columns = ", ".join(f"{row.depth} (block {row.block})" for row in depths.itertuples())
    title = f"{mine['model'].iloc[0]}: what features of its sites look for, recipe {recipe}"
    return plots.picture_rows(rows, title, f"From left to right: {columns}. {OF_JUDGE} {CROSSED_OUT}")


def scores(summary: pd.DataFrame) -> Figure:
    """Identification less its ceiling by site for each transformer."""
    rows = summary[summary["site"].isin(SITES)].dropna(subset="less_ceiling")
    means = rows.groupby(["model", "site"], sort=False)["less_ceiling"].mean().reset_index()
    labels = ("site", "identification less its ceiling\n(rank AUROC; 0: as by a natural image)")
    title = "How well a judge tells the feature by its picture"
    if means.empty:
        return plots.message(f"{title}: nothing to show")
    figure = plots.bars(means, "site", "less_ceiling", "model", title, labels)
    figure.axes[0].axhline(0, color="black")
    return figure
