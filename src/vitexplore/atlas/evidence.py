"""Which single images speak most and least for a claim whose table has rows of images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vitexplore.atlas.numbers import short
from vitexplore.claims.decide import deciding
from vitexplore.graph import Graph
from vitexplore.measures.accuracy import at_one_size, top_k

SHOWN = 6  # images at either end
OF_MODEL = ["model", "architecture", "family"]


@dataclass(frozen=True)
class Evidence:
    """What an image adds to a claim's main statement, which rests on means over images. ``says`` what that number is.
    ``rows``: which of ``table`` it is taken from, as pyarrow's filters; ``columns``: what it reads of
    them. ``families`` of models that it compares. ``by_image``: from those rows to the number of each image."""

    says: str
    table: str
    rows: list[tuple[str, str, Any]]
    columns: list[str]
    families: tuple[str, ...]
    by_image: Callable[[pd.DataFrame], pd.Series]


def _found(most: Callable[[int], int]) -> Callable[[pd.DataFrame], pd.Series]:
    """Share of the ViTs' answers that have the class among the first ``most`` (of so many classes), less the CNNs', at
    one input size."""

    def by_image(table: pd.DataFrame) -> pd.Series:
        table = pd.concat([at_one_size(mine) for _, mine in table.groupby("model")])
        hits = table["rank"] < most(int(table["classes"].iloc[0]))
        share = hits.groupby([table["family"], table["image"]]).mean()
        return share["vit"] - share["cnn"]

    return by_image


def _last_block(of_blocks: Callable[[dict[str, pd.DataFrame]], pd.DataFrame]) -> Callable[[pd.DataFrame], pd.Series]:
    """Of what ``of_blocks`` makes of a ViT's measures by block and image, the last block's less the mean of the others;
    mean over ViTs."""

    def by_image(table: pd.DataFrame) -> pd.Series:
        found = []
        for _, mine in table[table["family"] == "vit"].groupby("model"):
            by_measure = mine.groupby("measure")
            values_bi = of_blocks(
                {name: rows.pivot(index="block", columns="image", values="value") for name, rows in by_measure}
            )
            found.append(values_bi.iloc[-1] - values_bi.iloc[:-1].mean())
        return pd.concat(found, axis=1).mean(axis=1)

    return by_image


RANKS, VALUES = ["rank", "classes", "size"], ["block", "measure", "value"]
BY_CLAIM = {
    "background": Evidence(
        "share of the ViTs that find its class in the background alone, less that of the CNNs",
        "background",
        [("condition", "==", "background"), ("fill", "==", "black"), ("along", "!=", "pixels"), ("size", "==", "own")],
        RANKS,
        ("vit", "cnn"),
        _found(top_k),
    ),
    "low_pass": Evidence(
        "share of the ViTs' answers behind the ideal filter that are right, less that of the CNNs'",
        "low_pass",
        [("filter", "==", "disc")],
        RANKS,
        ("vit", "cnn"),
        _found(lambda classes: 1),
    ),
    "local_until_last": Evidence(
        "the last block's step in the uniformity of maps, less the mean step of the inner blocks; mean over ViTs",
        "locality",
        [("measure", "==", "uniformity")],
        VALUES,
        ("vit",),
        _last_block(lambda found: found["uniformity"].diff().iloc[1:]),
    ),
    "learned_pooling": Evidence(
        "of what attention writes, the share that all patches have in common: the last block's, less the mean of the "
        "others; mean over ViTs",
        "locality",
        [("measure", "in", ["write_common", "write"])],
        VALUES,
        ("vit",),
        _last_block(lambda found: found["write_common"] / found["write"]),
    ),
}


def tables(graph: Graph) -> list[str]:
    """Those that the evidence for the scale's claims is taken from."""
    return list(dict.fromkeys(BY_CLAIM[name].table for name in graph.scale.claims if _known(graph, name)))


def evidence(graph: Graph, claim: str) -> dict[str, Any] | None:
    """``says``, and ``most`` and ``least``: the images that speak most and least for a claim, each with its number, at
    most SHOWN of them at either end. None where its table names no image, images of another set than the atlas shows,
    or no model that it compares."""
    if not _known(graph, claim):
        return None
    known = BY_CLAIM[claim]
    columns = [*OF_MODEL, "random_weights", "image", *known.columns]
    parts = [pd.read_parquet(path, columns=columns, filters=known.rows) for path in graph.tables(known.table)]
    table = deciding(pd.concat(parts, ignore_index=True).astype(dict.fromkeys(OF_MODEL, str)))
    if not {*known.families} <= set(table["family"]):
        return None
    by_image = known.by_image(table).dropna().sort_values(ascending=False, kind="stable")
    count = min(SHOWN, len(by_image) // 2)
    pairs = [[int(image), short(value)] for image, value in by_image.items()]
    return {"says": known.says, "most": pairs[:count], "least": pairs[::-1][:count]} if count else None


def _known(graph: Graph, claim: str) -> bool:
    if claim not in BY_CLAIM:
        return False
    return graph.image_index(graph.source(BY_CLAIM[claim].table)) == graph.image_index("collect")
