"""Fig. 14: accuracy kept under low-pass filters, every ViT against every CNN."""

from itertools import product

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from vitexplore.claims.decide import Analysis, Comparison, Measured, families_of, names, pooled
from vitexplore.measures.accuracy import at_one_size
from vitexplore.statistics.intervals import Estimate, Resampled, combined, mean_of, ratio, resampled_mean

IDEAL, GAUSSIAN = "disc", "gaussian"
# of the unfiltered accuracy: of two networks that both keep less, or both more, there is nothing to compare
KEPT_NOTHING, KEPT_ALL = 0.05, 0.95


class Curve:
    """Of one model: bool [images] hits on unfiltered images (``whole``) and, by strength of ``filter``, on filtered
    ones; with ``exchanged`` (a control) against other images' labels."""

    def __init__(self, mine: pd.DataFrame, filter: str, chance: float, exchanged: bool = False) -> None:
        rank, rows = "rank_permuted" if exchanged else "rank", mine.sort_values("image")
        self.chance, self.whole = chance, rows.loc[rows["filter"] == "none", "rank"].to_numpy() < 1
        self.filtered = {
            float(strength): each[rank].to_numpy() < 1
            for strength, each in rows[rows["filter"] == filter].groupby("strength")
        }

    def above_chance(self) -> Resampled:
        """Accuracy on unfiltered images."""
        return resampled_mean(self.whole - self.chance)

    def kept(self, strength: float) -> Resampled:
        """The accuracy that a filter leaves over the unfiltered one, both above chance."""
        return ratio(resampled_mean(self.filtered[strength] - self.chance), self.above_chance())

    def area(self) -> Resampled:
        """Under what is kept against the logarithm of the strength, over the range: 1 where nothing is lost."""
        strengths = sorted(self.filtered)
        x = np.log(strengths)

        def under(*kept: np.ndarray) -> np.ndarray:
            return np.trapezoid(np.stack(kept), x, axis=0) / (x[-1] - x[0])

        return combined(under, *map(self.kept, strengths))


def analyse(table: pd.DataFrame) -> Analysis:
    table = table[~table["random_weights"]]
    chance = 1 / int(table["classes"].iloc[0])
    vits, cnns = families_of(at_one_size_each(table), "vit", "cnn")
    models, pairs = names(*vits.values(), *cnns.values()), list(product(vits, cnns))
    images = np.sort(vits[models[0]]["image"].unique())
    curves = {name: Curve(mine, IDEAL, chance) for name, mine in (vits | cnns).items()}
    others = {name: Curve(mine, IDEAL, chance, exchanged=True) for name, mine in (vits | cnns).items()}
    gate = room([curves[name] for name in vits], [curves[name] for name in cnns])
    found = {f"cut-off {named(x)}": at(x, pairs, curves, others) for x in sorted(curves[models[0]].filtered)}
    telling = {name: comparison for name, comparison in found.items() if comparison.each}
    tried = {pair for comparison in telling.values() for pair in comparison.each}
    without = [f"{vit} over {cnn}" for vit, cnn in pairs if f"{vit} over {cnn}" not in tried]
    why = f"no cut-off takes something of either network and leaves either something: {without[0]}" if without else ""
    statements = {"ideal": Measured(telling, models, gate, why, every=True)}
    for name, filter in (("ideal_area", IDEAL), ("gaussian_area", GAUSSIAN)):
        if filter not in set(table["filter"]):
            statements[name] = Measured.not_testable("this filter is not tried at this scale", models)
            continue
        own, permuted = (
            {name: Curve(mine, filter, chance, x).area() for name, mine in (vits | cnns).items()} for x in (False, True)
        )
        statements[name] = Measured({"": less(pairs, own, permuted)}, models, gate, every=True)
    rows = summary(table, chance)
    alone = rows[rows["networks"] == 1]
    by_image = pd.Series(np.subtract(*(hit_rates([curves[name] for name in each]) for each in (vits, cnns))), images)
    return Analysis(statements, rows, {"low_pass": panels(pooled(table, at_one_size_each(alone)))}, by_image)


