"""Collection finds what a look at all maps of all images finds, however the images come in, in memory that does not
grow with them."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from live_bytes import FFN, IMAGES, peak_bytes, vit_of_depth

from vitexplore.activations import collect as module
from vitexplore.activations import sketch
from vitexplore.activations.collect import (
    LEVELS,
    collect,
    frame,
    layout_of,
    maps_of,
    ranked,
    shard_of,
    statistics,
    stream,
    streamed_in_parts,
    widths,
)
from vitexplore.activations.running import Running
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader, batches, preprocess
from vitexplore.errors import InputError
from vitexplore.models.sites import Site, read_many

WANTED = [Site("ffn", block) for block in range(8)] + [Site("query", 0), Site("value", 4), Site("block", 7)]


@pytest.fixture(scope="module")
def brute(shared_vit, scenes) -> dict[Site, torch.Tensor]:
    """All maps of all images [image, position, feature]."""
    pictures = torch.stack([preprocess(shared_vit.spec)(scenes.image(i)) for i in range(len(scenes))])
    with torch.no_grad():
        return {site: found.bpc for site, found in read_many(shared_vit, WANTED, pictures).items()}


def order_of(count: int, seed: int | None) -> np.ndarray:
    return np.arange(count) if seed is None else np.random.default_rng(seed).permutation(count)


@pytest.mark.parametrize("batch, order_seed", [(16, None), (1, None), (3, 1), (5, 2)])
def test_winners_are_those_that_a_sort_of_all_images_finds(shared_vit, scenes, brute, batch, order_seed):
    rankings = collect(shared_vit, Loader(scenes, batch=batch, indices=order_of(len(scenes), order_seed)), WANTED, k=4)
    assert list(rankings) == WANTED
    for site, top in rankings.items():
        scores_fb, images = brute[site].mean(1).T, torch.from_numpy(top.images)
        order = scores_fb.argsort(1, descending=True)
        assert np.allclose(top.scores, scores_fb.gather(1, order[:, :4]), atol=1e-5)
        # the batch size moves a score by some 1e-7: images may differ only where two scores are as near as that
        assert (images.sort(1).values.diff(dim=1) > 0).all()
        assert np.allclose(scores_fb.gather(1, images), top.scores, atol=1e-5)
        gap = scores_fb.gather(1, order[:, :5]).diff(dim=1).abs().min(1).values
        assert torch.equal(images[gap > 1e-5], order[gap > 1e-5, :4])


@pytest.mark.parametrize("batch", [1, 5, 16])
def test_maps_are_the_winners_own(shared_vit, scenes, brute, batch):
    rankings = collect(shared_vit, Loader(scenes, indices=order_of(len(scenes), 3)), WANTED, k=4)
    maps = maps_of(shared_vit, Loader(scenes, batch=batch), rankings)
    assert list(maps) == WANTED
    for site, top in rankings.items():
        true = brute[site][torch.from_numpy(top.images), :, torch.arange(len(top.images))[:, None]]
        assert maps[site].shape == (*top.images.shape, 8, 8) and maps[site].dtype == np.float16
        assert np.allclose(maps[site].reshape(true.shape), true, rtol=1e-3, atol=1e-4)


def test_maps_of_some_features_alone(shared_vit, scenes):
    site = Site("ffn", 2)
    top = collect(shared_vit, Loader(scenes), [site], k=3)[site]
    some = top.of((7, 200, 4))
    assert some.features.tolist() == [7, 200, 4] and np.array_equal(some.images, top.images[[7, 200, 4]])
    seen: list[int] = []

    class Watched(ImageSet):
        def image(self, index):
            seen.append(index)
            return super().image(index)

    watched = Watched(scenes.table, scenes.classes, scenes.pixels)
    maps = maps_of(shared_vit, Loader(watched), {site: some})[site]
    assert sorted(seen) == sorted(set(some.images.flatten()))
    assert np.allclose(maps, maps_of(shared_vit, Loader(scenes), {site: top})[site][[7, 200, 4]], rtol=1e-3, atol=1e-4)


def test_statistics_are_those_of_all_scores(shared_vit, scenes, brute):
    layout = widths(shared_vit, WANTED)
    table = statistics(stream(shared_vit, Loader(scenes, batch=5), layout, k=2), layout)
    assert list(table.columns[:6]) == ["site", "block", "feature", "n", "mean", "variance"]
    levels = [int(name[1:]) / 100 for name in table.columns[6:]]
    assert levels == list(LEVELS)
    assert (table["n"] == len(scenes)).all()
    for site in WANTED:
        scores_fb = brute[site].mean(1).T.double().numpy()
        mine = table[(table["site"] == site.kind) & (table["block"] == site.block)]
        assert mine["feature"].tolist() == list(range(len(scores_fb)))
        assert np.allclose(mine["mean"], scores_fb.mean(1), atol=1e-6)
        assert np.allclose(mine["variance"], scores_fb.var(1), rtol=1e-3, atol=1e-9)
        true = np.quantile(scores_fb, levels, axis=1, method="lower").T
        assert np.allclose(mine.iloc[:, 6:], true, rtol=sketch.ACCURACY * 1.001, atol=sketch.SMALLEST)


def test_only_the_asked_images_are_searched(shared_vit, scenes):
    site = Site("ffn", 1)
    top = collect(shared_vit, Loader(scenes, indices=np.array([4, 9, 11])), [site], k=2)[site]
    assert set(top.images.flatten().tolist()) <= {4, 9, 11}


def test_activations_that_are_not_finite_are_refused_with_their_place(vit, scenes):
    vit.trunk.blocks[3].mlp.fc1.bias[7] = float("nan")
    with pytest.raises(FloatingPointError, match="activations of ffn in block 3 are not finite"):
        collect(vit, Loader(scenes, batch=4, indices=np.arange(8)), WANTED, k=2)


def test_a_frame_has_a_row_for_each_feature_and_place_best_first(shared_vit, scenes):
    site = Site("ffn", 1)
    top = collect(shared_vit, Loader(scenes), [site], k=3)[site].of((7, 2))
    table = frame(site, top)
    assert list(table.columns) == ["site", "block", "feature", "rank", "image", "score"]
    assert table[["feature", "rank"]].to_numpy().tolist() == [[7, 0], [7, 1], [7, 2], [2, 0], [2, 1], [2, 2]]
    assert np.array_equal(table["image"], top.images.reshape(-1))
    assert np.array_equal(table["score"], top.scores.reshape(-1))


def test_a_layout_is_of_the_asked_sites_that_the_model_has(shared_vit):
    layout = layout_of(shared_vit, ["ffn", "value", "channel"])
    assert list(layout) == [Site(kind, block) for kind in ("ffn", "value") for block in range(8)]
    assert layout == widths(shared_vit, layout)


def test_sites_that_no_block_has_are_refused(shared_vit):
    with pytest.raises(InputError, match="m has no site channel; it has ffn, query"):
        layout_of(shared_vit, ["channel"])


# parts


@pytest.mark.parametrize("count, size", [(10, 3), (16, 4), (101, 10), (7, 64), (1010, 100)])
@pytest.mark.parametrize("shards", [1, 2, 3, 5, 9])
def test_shards_are_cut_between_batches_and_come_in_the_batches_of_the_whole(count, size, shards):
    def cut(indices: np.ndarray) -> list[list[int]]:
        return [index.tolist() for index, _ in batches(lambda index: torch.tensor(index), indices, size)]

    whole = np.random.default_rng(0).permutation(count)
    parts = [cut(whole[shard_of(count, size, shard, shards)]) for shard in range(shards)]
    assert [batch for part in parts for batch in part] == cut(whole)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.fixture(scope="module")
def fifteen(scenes) -> Loader:
    """Eight batches."""
    return Loader(scenes, batch=2).sample(15)


@pytest.fixture(scope="module")
def layout(shared_vit) -> dict[Site, int]:
    return layout_of(shared_vit, ["ffn", "value"])


@pytest.fixture(scope="module")
def whole(shared_vit, fifteen, layout) -> Running:
    """What one pass keeps."""
    return stream(shared_vit, fifteen, layout, k=4)


def assert_same(found: Running, whole: Running, layout: dict[Site, int], indices: np.ndarray) -> None:
    for site, top in ranked(found, layout, indices).items():
        pd.testing.assert_frame_equal(frame(site, top), frame(site, ranked(whole, layout, indices)[site]))
    mine, theirs, moments = statistics(found, layout), statistics(whole, layout), ["mean", "variance"]
    pd.testing.assert_frame_equal(mine.drop(columns=moments), theirs.drop(columns=moments), check_exact=True)
    pd.testing.assert_frame_equal(mine[moments], theirs[moments], rtol=1e-12, atol=1e-18)


@pytest.fixture
def streamed(monkeypatch) -> list[slice]:
    """The parts that are computed, as they are."""
    seen: list[slice] = []

    def watched(model, loader, layout, k, part):
        seen.append(part)
        return stream(model, loader, layout, k, part)

    monkeypatch.setattr(module, "stream", watched)
    return seen


@pytest.mark.parametrize("shards", [1, 3, 11])
def test_any_number_of_parts_finds_the_same(shared_vit, fifteen, layout, whole, tmp_path, shards):
    """Eleven parts of eight batches: some are empty."""
    found = streamed_in_parts(shared_vit, fifteen, layout, 4, shards, tmp_path)
    assert torch.equal(found.best, whole.best) and torch.equal(found.counts, whole.counts)
    assert_same(found, whole, layout, fifteen.indices)


def test_a_pass_that_was_killed_goes_on_with_the_parts_that_it_has(
    shared_vit, fifteen, layout, whole, tmp_path, monkeypatch, streamed
):
    watched = module.stream

    def killed(*args):
        if len(streamed) == 2:
            raise KeyboardInterrupt
        return watched(*args)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "stream", killed)
        streamed_in_parts(shared_vit, fifteen, layout, 4, 4, tmp_path)
    assert streamed == [slice(0, 4), slice(4, 8)]
    found = streamed_in_parts(shared_vit, fifteen, layout, 4, 4, tmp_path)
    assert streamed[2:] == [slice(8, 12), slice(12, 15)]
    assert_same(found, whole, layout, fifteen.indices)


def test_a_single_part_is_kept_too(shared_vit, fifteen, layout, whole, tmp_path, streamed):
    for _ in range(2):
        assert_same(streamed_in_parts(shared_vit, fifteen, layout, 4, 1, tmp_path), whole, layout, fifteen.indices)
    assert streamed == [slice(0, 15)]


def test_parts_that_were_cut_at_other_batches_are_not_mixed_in(shared_vit, fifteen, layout, tmp_path, streamed):
    """Four parts of eight batches have 4, 4, 4 and 3 images, of three batches 5, 5, 5 and none."""
    streamed_in_parts(shared_vit, fifteen, layout, 4, 4, tmp_path)
    other = Loader(fifteen.images, batch=5, indices=fifteen.indices)
    found = streamed_in_parts(shared_vit, other, layout, 4, 4, tmp_path)
    assert streamed[4:] == [slice(0, 5), slice(5, 10), slice(10, 15), slice(0, 0)]
    assert found.n == 15
    assert (found.positions.sort(1).values.diff(dim=1) > 0).all()  # no image twice


def test_a_part_that_is_cut_short_is_refused(shared_vit, fifteen, layout, tmp_path):
    streamed_in_parts(shared_vit, fifteen, layout, 4, 2, tmp_path)
    part = sorted(tmp_path.glob("part_*.npz"))[0]
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(InputError, match=f"{part.name} cannot be read"):
        streamed_in_parts(shared_vit, fifteen, layout, 4, 2, tmp_path)


# memory

PEAK = """
import sys
import numpy as np
import pandas as pd
import torch
from PIL import Image
from vitexplore.activations.collect import collect, maps_of
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import Loader
from vitexplore.models.registry import load
from vitexplore.models.sites import Site
from vitexplore.models.spec import ModelSpec
from vitexplore.tools.timing import peak_resident_mb

