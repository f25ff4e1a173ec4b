"""Cutting a ViT open: its token stream, run block by block, with and without the CLS token.

Works on timm's VisionTransformer, alone or as open_clip's image tower, and on open_clip's own ViT; not on one with a
distillation token, whose two heads read two tokens.
Tokens are float [images, tokens, channels]; prefix tokens (CLS) come first.
"""

from open_clip.transformer import VisionTransformer as OpenClipViT
from timm.models import VisionTransformer
from timm.models.deit import VisionTransformerDistilled
from torch import Tensor, nn
from torch.nn.functional import normalize

from vitexplore.errors import InputError
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model
from vitexplore.models.sites import blocks_of


class OpenViT:
    """A plain ViT with a CLS token, taken apart. Raises InputError for another architecture, and for a model whose head
    does not read CLS, or reads the distillation token too."""

    def __init__(self, model: Model, head: Head) -> None:
        self._timm = isinstance(model.trunk, VisionTransformer)
        if reason := _why_not(model.trunk):
            raise InputError(f"{model.spec.name} {reason}: token mixing does not apply to it")
        self.blocks = blocks_of(model.trunk)
        self._module, self._trunk, self._head = model.module, model.trunk, head
        self.prefix: int = model.trunk.num_prefix_tokens if self._timm else 1

    def embed(self, images: Tensor) -> Tensor:
        """The tokens that enter block 0, positions added."""
        trunk = self._trunk
        if self._timm:
            return trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(images)))
        return trunk._embeds(images)

    def run(self, tokens: Tensor, start: int, stop: int) -> Tensor:
        """``tokens`` after blocks ``start`` to ``stop - 1``. Attention is over whatever tokens there are."""
        first = self._timm or self._trunk.transformer.batch_first
        tokens = tokens if first else tokens.transpose(0, 1)
        for block in self.blocks[start:stop]:
            tokens = block(tokens)
        return tokens if first else tokens.transpose(0, 1)

    def classify(self, tokens: Tensor) -> Tensor:
        """Final norm and classifier, made for CLS, on each token on its own: logits [..., classes]."""
        trunk = self._trunk
        if self._timm:
            features = trunk.fc_norm(trunk.norm(tokens))
            if trunk is not self._module:
                features = self._module.visual.head(features)
        else:
            features = trunk.ln_post(tokens) @ trunk.proj
        if self._head.text is None:
            return trunk.head(features)
        return normalize(features, dim=-1) @ self._head.text


def _why_not(trunk: nn.Module) -> str:
    """Why ``trunk`` cannot be taken apart, empty if it can."""
    if isinstance(trunk, VisionTransformerDistilled):
        return "reads its class from two tokens, CLS and distillation"
    if isinstance(trunk, VisionTransformer):
        reads_cls = trunk.global_pool == "token"
    else:
        reads_cls = isinstance(trunk, OpenClipViT) and trunk.pool_type == "tok"
    return "" if reads_cls else "reads no class from a CLS token as a plain ViT does"
