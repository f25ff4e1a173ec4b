"""Fig. 3: what features of ffn, query, key and value look for, early and deep."""

import pandas as pd
from matplotlib.figure import Figure

from vitexplore.figures.feature_rows import CROSSED_OUT, OF_JUDGE, drawn, shown
from vitexplore.figures.paper.layout import Tile, across, rows_of_tiles
from vitexplore.figures.paper.networks import of_claim
from vitexplore.figures.paper.tiles import Missing, Tiles
from vitexplore.graph import Graph
from vitexplore.io import rows_of

SITES = ("ffn", "query", "key", "value")
EACH = 4  # features of a site and depth: the first of those that were chosen at random
SIDE = 96  # pixels of a tile, at most


def data(graph: Graph) -> Tiles:
    """Rows: model, recipe, site, depth, block, feature, identification (of the feature), and of all of that site and
    depth: told (mean identification, dead ones at chance), dead (their share) and n."""
    for model in graph.models("visualize"):
        table = drawn(rows_of(graph.table("visualize", model), model))
        if set(SITES) <= set(table["site"]):
            break
    else:
        raise Missing("this scale visualizes no query, key and value")
    table = table[table["variant"] == table["variant"].iloc[0]]
    depths = list(table["depth"].unique())
    means = of_claim(graph, "ffn_over_qkv").set_index(["model", "variant", "depth", "site"])
    cells = []
    for depth in dict.fromkeys([depths[0], depths[-1]]):
        for site in SITES:
            mine = table[(table["depth"] == depth) & (table["site"] == site)]
            known = means.loc[(model, mine["variant"].iloc[0], depth, site), ["told", "n", "dead"]].to_dict()
            for row in mine.head(EACH).itertuples():
                known |= {"model": model, "recipe": row.variant, "site": site, "depth": depth, "block": row.block}
                own = {"feature": row.feature, "identification": row.identification}
                cells.append(({**known, **own}, shown(row.picture, row.dead)))
    return Tiles.of(cells, min(SIDE, *cells[0][1].shape[:2]))


def draw(tiles: Tiles) -> Figure:
    table = tiles.table
    depths = list(table["depth"].unique())
    xs = across(EACH * len(depths), EACH)
    placed, seen = [], {}
    for row, picture in tiles:
        place = row.site, row.depth
        seen[place] = seen.get(place, -1) + 1
        judged = seen[place] == 0 and pd.notna(row.told)
        mean = f"id {row.told:.2f}, mean of {row.n:.0f} ({100 * row.dead:.0f}% dead)" if judged else ""
        x = xs[EACH * depths.index(row.depth) + seen[place]]
        placed.append(Tile(SITES.index(row.site), x, picture, mean))
    first = table.iloc[0]
    title = f"What features of ffn, query, key and value look for ({first['model']}, recipe {first['recipe']})"
    note = f"The first features of a random choice. {OF_JUDGE} {CROSSED_OUT}"
    blocks = table.drop_duplicates("depth").set_index("depth")["block"]
    heads = {(0, xs[EACH * column]): f"{depth}: block {blocks[depth]}" for column, depth in enumerate(depths)}
    return rows_of_tiles(placed, SITES, title, note, heads)
