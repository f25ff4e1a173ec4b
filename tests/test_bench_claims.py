"""The bench's tables are those that `token_mixing` declares, and as large as the bars are about."""

import numpy as np
import pandas as pd
import pytest

from vitexplore.graph import Graph
from vitexplore.registry import find
from vitexplore.scale import read
from vitexplore.tools.bench_claims import GRID, IMAGES, SCALE, against_bars, drawn, provenance


def test_what_is_drawn_is_a_table_of_token_mixing():
    table = drawn(False, np.random.default_rng(0), images=2000, grid=(2, 3))
    assert find("token_mixing").found({"token_mixing": table, "token_mixing_images": pd.DataFrame({"image": []})})
    places = table.groupby("surgery")["at"].nunique()
    of_patches = ("head_on_patch", "head_on_patch_before", "exchanged_patch", "exchanged_patch_before")
    assert set(places[list(of_patches)]) == {6}
    assert places["isolated_cls"] == places["cls_only"] == 13
    assert all(rank.dtype == np.int16 and rank.shape == (2000,) for rank in table["rank"])
    accuracy = table.assign(top1=[(rank < 1).mean() for rank in table["rank"]]).groupby("surgery")["top1"].mean()
    assert accuracy["natural"] == pytest.approx(0.84, abs=0.03)
    assert accuracy["head_on_patch"] == pytest.approx(0.76, abs=0.02)


def test_a_random_models_ranks_are_at_chance():
    table = drawn(True, np.random.default_rng(0), images=2000, grid=(2, 3))
    assert max((rank < 1).mean() for rank in table["rank"]) < 0.01
    assert np.mean(np.stack(table["rank"])) == pytest.approx(500, rel=0.02)


def test_it_is_about_the_papers_models_at_the_papers_size():
    graph = Graph(read(SCALE))
    of_models = [provenance(graph.spec(name)) for name in graph.models("token_mixing")]
    assert len(of_models) >= 7 and {True, False} == {found["random_weights"] for found in of_models}
    assert GRID == (384 // 16, 384 // 16)
    assert graph.scale.options("token_mixing").images == IMAGES == 50_000


def test_half_the_bar_is_reached_twice_over():
    table = pd.DataFrame({"claim": ["isolated_cls"], "seconds": [60.0], "peak_mb": [8000.0]})
    found = against_bars(table)
    assert found["measured"].tolist() == [2.0, 0.5] and found["reached"].tolist() == [True, False]
