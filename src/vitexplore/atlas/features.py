"""What tables know of a model's features: a record each, and the columns by which they are searched and sorted."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from vitexplore.atlas.images import Images
from vitexplore.atlas.neighbours import nearest, standardized
from vitexplore.atlas.numbers import short, shorts
from vitexplore.atlas.tables import DRAWN, KEY, arrays, rows
from vitexplore.figures.tables import OWN_SITES
from vitexplore.graph import Graph

# numbers of a feature by which a list is sorted: the name, and what it says
SCORES = {
    "strongest": ("activation", "mean of the map over the image that activates it most"),
    "peak": ("peak", "how many standard deviations that lies above the mean over images"),
    "fires": ("fires", "share of the images on which its mean activation is above 0"),
    "bits": ("bits", "information on the factor that explains it"),
    "purity": ("purity", "share of its top images that have their most frequent value of that factor"),
    "purity_class": ("class purity", "share of its top images that are of one class"),
    "word": ("word", "soft-WPMI of its best word"),
    "concept": ("concept", "best held-out AUROC of a concept that it was chosen for"),
    "object": ("object", "mean AUROC of its map against the object: 0.5 by chance, 0 always beside it"),
    "identification": ("identification", "how surely another network tells its visualization from other features'"),
    "interpretability": ("interpretability", "how well another network can tell its strong from its weak images"),
    "ratio": ("drive", "activation on its visualization, over that on its best image"),
    "high_frequency": ("noise", "share of its visualization's energy at high frequencies"),
}
TEXTS = ("words", "explained", "value", "concepts", "seen")  # what it is searched by
OF_PICTURE = ("identification", "interpretability", "ratio", "high_frequency", "identification_natural", "percentile")
OF_PICTURE += ("seed_agreement", "transferability", "kernel_distance")
PICTURES = [*KEY, "variant", "recipe", "picture_seed", "picture", "dead", *OF_PICTURE]
ADDRESS = tuple[str, int, int]  # site, block, feature
NEAREST = 5  # features of each model
LOWEST = 5  # images
QUANTILES = (0.99, 0.9, 0.75, 0.5, 0.25, 0.1)
BINS = 24


@dataclass(frozen=True)
class Features:
    """Of one model, all features whose most activating images are known."""

    graph: Graph
    model: str

    @cached_property
    def top(self) -> pd.DataFrame:
        return rows(self.graph, "top", self.model).sort_values("rank", kind="stable")

    @cached_property
    def blocks(self) -> list[tuple[str, int]]:
        """Sites and blocks, the features' own site first."""
        found = self.top[["site", "block"]].drop_duplicates().itertuples(index=False)
        return sorted(((site, int(block)) for site, block in found), key=lambda key: (key[0] not in OWN_SITES, *key))

    @property
    def site(self) -> str:
        """Where the model's features are looked for."""
        return self.blocks[0][0]

    @property
    def crop(self) -> float:
        """The side of what the model sees, over the shorter side of an image."""
        return float(self.top["crop"].iloc[0])

    @cached_property
    def pictures(self) -> pd.DataFrame:
        """Each visualization once, those that reach their feature first, of each variant that of the lowest seed: KEY,
        ``variant``, ``recipe`` (text), ``picture_seed``, ``picture`` (PNG), ``dead``, and OF_PICTURE where they were
        measured."""
        found = []
        for table in DRAWN:
            mine = rows(self.graph, table, self.model)
            if len(mine):
                mine = mine[mine["picture"].notna()]
                told = mine if "site" in mine else mine.assign(site=self.site, variant="portrait", recipe="")
                found.append(told.assign(picture_seed=told.get("picture_seed", 0)).reindex(columns=PICTURES))
        every = [table for table in found if len(table)] or [pd.DataFrame(columns=PICTURES)]
        once = pd.concat(every, ignore_index=True).drop_duplicates([*KEY, "variant", "picture_seed"])
        return once.sort_values("dead", kind="stable")

    def pictures_of(self, site: str, block: int) -> pd.DataFrame:
        """Those of a block, by feature."""
        return _of(self.pictures, (site, block)).sort_values("feature", kind="stable")

    @cached_property
    def acts(self) -> dict[tuple[str, int], np.ndarray]:
        """float32 [n, f] by site and block: mean activations on ``shown``."""
        found = {name: acts for name, acts in arrays(self.graph, "responses", self.model) if name != "images"}
        return {_key(name): acts.astype(np.float32) for name, acts in found.items()}

    @cached_property
    def shown(self) -> np.ndarray:
        """int64 [n]: the images of ``acts``."""
        return dict(arrays(self.graph, "responses", self.model))["images"]

    @cached_property
    def viewed(self) -> np.ndarray:
        """int64 [n]: the images of which all maps are known."""
        return dict(arrays(self.graph, "views", self.model))["images"]

    @cached_property
    def compared(self) -> dict[str, tuple[list[ADDRESS], np.ndarray]]:
        """By kind of site (those of OWN_SITES are one): the features of all blocks, and ``acts`` of these, float32
        [n, f], ``standardized``."""
        kinds = defaultdict(list)
        for site, block in self.acts:
            kinds["own" if site in OWN_SITES else site].append((site, block))
        addresses = {
            kind: [(*key, feature) for key in keys for feature in range(self.acts[key].shape[1])]
            for kind, keys in kinds.items()
        }
        acts = {kind: np.concatenate([self.acts[key] for key in keys], axis=1) for kind, keys in kinds.items()}
        return {kind: (addresses[kind], standardized(acts[kind])) for kind in kinds}

    def near(self, others: Mapping[str, "Features"]) -> dict[ADDRESS, dict[str, list[list[Any]]]]:
        """By feature and model, the NEAREST features at the same kind of site: site, block, feature, correlation over
        the images."""
        found: dict[ADDRESS, dict[str, list[list[Any]]]] = defaultdict(dict)
        for name, other in others.items():
            if not np.array_equal(other.shown, self.shown):
                continue  # each saw images of its own
            for kind in self.compared.keys() & other.compared.keys():
                (mine, acts_nf), (theirs, others_ng) = self.compared[kind], other.compared[kind]
                best, r = nearest(acts_nf, others_ng, NEAREST, same=other is self)
                for address, columns, values in zip(mine, best, r, strict=True):
                    pairs = zip(columns, values, strict=True)
                    found[address][name] = [[*theirs[at], short(value)] for at, value in pairs if value > 0]
        return found

    def table(self, site: str, block: int, images: Images) -> pd.DataFrame:
        """A row for each feature of a block, by ``feature``: SCORES, TEXTS (words, the factor that
        ``explained`` it, its ``value``, concepts, and what is ``seen`` in its top images), ``dead``."""
        at = (site, block)
        top = _of(self.top, at)
        best = top[top["rank"] == 0].set_index("feature").sort_index()
        table = pd.DataFrame({"strongest": best["score"]})
        statistics = _of(rows(self.graph, "statistics", self.model), at).set_index("feature")
        deviation = np.sqrt(statistics["variance"])
        table["peak"] = ((table["strongest"] - statistics["mean"]) / deviation).where(deviation > 0)
        if at in self.acts:
            table["fires"] = (self.acts[at] > 0).mean(0)
        if site == self.site:
            table = table.join(self._told(block)).join(self._concepts(block)).join(self._object(block))
        drawn = _of(self.pictures, at).drop_duplicates("feature").set_index("feature")
        table = table.join(drawn[[name for name in OF_PICTURE if name in SCORES]])
        silent = drawn["dead"].reindex(table.index).fillna(False).astype(bool)
        table["dead"] = silent | (deviation.reindex(table.index) <= 0)
        table["seen"] = top.groupby("feature")["image"].agg(images.shared)
        return table.reindex(columns=[*SCORES, *TEXTS, "dead"]).fillna(dict.fromkeys(TEXTS, ""))

    def _told(self, block: int) -> pd.DataFrame:
        """What the table `features` says."""
        mine = self._own("features", block)
        if mine.empty:
            return pd.DataFrame()
        mine = mine.set_index("feature")
        words = mine[["word_1", "word_2", "word_3"]].agg(" ".join, axis=1)
        told = mine[["bits", "purity", "purity_class", "value"]].assign(explained=mine["explained_by"])
        for name in ("bits", "purity"):  # of what chance tells as much, they say nothing
            told[name] = told[name].where(told["explained"] != "")
        return told.assign(word=mine["score_1"], words=words)

    def _concepts(self, block: int) -> pd.DataFrame:
        """The concepts that a feature was found for, by the table `concepts`."""
        mine = self._own("concepts", block)
        if mine.empty:
            return pd.DataFrame()
        by_feature = mine.groupby("best")
        concepts = by_feature["concept"].agg(lambda names: ", ".join(dict.fromkeys(names)))
        return pd.DataFrame({"concept": by_feature["held_out"].max(), "concepts": concepts})

    def _object(self, block: int) -> pd.DataFrame:
        mine = self._own("localization", block)
        if mine.empty:
            return pd.DataFrame()
        return pd.DataFrame({"object": mine.set_index("feature")["auroc"].map(np.nanmean)})

    def _own(self, table: str, block: int) -> pd.DataFrame:
        """The rows of a block of a table on the model's own site; none where there is none."""
        found = rows(self.graph, table, self.model)
        return found[found["block"] == block] if len(found) else found

    def records(
        self, site: str, block: int, near: Mapping[tuple[str, int, int], dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        """What the page of each feature of a block shows beside ``table``, in the order of features."""
        at = (site, block)
        statistics = _of(rows(self.graph, "statistics", self.model), at).set_index("feature").to_dict("index")
        told = self._own("features", block) if site == self.site else pd.DataFrame()
        told = told.set_index("feature").to_dict("index") if len(told) else {}
        drawn = dict(tuple(_of(self.pictures, at).groupby("feature")))
        for feature, best in _of(self.top, at).groupby("feature"):
            row = statistics[feature]
            record: dict[str, Any] = {
                "feature": int(feature),
                "top": [best["image"].tolist(), shorts(best["score"])],
                "mean": short(row["mean"]),
                "deviation": short(np.sqrt(row["variance"])),
            }
            if at in self.acts:
                record |= self._spread(self.acts[at][:, feature])
                record["near"] = near[*at, feature]
            if feature in told:
                record |= _words_and_bits(told[feature])
            if feature in drawn:
                record["pictures"] = [_of_picture(row) for row in drawn[feature].itertuples()]
            yield record

    def _spread(self, acts_n: np.ndarray) -> dict[str, Any]:
        """Images at QUANTILES of a feature's activations and the LOWEST ones, and a histogram."""
        order = acts_n.argsort(kind="stable")
        places = [order[round(quantile * (len(order) - 1))] for quantile in QUANTILES]
        counts, edges = np.histogram(acts_n, BINS)
        return {
            "quantiles": [[q, int(self.shown[at]), short(acts_n[at])] for q, at in zip(QUANTILES, places, strict=True)],
            "lowest": [[int(self.shown[at]) for at in order[:LOWEST]], shorts(acts_n[order[:LOWEST]])],
            "histogram": [short(edges[0]), short(edges[-1]), counts.tolist()],
        }


def _of(table: pd.DataFrame, at: tuple[str, int]) -> pd.DataFrame:
    return table[(table["site"] == at[0]) & (table["block"] == at[1])]


def _key(name: str) -> tuple[str, int]:
    """Site and block of an array's name, such as ``ffn_3``."""
    site, _, block = name.rpartition("_")
    return site, int(block)


def _words_and_bits(row: dict[str, Any]) -> dict[str, Any]:
    """Words and information of a row of the table `features`."""
    factors = {name.partition("_")[2]: short(bits) for name, bits in row.items() if name.startswith("information_")}
    return {"words": [[row[f"word_{n}"], short(row[f"score_{n}"])] for n in (1, 2, 3)], "information": factors}


def _of_picture(row: Any) -> dict[str, Any]:
    scores = {name: short(getattr(row, name)) for name in OF_PICTURE if pd.notna(getattr(row, name))}
    told = {"variant": row.variant, "recipe": row.recipe, "seed": int(row.picture_seed), "dead": bool(row.dead)}
    return told | {"scores": scores}
