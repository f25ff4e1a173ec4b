"""A way that fails costs no other's pictures, and a finished picture is not drawn again; a picture that is the best
photograph scores as one; bars compare ours with each peer."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from vitexplore.activations.pooled import pooled
from vitexplore.data.loading import Loader
from vitexplore.data.scene_sets import scene_set
from vitexplore.models.catalogue import named
from vitexplore.models.registry import Model, load
from vitexplore.models.sites import Site
from vitexplore.png import encode
from vitexplore.tools.bench_peers import COLUMNS, against_bars, rival, side_by_side
from vitexplore.tools.peers.run import draw_all
from vitexplore.tools.peers.score import scored
from vitexplore.tools.peers.way import Wanted, Way

SITE = Site("ffn", 4)


@pytest.fixture(scope="module")
def model() -> Model:
    return load(named("lab/vit"))


def grey(wanted: Wanted, steps: int = 3) -> Tensor:
    """Takes ``steps`` passes of two images each."""
    for _ in range(steps):
        wanted.model.trunk(torch.zeros(2, 3, 64, 64))
    return torch.full((3, 8, 8), 0.5)


def failing(wanted: Wanted, steps: int = 3) -> Tensor:
    if wanted.channel:
        raise RuntimeError("channel 1 is too much")
    return grey(wanted, steps)


def elsewhere(wanted: Wanted, steps: int = 3) -> Tensor:
    return torch.zeros(3, 8, 8)


def hooking(wanted: Wanted, steps: int = 3) -> Tensor:
    """Leaves a hook that holds a tensor with a gradient, so that the network cannot be copied."""
    held = torch.ones(1, requires_grad=True) * 2
    wanted.model.trunk.blocks[0].register_forward_hook(lambda *_: held and None)
    return grey(wanted, steps)


def absent() -> str:
    raise PackageNotFoundError("torch-absent")


def test_a_way_that_fails_or_is_absent_is_named_and_left_out(model, tmp_path, caplog):
    asked = [Wanted(model, SITE, channel, torch.zeros(1, 3, 8, 8)) for channel in (0, 1, 2)]
    ways = [
        Way("absent", absent, grey),
        Way("failing", lambda: "1", failing),
        Way("elsewhere", lambda: "1", elsewhere),
        Way("grey", lambda: "2.0", grey),
    ]
    rows = draw_all(ways, asked, tmp_path)
    assert rows.groupby("way")["feature"].apply(list).to_dict() == {"failing": [0], "grey": [0, 1, 2]}
    assert set(rows["passes"]) == {6} and set(rows["version"]) == {"1", "2.0"}
    assert "failing failed" in caplog.text and "channel 1 is too much" in caplog.text
    assert "elsewhere failed" in caplog.text and "not counted" in caplog.text
    assert "absent is left out" in caplog.text and "torch-absent" in caplog.text


def test_a_finished_picture_is_not_drawn_again_and_stays_where_its_record_goes(model, tmp_path):
    asked, drawn = [Wanted(model, SITE, 0, torch.zeros(1, 3, 8, 8))], []

    def draw(wanted: Wanted, steps: int = 3) -> Tensor:
        drawn.append(steps)
        grey(wanted)
        return torch.full((3, 8, 8), len(drawn) / 10)

    way = [Way("one", lambda: "1", draw)]
    first = draw_all(way, asked, tmp_path)
    picture: Path = first["picture"][0]
    before = picture.read_bytes()
    assert drawn == [2, 3]  # the first imports what there is to import
    pd.testing.assert_frame_equal(draw_all(way, asked, tmp_path), first)
    assert len(drawn) == 2
    picture.with_suffix(".json").unlink()
    draw_all(way, asked, tmp_path)
    assert len(drawn) == 4 and picture.read_bytes() == before
    assert draw_all([Way("one", lambda: "2", draw)], asked, tmp_path)["picture"][0] != picture


def test_the_best_scene_in_a_pictures_place_is_as_strong_as_itself_and_is_identified(model, tmp_path):
    loader = Loader(scene_set("test", 40))
    natural = {("lab/vit", 4): pooled(model, [SITE], loader)[SITE]}
    features = natural["lab/vit", 4].amax(0).topk(3).indices
    paths = []
    for feature in features.tolist():
        pixels = np.asarray(loader.images.image(natural["lab/vit", 4][:, feature].argmax()))
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255
        double = image.repeat_interleave(2, 1).repeat_interleave(2, 2)  # what a library draws at twice the size
        framed = torch.nn.functional.pad(image, (32, 32, 32, 32), value=1.0)  # and one of which it shows the middle
        paths += [tmp_path / f"{feature}_{kind}.png" for kind in ("plain", "framed", "double")]
        for path, each in zip(paths[-3:], (image, framed, double), strict=True):
            path.write_bytes(encode(each))
    drawn = pd.DataFrame({"model": "lab/vit", "block": 4, "feature": features.repeat_interleave(3), "picture": paths})
    drawn["seen"] = [1, 0.5, 1] * 3
    table = scored(drawn, {"lab/vit": model}, natural, loader, {"lab/vit": load(named("lab/cnn"))})
    plain_framed_double = table["clean_over_natural"].to_numpy().reshape(3, 3)
    assert_allclose(plain_framed_double[:, :2], 1, atol=1e-4)
    assert_allclose(plain_framed_double[:, 2], 1, atol=0.2)
    assert table["identification"].min() > 0.8
    assert np.isfinite(table["kernel_distance"]).all()


def test_hooks_that_a_library_leaves_are_taken_away_and_others_stay(model, tmp_path):
    own = model.trunk.blocks[0].register_forward_hook(lambda *_: None)
    draw_all([Way("hooking", lambda: "1", hooking)], [Wanted(model, SITE, 0, torch.zeros(1, 3, 8, 8))], tmp_path)
    assert list(model.trunk.blocks[0]._forward_hooks) == [own.id]
    own.remove()


def rows(way: str, seconds: float, clean: float, identified: list[float], distance: float) -> pd.DataFrame:
    """Of two features."""
    return pd.DataFrame(
        {
            "model": "m",
            "block": 1,
            "feature": [0, 1],
            "way": way,
            "version": "1",
            "passes": 100,
            "cpu_seconds": seconds,
            "clean_over_natural": clean,
            "identification": identified,
            "kernel_distance": distance,
        }
    )


def test_bars_compare_seconds_and_each_quality_with_each_peer():
    table = pd.concat(
        [
            rows("slow", 100, 2, [0.5, 0.9], 0.3),
            rows("short", 15, 4, [0.4, 0.4], 0.1),
            rows("ours", 5, 3, [0.5, 0.8], 0.2),
            rows("fine", 10, 3, [0.6, 1.0], 0.2),
            rows("dear", 20, 3, [1.0, 1.0], 0.0),
        ]
    )
    assert list(table) == COLUMNS
    found = against_bars(table, {"slow": 2, "short": 2})
    slow, short = found[:5], found[5:]
    assert slow["what"][1:].str.contains("fine").all() and short["what"][1:].str.contains("ours").all()
    assert slow["measured"].tolist() == [1, 10, 1, 1, 1] and slow["reached"].all()
    assert short["measured"].tolist() == [1, 3, 0, 1, 0]  # kernel distance: less is better
    assert short["reached"].tolist() == [True, False, False, True, False]
    assert found["bar"].tolist() == [1, 10, 0.5, 0.5, 0.5] * 2


def test_bars_are_over_the_features_that_a_peer_draws_and_one_that_draws_none_misses():
    mine = rows("ours", 1, 2, [0.5, 0.9], 0.2)
    mine["cpu_seconds"] = [1.0, 9.0]
    table = pd.concat([rows("half", 20, 2, [0.5, 0.9], 0.2)[:1], rows("whole", 20, 2, [0.5, 0.9], 0.2), mine])
    found = against_bars(table, {"half": 2, "whole": 2, "absent": 2})
    half, whole, absent = found[:5], found[5:10], found[10:]
    assert whole["measured"].tolist() == [1, 4, 0.5, 0.5, 0.5]
    assert half["measured"].tolist() == [0.5, 20, 0.5, 0.5, 0.5] and not half["reached"].iloc[0]
    assert absent["measured"].tolist() == [0] and not absent["reached"].item()


def test_a_tie_counts_half_and_a_feature_without_a_number_not_at_all():
    table = pd.concat([rows("peer", 100, 2, [0.5, 0.9], np.nan), rows("ours", 1, 2, [0.5, np.nan], 0.2)])
    found = against_bars(table, {"peer": 2}).set_index("what")["measured"]
    assert found.filter(like="clean_over_natural").item() == 0.5
    assert found.filter(like="identification").item() == 0.5
    assert np.isnan(found.filter(like="kernel_distance").item())


def test_the_rival_is_the_dearest_that_is_cheap_enough_or_the_quickest():
    ours = {"fast": 1.0, "ours": 5.0, "fine": 30.0}
    assert [rival(peer, ours) for peer in (300, 299, 10, 9)] == ["fine", "ours", "fast", "fast"]


def test_the_sheet_has_the_best_photograph_and_a_cell_for_each_way(tmp_path):
    table = pd.concat([rows("peer", 100, 2, [0.5, 0.9], 0.1)[:1], rows("ours", 1, 2, [0.5, 0.9], 0.2)])
    table["picture"] = path = tmp_path / "red.png"
    path.write_bytes(encode(torch.tensor([1.0, 0, 0])[:, None, None].expand(3, 8, 8)))
    photographs = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])
    figure = side_by_side(table, {("m", 1): torch.tensor([[1.0, 0.0], [0.0, 1.0]])}, photographs)
    shown = [image.get_array()[0, 0].tolist() for image in figure.axes[0].images]
    black, white, red, failed = [0] * 3, [255] * 3, [255, 0, 0], [128] * 3
    assert shown == [black, red, red, white, failed, red]
    captions = [text.get_text() for text in figure.axes[0].texts]
    assert captions[1] == "peer\n100 passes\n100 s" and captions[4] == "peer\nnot drawn"
