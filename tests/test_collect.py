"""Collection finds what a look at all maps of all images finds, however the images come in, in memory that does not
grow with them."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from vitexplore.activations import sketch
from vitexplore.activations.collect import collect, maps_of, shard_of, stream, widths
from vitexplore.commands import collect as collect_command
from vitexplore.commands import collect_shard
from vitexplore.data.images import ImageSet
from vitexplore.data.loading import batches, preprocess
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
    rankings = collect(shared_vit, scenes, order_of(len(scenes), order_seed), WANTED, k=4, batch=batch)
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
    rankings = collect(shared_vit, scenes, order_of(len(scenes), 3), WANTED, k=4)
    maps = maps_of(shared_vit, scenes, rankings, batch=batch)
    assert list(maps) == WANTED
    for site, top in rankings.items():
        true = brute[site][torch.from_numpy(top.images), :, torch.arange(len(top.images))[:, None]]
        assert maps[site].shape == (*top.images.shape, 8, 8) and maps[site].dtype == np.float16
        assert np.allclose(maps[site].reshape(true.shape), true, rtol=1e-3, atol=1e-4)


def test_maps_of_some_features_alone(shared_vit, scenes):
    site = Site("ffn", 2)
    top = collect(shared_vit, scenes, order_of(len(scenes), None), [site], k=3)[site]
    some = top.of((7, 200, 4))
    assert some.features.tolist() == [7, 200, 4] and np.array_equal(some.images, top.images[[7, 200, 4]])
    seen: list[int] = []

    class Watched(ImageSet):
        def image(self, index):
            seen.append(index)
            return super().image(index)

    watched = Watched(scenes.table, scenes.classes, scenes.pixels)
    maps = maps_of(shared_vit, watched, {site: some})[site]
    assert sorted(seen) == sorted(set(some.images.flatten()))
    assert np.allclose(maps, maps_of(shared_vit, scenes, {site: top})[site][[7, 200, 4]], rtol=1e-3, atol=1e-4)


def test_statistics_are_those_of_all_scores(shared_vit, scenes, brute):
    layout = widths(shared_vit, WANTED)
    running = stream(shared_vit, scenes, order_of(len(scenes), None), layout, k=2, batch=5)
    table = collect_command.statistics(running, layout)
    assert list(table.columns[:6]) == ["site", "block", "feature", "n", "mean", "variance"]
    levels = [int(name[1:]) / 100 for name in table.columns[6:]]
    assert levels == list(collect_command.LEVELS)
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
    top = collect(shared_vit, scenes, np.array([4, 9, 11]), [site], k=2)[site]
    assert set(top.images.flatten().tolist()) <= {4, 9, 11}


def test_activations_that_are_not_finite_are_refused_with_their_place(vit, scenes):
    vit.trunk.blocks[3].mlp.fc1.bias[7] = float("nan")
    with pytest.raises(FloatingPointError, match="activations of ffn in block 3 are not finite"):
        collect(vit, scenes, np.arange(8), WANTED, k=2, batch=4)


# shards


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
def words(tmp_path_factory, scenes) -> list[object]:
    """Options of both commands, for a folder of scenes."""
    data = tmp_path_factory.mktemp("data")
    scenes.table.to_parquet(data / "images.parquet")
    (data / "classes.txt").write_text("".join(f"{name}\n" for name in scenes.classes))
    (data / "provenance.json").write_text(json.dumps({"hash": "0"}))
    np.savez(data / "pixels.npz", pixels=scenes.pixels, masks=scenes.masks)
    spec = json.dumps({"name": "vit", "source": "lab", "architecture": "lab_vit", "family": "vit"})
    sized = ["--spec", spec, "--data", data, "--images", 15, "--batch", 2]
    return [*sized, "--k", 4, "--sites", "ffn", "value", "channel"]


def call(command, *words: object) -> None:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    command.run(parser.parse_args([str(word) for word in words]))


def collected(words: list[object], folder: Path, shards: list[Path]) -> dict[str, pd.DataFrame | dict[str, np.ndarray]]:
    paths = {"--out": folder / "top.parquet", "--features": folder / "features.parquet", "--maps": folder / "maps.npz"}
    outputs = [word for pair in paths.items() for word in pair]
    call(collect_command, *words, *(["--shards", *shards] if shards else []), *outputs)
    with np.load(paths["--maps"]) as maps:
        return {
            "top": pd.read_parquet(paths["--out"]),
            "features": pd.read_parquet(paths["--features"]),
            "maps": dict(maps),
        }


def collect_shards(words: list[object], folder: Path, shards: int) -> list[Path]:
    paths = [folder / f"{shards}_{shard}.npz" for shard in range(shards)]
    for shard, path in enumerate(paths):
        call(collect_shard, *words, "--shard", shard, "--shards", shards, "--out", path)
    return paths


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """What `collect` finds in one go."""
    return collected(words, tmp_path_factory.mktemp("whole"), [])


@pytest.mark.parametrize("shards", [1, 3, 11])
def test_any_sharding_finds_the_same(words, whole, tmp_path, shards):
    """Eleven shards of eight batches: some are empty."""
    parts = collected(words, tmp_path, collect_shards(words, tmp_path, shards))
    pd.testing.assert_frame_equal(parts["top"], whole["top"], check_exact=True)
    moments = ["mean", "variance"]
    pd.testing.assert_frame_equal(
        parts["features"].drop(columns=moments), whole["features"].drop(columns=moments), check_exact=True
    )
    pd.testing.assert_frame_equal(parts["features"][moments], whole["features"][moments], rtol=1e-12, atol=1e-18)
    assert parts["maps"].keys() == whole["maps"].keys() == {f"{k}_{b}" for k in ("ffn", "value") for b in range(8)}
    assert all(np.array_equal(parts["maps"][site], whole["maps"][site]) for site in whole["maps"])


def test_counts_of_shards_add_up(shared_vit, scenes):
    layout, indices = widths(shared_vit, WANTED), order_of(len(scenes), 1)
    whole = stream(shared_vit, scenes, indices, layout, 3, batch=3)
    parts = [
        stream(shared_vit, scenes, indices, layout, 3, batch=3, part=shard_of(len(indices), 3, shard, 4))
        for shard in range(4)
    ]
    for part in parts[1:]:
        parts[0].merge(part)
    assert torch.equal(parts[0].counts, whole.counts) and torch.equal(parts[0].best, whole.best)


def test_shards_that_are_not_all_there_are_refused(words, tmp_path):
    paths = collect_shards(words, tmp_path, 3)
    with pytest.raises(InputError, match="not 15 and 2560; collect them anew"):
        collected(words, tmp_path, paths[:2])


def test_sites_that_no_block_has_are_refused(words, tmp_path):
    with pytest.raises(InputError, match="vit has no site channel; it has ffn, query"):
        collected([*words, "--sites", "channel"], tmp_path, [])


# memory

PEAK = """
import sys
import numpy as np
import pandas as pd
import torch
from PIL import Image
from vitexplore.activations.collect import collect, maps_of
from vitexplore.data.images import ImageSet
from vitexplore.models.registry import ModelSpec, load
from vitexplore.models.sites import Site
from vitexplore.timing import peak_resident_mb

class Generated(ImageSet):
    def image(self, index):
        return Image.fromarray(np.random.default_rng(index).integers(0, 256, (32, 32, 3), dtype=np.uint8))

torch.set_num_threads(1)
model = load(ModelSpec("m", "timm", "vit_tiny_patch16_224", "vit", weights="random", input_size=32, crop=1.0))
images, wanted = Generated(pd.DataFrame(), ()), [Site("ffn", block) for block in range(3)]
rankings = collect(model, images, np.arange(int(sys.argv[1])), wanted, k=10, batch=100)
maps_of(model, images, rankings, batch=100)
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
