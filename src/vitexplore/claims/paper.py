"""Measured numbers beside those that the paper prints, for the models whose weights are the paper's own."""

from pathlib import Path

import pandas as pd

CATALOGUE = Path(__file__).parents[1] / "models" / "catalogue.csv"  # read as it is: models take seconds to import
OTHER = "other weights"  # what stands in `agrees` for a model that is the paper's by architecture alone
OTHER_IMAGES = "other images"  # and for numbers of fewer images than the paper's, of whatever data
BROKEN = 0.001  # of the paper's images may be missing


def beside_paper(
    measured: pd.DataFrame, reference: Path, on: list[str], values: dict[str, str], tolerance: float, images: int
) -> pd.DataFrame:
    """``measured`` (with ``architecture``, as ``source/name.tag``, and ``n``, of how many images) and, where
    ``reference`` (a CSV with ``model``, the name without tag) has a row of the same model and of equal ``on``, for each
    of ``values`` (measured column to reference column): ``paper_COLUMN``, ``difference_COLUMN`` and ``agrees_COLUMN``.
    That is yes or no by ``tolerance`` (in the column's units); OTHER where the weights are not the paper's own, and
    OTHER_IMAGES where there are fewer than the paper's ``images``: neither can agree or fail to."""
    printed = pd.read_csv(reference).rename(columns={"model": "paper_model"})
    printed = printed[["paper_model", *on, *values.values()]]
    printed = printed.rename(columns={theirs: f"paper_{ours}" for ours, theirs in values.items()})
    names = _names(measured["architecture"])
    tagged = names.str.contains(".", regex=False)  # without a tag there are no published weights
    table = measured.assign(paper_model=names.str.partition(".")[0].where(tagged)).merge(
        printed, "left", ["paper_model", *on]
    )
    own, few = own_weights(table["architecture"]).to_numpy(), table["n"] < (1 - BROKEN) * images
    for ours in values:
        difference = table[ours] - table[f"paper_{ours}"]
        agrees = pd.Series("no", table.index).mask(difference.abs() <= tolerance, "yes").mask(few, OTHER_IMAGES)
        agrees = agrees.mask(~own, OTHER)
        table[f"difference_{ours}"] = difference
        table[f"agrees_{ours}"] = agrees.mask(difference.isna(), "")
    return table.drop(columns="paper_model")


def own_weights(architectures: pd.Series) -> pd.Series:
    """Which of ``architectures`` (``source/name.tag``) are models of the paper with the paper's own weights: bool."""
    known = pd.read_csv(CATALOGUE, keep_default_na=False).query("paper_name != ''").set_index("architecture")["differs"]
    return _names(architectures).map(known).eq("")


def _names(architectures: pd.Series) -> pd.Series:
    return architectures.astype(str).str.partition("/")[2]


def agreement(table: pd.DataFrame) -> str:
    """How many of the paper's values agree, such as ``9 of 10``; empty where there was nothing to compare."""
    marks = table.filter(regex="^agrees_").stack()
    yes, compared = int((marks == "yes").sum()), int(marks.isin(["yes", "no"]).sum())
    return f"{yes} of {compared}" if compared else ""
