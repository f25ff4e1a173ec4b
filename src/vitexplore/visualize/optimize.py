"""Feature visualization by optimization (paper section 3, equation 1), many features in one batch.

    x* = argmax_x  mean over copies k [ f(a_k(x)) - tv * TV(a_k(x)) ]

with f an objective's value (such as the mean over positions of a channel), a_k a recipe's augmentations, drawn anew
each step, and the model's normalisation after them. The paper writes sums where this has means; Adam does not see a
common factor. Nothing after the site runs, the model's weights are frozen, and each feature has its own random stream:
its picture does not depend on what else is in the batch.
"""

import hashlib
import json
import logging
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitexplore.errors import InputError
from vitexplore.io import write_atomically, write_json
from vitexplore.models.registry import Model
from vitexplore.visualize.accentuate import Near
from vitexplore.visualize.augment import AUGMENTATIONS
from vitexplore.visualize.captured import Captured
from vitexplore.visualize.fold import faster
from vitexplore.visualize.memory import fitting_batch, is_out_of_memory
from vitexplore.visualize.objective import Objective, Value, site_name
from vitexplore.visualize.parametrize import PARAMETRIZATIONS, Parametrization
from vitexplore.visualize.recipes import Recipe
from vitexplore.visualize.transparency import opacity

log = logging.getLogger(__name__)

Report = Callable[[float], None]


@dataclass(frozen=True)
class Visualization:
    """``images`` float [f, 3, size, size] in [0, 1]; ``loss`` [steps, f]; ``score`` [f]: the objective on the clean
    image, which exemplars' scores compare with; ``batch``: how many features were optimized together; ``transparency``,
    where it was asked for: float [f, size, size], 1 where the feature is in its image and 0 where it is not (see
    transparency.py)."""

    images: Tensor
    loss: Tensor
    score: Tensor
    batch: int
    transparency: Tensor | None = None

    @property
    def rgba(self) -> Tensor:
        """The images with their transparency as alpha, for ``png.encode``: [f, 4, size, size] in [0, 1]. Raises
        InputError where it was not asked for."""
        if self.transparency is None:
            raise InputError("no transparency was recorded; visualize with transparency=True")
        return torch.cat([self.images, self.transparency[:, None]], dim=1)


@dataclass(frozen=True)
class Checkpoint:
    """A folder in which a run leaves its state, and how many seconds lie between two writes. It goes when the run
    ends, unless ``keep`` leaves it to a caller that has more to do, and would else do this again after a kill."""

    folder: Path
    every: float = 30.0
    keep: bool = False


def visualize(
    model: Model,
    objective: Objective,
    recipe: Recipe,
    seed: int = 0,
    batch: int | None = None,
    checkpoint: Checkpoint | None = None,
    report: Report = lambda features: None,
    *,
    start: Tensor | None = None,
    near: Near | None = None,
    transparency: bool = False,
) -> Visualization:
    """Visualize all features of ``objective``, ``batch`` at a time (None: as many as fit the free memory; halved when
    memory runs out all the same); a joint objective's all at once. With a ``checkpoint`` a run that was killed goes on
    from its last write and ends with the same bytes. ``report`` is told how many features were done since it was last
    called, in parts; less than 0 where a batch starts over. On a GPU the model runs in bfloat16; image, total variation
    and optimizer stay in float32.

    ``start`` [f, 3, h, w] in [0, 1]: images to begin with in place of noise, of the model's size, an image for each
    feature, and ``near``: what keeps the images like them. ``transparency``: record where the features are, which keeps
    a step's activations until its end. A CNN makes images of another size by `at_size`.

    Raises InputError for what the model lacks, a ``start`` that does not fit, and a checkpoint of another run;
    FloatingPointError, naming the features, when an image or a loss is not finite."""
    _check_start(start, near, len(objective.labels), model.spec.input_size)
    engine = Engine(model, recipe, seed, near, transparency)
    count, told = len(objective.labels), 0.0

    def tell(features: float) -> None:
        nonlocal told
        told += features
        report(features)

    objective.bind(model)  # refuse what the model lacks before anything is written
    store = _Store(checkpoint, _identity(model, objective, recipe, seed, start, near, transparency))
    if objective.joint:
        batch = count
    one = slice(0, 1)
    batch = store.batch or batch or fitting_batch(lambda: engine.trial(objective.take(one), _part(start, one)), model)
    batch = min(batch, count)
    store.begin(batch)
    parts = store.finished()
    done = sum(len(part["images"]) for part in parts)
    tell(done)
    while done < count:
        which = slice(done, done + batch)
        part = objective.take(which)
        try:
            parts.append(engine.run(part, store, tell, _part(start, which)))
        except RuntimeError as error:
            if not is_out_of_memory(error) or batch == 1 or objective.joint:
                raise
            batch //= 2
            log.warning("out of memory: going on with %d features at once", batch)
            store.begin(batch)
            tell(done - told)
            continue
        store.finish(len(parts) - 1, parts[-1])
        done += len(part.labels)
    store.clear()
    whole = {key: torch.cat([part[key] for part in parts], dim=int(key == "loss")) for key in parts[0]}
    return Visualization(**whole, batch=batch)


