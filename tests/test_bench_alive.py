"""The bench of silent features tells those that one seed misses from those that none reaches."""

import torch

from vitexplore.models.sites import Site
from vitexplore.tools.bench_alive import COLUMNS, SEEDS, rows


def test_a_feature_that_no_seed_drives_above_its_best_image_is_dead(shared_vit):
    told = []
    table = rows(shared_vit, Site("ffn", 1), (3, 17), [-1.0, 1e6], told.append)
    assert list(table.columns) == COLUMNS
    assert table["alive"].tolist() == [True, False] and table["dead"].tolist() == [False, True]
    assert table["seeds"].tolist() == [1, SEEDS]
    assert (table["highest"] >= table["clean"]).all() and torch.tensor(sum(told)).isclose(torch.tensor(2.0))
