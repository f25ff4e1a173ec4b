"""Figs. 8 and 9: does CLIP code what captions say and labels do not better than the same ViT on labels?"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Measured, NotTested, names, pooled, seeds_of
from vitexplore.statistics.intervals import Estimate, Resampled, combined, mean_of, resampled_mean, resampled_means

ANSWERED = 0.75  # AUROC by prompt from which on a concept is one that some model knows
KINDS = {"concepts": ("caption", "category"), "captions": ("caption",), "categories": ("category",)}
ORDER = ("clip", "clip_shuffled", "vit", "vit_random", "cnn")  # in figures; other models come after these
SHUFFLED = "lab/lab_clip_shuffled"
IN_21K = "in21k"  # in the tag of weights that saw ImageNet's 21,000 labels, which name categories as captions do


def auroc(placed: np.ndarray, shows: np.ndarray, images: np.ndarray, every: np.ndarray) -> Resampled:
    """An AUROC whose images are resampled with all others of ``every``. ``placed`` float [n]: DeLong's placements of
    ``images`` int64 [n], whose mean over those that show the concept (``shows`` bool [n]) is the AUROC, as is that over
    the others: so it is linear in the images (DeLong, DeLong and Clarke-Pearson 1988), to first order in 1/n."""
    columns = np.zeros((4, len(every)))
    at = np.searchsorted(every, images)
    for row, kind in enumerate((shows, ~shows)):
        columns[2 * row, at], columns[2 * row + 1, at] = placed * kind, kind
    whole = placed[shows].mean()
    return combined(lambda a, n, b, m: a / n + b / m - whole, *resampled_means(columns))


def excess(row: pd.Series, every: np.ndarray) -> Resampled:
    """What a model's best feature tells of a concept beyond what the best statistic of the pixels tells, at least 0:
    in AUROC, 0 to 0.5."""
    shows, images = np.asarray(row["shows"], dtype=bool), np.asarray(row["held_images"])
    best, pixel = (
        auroc(np.asarray(row[column], dtype=np.float64), shows, images, every) for column in ("placed", "pixel_placed")
    )
    return combined(lambda own, other: np.maximum(own - np.maximum(other, 0.5), 0), best, pixel)


def mean_excess(rows: pd.DataFrame, every: np.ndarray) -> Resampled:
    """The mean over concepts, and of each over its folds; not a number where there is no concept."""
    if rows.empty:
        return resampled_mean(np.full(len(every), np.nan))
    by_concept = (mine for _, mine in rows.groupby("concept", sort=False))
    return mean_of([mean_of([excess(row, every) for _, row in mine.iterrows()]) for mine in by_concept])


def answered(table: pd.DataFrame) -> pd.Series:
    """Which rows are of a concept that a CLIP answers by prompt, in all its folds: bool."""
    return table.groupby("concept")["answered"].transform("min") >= ANSWERED


def analyse(table: pd.DataFrame) -> Analysis:
    if table.empty:
        raise NotTested("needs a concept with 30 images of each kind in each part")
    known = table[answered(table)]
    shuffled, in_21k = table["architecture"] == SHUFFLED, table["architecture"].str.contains(IN_21K)
    seeds = seeds_of(table[~shuffled & ~in_21k], "clip", "vit")
    models = names(*(rows for pair in seeds.values() for rows in pair))
    controls = table[shuffled] if shuffled.any() else table[table["random_weights"]]
    if controls.empty:
        raise NotTested("needs a CLIP trained on other images' captions, or a ViT with random weights")
    control = controls[controls["model"] == controls["model"].iloc[0]]
    every = np.unique(np.concatenate(table["held_images"].to_list()))
    first_vit = next(iter(seeds.values()))[1]

    def measured(kinds: tuple[str, ...]) -> Measured:
        """CLIP minus the label model over concepts of ``kinds`` that a CLIP answers by prompt; the gate counts them."""
        asked = known["kind"].isin(kinds)
        count = known[asked]["concept"].nunique()

        def mean(rows: pd.DataFrame) -> Resampled:
            return mean_excess(rows.loc[rows.index.intersection(known[asked].index)], every)

        each = {seed: mean(clip) - mean(vit) for seed, (clip, vit) in seeds.items()}
        return Measured.one(each, mean(control) - mean(first_vit), models, [Estimate(count, count, count, "concepts")])

    rows = summary(table)
    statements = {name: measured(kinds) for name, kinds in KINDS.items()}
    return Analysis(statements, rows, {"language_concepts": panels(pooled(table, rows))})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each model and concept, means over folds: ``held_out``, the AUROC of the best feature, ``best``
    (block.feature, of the first fold), that of the best statistic of the pixels, and that of a CLIP's answer by
    prompt; ``coded`` of ``features`` have an AUROC of 0.9 at least; ``positives`` and ``others``: held-out images."""
    grouped = table.groupby(["model", "concept", "kind"], sort=False)
    rows = grouped[["held_out", "pixel_held_out", "answered", "coded", "features", "positives", "others"]].mean()
    rows["best"] = grouped["block"].first().astype(str) + "." + grouped["best"].first().astype(str)
    rows["pixel"] = grouped["pixel"].first()
    return rows.reset_index()


def panels(rows: pd.DataFrame) -> Figure:
    """How well each model's best feature tells a concept, beside pixels and a CLIP's answer; seeds together."""
    figure = Figure(figsize=(8.5, 6), layout="constrained")
    axis = figure.subplots()
    named = set(rows["model"])
    hues = [name for name in ORDER if name in named] + sorted(named - set(ORDER))
    sns.barplot(rows, y="concept", x="held_out", hue="model", hue_order=hues, errorbar=None, ax=axis)
    by_concept = rows.groupby("concept", sort=False)[["pixel_held_out", "answered"]].mean()
    places = np.arange(len(by_concept))
    axis.plot(by_concept["pixel_held_out"], places, "k|", markersize=22, label="best pixel statistic")
    axis.plot(by_concept["answered"], places, "k*", markersize=8, label="CLIP's answer by prompt")
    axis.set(
        title="Features for what captions say and labels do not", xlabel="AUROC held out", ylabel="", xlim=(0.4, 1.02)
    )
    axis.legend(title=None, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
