"""Training of the lab's models: one loop for classifiers and for CLIP, resumable after each epoch.

The recipe was chosen on the validation split alone; see the records beside the weights.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pandas as pd
import timm
import torch
from open_clip.loss import ClipLoss
from timm.optim import create_optimizer_v2
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vitexplore.code_hash import code_hash
from vitexplore.data.captions import class_prompts, short_caption
from vitexplore.data.scenes import sample
from vitexplore.data.shapes import CLASSES
from vitexplore.errors import InputError
from vitexplore.io import write_atomically
from vitexplore.models import lab, variants
from vitexplore.models.heads import zero_shot

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Stage:
    """Some epochs over the first ``images`` scenes of ``split``."""

    split: str
    images: int
    epochs: int


@dataclass(frozen=True)
class Recipe:
    """How one lab model is trained. ``caption_keep`` is the share of a caption's optional phrases that
    CLIP is told; ``shuffled`` pairs images with other images' captions (the control). The learning rate rises
    over ``warmup`` steps, follows a cosine that would reach 0 at step ``horizon``, and falls linearly to 0
    over the last ``cooldown`` steps."""

    architecture: str
    stages: tuple[Stage, ...]
    seed: int = 0
    optimizer: str = "muon"
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    batch: int = 128
    warmup: int = 100
    horizon: int = 1536
    cooldown: int = 576
    smoothing: float = 0.05
    caption_keep: float = 0.3
    shuffled: bool = False


def plain(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON has it."""
    return json.loads(json.dumps(asdict(recipe)))


EASY = Stage("easy", 12_288, 2)
TWICE, ONCE = (EASY, Stage("train", 24_576, 2)), (EASY, Stage("train", 24_576, 1))
CLIP = Recipe("lab_clip", (EASY, Stage("train", 24_576, 4)), learning_rate=2e-3, horizon=1920, cooldown=576)
RECIPES = {
    "lab_vit": Recipe("lab_vit", (EASY, Stage("train", 24_576, 4)), horizon=1536, cooldown=576),
    "lab_cnn": Recipe(
        *("lab_cnn", (EASY, Stage("train", 24_576, 3))),
        optimizer="adamw",
        learning_rate=2e-3,
        horizon=1152,
        cooldown=192,
    ),
    "lab_clip": CLIP,
    "lab_clip_shuffled": replace(CLIP, shuffled=True),
    **{name: Recipe(name, TWICE, horizon=960, cooldown=192) for name in variants.NAMES},
    **{name: Recipe(name, ONCE, horizon=960, cooldown=192) for name in ("lab_coat", "lab_convit", "lab_pit")},
}


