"""From an image set to batches of pixels as a model wants them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import floor

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, normalize, resize, to_tensor

from vitexplore.data.images import ImageSet, spread
from vitexplore.errors import InputError
from vitexplore.models.spec import PREPROCESSINGS, ModelSpec
from vitexplore.progress import track


@dataclass(frozen=True)
class Preprocess:
    """From an RGB image to float [3, size, size]: shorter side to ``side``, the middle ``size``, normalised."""

    side: int
    size: int
    mode: InterpolationMode
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, image: Image.Image) -> Tensor:
        if min(image.size) != self.side:
            image = resize(image, [self.side], self.mode)
        return normalize(to_tensor(center_crop(image, [self.size])), self.mean, self.std)


def preprocess(spec: ModelSpec, preprocessing: str = "own") -> Preprocess:
    """``own``: the model's resize, interpolation and crop. ``paper``: shorter side to the input size itself, bilinear
    and antialiased, then the centre crop (Tables 1 and 2 of the paper, by its released code). Both normalise by the
    model's mean and std, which are 0.5 for the paper's ViTs."""
    if preprocessing not in PREPROCESSINGS:
        raise InputError(f"preprocessing {preprocessing!r} is none of {', '.join(PREPROCESSINGS)}")
    own = preprocessing == "own"
    # rounded down, as timm does; the small addend keeps 224 / (224 / 232) at 232
    side = floor(spec.input_size / spec.crop + 1e-6) if own else spec.input_size
    mode = InterpolationMode(spec.interpolation) if own else InterpolationMode.BILINEAR
    return Preprocess(side, spec.input_size, mode, spec.mean, spec.std)


def unnormalised(spec: ModelSpec) -> ModelSpec:
    """``spec`` with a ``preprocess`` that yields pixels in [0, 1]."""
    return replace(spec, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Pictures:
    """An image set as a function from an index to what ``transform`` makes of that image."""

    images: ImageSet
    transform: Callable[[Image.Image], Tensor]

    def __call__(self, index: int) -> Tensor:
        return self.transform(self.images.image(index))


class _Loaded(Dataset):
    def __init__(self, load: Callable[[int], Tensor]) -> None:
        self.load = load

    def __getitem__(self, index: int) -> tuple[int, Tensor]:
        return index, self.load(index)


def batches(
    load: Callable[[int], Tensor], indices: np.ndarray, size: int, workers: int = 0
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """(indices int64 [b], ``load`` of each, stacked) for ``indices`` in order, ``size`` at a time, maybe fewer in
    the end. ``workers`` processes load ahead; with 0 each batch is loaded when it is asked for."""
    chunks = [indices[start : start + size].tolist() for start in range(0, len(indices), size)]
    # a generator of its own: the loader would otherwise draw from torch's global one
    loader = DataLoader(
        _Loaded(load), batch_sampler=chunks, num_workers=workers, collate_fn=_stack, generator=torch.Generator()
    )
    yield from loader


@dataclass(frozen=True)
class Loader:
    """The images that an experiment is shown: ``indices`` int64 [n] of ``images``, in this order (all of them if left
    out), under a named ``preprocessing`` (see ``preprocess``), ``batch`` at a time, read ahead by ``workers``
    processes."""

    images: ImageSet
    preprocessing: str = "own"
    batch: int = 64
    workers: int = 0
    indices: np.ndarray = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.indices is None:
            object.__setattr__(self, "indices", np.arange(len(self.images)))

    def __len__(self) -> int:
        return len(self.indices)

    def of(self, indices: np.ndarray) -> "Loader":
        """The same, of other ``indices``."""
        return replace(self, indices=indices)

    def sample(self, most: int | None) -> "Loader":
        """At most ``most`` of the images, drawn once and for all, in random order (see ``spread``); all for None."""
        return self.of(self.indices[spread(len(self), len(self) if most is None else most)])

    def with_boxes(self) -> "Loader":
        """Those of the images whose object's place is known. Raises InputError where there are none."""
        known = self.indices[self.images.has_boxes[self.indices]]
        if not len(known):
            raise InputError("no image has a box: check that the boxes' files fit the pictures' names")
        return self.of(known)

    def partners(self) -> np.ndarray:
        """For each of ``indices`` another of them to compare it with, the next in the order (for the last, the first):
        int64, as long as ``images``, and -1 at images that are not shown. It does not depend on ``batch``. Raises
        InputError where fewer than two images are shown."""
        if len(self) < 2:
            raise InputError("one image has no other to be compared with; show at least two")
        found = np.full(len(self.images), -1)
        found[self.indices] = np.roll(self.indices, -1)
        return found

    def pictures(self, spec: ModelSpec) -> Pictures:
        """From an image's index to float [3, size, size] as the model of ``spec`` wants it."""
        return Pictures(self.images, preprocess(spec, self.preprocessing))

    def batches(self, spec: ModelSpec) -> Iterator[tuple[np.ndarray, Tensor]]:
        """(indices int64 [b], images float [b, 3, size, size]) as the model of ``spec`` wants them, with a progress
        line."""
        yield from self.loaded(self.pictures(spec), spec.name, self.batch)

    def loaded(self, load: Callable[[int], Tensor], what: str, size: int) -> Iterator[tuple[np.ndarray, Tensor]]:
        """(indices int64 [b], ``load`` of each, stacked), ``size`` at a time, with a progress line of ``what``."""
        yield from track(batches(load, self.indices, size, self.workers), what, len(self) / size)


def _stack(loaded: list[tuple[int, Tensor]]) -> tuple[np.ndarray, Tensor]:
    return np.array([index for index, _ in loaded], dtype=np.int64), torch.stack([picture for _, picture in loaded])
