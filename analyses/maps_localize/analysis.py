"""Figs. 2a and 4: for each class of object, does a feature's map find it, better than any map that needs no network?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vitexplore.claims.decide import Analysis, Comparison, Measured, NotTested, by_model, deciding
from vitexplore.statistics.intervals import Resampled, resampled_grid
from vitexplore.statistics.selection import beside_selection, over_strata, select_then_score
from vitexplore.statistics.splits import halves

FEWEST = 10  # usable images that a class needs, half of which choose its map
BASELINES = ("pixels", "random weights")


class Maps:
    """AUROCs of all maps of a network (or of pixels) on the images of each class: ``own`` and ``other``, against
    another image's mask, float [images, maps]."""

    def __init__(self, rows: pd.DataFrame, places: Mapping[str, np.ndarray]) -> None:
        own, other = (np.stack(rows[column].to_list(), axis=1).astype(np.float64) for column in ("auroc", "control"))
        self.own = {name: own[mine] for name, mine in places.items()}
        self.other = {name: other[mine] for name, mine in places.items()}
        self.rows = rows

    def best(self, name: str, stream: int) -> Resampled:
        """Of class ``name`` the AUROC of the map that is best, with its sign, on one half of its images, on the other
        half. The choice is made anew in each resample."""
        chosen_on, scored_on = halves(len(self.own[name]))
        both = _with_signs(self.own[name])
        return select_then_score(both[chosen_on], both[scored_on], stream)

    def best_on_others(self, name: str, stream: int) -> Resampled:
        """The same map against another image's mask."""
        chosen_on, scored_on = halves(len(self.own[name]))
        best = int(_with_signs(self.own[name])[chosen_on].mean(0).argmax())
        return beside_selection(_with_signs(self.other[name])[scored_on, best], len(chosen_on), stream)

    def chosen(self, name: str) -> pd.Series:
        """The row of the map that is chosen for a class, with its ``sign``: -1 for a map that is low on its objects."""
        chosen_on, _ = halves(len(self.own[name]))
        best = int(_with_signs(self.own[name])[chosen_on].mean(0).argmax())
        signed = {"sign": 1 if best < len(self.rows) else -1}
        return pd.concat([self.rows.iloc[best % len(self.rows)], pd.Series(signed)])


def _with_signs(auroc_nf: np.ndarray) -> np.ndarray:
    return np.concatenate([auroc_nf, 1 - auroc_nf], axis=1)


def analyse(table: pd.DataFrame, trivial: pd.DataFrame, images: pd.DataFrame) -> Analysis:
    vits = by_model(deciding(table), "vit")
    random = table[table["random_weights"] & table["family"].eq("vit")]
    if random.empty:
        raise NotTested("needs the ViT with random weights too")
    compared = [*vits, *random["model"].unique()[:1]]
    inner = {name: table[(table["model"] == name) & (table["block"] < table["block"].max())] for name in compared}
    of_pixels = {name: trivial[trivial["model"] == name] for name in compared}
    shown = images[images["model"] == compared[0]]["class"].to_numpy()
    places = usable_places(shown, [*inner.values(), *of_pixels.values()])
    if not places:
        raise NotTested(f"needs {FEWEST} images of some class whose objects cover some positions and not all")
    maps = {name: Maps(rows, places) for name, rows in inner.items()}
    pixels = Maps(of_pixels[compared[0]], places)
    baselines = {"pixels": bests(pixels), "random weights": bests(maps[compared[-1]])}
    own, others = ({name: of(maps[name]) for name in vits} for of in (bests, bests_on_others))
    against = {baseline: Comparison(over(own, theirs), over(others, theirs)) for baseline, theirs in baselines.items()}
    first = next(iter(vits))
    by_class = {
        baseline: Comparison(less(own[first], theirs), less(others[first], theirs))
        for baseline, theirs in baselines.items()
    }
    statements = {
        "best_maps": Measured(against, list(vits)),
        "classes": Measured(by_class, [first], counts="share"),
        "all_maps": Measured.one(
            {name: gains(maps[name]) for name in vits}, {name: gains(maps[name], exchanged=True) for name in vits}
        ),
    }
    return Analysis(statements, summary(maps, pixels))


def usable_places(shown: np.ndarray, tables: list[pd.DataFrame]) -> dict[str, np.ndarray]:
    """By class the places of its images in the tables' arrays: those at which no map and no control is missing; of
    classes that have FEWEST of them."""
    columns = [np.stack(table[column].to_list()) for table in tables for column in ("auroc", "control")]
    usable = np.all([~np.isnan(column).any(0) for column in columns], axis=0)
    found = {str(name): np.flatnonzero(usable & (shown == name)) for name in dict.fromkeys(shown)}
    return {name: places for name, places in sorted(found.items()) if len(places) >= FEWEST}


def bests(maps: Maps) -> dict[str, Resampled]:
    """By class, how well its map finds it."""
    return {name: maps.best(name, stream) for stream, name in enumerate(maps.own)}


def bests_on_others(maps: Maps) -> dict[str, Resampled]:
    """The same maps against another image's mask."""
    return {name: maps.best_on_others(name, stream) for stream, name in enumerate(maps.own)}


def less(own: Mapping[str, Resampled], theirs: Mapping[str, Resampled]) -> dict[str, Resampled]:
    """By class, over a baseline."""
    return {name: own[name] - theirs[name] for name in own}


def over(each: Mapping[str, Mapping[str, Resampled]], theirs: Mapping[str, Resampled]) -> dict[str, Resampled]:
    """By model, over a baseline, mean over classes."""
    return {model: over_strata(list(less(own, theirs).values())) for model, own in each.items()}


def gains(maps: Maps, exchanged: bool = False) -> Resampled:
    """AUROC over that against another image's mask, with the sign that it has on one half of the images, on the other
    half, mean over all features of all blocks; images and features resampled. With ``exchanged`` (the control) the
    signs are drawn."""
    own, other = (np.concatenate(list(each.values())) for each in (maps.own, maps.other))
    chosen_on, scored_on = halves(len(own))
    sign = np.where(own[chosen_on].mean(0) >= 0.5, 1.0, -1.0)
    if exchanged:
        sign = np.random.default_rng(0).choice((-1.0, 1.0), size=own.shape[1])
    return resampled_grid(sign * (own - other)[scored_on])


def summary(maps: Mapping[str, Maps], pixels: Maps) -> pd.DataFrame:
    """model, class, images, block, feature and sign of the class's map, auroc, low and high on the other half of the
    images, against another image's mask (other), and pixels: the best map of pixels, and its auroc."""
    rows, of_pixels = [], bests(pixels)
    for model, each in maps.items():
        others = bests_on_others(each)
        for name, best in bests(each).items():
            found, chosen = best.estimate(), each.chosen(name)
            row = {"model": model, "class": name, "images": len(each.own[name]), "block": chosen["block"]}
            row |= {
                "feature": chosen["feature"],
                "sign": chosen["sign"],
                "auroc": found.value,
                "low": found.low,
                "high": found.high,
            }
            row |= {"other": others[name].value, "pixel_map": pixels.chosen(name)["map"]}
            rows.append(row | {"pixels": of_pixels[name].value})
    return pd.DataFrame(rows)