class Engine:
    """One model, recipe and seed; runs batches of features. ``visualize`` is the way in; the bench times its steps."""

    def __init__(
        self, model: Model, recipe: Recipe, seed: int, near: Near | None = None, transparency: bool = False
    ) -> None:
        if unknown := [name for name in recipe.augmentations if name not in AUGMENTATIONS]:
            raise InputError(f"no augmentation {unknown[0]!r}; there are {', '.join(AUGMENTATIONS)}")
        if recipe.parametrization not in PARAMETRIZATIONS:
            raise InputError(f"no parametrization {recipe.parametrization!r}; there are {', '.join(PARAMETRIZATIONS)}")
        self.model, self.recipe, self.seed = faster(model), recipe, seed
        self.near, self.transparency = near, transparency
        self.on_gpu = model.device.type == "cuda"
        self.layout = torch.contiguous_format if model.is_vit else torch.channels_last
        self.augmentations = [AUGMENTATIONS[name] for name in recipe.augmentations]
        self.normalise = normaliser(model)

    def start(self, objective: Objective, images: Tensor | None = None) -> dict[str, Any]:
        """The state of a batch before its first step, from ``images`` or from noise."""
        device, size, count = self.model.device, self.model.spec.input_size, len(objective.labels)
        generators = [torch.Generator(device).manual_seed(self.seed * 1_000_003 + label) for label in objective.labels]
        parametrization: Parametrization = PARAMETRIZATIONS[self.recipe.parametrization]()
        if images is None:
            parameters = parametrization.start(generators, size)
        else:
            parametrization, parameters = parametrization.of(images.to(device))
        optimizer = torch.optim.Adam([parameters.requires_grad_()], betas=self.recipe.betas, capturable=self.on_gpu)
        state = {
            "labels": list(objective.labels),
            "parametrization": parametrization,
            "parameters": parameters,
            "optimizer": optimizer,
            "generators": generators,
            "loss": torch.zeros(self.recipe.steps, count, device=device),
            "step": 0,
        }
        if self.on_gpu:
            state["progress"], state["rate"] = torch.zeros((), device=device), torch.zeros((), device=device)
        if self.near:
            state["distance"] = self.near.bind(self.model, self.normalise(images.to(device)))
        if self.transparency:
            state["pull"] = torch.zeros(count, size, size, device=device)
        return state

    def update(self, now: dict[str, Any], value: Value) -> Callable[[], Tensor]:
        """What moves the parameters of ``now`` at each step and returns the loss [f]; on a GPU it is recorded once."""
        update = partial(self._update, now, value)
        return Captured(update, now["generators"], self.model.device) if self.on_gpu else update

    def step(self, now: dict[str, Any], update: Callable[[], Tensor]) -> None:
        """One step of all features of a batch; nothing here waits for the device."""
        progress = now["step"] / self.recipe.steps
        rate = self.recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
        if self.on_gpu:  # a recorded step reads them where they lie
            now["progress"].fill_(progress)
            now["rate"].fill_(rate)
        else:
            now["progress"], now["rate"] = progress, rate
        now["loss"][now["step"]] = update()
        now["step"] += 1

    def _update(self, now: dict[str, Any], value: Value) -> Tensor:
        recipe, device = self.recipe, self.model.device.type
        images = now["parametrization"].images(now["parameters"])
        copies = images[:, None].expand(-1, recipe.copies, -1, -1, -1)
        for augmentation in self.augmentations:
            copies = augmentation(copies, now["generators"], now["progress"])
        with torch.autocast(device, torch.bfloat16, enabled=self.on_gpu):
            inputs = self.normalise(copies.flatten(0, 1)).contiguous(memory_format=self.layout)
            if self.transparency:
                inputs.retain_grad()
            activation = value(inputs)
        loss = recipe.tv * total_variation(copies) - activation.float().mean(1)
        if self.near:
            loss = loss + now["distance"](self.normalise(images))
        optimizer = now["optimizer"]
        optimizer.param_groups[0]["lr"] = now["rate"]
        optimizer.zero_grad()
        loss.sum().backward(retain_graph=self.transparency)
        if self.transparency:  # of the objective alone: total variation pulls at every pixel
            (pull,) = torch.autograd.grad(inputs, images, inputs.grad)
            now["pull"] += pull.abs().mean(1)
        optimizer.step()
        with torch.no_grad():
            now["parametrization"].project_(now["parameters"])
        return loss.detach()

    def trial(self, objective: Objective, start: Tensor | None = None) -> None:
        """One step and no more: what it allocates tells how many features fit."""
        now = self.start(objective, start)
        self.step(now, self.update(now, objective.bind(self.model, self.recipe.leak)))

    def run(
        self, objective: Objective, store: "_Store", report: Report, start: Tensor | None = None
    ) -> dict[str, Tensor]:
        """All steps of one batch, from where ``store`` has it."""
        now = self.start(objective, start)
        if kept := store.running(objective.labels):
            _restore(now, kept)
        value = objective.bind(self.model, self.recipe.leak)
        update, share = self.update(now, value), len(objective.labels) / self.recipe.steps
        report(share * now["step"])
        while now["step"] < self.recipe.steps:
            self.step(now, update)
            report(share)
            store.keep(now)
        with torch.no_grad():
            images = now["parametrization"].images(now["parameters"].detach())
            score = value(self.normalise(images))[:, 0].float()
        _check_finite(self.model, objective, images, now["loss"])
        found = {"images": images, "loss": now["loss"], "score": score}
        if self.transparency:
            found["transparency"] = opacity(now["pull"])
        return {name: tensor.cpu() for name, tensor in found.items()}


