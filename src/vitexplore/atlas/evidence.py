"""Which single images speak most and least for a claim."""

from typing import Any

import pandas as pd

from vitexplore.atlas.numbers import short
from vitexplore.claims.text import Claim
from vitexplore.graph import Graph

SHOWN = 6  # images at either end


def evidence(graph: Graph, claim: Claim) -> dict[str, Any] | None:
    """``says``, and ``most`` and ``least``: the images that speak most and least for a claim, each with its number, at
    most SHOWN of them at either end. None where its analysis says nothing of single images, where there are too few, or
    where they are of another set than the atlas shows."""
    says = claim.text.get("images")
    if not says or graph.image_index(graph.source(claim.tables[0])) != graph.image_index("collect"):
        return None
    found = pd.read_csv(graph.by_image(claim.name)).sort_values("value", ascending=False, kind="stable")
    count = min(SHOWN, len(found) // 2)
    pairs = [[int(image), short(value)] for image, value in zip(found["image"], found["value"], strict=True)]
    return {"says": says, "most": pairs[:count], "least": pairs[::-1][:count]} if count else None