def grown(architecture: str, epochs: int) -> Recipe:
    """The same for a ViT of another size or training: ``epochs`` over the train split, the schedule stretched with the
    steps as it is for the other families."""
    stages = (EASY, Stage("train", 24_576, epochs))[: 2 if epochs else 1]
    steps = sum(stage.images // Recipe.batch * stage.epochs for stage in stages)
    return Recipe(architecture, stages, horizon=steps * 5 // 3, cooldown=steps // 3)


# for `snakemake emergence`; named by the images that they see
GROWN = {f"{name}_75k": grown(name, 2) for name in ("lab_vit", *lab.SIZES)} | {
    f"lab_vit_{seen}": grown("lab_vit", epochs) for seen, epochs in (("25k", 0), ("300k", 11))
}


def state_of(folder: Path) -> dict[str, Any]:
    """The checkpoint in ``folder``; its ``code`` lists the hashes of all revisions of the training code that ran, its
    ``devices`` where they ran."""
    return torch.load(folder / CHECKPOINT, "cpu", weights_only=True)


def build(architecture: str) -> nn.Module:
    return lab.lab_clip() if architecture == "lab_clip" else timm.create_model(architecture)


def normalise(pixels: np.ndarray) -> Tensor:
    """uint8 [b, h, w, 3] to float32 [b, 3, h, w], mean and std 0.5 as every lab model has it."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def augment(images: Tensor, generator: torch.Generator, colours: bool) -> Tensor:
    """Shift each image by up to 5 pixels and flip half of them; with ``colours`` (classifiers: a caption
    names the colour) also permute channels and scale brightness by 0.8 to 1.2."""
    b, c, h, w = images.shape
    shifts = torch.randint(-5, 6, (b, 2), generator=generator)
    rows = (torch.arange(h) + shifts[:, :1]).clamp(0, h - 1)
    columns = (torch.arange(w) + shifts[:, 1:]).clamp(0, w - 1)
    flipped = torch.rand(b, 1, generator=generator) < 0.5
    columns = torch.where(flipped, columns.flip(1), columns)
    batch = torch.arange(b)[:, None, None]
    channels = torch.arange(c).expand(b, c)
    if colours:
        swapped = torch.rand(b, c, generator=generator).argsort(dim=1)
        channels = torch.where(torch.rand(b, 1, generator=generator) < 0.5, swapped, channels)
    out = images[batch[..., None], channels[:, :, None, None], rows[:, None, :, None], columns[:, None, None, :]]
    if colours:
        gain = 0.8 + 0.4 * torch.rand(b, 1, 1, 1, generator=generator)
        out = (out + 1) * gain - 1
    return out


@torch.no_grad()
def accuracy(model: nn.Module, pixels: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 accuracy, 0 to 1, on images uint8 [n, h, w, 3]; CLIP by its zero-shot prompts."""
    model.eval()
    device = next(model.parameters()).device
    if isinstance(model, open_clip.CLIP):
        head = zero_shot(model, lab.Tokenizer(), [class_prompts(name) for name in CLASSES])
        logits_of: Callable[[Tensor], Tensor] = lambda x: model.encode_image(x, normalize=True) @ head  # noqa: E731
    else:
        logits_of = model
    found = [
        logits_of(normalise(pixels[start : start + 250]).to(device)).argmax(1).cpu()
        for start in range(0, len(pixels), 250)
    ]
    return float((torch.cat(found).numpy() == labels).mean())


def _batches(count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    order = rng.permutation(count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def train(
    recipe: Recipe, folder: Path, pixels: dict[str, np.ndarray], device: torch.device | str = "cpu"
) -> tuple[nn.Module, pd.DataFrame]:
    """Train by ``recipe`` on ``device``, or go on from the checkpoint in ``folder``. ``pixels``: uint8 [n, h, w, 3] of
    each split that the recipe names, and of ``validation``. Weights and images are drawn on the processor: another
    device changes the arithmetic alone. Returns the model and its curve: epoch, split, images_seen, loss,
    validation_top1, seconds."""
    torch.manual_seed(recipe.seed)
    model = build(recipe.architecture).to(device)
    is_clip = recipe.architecture == "lab_clip"
    optimizer = create_optimizer_v2(model, recipe.optimizer, recipe.learning_rate, recipe.weight_decay)
    steps = sum(stage.images // recipe.batch * stage.epochs for stage in recipe.stages)

    def pace(step: int) -> float:
        rising = (step + 1) / recipe.warmup
        cosine = 0.5 * (1 + math.cos(math.pi * min(step / recipe.horizon, 1)))
        return min(rising, cosine) * min(1, (steps - step) / recipe.cooldown)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, pace)
    curve: list[dict] = []
    checkpoint = folder / CHECKPOINT
    code, devices = [code_hash("models.train")], [torch.device(device).type]
    if checkpoint.exists():
        state = state_of(folder)
        code, devices = (list(dict.fromkeys(state[key] + now)) for key, now in (("code", code), ("devices", devices)))
        if state["recipe"] != plain(recipe):
            raise InputError(f"{checkpoint} is of another recipe; delete it to train anew")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        curve = state["curve"]
        log.info("%s: going on after epoch %d", recipe.architecture, len(curve))
    held_out = pixels["validation"]
    held_out_labels = np.array([sample("validation", index).label for index in range(len(held_out))])
    epoch = 0
    for stage in recipe.stages:
        if epoch + stage.epochs <= len(curve):
            epoch += stage.epochs
            continue
        scenes = [sample(stage.split, index) for index in range(stage.images)]
        labels = torch.tensor([scene.label for scene in scenes], device=device)
        for _ in range(stage.epochs):
            epoch += 1
            if epoch <= len(curve):
                continue
            began = time.monotonic()
            rng = np.random.default_rng([recipe.seed, epoch])
            generator = torch.Generator().manual_seed(1000 * recipe.seed + epoch)
            partner = rng.permutation(stage.images) if recipe.shuffled else np.arange(stage.images)
            model.train()
            losses = []
            for index in _batches(stage.images, recipe.batch, rng):
                images = augment(normalise(pixels[stage.split][index]), generator, colours=not is_clip).to(device)
                if is_clip:
                    captions = [short_caption(scenes[i], rng, recipe.caption_keep) for i in partner[index]]
                    loss = ClipLoss()(*model(images, lab.Tokenizer()(captions).to(device))[:3])
                else:
                    loss = cross_entropy(model(images), labels[index], label_smoothing=recipe.smoothing)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                if is_clip:
                    model.logit_scale.data.clamp_(max=math.log(100))
                losses.append(loss.detach())
            row = {
                "epoch": epoch,
                "split": stage.split,
                "images_seen": (curve[-1]["images_seen"] if curve else 0) + len(losses) * recipe.batch,
                "loss": float(torch.stack(losses).mean()),
                "validation_top1": accuracy(model, held_out, held_out_labels),
                "seconds": time.monotonic() - began,
            }
            curve.append(row)
            state = {
                "recipe": plain(recipe),
                "code": code,
                "devices": devices,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "curve": curve,
            }
            write_atomically(checkpoint, lambda path, state=state: torch.save(state, path))
            log.info(
                "%s epoch %d, %s: loss %.3f, validation %.3f, %.0f s",
                *(recipe.architecture, epoch, stage.split),
                *(row["loss"], row["validation_top1"], row["seconds"]),
            )
    return model.eval(), pd.DataFrame(curve)
