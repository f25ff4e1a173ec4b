"""What the paper measured: which models, for which claim, and its numbers beside ours."""

from pathlib import Path

import pandas as pd

from vitexplore.claims.text import Claim

# scopes: of whom a word speaks
OWN, OTHER_IMAGES_OF_OWN, OTHER_MODELS = "the paper's models", "the paper's models, other images", "other models"
IMAGENET = 1000  # classes
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


def marked(claim: Claim, table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with the column ``of_paper``: whether a row is of what the paper measured for ``claim`` (``models`` in
    its claim.yaml: weights and input size), on photographs and, where classes are asked for, of ImageNet's."""
    of_images = table["photographs"].astype(bool)
    if "classes" in table:
        of_images &= table["classes"].eq(IMAGENET)
    return table.assign(of_paper=_of_models(claim, table) & of_images)


def _of_models(claim: Claim, table: pd.DataFrame) -> pd.Series:
    named = table["architecture"].astype(str) + "@" + table["input_size"].astype(str)
    return named.isin(claim.text["paper"].get("models", [])) & ~table["random_weights"].astype(bool)


def scope_of(claim: Claim, whose: pd.DataFrame) -> str:
    """Of whom a word about these models speaks; ``whose``: a row of a `marked` table for each."""
    if len(whose) and whose["of_paper"].all():
        return OWN
    return OTHER_IMAGES_OF_OWN if len(whose) and _of_models(claim, whose).all() else OTHER_MODELS


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
