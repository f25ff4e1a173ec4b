"""From images to class logits: a model's own classifier, or CLIP's zero-shot head."""

from collections.abc import Callable
from dataclasses import dataclass

import open_clip
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vitexplore.data.captions import class_prompts
from vitexplore.data.shapes import CLASSES
from vitexplore.errors import InputError
from vitexplore.models.lab import Tokenizer
from vitexplore.models.registry import Model

TEXTS_AT_ONCE = 100


@dataclass(frozen=True)
class Head:
    """``text``: None for a classifier of its own, else the classes' text embeddings [c, classes]."""

    model: Model
    text: Tensor | None

    def __call__(self, images: Tensor) -> Tensor:
        """Logits [b, classes] for preprocessed images."""
        if self.text is None:
            return self.model.module(images)
        return self.model.module.encode_image(images, normalize=True) @ self.text


def tells(model: Model, classes: int) -> bool:
    """Whether ``model`` says which of so many classes an image is of."""
    if model.spec.family == "clip":
        return True
    return getattr(model.module, "num_classes", classes) == classes  # torchvision's models do not say


@torch.no_grad()
def make_head(model: Model, classes: tuple[str, ...]) -> Head:
    """The head of ``model`` for ``classes``. CLIP's is built from the lab's captions for lab classes and
    from open_clip's 80 templates for ImageNet's. Raises InputError when a classifier's width differs."""
    if model.spec.family != "clip":
        if not tells(model, len(classes)):
            raise InputError(f"{model.spec.name} tells {model.module.num_classes} classes, the data has {len(classes)}")
        return Head(model, None)
    if model.spec.source == "lab":
        prompts = [class_prompts(name) for name in CLASSES]
    else:
        names = open_clip.IMAGENET_CLASSNAMES
        prompts = [[template(name) for template in open_clip.OPENAI_IMAGENET_TEMPLATES] for name in names]
    if len(prompts) != len(classes):
        raise InputError(f"{model.spec.name} has prompts for {len(prompts)} classes, the data has {len(classes)}")
    return Head(model, text_embeddings(model, prompts))


def text_embeddings(model: Model, prompts: list[list[str]]) -> Tensor:
    """``zero_shot`` with the tokenizer that belongs to a CLIP."""
    lab = model.spec.source == "lab"
    tokenize = Tokenizer() if lab else open_clip.get_tokenizer(model.spec.architecture.partition("/")[0])
    return zero_shot(model.module, tokenize, prompts)


@torch.no_grad()
def zero_shot(clip: nn.Module, tokenize: Callable[[list[str]], Tensor], prompts: list[list[str]]) -> Tensor:
    """[embedding, classes]: each class's mean normalised prompt embedding, normalised again (Radford et al. 2021,
    section 3.1.4)."""
    device = next(clip.parameters()).device
    tokens = tokenize([text for texts in prompts for text in texts]).to(device)
    each = torch.cat([clip.encode_text(part, normalize=True) for part in tokens.split(TEXTS_AT_ONCE)])
    columns = [part.mean(0) for part in each.split([len(texts) for texts in prompts])]
    return normalize(torch.stack(columns), dim=1).T