class _Store:
    """What is on disk of a run: its batch size, the batches that are done, the state of the one that runs. Without
    a checkpoint it keeps nothing."""

    def __init__(self, checkpoint: Checkpoint | None, identity: str) -> None:
        self.checkpoint, self.identity = checkpoint, identity
        self.batch = 0
        self.written = time.monotonic()
        if checkpoint and (run := checkpoint.folder / "run.json").exists():
            state = json.loads(run.read_text())
            if state["identity"] != identity:
                raise InputError(f"{checkpoint.folder} is of another run; delete it to start anew")
            self.batch = state["batch"]
            log.info("going on from %s", checkpoint.folder)

    def begin(self, batch: int) -> None:
        """Batches of ``batch`` features from here on; the state of one of another size is void."""
        if self.checkpoint and batch != self.batch:
            (self.checkpoint.folder / "running.pt").unlink(missing_ok=True)
            write_json(self.checkpoint.folder / "run.json", {"identity": self.identity, "batch": batch})

    def finished(self) -> list[dict[str, Tensor]]:
        paths = sorted(self.checkpoint.folder.glob("part_*.pt")) if self.checkpoint else []
        return [torch.load(path, "cpu", weights_only=True) for path in paths]

    def running(self, labels: Sequence[int]) -> dict[str, Any] | None:
        """The state of the batch of ``labels``: one that was killed between two batches may have left the last's."""
        path = self.checkpoint.folder / "running.pt" if self.checkpoint else None
        kept = torch.load(path, "cpu", weights_only=True) if path and path.exists() else {}
        return kept if kept.get("labels") == list(labels) else None

    def keep(self, now: dict[str, Any]) -> None:
        """Write the running batch's state if the last write is long enough ago."""
        if self.checkpoint and time.monotonic() - self.written > self.checkpoint.every:
            plain = _plain(now)
            write_atomically(self.checkpoint.folder / "running.pt", lambda path: torch.save(plain, path))
            self.written = time.monotonic()

    def finish(self, number: int, part: dict[str, Tensor]) -> None:
        if self.checkpoint:
            path = self.checkpoint.folder / f"part_{number:05d}.pt"
            write_atomically(path, lambda temporary: torch.save(part, temporary))
            (self.checkpoint.folder / "running.pt").unlink(missing_ok=True)

    def clear(self) -> None:
        if self.checkpoint and not self.checkpoint.keep:
            shutil.rmtree(self.checkpoint.folder, ignore_errors=True)


