"""ImageNet-9: the published classes, the challenge's answer, and variants in one order."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from vitexplore.data.imagenet9 import (
    CLASSES,
    FOLDERS,
    IMAGENET_CLASSES,
    index_imagenet9,
    is_imagenet9,
    nine_way,
    read_variants,
)
from vitexplore.data.images import ImageSet
from vitexplore.data.index import write_index
from vitexplore.data.loading import Loader
from vitexplore.data.photos import imagenet_names, imagenet_wnids
from vitexplore.errors import InputError
from vitexplore.measures.imagenet9 import imagenet9_ranks
from vitexplore.models.registry import Model
from vitexplore.models.spec import ModelSpec

# of in_to_in9.json, as a list over the 1,000 classes
SHA256_OF_MAP = "3634d4a038b7837c29d2df154a7905931e541453f79c3e8711699d2bc2528444"


def published_map() -> list[int]:
    """in_to_in9.json: of each of ImageNet's classes which of the nine, -1 for none."""
    found = [-1] * 1000
    for label, members in enumerate(IMAGENET_CLASSES.values()):
        for member in members:
            found[member] = label
    return found


def test_the_classes_are_the_challenges():
    assert [len(set(members)) for members in IMAGENET_CLASSES.values()] == [116, 52, 42, 36, 35, 27, 26, 20, 16]
    assert sum(label >= 0 for label in published_map()) == sum(map(len, IMAGENET_CLASSES.values())) == 370
    assert hashlib.sha256(json.dumps(published_map()).encode()).hexdigest() == SHA256_OF_MAP


@pytest.mark.parametrize(
    ("name", "label"),
    [
        *[("golden_retriever", "dog"), ("robin", "bird"), ("ambulance", "wheeled vehicle"), ("agama", "reptile")],
        *[("red_fox", "carnivore"), ("bee", "insect"), ("oboe", "musical instrument"), ("gorilla", "primate")],
        *[("tench", "fish"), ("whippet", None), ("tabby", None), ("pizza", None)],
    ],
)
def test_classes_are_found_by_their_names(name, label):
    names = imagenet_names()
    index = next(i for i, wnid in enumerate(imagenet_wnids()) if name in names[wnid])
    assert published_map()[index] == (CLASSES.index(label) if label else -1)


def test_the_largest_of_the_ten_is_the_challenges_answer():
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(500, 1000)))
    found = nine_way(logits)
    assert found.shape == (500, 10)
    answers = [published_map()[index] for index in logits.argmax(1)]  # eval_model of the challenge's tools
    assert found.argmax(1).tolist() == [answer if answer >= 0 else 9 for answer in answers]
    assert len(set(answers)) == 10
    assert torch.equal(found[:, 8], logits[:, [*range(7), *range(389, 398)]].max(1).values)


def test_other_logits_than_imagenets_are_refused():
    with pytest.raises(InputError, match="9 logits; ImageNet-9's classes join those of ImageNet's 1000"):
        nine_way(torch.zeros(2, 9))


# --- variants

ORIGINALS = ("n02085936_2693", "n02085936_30", "n02099601_7")
BACKGROUND = {"mixed_same": "n02088094_1", "mixed_rand": "n01440764_9"}


@pytest.fixture
def challenge(tmp_path):
    """Three pictures a class; the red of each says which original it is."""
    for variant in ("original", "only_fg", "only_bg_b", *BACKGROUND):
        for folder in FOLDERS:
            (tmp_path / variant / "val" / folder).mkdir(parents=True)
            for red, name in enumerate(ORIGINALS):
                mixed = f"fg_{name}_bg_{BACKGROUND[variant]}" if variant in BACKGROUND else name
                image = Image.new("RGB", (8, 8), (80 * red, 0, 0))
                image.save(tmp_path / variant / "val" / folder / f"{mixed}.JPEG")
    return tmp_path


def test_variants_are_sets_in_one_order(challenge):
    sets = read_variants(challenge, ["original", "only_fg", "mixed_same", "mixed_rand"], 2)
    assert list(sets) == ["original", "only_fg", "mixed_same", "mixed_rand"]
    names = [f"{folder}/{name}" for folder in FOLDERS for name in ORIGINALS]
    for variant, images in sets.items():
        assert images.classes == CLASSES and len(images) == 27
        assert images.table["name"].tolist() == names
        assert images.labels.tolist() == [label for label in range(9) for _ in ORIGINALS]
        assert all(f"/{variant}/val/" in path for path in images.table["path"])
        reds = [images.image(index).getpixel((0, 0))[0] for index in range(27)]
        assert np.allclose(reds, 9 * [0, 80, 160], atol=3)
        assert not images.has_boxes.any()


