"""A made run for an atlas: tables with known answers, on rendered scenes; no model runs."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from vitexplore.atlas.write import write_atlas
from vitexplore.data.scene_sets import write_scenes
from vitexplore.graph import Graph, array_file, table_file
from vitexplore.io import write_atomically, write_table
from vitexplore.scale import parse

SCENES, K, VIEWS, GRID = 40, 10, 6, 4
BLOCKS, WIDTH = {"vit": 3, "cnn": 2}, {"vit": 70, "cnn": 8}
SITE = {"vit": "ffn", "cnn": "channel"}
CROP = {"vit": 1.0, "cnn": 0.75}
STRIPED = ("vit", "ffn", 1, 3)  # the feature that all tables know
TWIN = ("cnn", "channel", 0, 2)  # does the same on all images
DEAD = ("vit", "ffn", 1, 5)
SILENT = ("vit", "ffn", 1, 6)  # never changes
RESEEDED = ("vit", "ffn", 2, 0)  # drawn with two seeds
RECIPE = {"name": "fast", "steps": 2}
WORDS = {"ffn_over_qkv": "undecided", "maps_localize": "not seen", "local_until_last": "not seen"}
WORDS |= {"isolated_cls": "seen", "background": "seen"}
SCALE = {
    "scale": "made",
    "data": {"kind": "scenes", "split": "test", "count": SCENES},
    "models": {
        "vit": {"source": "lab", "architecture": "lab_vit", "family": "vit"},
        "cnn": {"source": "lab", "architecture": "lab_cnn", "family": "cnn"},
        "clip": {"source": "lab", "architecture": "lab_clip", "family": "clip", "experiments": []},
    },
    "experiments": {
        "collect": {"images": SCENES, "k": K},
        "responses": {"images": SCENES, "views": VIEWS},
        "visualize": {"features": 2, "depths": ["middle"], "images": 20, "recipes": [RECIPE]},
        "features": {"images": SCENES, "judge": "clip"},
        "concepts": {"images": SCENES, "judge": "clip"},
        "localization": {"images": 10},
        "portraits": {"recipe": RECIPE, "seeds": 2},
        "token_mixing": {"images": SCENES},
        "background": {"images": SCENES},
        "locality": {"images": SCENES, "patch": 8},
    },
    "claims": list(WORDS),
}


@contextmanager
def made_atlas(folder: Path) -> Iterator[tuple[Path, Graph]]:
    """The results' folder of a made run with its atlas, and its graph; below ``folder``, which is the current one
    meanwhile."""
    with chdir(folder):
        graph = made_run()
        write_atlas(graph)
        yield folder / graph.out, graph


def held(atlas: Path, name: str) -> Any:
    """What a script of an atlas registers."""
    found = re.fullmatch(r'atlas\.add\("(.+?)",(.*)\);\n', (atlas / f"{name}.js").read_text(), re.DOTALL)
    assert found[1] == name
    return json.loads(found[2])


def made_run() -> Graph:
    """Write the tables of a run into the current folder."""
    graph = Graph(parse(SCALE))
    write_scenes("test", SCENES, 1, graph.out / "data")
    draw, shown = np.random.default_rng(0), np.random.default_rng(1).permutation(SCENES)
    same = draw.normal(size=SCENES)
    for model, width in WIDTH.items():
        acts = {}
        for block in range(BLOCKS[model]):
            acts_nf = draw.normal(size=(SCENES, width))
            for whose, change in ((STRIPED, lambda x: x), (TWIN, lambda x: 2 * x + 1), (SILENT, np.zeros_like)):
                if whose[:3] == (model, SITE[model], block):
                    acts_nf[:, whose[3]] = change(same)
            acts[f"{SITE[model]}_{block}"] = acts_nf
        if model == "vit":
            acts["query_1"] = draw.normal(size=(SCENES, 6))
        _collected(graph, model, acts, shown, draw)
        _told(graph, model, draw)
    _of_images(graph)
    claims = pd.DataFrame({"claim": list(WORDS), "statement": None, "word": list(WORDS.values())})
    write_atomically(graph.out / "claims.csv", lambda path: claims.to_csv(path, index=False))
    return graph


def best_images(acts_n: np.ndarray, shown: np.ndarray) -> np.ndarray:
    return shown[np.argsort(-acts_n, kind="stable")[:K]]


def _collected(graph: Graph, model: str, acts: dict, shown: np.ndarray, draw: np.random.Generator) -> None:
    tops, statistics, arrays = [], [], {"maps": {}, "responses": {"images": shown}, "views": {"images": shown[:VIEWS]}}
    for key, acts_nf in acts.items():
        site, _, block = key.partition("_")
        features = acts_nf.shape[1]
        for feature, acts_n in enumerate(acts_nf.T):
            at = {"site": site, "block": int(block), "feature": feature}
            images = best_images(acts_n, shown)
            scores = np.sort(acts_n)[::-1][:K]
            tops.append(pd.DataFrame({**at, "rank": range(K), "image": images, "score": scores}))
            statistics.append({**at, "n": SCENES, "mean": acts_n.mean(), "variance": acts_n.var()})
        arrays["maps"][key] = draw.uniform(-1, 1, (features, K, GRID, GRID)).astype(np.float16)
        arrays["responses"][key] = acts_nf.astype(np.float16)
        if site == SITE[model]:
            arrays["views"][key] = draw.uniform(-1, 1, (VIEWS, features, GRID, GRID)).astype(np.float16)
    _write(graph, "top", model, pd.concat(tops, ignore_index=True))
    _write(graph, "statistics", model, pd.DataFrame(statistics))
    for name, found in arrays.items():
        path = array_file(graph.out, name, model)
        named = {f"{model}/{key}": array for key, array in found.items()}
        write_atomically(path, lambda temporary, named=named: np.savez(temporary, **named))


def _told(graph: Graph, model: str, draw: np.random.Generator) -> None:
    every = pd.MultiIndex.from_product([range(BLOCKS[model]), range(WIDTH[model])], names=["block", "feature"])
    table = every.to_frame(index=False)
    striped = (table["block"] == STRIPED[2]) & (table["feature"] == STRIPED[3]) & (model == "vit")
    words = {f"word_{n}": f"thing{n}" for n in (1, 2, 3)}
    told = table.assign(
        **words, score_1=0.5, score_2=0.4, score_3=0.3, explained_by="", value="", bits=0.01, purity=0.2
    )
    told = told.assign(purity_class=0.3, information_class=0.01, information_stripes=0.02, judge="clip")
    told.loc[striped, ["word_1", "explained_by", "value"]] = ["striped", "stripes", "striped"]
    told.loc[striped, ["bits", "purity", "information_stripes"]] = [0.7, 0.9, 0.7]
    _write(graph, "features", model, told)
    best = STRIPED[3] if model == "vit" else 1
    _write(graph, "concepts", model, pd.DataFrame([{"concept": "striped", "block": 1, "best": best, "held_out": 0.95}]))
    aurocs = list(draw.uniform(0.4, 0.6, (len(table), 10)))
    _write(graph, "localization", model, table.assign(auroc=aurocs))
    if model == "vit":
        drawn = [(STRIPED, "paper"), (STRIPED, "fast"), (DEAD, "paper")]
        rows = [
            {"site": at[1], "block": at[2], "feature": at[3], "variant": variant, "recipe": "{}", "dead": at == DEAD}
            | {"identification": 0.8, "picture": _picture(draw)}
            for at, variant in drawn
        ]
        _write(graph, "visualize", model, pd.DataFrame(rows))
        portrait = RESEEDED
    else:
        rows = [{"site": "channel", "block": 1, "feature": 1, "variant": "fast", "recipe": "{}", "dead": False}]
        _write(graph, "visualize", model, pd.DataFrame(rows).assign(picture=[_picture(draw)]))
        portrait = TWIN
    drawn = [{"block": portrait[2], "feature": portrait[3], "dead": seed > 0, "picture_seed": seed} for seed in (0, 1)]
    pictures = pd.DataFrame(drawn).assign(picture=[_picture(draw) for _ in drawn])
    _write(graph, "portraits", model, pictures[:1].drop(columns="picture_seed"))
    _write(graph, "reseeded", model, pictures[1:])


def _of_images(graph: Graph) -> None:
    """What analyses say of single images; of one claim nothing."""
    draw = np.random.default_rng(1)
    for claim in ("background", "local_until_last"):
        values = draw.normal(size=SCENES) if claim == "background" else []
        table = pd.DataFrame({"image": np.arange(len(values)), "value": values})
        write_atomically(graph.by_image(claim), lambda path, table=table: table.to_csv(path, index=False))


def _write(graph: Graph, table: str, model: str, rows: pd.DataFrame) -> None:
    write_table(table_file(graph.out, table, model), rows, {"model": model, "crop": CROP[model]})


def _picture(draw: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(draw.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
