"""Table 1's ranks against a slow forward pass of all images at once, whatever the batches, and which images exchange
their patches."""

import numpy as np
import pandas as pd
import pytest
import reference_vit as reference
import torch
from test_surgery import CLASS_COUNT, SIDE, VARIANTS, close, images, slow_head, slow_norm, tiny
from torch import Tensor

from vitexplore.data.images import ImageSet, spread
from vitexplore.data.loading import Loader
from vitexplore.errors import InputError
from vitexplore.measures.token_mixing import GROUP, Groups, exchanged, other_images, token_mixing_ranks
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model, load
from vitexplore.models.spec import ModelSpec
from vitexplore.models.surgery import OpenViT

COUNT, POSITIONS = 100, 9
ONES = ("natural", "head_on_random_patch", "head_on_mean_patch", "head_on_mean_token")


def noise(count: int = COUNT) -> ImageSet:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    table = pd.DataFrame({"label": rng.integers(CLASS_COUNT, size=count), "name": "", "path": ""})
    return ImageSet(table, tuple("abcde"), pixels)


@torch.no_grad()
def undecided(**options: object) -> Model:
    """A small ViT whose head prefers no class over all images: then ranks tell images and tokens apart."""
    model = tiny(**options)
    pictures = torch.from_numpy(noise().pixels).permute(0, 3, 1, 2) / 127.5 - 1
    features = model.module.forward_features(pictures)[:, model.trunk.num_prefix_tokens :].mean(1)
    model.trunk.head.bias -= model.trunk.head(model.trunk.fc_norm(features)).mean(0)
    return model


def ranks(model: Model, shown: ImageSet, **options: object) -> dict[str, np.ndarray]:
    """[at, images] of each surgery."""
    found = token_mixing_ranks(model, Head(model, None), Loader(shown, **options))
    assert all((mine["at"] == range(len(mine))).all() for _, mine in found.groupby("surgery"))
    return {surgery: np.stack(list(mine["rank"])) for surgery, mine in found.groupby("surgery", sort=False)}


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for surgery in wanted:
        assert np.array_equal(found[surgery], wanted[surgery]), surgery


# --- the table


def test_cls_joins_before_the_blocks_that_are_asked_for_and_before_the_first_and_after_the_last():
    model, shown = undecided(), noise(40)
    every = token_mixing_ranks(model, Head(model, None), Loader(shown)).set_index(["surgery", "at"])["rank"]
    some = token_mixing_ranks(model, Head(model, None), Loader(shown), [1]).set_index(["surgery", "at"])["rank"]
    depth = len(model.trunk.blocks)
    assert some["isolated_cls"].index.tolist() == [0, 1, depth]
    assert all(np.array_equal(rank, every[key]) for key, rank in some.items())
    assert set(every.index) - set(some.index) == {("isolated_cls", k) for k in range(2, depth)}


def test_a_block_that_is_not_there_is_refused():
    model = undecided()
    with pytest.raises(InputError, match=r"blocks: CLS cannot join before block 99"):
        token_mixing_ranks(model, Head(model, None), Loader(noise(4)), [99])


@pytest.mark.parametrize("count", [2, 31, 75, 96])  # one small group, one, two of 38 and 37, three whole ones
def test_no_rank_depends_on_the_batch(count):
    shown, order = noise(), spread(COUNT, count)
    wanted = ranks(undecided(), shown, indices=order, batch=30)
    for batch in (7, 100):
        assert_same(ranks(undecided(), shown, indices=order, batch=batch), wanted)


def test_no_rank_of_a_model_that_averages_depends_on_the_batch():
    model = undecided(class_token=False, global_pool="avg")
    wanted = ranks(model, noise(), batch=30)
    assert set(wanted) == {"natural", "head_on_patch", "head_on_random_patch"}
    for batch in (7, 100):
        assert_same(ranks(model, noise(), batch=batch), wanted)


def slow_ranks(logits: Tensor, labels: np.ndarray) -> list[int]:
    """``logits`` [b, classes]."""
    order = logits.argsort(dim=-1, descending=True, stable=True).tolist()
    return [classes.index(label) for classes, label in zip(order, labels, strict=True)]


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_ranks_against_a_slow_pass_of_all_images_at_once(variant):
    """The head's; isolated CLS and CLS alone are in test_surgery.py."""
    model, shown = undecided(**VARIANTS[variant]), noise(75)
    trunk, prefix, labels = model.trunk, model.trunk.num_prefix_tokens, shown.labels
    tokens = reference.embed(trunk, torch.from_numpy(shown.pixels).permute(0, 3, 1, 2) / 127.5 - 1)
    *earlier, last = reference.blocks(trunk)
    for block in earlier:
        tokens = reference.run_block(block, tokens)["block"]
    after = reference.run_block(last, tokens)["block"]
    mixed, rng = tokens.clone(), np.random.default_rng(0)
    for group in (range(38), range(38, 75)):
        others = other_images(len(group), POSITIONS, rng)
        for place, image in enumerate(group):
            for position in range(POSITIONS):
                mixed[image, prefix + position] = tokens[group[others[place, position]], prefix + position]
    control = reference.run_block(last, mixed)["block"]

    def linear(normed: Tensor) -> Tensor:
        return normed @ trunk.head.weight.T + trunk.head.bias

    found = ranks(model, shown, batch=20)
    assert found["natural"].tolist() == [slow_ranks(slow_head(model, after[:, 0]), labels)]
    for position in range(POSITIONS):
        token = prefix + position
        assert found["head_on_patch"][position].tolist() == slow_ranks(slow_head(model, after[:, token]), labels)
        assert found["exchanged_patch"][position].tolist() == slow_ranks(slow_head(model, control[:, token]), labels)
        assert found["head_on_patch_before"][position].tolist() == slow_ranks(
            slow_head(model, tokens[:, token]), labels
        )
        lens = slow_head(model, mixed[:, token])
        assert found["exchanged_patch_before"][position].tolist() == slow_ranks(lens, labels)
    assert found["exchanged_cls"].tolist() == [slow_ranks(slow_head(model, control[:, 0]), labels)]
    for surgery, start in (("head_on_mean_patch", prefix), ("head_on_mean_token", 0)):
        means = slow_norm(model, after)[:, start:].mean(dim=1)
        assert found[surgery].tolist() == [slow_ranks(linear(means), labels)]
        assert found[surgery].tolist() != [slow_ranks(slow_head(model, after[:, start:].mean(dim=1)), labels)]


