"""Cutting a ViT open: its token stream, run block by block, with and without the CLS token.

Works on timm's VisionTransformer, alone or as open_clip's image tower, and on open_clip's own ViT.
Tokens are float [images, tokens, channels]; prefix tokens (CLS) come first.
"""

from torch import Tensor
from torch.nn.functional import normalize

from vitexplore.errors import InputError
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model
from vitexplore.models.sites import blocks_of


class OpenViT:
    """A model with a CLS token, taken apart. Raises InputError for a model whose head does not read one."""

    def __init__(self, model: Model, head: Head) -> None:
        self._timm = hasattr(model.trunk, "patch_embed")
        pooling = ("global_pool", "token") if self._timm else ("pool_type", "tok")
        if not model.is_vit or getattr(model.trunk, pooling[0]) != pooling[1]:
            raise InputError(f"{model.spec.name} reads no class from a CLS token: token mixing does not apply to it")
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
