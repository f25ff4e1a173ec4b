"""Figs. 8 and 9: does CLIP code concepts that captions say and labels do not, which the same ViT on labels lacks?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, families_of, names
from vitexplore.statistics.intervals import Estimate, Resampled, combined, mean_of, resampled_means

ANSWERED = 0.75  # AUROC by prompt from which on a concept is one that some model knows
SHUFFLED = "lab/lab_clip_shuffled"
IN_21K = "in21k"  # in the tag of weights that saw ImageNet's 21,000 labels, which name categories as captions do
KINDS = {"captions": "caption", "categories": "category"}
Excess = dict[str, Resampled]  # by concept


def auroc(
    placed_kn: np.ndarray, choice: np.ndarray, shows: np.ndarray, images: np.ndarray, every: np.ndarray
) -> Resampled:
    """The held-out AUROC of what is chosen where features are found: both parts of the images are resampled, the
    held-out ones with all others of ``every``. ``placed_kn``: of each that some resample chooses, DeLong's placements
    of ``images`` int64 [n], whose mean over those that show the concept (``shows`` bool [n]) is its AUROC, as is that
    over the others: so it is linear in the images (DeLong, DeLong and Clarke-Pearson 1988), to first order in 1/n. The
    first of them is the choice; ``choice`` int64 [r]: that of each resample."""
    at = np.searchsorted(every, images)
    columns = np.zeros((2 + 2 * len(placed_kn), len(every)))
    columns[0, at], columns[1, at] = shows, ~shows
    for number, placed in enumerate(placed_kn):
        columns[2 + 2 * number, at], columns[3 + 2 * number, at] = placed * shows, placed * ~shows
    of_shows, of_others, *parts = resampled_means(columns)
    found = []
    for number, placed in enumerate(placed_kn):
        whole = placed[shows].mean()
        pair = parts[2 * number : 2 * number + 2]
        found.append(combined(lambda a, b, n, m, w=whole: a / n + b / m - w, *pair, of_shows, of_others))
    draws = np.stack([one.draws for one in found])[choice, np.arange(len(choice))]
    first = found[0]
    return Resampled(first.value, draws, first.without, {"images": len(images)}, blind=first.blind)


def excess(row: pd.Series, every: np.ndarray) -> Resampled:
    """What a model's best feature tells of a concept beyond what the best statistic of the pixels tells, at least 0:
    in AUROC, 0 to 0.5."""
    shows, images = np.asarray(row["shows"], dtype=bool), np.asarray(row["held_images"])

    def of(kind: str) -> Resampled:
        placed = np.asarray(row[f"{kind}placed"], dtype=np.float64).reshape(-1, len(images))
        return auroc(placed, np.asarray(row[f"{kind}choice"], dtype=np.int64), shows, images, every)

    return combined(lambda own, other: np.maximum(own - np.maximum(other, 0.5), 0), of(""), of("pixel_"))


def by_concept(rows: pd.DataFrame, every: np.ndarray) -> Excess:
    """By concept, the mean over its folds."""
    return {
        str(name): mean_of([excess(row, every) for _, row in mine.iterrows()])
        for name, mine in rows.groupby("concept", sort=False)
    }


def known(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of concepts that a CLIP answers by prompt, on the images where features are found, in all their
    folds."""
    return table[table.groupby("concept")["answered"].transform("min") >= ANSWERED]


def mean_over(models: Mapping[str, Excess]) -> Excess:
    concepts = next(iter(models.values()))
    return {concept: mean_of([each[concept] for each in models.values()]) for concept in concepts}


def analyse(table: pd.DataFrame) -> Analysis:
    if table.empty:
        raise NotTested("needs a concept with 30 images of each kind in each part")
    shuffled, in_21k = table["architecture"] == SHUFFLED, table["architecture"].str.contains(IN_21K)
    clips, labels = families_of(table[~shuffled & ~in_21k], "clip", "vit")
    models = names(*clips.values(), *labels.values())
    controls = table[shuffled] if shuffled.any() else table[table["random_weights"]]
    if controls.empty:
        raise NotTested("needs a CLIP trained on other images' captions, or a ViT with random weights")
    controls = controls[controls["model"] == controls["model"].iloc[0]]
    every = np.unique(np.concatenate(table["held_images"].to_list()))
    asked = {mine["concept"].iloc[0] for _, mine in known(table).groupby("concept")}

    def of(families: Mapping[str, pd.DataFrame]) -> Excess:
        each = {name: by_concept(mine[mine["concept"].isin(asked)], every) for name, mine in families.items()}
        return mean_over(each)

    count = [Estimate(float(len(asked)), float(len(asked)), float(len(asked)), "concepts")]
    if not asked:
        statements = dict.fromkeys(("concepts", *KINDS), Measured({}, models, count, counts="number"))
        return Analysis(statements, summary(table))
    clip, label, control = of(clips), of(labels), of({"": controls})
    kinds = table.drop_duplicates("concept").set_index("concept")["kind"]

    def counted(kind: str | None) -> Measured:
        """CLIP's excess less the label model's, concept by concept; the control's, of a CLIP that learned nothing."""
        mine = [concept for concept in clip if kind in (None, kinds[concept])]
        if not mine:
            return Measured.not_testable("no concept of this kind that a CLIP answers", models)
        each, controls = ({concept: of[concept] - label[concept] for concept in mine} for of in (clip, control))
        return Measured({"": Comparison(each, controls)}, models, count, counts="number")

    statements = {"concepts": counted(None)} | {name: counted(kind) for name, kind in KINDS.items()}
    return Analysis(statements, summary(table))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each model and concept, means over folds: ``held_out``, the AUROC of the best feature, ``best``
    (block.feature, of the first fold), that of the best statistic of the pixels, and that of a CLIP's answer by
    prompt where features are found; ``coded`` of ``features`` have an AUROC of 0.9 at least; ``positives`` and
    ``others``: held-out images."""
    grouped = table.groupby(["model", "concept", "kind"], sort=False)
    rows = grouped[["held_out", "pixel_held_out", "answered", "coded", "features", "positives", "others"]].mean()
    rows["best"] = grouped["block"].first().astype(str) + "." + grouped["best"].first().astype(str)
    rows["pixel"] = grouped["pixel"].first()
    return rows.reset_index()