def total_variation(images: Tensor) -> Tensor:
    """Sum of the L2 norms over (h, w) of four finite differences (x, y, both diagonals), averaged over
    copies and channels: [f] from [f, k, c, h, w]."""
    right = images[..., :, 1:] - images[..., :, :-1]
    down = images[..., 1:, :] - images[..., :-1, :]
    falling = images[..., 1:, 1:] - images[..., :-1, :-1]
    rising = images[..., 1:, :-1] - images[..., :-1, 1:]
    norms = [torch.linalg.vector_norm(d, dim=(-2, -1)) for d in (right, down, falling, rising)]
    return sum(norms).mean((1, 2))


def normaliser(model: Model) -> Callable[[Tensor], Tensor]:
    """From images [b, 3, h, w] in [0, 1] on the model's device to its input."""
    mean, std = (torch.tensor(v, device=model.device)[:, None, None] for v in (model.spec.mean, model.spec.std))
    return lambda images: (images - mean) / std


def _part(start: Tensor | None, part: slice) -> Tensor | None:
    return None if start is None else start[part]


def _check_start(start: Tensor | None, near: Near | None, count: int, size: int) -> None:
    if start is None:
        if near:
            raise InputError("near: there is nothing to stay near; name images to start from")
        return
    if start.shape != (count, 3, size, size):
        raise InputError(f"start is {list(start.shape)}, not {[count, 3, size, size]}: an image for each feature")
    if not (start.min() >= 0 and start.max() <= 1):
        raise InputError("start has pixels outside [0, 1]; leave out the model's normalisation")


def _check_finite(model: Model, objective: Objective, images: Tensor, loss: Tensor) -> None:
    bad = ~(torch.isfinite(loss).all(0) & torch.isfinite(images).flatten(1).all(1))
    if bad.any():
        names = ", ".join(str(objective.labels[i]) for i in bad.nonzero()[:, 0].tolist())
        where = ", ".join(site_name(site) for site in objective.sites)
        raise FloatingPointError(f"{model.spec.name} {where}: not finite for feature {names}")


def _identity(model: Model, objective: Objective, recipe: Recipe, seed: int, *options: Any) -> str:
    """What a checkpoint must be of to go on from it."""
    what = {
        "weights": model.weight_hash,
        "size": model.spec.input_size,
        "objective": _whole(objective),
        "recipe": asdict(recipe),
        "seed": seed,
        "options": _whole(options),
        "device": model.device.type,
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _whole(value: Any) -> Any:
    """All that makes a value equal to another: ``repr`` rounds a tensor, and leaves out the middle of a large one."""
    if isinstance(value, Tensor):
        return hashlib.sha256(value.detach().cpu().double().numpy().tobytes()).hexdigest()
    if isinstance(value, tuple):
        return [_whole(part) for part in value]
    if is_dataclass(value):
        return [type(value).__name__, {f.name: _whole(getattr(value, f.name)) for f in fields(value) if f.compare}]
    return repr(value)


def _plain(now: dict[str, Any]) -> dict[str, Any]:
    plain = {
        "labels": now["labels"],
        "parameters": now["parameters"].detach().cpu(),
        "optimizer": now["optimizer"].state_dict(),
        "generators": [generator.get_state() for generator in now["generators"]],
        "loss": now["loss"].cpu(),
        "step": now["step"],
    }
    if "pull" in now:
        plain["pull"] = now["pull"].cpu()
    return plain


def _restore(now: dict[str, Any], kept: dict[str, Any]) -> None:
    with torch.no_grad():
        now["parameters"].copy_(kept["parameters"])
    now["optimizer"].load_state_dict(kept["optimizer"])
    for generator, state in zip(now["generators"], kept["generators"], strict=True):
        generator.set_state(state)
    now["loss"].copy_(kept["loss"])
    if "pull" in now:
        now["pull"].copy_(kept["pull"])
    now["step"] = kept["step"]