class Generated(ImageSet):
    def image(self, index):
        return Image.fromarray(np.random.default_rng(index).integers(0, 256, (32, 32, 3), dtype=np.uint8))

torch.set_num_threads(1)
model = load(ModelSpec("m", "timm", "vit_tiny_patch16_224", "vit", weights="random", input_size=32, crop=1.0))
loader = Loader(Generated(pd.DataFrame(), ()), batch=100, indices=np.arange(int(sys.argv[1])))
rankings = collect(model, loader, [Site("ffn", block) for block in range(3)], k=10)
maps_of(model, loader, rankings)
print(peak_resident_mb())
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_images():
    """Both passes, in processes of their own: the peak of ten times as many images is within 5 percent; their scores
    alone would take twice that."""
    peaks = [
        float(subprocess.run([sys.executable, "-c", PEAK, str(count)], capture_output=True, check=True).stdout)
        for count in (1000, 10_000)
    ]
    assert abs(peaks[1] / peaks[0] - 1) < 0.05, peaks


def test_the_second_pass_holds_the_activations_of_one_block(scenes):
    loader = Loader(scenes, batch=IMAGES)

    def peak(depth: int) -> int:
        model = vit_of_depth(depth)
        rankings = collect(model, loader, [Site("ffn", block) for block in range(depth)], k=2)
        return peak_bytes(model, lambda model: maps_of(model, loader, rankings))

    two, six = peak(2), peak(6)
    assert two > 2 * FFN  # before and after the nonlinearity
    assert six - two < FFN / 2