def at(strength: float, pairs: list, curves: dict[str, Curve], others: dict[str, Curve]) -> Comparison:
    """What a ViT keeps behind one filter less what a CNN keeps, of the pairs of which it tells something: it takes
    something of one of them at least, and leaves one of them something; the control, with other images' labels."""
    own, permuted = ({name: curve.kept(strength) for name, curve in each.items()} for each in (curves, others))
    left = {name for name, kept in own.items() if kept.value > KEPT_NOTHING}
    taken = {name for name, kept in own.items() if kept.value < KEPT_ALL}
    return less([pair for pair in pairs if left & {*pair} and taken & {*pair}], own, permuted)


def less(pairs: list, own: dict[str, Resampled], permuted: dict[str, Resampled]) -> Comparison:
    """ViT minus CNN, pair by pair."""
    each, control = ({f"{vit} over {cnn}": of[vit] - of[cnn] for vit, cnn in pairs} for of in (own, permuted))
    return Comparison(each, control)


def room(vits: list[Curve], cnns: list[Curve]) -> list[Estimate]:
    """Accuracy above chance on unfiltered images, of either family."""
    return [mean_of([curve.above_chance() for curve in family]).estimate() for family in (vits, cnns)]


def at_one_size_each(table: pd.DataFrame) -> pd.DataFrame:
    """Each model's rows at the common input size, or at its own where that is the common one: a cut-off is a share of
    the input's own Nyquist, and a larger input would keep more of the picture under the same share."""
    return pd.concat([at_one_size(mine) for _, mine in table.groupby("model", sort=False)])


def hit_rates(curves: list[Curve]) -> np.ndarray:
    """By image the share of answers behind all strengths of the filter that are right."""
    return np.mean([each for curve in curves for each in curve.filtered.values()], axis=0)


def named(strength: float) -> str:
    return f"1/{1 / strength:.0f}" if strength < 1 else f"{strength:g}"


def summary(table: pd.DataFrame, chance: float) -> pd.DataFrame:
    """model, family, networks (how many), size, filter, strength, top1 in percent, kept (above chance, of the
    unfiltered) with its interval, n. The rows of more than one network are a family's mean, of the size at which
    families are compared."""
    groups = [([mine], size) for (_, size), mine in table.groupby(["model", "size"], sort=False)]
    for _, alike in at_one_size_each(table).groupby("family", sort=False):
        each = [mine for _, mine in alike.groupby("model", sort=False)]
        groups += [(each, "compared")] if len(each) > 1 else []
    rows = []
    for each, size in groups:
        name = each[0]["model"].iloc[0] if len(each) == 1 else f"mean of {len(each)}"
        known = {"model": name, "family": each[0]["family"].iloc[0], "networks": len(each), "size": size}
        for filter in each[0]["filter"].unique():
            curves = [Curve(mine, filter, chance) for mine in each]
            for strength in sorted(curves[0].filtered):
                kept = mean_of([curve.kept(strength) for curve in curves]).estimate()
                top1 = 100 * np.mean([curve.filtered[strength] for curve in curves])
                row = known | {"filter": filter, "strength": strength, "top1": top1, "kept": kept.value}
                rows.append(row | {"kept_low": kept.low, "kept_high": kept.high, "n": len(curves[0].whole)})
    return pd.DataFrame(rows)


def panels(rows: pd.DataFrame) -> Figure:
    """One panel a filter, one line a model, training seeds together."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    labels = {IDEAL: "cut-off, of Nyquist", GAUSSIAN: "sigma, pixels of a 224 px image"}
    labels = {filter: label for filter, label in labels.items() if filter in set(rows["filter"])}
    axes = figure.subplots(1, len(labels), squeeze=False)[0]
    for axis, (filter, label) in zip(axes, labels.items(), strict=True):
        mine = rows[rows["filter"] == filter]
        sns.lineplot(mine, x="strength", y="kept", hue="model", marker="o", ax=axis, legend=axis is axes[-1])
        axis.set(xscale="log", title=f"{filter} filter", xlabel=label, ylabel="")
        strengths = sorted(mine["strength"].unique())
        axis.set_xticks(strengths, list(map(named, strengths)))
        axis.minorticks_off()
        axis.axhline(0, color="black", linewidth=0.8)
    figure.axes[0].set_ylabel("top-1 above chance, of the unfiltered")
    axes[-1].legend(title=None, fontsize=9)
    figure.suptitle("Accuracy kept without fine detail")
    return figure