def dog(root: Path, variant: str, name: str = "n02085936_30") -> Path:
    return root / variant / "val/00_dog" / f"{name}.JPEG"


def twice(root: Path) -> None:
    dog(root, "mixed_same", "fg_n02085936_30_bg_n02085936_2").write_bytes(dog(root, "original").read_bytes())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda root: dog(root, "only_fg").unlink(),
            r"only_fg: no picture of 00_dog/n02085936_30 \(1 such\), which another variant has; unpack it again",
        ),
        (lambda root: dog(root, "only_fg").write_bytes(b""), r"n02085936_30\.JPEG: the file is empty; unpack it again"),
        (twice, r"n02085936_30_bg_n02088094_1\.JPEG and .* are both of n02085936_30; keep one of them"),
        (
            lambda root: (root / "original/val/09_cat").mkdir(),
            "09_cat: none of ImageNet-9's classes, 00_dog to 08_fish",
        ),
        (lambda root: (root / "original").rename(root / "x"), "original/val/00_dog: no such folder; unpack"),
    ],
)
def test_variants_that_do_not_fit_are_refused(challenge, change, message):
    change(challenge)
    with pytest.raises(InputError, match=message) as error:
        read_variants(challenge, ["original", "only_fg", "mixed_same"])
    assert "\n" not in str(error.value)


# --- the index, and ranks on it


def test_the_index_has_originals_then_foregrounds_then_backgrounds_in_one_order(challenge, tmp_path):
    write_index(challenge, tmp_path / "out", tmp_path / "broken.csv", "imagenet9", expected=27, workers=2)
    images = ImageSet.read(tmp_path / "out")
    assert is_imagenet9(images) and images.classes == CLASSES and len(images) == 81
    assert images.table["condition"].tolist() == ["full"] * 27 + ["foreground"] * 27 + ["background"] * 27
    for start in (0, 27, 54):
        assert images.table["name"].tolist()[start : start + 27] == [
            f"{folder}/{name}" for folder in FOLDERS for name in ORIGINALS
        ]
    assert all("/only_bg_b/val/" in path for path in images.table["path"][54:])


def test_the_first_of_each_class_by_name(challenge):
    table, broken = index_imagenet9(challenge, 1, per_class=2)
    names = [f"{folder}/{name}" for folder in FOLDERS for name in sorted(ORIGINALS)[:2]]
    assert table["name"].tolist() == 3 * names and broken.empty


def test_other_originals_than_expected_are_refused(challenge):
    with pytest.raises(InputError, match="27 pictures, expected 4050; correct the folder or the scale"):
        index_imagenet9(challenge, 1, expected=4050)


class Red(nn.Module):
    """Says of an image of red r that it is of the class ``order[r // 80]``, of all classes that of none most."""

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        self.order, self.one = order, nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.zeros(len(images), 1000)
        logits[:, 171] = 9  # whippet, of none of the nine
        for row, red in enumerate((images[:, 0].mean((1, 2)) * 255 / 80).round().long()):
            logits[row, self.order[red]] = 1
        return logits


def test_a_model_chooses_among_the_nine_on_each_variant(challenge):
    for folder in FOLDERS:  # of the background nothing is left but black
        for name in ORIGINALS:
            Image.new("RGB", (8, 8)).save(challenge / "only_bg_b/val" / folder / f"{name}.JPEG")
    images = ImageSet(index_imagenet9(challenge, 1)[0], CLASSES)
    fish, dog, bird = 0, 151, 7
    spec = ModelSpec("red", "timm", "red", "cnn", "random", input_size=8, mean=(0,) * 3, std=(1,) * 3,
                     interpolation="bilinear", crop=1.0)  # fmt: skip
    table = imagenet9_ranks(Model(spec, Red([fish, dog, bird]), ""), Loader(images, "paper", batch=7), 27)
    assert sorted(table.loc[table["condition"] == "full", "image"]) == list(range(27))
    right = table.assign(label=images.labels[table["image"]], original=table["image"] % 3)
    for condition, said in (("full", [8, 0, 1]), ("foreground", [8, 0, 1]), ("background", [8, 8, 8])):
        mine = right[right["condition"] == condition]
        hit = [label == said[original] for label, original in zip(mine["label"], mine["original"], strict=True)]
        assert np.array_equal(mine["rank"] == 0, hit), condition
        assert set(mine["along"]) == {"" if condition == "full" else "published"}
    constant = right[right["condition"] == "mean_image"]
    assert (constant["rank"] == 0).sum() == 3  # one of nine, for a model that sees the same of all
    few = imagenet9_ranks(Model(spec, Red([fish, dog, bird]), ""), Loader(images, "paper"), 5)
    assert len(few) == 4 * 5 and few["image"].max() < 27
