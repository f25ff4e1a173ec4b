"""Compare pictures of features, and what they cost, with those of other libraries: see `tools/peers`.

The ways draw the same features, one at a time; one that takes many minutes draws few of them. The scale is
workflow/scales/photos.yaml with its photographs, which the pictures are compared with.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_tensor

from vitexplore.activations.pooled import pooled
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.figures import plots
from vitexplore.graph import Graph
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.png import decode, encode
from vitexplore.threads import use_threads
from vitexplore.tools.benching import loaded, reached, write_bench
from vitexplore.tools.peers import PEERS, WAYS
from vitexplore.tools.peers.run import draw_all
from vitexplore.tools.peers.score import Natural, scored
from vitexplore.tools.peers.way import Wanted

BLOCKS = {"efficientnet_lite0": (7, 13), "vit_s_focus": (6, 10)}
FEATURES = (0, 1, 2)
JUDGES = {"efficientnet_lite0": "vit_s_focus", "vit_s_focus": "efficientnet_lite0"}  # of another family
TENTH = 10.0  # times our processor seconds, a peer's
QUALITIES = {"clean_over_natural": 1, "identification": 1, "kernel_distance": -1}  # 1: more is better
PLACE = ["model", "block", "feature"]
COLUMNS = [*PLACE, "way", "version", "passes", "cpu_seconds", *QUALITIES]
SIDE = 512  # pixels of a photograph, about as many as it has


def bench(graph: Graph, threads: int, out: Path, bars: Path, sheet: Path) -> None:
    """Write two CSV files, a row for each picture and what was to be reached, and a PNG of the pictures side by side.
    Pictures are kept in the folder `peers` beside ``out``, and are not drawn again. Raises InputError where the scale
    lacks a model of the bench."""
    use_threads(threads)
    loader = Loader(ImageSet.read(graph.image_index("collect").parent))
    models = {name: loaded(graph, name) for name in BLOCKS}
    photographs = torch.stack([photograph(loader.images, index) for index in loader.indices])
    asked = wanted(models, photographs)
    drawn = draw_all(WAYS, asked, out.parent / "peers")
    natural = natural_activations(models, loader)
    judges = {name: models[judge] for name, judge in JUDGES.items()}
    table = scored(drawn, models, natural, loader, judges)
    peers = {way.name: sum(map(way.draws, asked)) for way in PEERS}
    write_bench(table[COLUMNS], out, against_bars(table, peers), bars)
    plots.save(side_by_side(drawn, natural, photographs), sheet)


def photograph(images: ImageSet, index: int) -> Tensor:
    """The middle of a photograph: float [3, SIDE, SIDE] in [0, 1]."""
    image = images.image(index)
    side = min(image.size)
    left, top = ((length - side) / 2 for length in image.size)
    box = (left, top, left + side, top + side)
    return to_tensor(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box))


def wanted(models: Mapping[str, Model], photographs: Tensor) -> list[Wanted]:
    """Every feature of the bench, block by block."""
    return [
        Wanted(models[name], Site(models[name].feature_site, block), feature, photographs)
        for name, blocks in BLOCKS.items()
        for block in blocks
        for feature in FEATURES
    ]


def natural_activations(models: Mapping[str, Model], loader: Loader) -> Natural:
    """By model and block, mean activations [n, c] over positions on every photograph."""
    found = {}
    for name, blocks in BLOCKS.items():
        sites = [Site(models[name].feature_site, block) for block in blocks]
        found |= {(name, site.block): acts for site, acts in pooled(models[name], sites, loader).items()}
    return found


def against_bars(table: pd.DataFrame, peers: Mapping[str, int]) -> pd.DataFrame:
    """Columns what, bar, measured, reached. For each of ``peers``, by the number of pictures that are asked of it: the
    share of them that it draws, and where it draws any, how many times the processor seconds it takes of the one of
    ours that it is compared with (see ``rival``), and in each of QUALITIES the share of features in which that one is
    better, ties counting half. Of ours the features count that the peer draws."""
    of = {way: rows.set_index(PLACE) for way, rows in table.groupby("way", sort=False)}
    found = []
    for peer, asked in peers.items():
        found.append((f"{peer}: share of its pictures that it draws", 1.0, len(of.get(peer, ())) / asked))
        if peer not in of:
            continue
        own, theirs = [way for way in of if way not in peers], of[peer]["cpu_seconds"].mean()
        seconds = {way: of[way].loc[of[peer].index, "cpu_seconds"].mean() for way in own}
        name = rival(theirs, seconds)
        found.append((f"{peer}: its processor seconds over those of {name}", TENTH, theirs / seconds[name]))
        for column, sign in QUALITIES.items():
            lead = sign * (of[name][column] - of[peer][column]).dropna()
            what = f"{peer}: share of features in which {name} is better by {column}"
            found.append((what, 0.5, (lead > 0).mean() + 0.5 * (lead == 0).mean()))
    return reached(found)


def rival(peer: float, ours: Mapping[str, float]) -> str:
    """The one of ``ours``, by processor seconds, that takes longest of those that take a tenth of ``peer``'s or less;
    where none does, the quickest."""
    cheap = [way for way, seconds in ours.items() if seconds * TENTH <= peer]
    return max(cheap, key=ours.__getitem__) if cheap else min(ours, key=ours.__getitem__)


def side_by_side(drawn: pd.DataFrame, natural: Natural, photographs: Tensor) -> Figure:
    """A row a feature: the photograph that activates it most, then its picture by each way, with what it cost; grey
    where a way has none."""
    ways, rows = list(drawn["way"].unique()), []
    for (name, block, feature), mine in drawn.groupby(PLACE, sort=False):
        best = natural[name, block][:, feature].argmax()
        by_way = {row.way: row for row in mine.itertuples()}
        cells = [(decode(encode(photographs[best])), "best photograph")]
        for way in ways:
            row = by_way.get(way)
            picture = row.picture.read_bytes() if row else encode(torch.full((3, SIDE, SIDE), 0.5))
            cost = f"{row.passes} passes\n{row.cpu_seconds:.0f} s" if row else "not drawn"
            cells.append((decode(picture), f"{way}\n{cost}"))
        rows.append((f"{name}\nblock {block}: {feature}", cells))
    return plots.picture_rows(
        rows, "The same features by each way", "With images through the model, processor seconds."
    )
