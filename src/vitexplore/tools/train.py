"""Train a model of the lab; goes on from its last epoch when it was interrupted."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from timm.layers import set_fused_attn

from vitexplore.code_hash import code_hash
from vitexplore.data.scenes import WORLD, draw_split, sample
from vitexplore.errors import InputError
from vitexplore.io import sha256, write_atomically, write_json
from vitexplore.models.train import GROWN, RECIPES, accuracy, plain, state_of, train
from vitexplore.provenance import versions
from vitexplore.threads import use_threads

VALIDATION, TEST = 2048, 4000


def pixels_of(split: str, count: int, workers: int, folder: Path) -> np.ndarray:
    """uint8 [count, h, w, 3], kept in ``folder`` for the other models' training."""
    path = folder / f"{split}_{count}_{code_hash('data.scenes')}.npy"
    if not path.exists():
        drawn, _, _ = draw_split(split, count, workers)
        write_atomically(path, lambda temporary: np.save(temporary, drawn))
    return np.load(path)


def train_recipe(recipe: str, seed: int, workers: int, out: Path, device: torch.device) -> None:
    """Train by a recipe of the lab; ``seed`` is of the initial weights and of the order of the images. Weights, record,
    curve and checkpoint go to the folder ``out``. Raises InputError for an unknown recipe, and where ``out`` holds a
    training by another."""
    known = RECIPES | GROWN
    if recipe not in known:
        raise InputError(f"no training recipe {recipe!r}; there are {', '.join(known)}")
    wanted = replace(known[recipe], seed=seed)
    use_threads(workers)
    set_fused_attn(False)  # at 16 channels a head the plain attention is a tenth faster on a CPU
    scenes = out.parent / "scenes"
    needed = {stage.split: stage.images for stage in wanted.stages} | {"validation": VALIDATION, "test": TEST}
    pixels = {split: pixels_of(split, count, workers, scenes) for split, count in needed.items()}
    model, curve = train(wanted, out, pixels, device)
    weights = out / f"{recipe}_s{seed}.safetensors"
    # CoaT's blocks share encodings, which stand in a state dict once for each block: safetensors wants copies
    tensors = {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}
    write_atomically(weights, lambda path: save_file(tensors, path))
    write_atomically(weights.with_suffix(".csv"), lambda path: curve.to_csv(path, index=False, float_format="%.4f"))
    state = state_of(out)
    test_labels = np.array([sample("test", index).label for index in range(TEST)])
    record = {
        "recipe": plain(wanted),
        "world": WORLD,
        "images_seen": int(curve["images_seen"].iloc[-1]),
        "minutes": round(float(curve["seconds"].sum()) / 60, 1),
        "validation_top1": float(curve["validation_top1"].iloc[-1]),
        "test_top1": accuracy(model, pixels["test"], test_labels),
        "sha256": sha256(weights),
        "data_sha256": {split: hashlib.sha256(found.tobytes()).hexdigest() for split, found in pixels.items()},
        "training_code": state["code"],
        "device": ", ".join(state["devices"]),
        "libraries": versions(),
    }
    write_json(weights.with_suffix(".json"), record)
