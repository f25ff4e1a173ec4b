"""Appendix: are features of the other families visualized as ViT's are?"""

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, of_each
from vitexplore.figures import plots
from vitexplore.stats import Estimate, bootstrap

SHOWN = 6  # features of each family in the figure


def mean(values: pd.Series, what: str = "features") -> Estimate:
    numbers = values.to_numpy(float)
    return bootstrap(lambda f: float(numbers[f].mean()), {what: len(numbers)})


def analyse(table: pd.DataFrame) -> Analysis:
    table = table.assign(
        beats_natural=table["score"] > table["natural"], other_beats=table["score_other"] > table["natural"]
    )
    decides, shown = table["variant"].iloc[0], table["variant"].iloc[-1]  # the first recipe, and the last
    mine = table[table["variant"] == decides]
    trained, random = mine[~mine["random_weights"]], mine[mine["random_weights"]]
    if trained.empty or random.empty:
        raise NotTested("needs transformers of other families, and the same ones with random weights")
    if table["identification"].isna().any():
        raise NotTested("needs a judge: a model that is not the visualized one")
    families = [mine for _, mine in trained.groupby("model", sort=False)]
    statements = {
        "beats_natural": Measured(
            of_each(families, lambda mine: mean(mine["beats_natural"])), mean(trained["other_beats"])
        ),
        "identification": Measured(
            of_each(families, lambda mine: mean(mine["identification"])),
            mean(random["identification"], "features of all"),
        ),
    }
    columns = ["beats_natural", "other_beats", "percentile", "identification", "identification_natural"]
    columns += ["high_frequency", "path_agreement", "interpretability"]
    summary = table.groupby(["variant", "model", "random_weights", "block"], sort=False)[columns].mean().reset_index()
    return Analysis(statements, summary, {"variants": pictures(table[table["variant"] == shown], shown)})


def pictures(table: pd.DataFrame, recipe: str) -> Figure:
    """One row a family, its first features; above each what it scores."""
    rows = []
    for _, mine in table[~table["random_weights"]].groupby("model", sort=False):
        first = mine.iloc[:SHOWN]
        above = [f"{row.feature}: {row.identification:.2f}" for row in first.itertuples()]
        rows.append((f"{mine['model'].iloc[0]} {mine['block'].iloc[0]}", list(first["picture"]), above))
    return plots.picture_rows(
        rows, f"Features of each family, recipe {recipe}; above each the judge's AUROC for it (chance 0.5)"
    )
