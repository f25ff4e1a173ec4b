"""Training: resuming gives what an unbroken run gives; augmentation keeps what captions name."""

import numpy as np
import pytest
import torch

from vitexplore.data.captions import vocabulary
from vitexplore.data.scenes import draw_split
from vitexplore.errors import InputError
from vitexplore.models import lab
from vitexplore.models.train import Recipe, Stage, augment, train
from vitexplore.tools.train import train_recipe

SMALL = Recipe("lab_cnn", (Stage("easy", 32, 1), Stage("train", 32, 2)), batch=16, warmup=2, horizon=8, cooldown=4)


@pytest.fixture(scope="module")
def pixels():
    return {split: draw_split(split, 32)[0] for split in ("easy", "train", "validation")}


class Cut(Exception):
    pass


def test_resumed_training_ends_with_the_same_weights(tmp_path, pixels, monkeypatch):
    whole, curve = train(SMALL, tmp_path / "whole", pixels)
    import vitexplore.models.train as module

    write, written = module.write_atomically, []

    def cut_after_two(path, writer):
        write(path, writer)
        written.append(path)
        if len(written) == 2:
            raise Cut

    monkeypatch.setattr(module, "write_atomically", cut_after_two)
    with pytest.raises(Cut):
        train(SMALL, tmp_path / "cut", pixels)
    monkeypatch.setattr(module, "write_atomically", write)
    resumed, resumed_curve = train(SMALL, tmp_path / "cut", pixels)
    for key, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[key]), key
    assert list(curve["loss"]) == list(resumed_curve["loss"])
    with pytest.raises(InputError, match="another recipe"):
        train(Recipe("lab_cnn", SMALL.stages, seed=1), tmp_path / "cut", pixels)


def test_augmentation_for_captions_keeps_every_colour():
    images = torch.rand(8, 3, 16, 16)
    moved = augment(images, torch.Generator().manual_seed(0), colours=False)
    for before, after in zip(images, moved, strict=True):
        colours = {tuple(c.tolist()) for c in before.flatten(1).T}
        assert {tuple(c.tolist()) for c in after.flatten(1).T} <= colours


def test_tokenizer_ends_with_the_largest_number():
    tokens = lab.Tokenizer()(["one red car on sand from above at night", "car"])
    assert tokens.shape == (2, lab.CONTEXT)
    ends = tokens.argmax(1)
    assert list(ends) == [10, 2]
    assert tokens.max() == len(vocabulary()) + 2
    with pytest.raises(KeyError):
        lab.Tokenizer()(["one zebra"])


def test_lab_vit_starts_with_weights_at_one_over_root_fan_in():
    torch.manual_seed(0)
    model = lab.lab_vit()
    layer = model.blocks[0].mlp.fc1.weight
    assert layer.std().item() == pytest.approx(1 / np.sqrt(layer.shape[1]), rel=0.05)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(0.42e6, rel=0.05)


def test_unknown_recipe_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(InputError, match=r"^no training recipe 'lab_vti'; there are lab_vit, "):
        train_recipe("lab_vti", seed=0, workers=1, out=tmp_path / "out", device=torch.device("cpu"))
    assert not (tmp_path / "out").exists()