def test_each_surgery_has_a_row_for_each_place_with_the_ranks_of_all_images(shared_vit, scenes):
    found = ranks(shared_vit, scenes, batch=4, indices=np.arange(6))
    places = dict.fromkeys(ONES, 1) | dict.fromkeys(("isolated_cls", "cls_only"), 9)
    heads = ("head_on_patch", "head_on_patch_before", "exchanged_patch", "exchanged_patch_before")
    places |= dict.fromkeys(heads, 64) | {"exchanged_cls": 1}
    assert {surgery: each.shape for surgery, each in found.items()} == {of: (n, 6) for of, n in places.items()}
    assert all(each.dtype == np.int16 for each in found.values())


def test_the_random_patch_is_drawn_for_an_image_whatever_others_are_shown():
    model, shown, few = undecided(), noise(), np.array([40, 3, 99, 17, 60])
    whole, some = ranks(model, shown), ranks(model, shown, indices=few)
    assert np.array_equal(whole["head_on_random_patch"][:, few], some["head_on_random_patch"])
    drawn, each = whole["head_on_random_patch"][0], whole["head_on_patch"]
    assert (drawn == each).any(0).all()
    assert not (drawn == each).all(1).any()  # not one position for all


def test_what_does_not_apply_to_a_model_without_cls_is_not_there(scenes):
    swin = load(ModelSpec("m", "lab", "lab_swin", "vit", "random"))
    assert set(ranks(swin, scenes, indices=np.arange(4))) == {"natural", "head_on_patch", "head_on_random_patch"}


# --- the exchange


@pytest.mark.parametrize("count", [2, 3, 40])
def test_at_each_position_every_image_gets_anothers_patch_and_each_is_taken_once(count):
    others = other_images(count, 50, np.random.default_rng(0))
    assert others.shape == (count, 50)
    for of_position in others.T:
        assert sorted(of_position) == list(range(count)) and (of_position != np.arange(count)).all()
    assert len({tuple(of_position) for of_position in others.T}) >= min(count - 1, 20)


def test_a_lone_image_has_nobody_to_exchange_patches_with():
    with pytest.raises(InputError, match="one image has no other to exchange patches with; show at least two"):
        ranks(tiny(), noise(), indices=np.array([5]))


@pytest.mark.parametrize("batch", [1, 7, 30, 100])
@pytest.mark.parametrize(
    ("count", "sizes"),
    [(2, [2]), (31, [31]), (32, [32]), (63, [63]), (64, [32, 32]), (65, [33, 32]), (100, [34, 33, 33])],
)
def test_groups_follow_from_the_number_of_images_alone(batch, count, sizes):
    assert GROUP == 32
    order = np.random.default_rng(0).permutation(count)
    tokens, groups, found = torch.from_numpy(order)[:, None, None].float(), Groups(count), []
    for start in range(0, count, batch):
        found += groups.add(order[start : start + batch], tokens[start : start + batch])
    assert [len(index) for index, _ in found] == [len(each) for _, each in found] == sizes
    assert np.concatenate([index for index, _ in found]).tolist() == order.tolist()
    assert torch.equal(torch.cat([each for _, each in found]), tokens)


@torch.no_grad()
def test_exchanged_patches_come_from_the_images_that_are_named():
    vit = OpenViT(tiny(reg_tokens=2))
    tokens = vit.embed(images())
    others = np.stack([np.random.default_rng(seed).permutation(3) for seed in range(POSITIONS)], axis=1)
    mixed = exchanged(tokens, others, vit.prefix)
    assert torch.equal(mixed[:, : vit.prefix], tokens[:, : vit.prefix])
    for image in range(3):
        for position in range(POSITIONS):
            wanted = tokens[others[image, position], vit.prefix + position]
            assert torch.equal(mixed[image, vit.prefix + position], wanted)
    close(exchanged(tokens, np.arange(3)[:, None].repeat(POSITIONS, 1), vit.prefix), tokens)
