"""Which features and images a claim is decided by."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from vitexplore.atlas.evidence import evidence
from vitexplore.atlas.tables import KEY, rows
from vitexplore.claims.tested import tested
from vitexplore.claims.text import Claim, claims_in_order
from vitexplore.graph import Graph

# by table, the score of atlas/features.py that comes nearest to what a claim on it is decided by
BY_SCORE = {"localization": "object", "concepts": "concept", "features": "bits"}
OF_PICTURES = "identification"


@dataclass(frozen=True)
class Decided:
    """A claim of a run, with its ``word`` there, and ``images``, its `evidence`."""

    claim: Claim
    word: str
    images: dict[str, Any] | None

    def features(self, graph: Graph, model: str, site: str) -> pd.DataFrame:
        """Those of a model whose rows its analysis is given: site, block, feature, each once. ``site``: that of tables
        that name none."""
        columns = graph.scale.registry[self.claim.experiment].tables
        found = [pd.DataFrame(columns=KEY)]
        for name in self.claim.tables:
            # a table of concepts names the features that it chose as best
            feature = next((column for column in ("feature", "best") if column in columns.get(name, ())), None)
            if feature and len(table := rows(graph, name, model)):
                found.append(table.assign(site=table.get("site", site), feature=table[feature])[list(KEY)])
        return pd.concat(found, ignore_index=True).drop_duplicates()

    def shown(self) -> set[int]:
        """The images on its page."""
        return {image for end in ("most", "least") for image, _ in self.images[end]} if self.images else set()

    def told(self) -> dict[str, Any]:
        """What the atlas says of it, with the places of its table and figures, seen from the atlas's folder."""
        name, text = self.claim.name, self.claim.text
        return {
            "name": name,
            "title": text["title"],
            "says": text["paper"]["says"].removesuffix("."),
            "where": text["paper"]["where"],
            "word": self.word,
            "sort": BY_SCORE.get(self.claim.tables[0], OF_PICTURES),
            "page": f"../claims.html#{name}",
            "table": f"../tables/claim_{name}.csv",
            "images": self.images,
            "figures": [f"../figures/{figure}.png" for figure in self.claim.figures],
        }


def decided(graph: Graph) -> list[Decided]:
    """The claims that the scale tests, in the paper's order, by the table of claims of the run."""
    claims = claims_in_order(graph.root / "analyses")
    table = pd.read_csv(graph.out / "claims.csv")
    words = table[table["statement"].isna()].set_index("claim")["word"]
    return [Decided(claims[name], str(words[name]), evidence(graph, claims[name])) for name in tested(graph, claims)]
