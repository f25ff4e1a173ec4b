"""The plain way to visualize a feature, as the paper's code does it: the yardstick of the bench.

One feature at a time, the whole model forward at every step, a hook that keeps the site's activations. Recipe
`released`, with the weights frozen, which that code leaves out.
"""

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from vitexplore.models.registry import Model
from vitexplore.visualize.recipes import RELEASED

SHIFT = 12  # the side over the largest shift


class NaiveRun:
    """One feature: ``step()`` as often as there are steps, then ``image`` float [3, side, side]."""

    def __init__(self, model: Model, module: nn.Module, prefix: int, channel: int, steps: int = RELEASED.steps) -> None:
        """``module``: whose output [b, tokens, channels] is caught; ``prefix``: tokens that are not patches."""
        self.model, self.module, self.prefix, self.channel, self.steps = model, module, prefix, channel, steps
        side, self.device = model.spec.input_size, model.device
        self.generator = torch.Generator(self.device).manual_seed(channel)
        self.parameters = torch.rand(1, 3, side, side, generator=self.generator, device=self.device).requires_grad_()
        self.optimizer = torch.optim.Adam([self.parameters], RELEASED.learning_rate, RELEASED.betas)
        self.schedule = CosineAnnealingLR(self.optimizer, steps)
        self.done = 0

    @property
    def image(self) -> Tensor:
        return self.parameters.detach()[0]

    def step(self) -> None:
        copies = self._augmented()
        activation = self._activation(copies)
        loss = RELEASED.tv * self._total_variation(copies) - activation.mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        with torch.no_grad():
            self.parameters.clamp_(0, 1)
        self.done += 1

    def _augmented(self) -> Tensor:
        k, side = RELEASED.copies, self.parameters.shape[-1]
        draw = {"generator": self.generator, "device": self.device}
        images = self.parameters.repeat(k, 1, 1, 1)
        mu, log_sigma = (2 * torch.rand(k, 3, 1, 1, **draw) - 1 for _ in range(2))
        images = (images - mu) / log_sigma.exp()
        images = images + 0.5 * (1 - self.done / self.steps) * torch.randn(k, 3, 1, 1, **draw)
        limit = round(side / SHIFT)
        shift = torch.randint(-limit, limit + 1, (2,), **draw).tolist()
        return images.roll(shift, (2, 3))

    def _activation(self, images: Tensor) -> Tensor:
        """Mean over patches of the feature's map, for each copy: [k]."""
        caught: list[Tensor] = []
        handle = self.module.register_forward_hook(lambda _module, _inputs, output: caught.append(output))
        mean, std = (images.new_tensor(values)[:, None, None] for values in (self.model.spec.mean, self.model.spec.std))
        self.model.module((images - mean) / std)
        handle.remove()
        return caught[0][:, self.prefix :, self.channel].mean(1)

    @staticmethod
    def _total_variation(images: Tensor) -> Tensor:
        differences = (
            images[..., :, 1:] - images[..., :, :-1],
            images[..., 1:, :] - images[..., :-1, :],
            images[..., 1:, 1:] - images[..., :-1, :-1],
            images[..., 1:, :-1] - images[..., :-1, 1:],
        )
        return sum(each.flatten(2).norm(dim=2).mean() for each in differences)
