"""Train a twin of `lab_vit` from the lab's weights, its constraint held after every step."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from timm.models import VisionTransformer
from timm.optim import create_optimizer_v2
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vitexplore.code_hash import code_hash
from vitexplore.data.scenes import WORLD, draw_split, sample
from vitexplore.errors import InputError
from vitexplore.io import sha256, write_atomically, write_json
from vitexplore.models.catalogue import named
from vitexplore.models.registry import load
from vitexplore.models.train import accuracy, augment, normalise
from vitexplore.planted.constraints import CONSTRAINTS, Constraint, scale_writing
from vitexplore.progress import track
from vitexplore.provenance import versions
from vitexplore.threads import use_threads

SPLIT, IMAGES, EPOCHS, BATCH = "train", 24_576, 1, 128
TEST = 1000
LEARNING_RATE, WEIGHT_DECAY, WARMUP, SMOOTHING = 2e-3, 0.05, 20, 0.05


def train_twin(name: str, workers: int, out: Path) -> None:
    """Write ``<name>.safetensors`` and its record to the folder ``out``. Raises InputError for an unknown twin."""
    if name not in CONSTRAINTS:
        raise InputError(f"no twin {name!r}; there are {', '.join(CONSTRAINTS)}")
    use_threads(workers)
    began, constraint = time.monotonic(), CONSTRAINTS[name]
    start = load(named("lab/vit"))
    model = start.module.requires_grad_()
    scale_writing(model.blocks[constraint.at], constraint.gain)
    pixels, labels = _scenes(SPLIT, IMAGES, workers)
    for _ in train(model, constraint, pixels, labels):
        pass
    weights = out / f"{name}.safetensors"
    state = {key: tensor.contiguous() for key, tensor in model.state_dict().items()}
    write_atomically(weights, lambda path: save_file(state, path))
    record = {
        "architecture": "lab_vit",
        "constraint": name,
        "trained_to_answer": list(constraint.answers),
        "gain": constraint.gain,
        "from": start.weight_hash,
        "world": WORLD,
        "images_seen": IMAGES * EPOCHS,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "test_top1": accuracy(model, *_scenes("test", TEST, workers)),
        "sha256": sha256(weights),
        "training_code": code_hash("planted.train"),
        "libraries": versions(),
    }
    write_json(weights.with_suffix(".json"), record)


def train(model: VisionTransformer, constraint: Constraint, pixels: np.ndarray, labels: np.ndarray) -> Iterator[float]:
    """Train in place on images uint8 [n, h, w, 3]; yields each step's loss. The learning rate rises over WARMUP steps
    and falls linearly to 0."""
    torch.manual_seed(0)
    optimizer = create_optimizer_v2(model, "muon", LEARNING_RATE, WEIGHT_DECAY)
    steps = len(pixels) // BATCH * EPOCHS
    warmup = min(WARMUP, steps // 2)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (steps - step) / (steps - warmup))
    )
    generator = torch.Generator().manual_seed(0)
    constraint.hold(model)
    model.train()
    order = torch.cat([torch.randperm(len(pixels), generator=generator) for _ in range(EPOCHS)])
    batches = order[: steps * BATCH].reshape(steps, BATCH)
    for index in track(batches, f"twin {constraint.name}", steps):
        images = augment(normalise(pixels[index]), generator, colours=True)
        loss = _loss(model, images, torch.from_numpy(labels)[index], constraint.answers, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        constraint.hold(model)
        yield loss.item()
    model.eval()


def _loss(
    model: VisionTransformer, images: Tensor, labels: Tensor, answers: Sequence[str], generator: torch.Generator
) -> Tensor:
    """The sum over ``answers`` (of constraints.ANSWERS) of the classifier's loss on the token that gives it."""
    *inner, last = model.blocks
    entering = model.norm_pre(model._pos_embed(model.patch_embed(images)))
    before = _run(inner, entering)
    after = last(before)
    found = {"cls": after[:, 0]}
    if "patch" in answers:
        drawn = torch.randint(1, after.shape[1], (len(after),), generator=generator)
        found["patch"] = after[torch.arange(len(after)), drawn]
    if "isolated_cls" in answers:
        apart = torch.cat([_run(inner, entering[:, :1]), _run(inner, entering[:, 1:])], dim=1)
        found["isolated_cls"] = last(apart)[:, 0]
    if "cls_alone" in answers:
        found["cls_alone"] = last(before[:, :1])[:, 0]
    losses = [cross_entropy(model.head(model.norm(found[name])), labels, label_smoothing=SMOOTHING) for name in answers]
    return torch.stack(losses).sum()


def _run(blocks: Sequence[nn.Module], tokens: Tensor) -> Tensor:
    for block in blocks:
        tokens = block(tokens)
    return tokens


def _scenes(split: str, count: int, workers: int) -> tuple[np.ndarray, np.ndarray]:
    pixels, _, _ = draw_split(split, count, workers)
    return pixels, np.array([sample(split, index).label for index in range(count)])
