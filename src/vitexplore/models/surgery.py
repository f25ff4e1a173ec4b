"""Cutting a ViT open: its token stream, run block by block, with and without the CLS token.

Works on timm's VisionTransformer, alone or as open_clip's image tower, and on open_clip's own ViT; not on one with a
distillation token, whose two heads read two tokens.
Tokens are float [images, tokens, channels]; prefix tokens (CLS) come first.
"""

from open_clip.transformer import VisionTransformer as OpenClipViT
from timm.models import VisionTransformer
from timm.models.deit import VisionTransformerDistilled
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from vitexplore.errors import InputError
from vitexplore.models.heads import Head
from vitexplore.models.registry import Model
from vitexplore.models.sites import blocks_of


class OpenViT:
    """A plain ViT with a CLS token, taken apart. ``head`` is needed to classify alone. Raises InputError for another
    architecture, and for a model whose head does not read CLS, or reads the distillation token too."""

    def __init__(self, model: Model, head: Head | None = None) -> None:
        self._timm = isinstance(model.trunk, VisionTransformer)
        if reason := _why_not(model.trunk):
            raise InputError(f"{model.spec.name} {reason}: token mixing does not apply to it")
        self.blocks = blocks_of(model.trunk)
        self._module, self._trunk, self._head = model.module, model.trunk, head
        self.prefix: int = model.trunk.num_prefix_tokens if self._timm else 1

    @staticmethod
    def applies(model: Model) -> bool:
        """Whether ``model`` can be taken apart so."""
        return not _why_not(model.trunk)

    def embed(self, images: Tensor) -> Tensor:
        """The tokens that enter block 0, positions added."""
        trunk = self._trunk
        if self._timm:
            return trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(images)))
        return trunk._embeds(images)

    def run(self, tokens: Tensor, start: int, stop: int) -> Tensor:
        """``tokens`` after blocks ``start`` to ``stop - 1``. Attention is over whatever tokens there are."""
        tokens = self._ordered(tokens)
        for block in self.blocks[start:stop]:
            tokens = block(tokens)
        return self._ordered(tokens)

    def attention(self, tokens: Tensor, block: int) -> tuple[Tensor, Tensor]:
        """What block ``block`` does with the ``tokens`` that enter it: attention weights [b, heads, queries, keys],
        rows summing to 1, and values [b, heads, keys, c]."""
        layer, attention = self.blocks[block], self.blocks[block].attn
        if self._timm:
            qkv = attention.qkv(layer.norm1(tokens))
        else:
            qkv = linear(layer.ln_1(tokens), attention.in_proj_weight, attention.in_proj_bias)
        query, key, value = qkv.unflatten(2, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
        if self._timm:
            query, key = attention.q_norm(query), attention.k_norm(key)
        return (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1), value

    def attend(self, tokens: Tensor, block: int, weights: Tensor) -> Tensor:
        """The ``tokens`` that enter block ``block`` after it, with attention ``weights`` [queries, keys] (or [b, heads,
        queries, keys]) in the place of its own."""
        layer, (_, value) = self.blocks[block], self.attention(tokens, block)
        mixed = (weights.to(value) @ value).transpose(1, 2).flatten(2)
        if self._timm:
            tokens = tokens + layer.ls1(layer.attn.proj(layer.attn.norm(mixed)))
            return tokens + layer.ls2(layer.mlp(layer.norm2(tokens)))
        tokens = tokens + layer.ls_1(layer.attn.out_proj(mixed))
        return tokens + layer.ls_2(layer.mlp(layer.ln_2(tokens)))

    def written(self, tokens: Tensor, block: int) -> Tensor:
        """What the attention of block ``block`` adds to the ``tokens`` that enter it, of the same shape: its projected
        output, scaled where the block scales it."""
        layer = self.blocks[block]
        if self._timm:
            return layer.ls1(layer.attn(layer.norm1(tokens)))
        return self._ordered(layer.ls_1(layer.attention(layer.ln_1(self._ordered(tokens)))))

    def normed(self, tokens: Tensor) -> Tensor:
        """The final norm, made for CLS, of each token on its own: [..., c]."""
        trunk = self._trunk
        return trunk.fc_norm(trunk.norm(tokens)) if self._timm else trunk.ln_post(tokens)

    def head(self, normed: Tensor) -> Tensor:
        """The classifier, made for CLS after the final norm, on ``normed`` tokens or means of them: logits
        [..., classes]."""
        if self._head.text is None:
            return self._trunk.head(normed)
        embedded = self._module.visual.head(normed) if self._timm else normed @ self._trunk.proj
        return normalize(embedded, dim=-1) @ self._head.text

    def classify(self, tokens: Tensor) -> Tensor:
        """Final norm and classifier on each token on its own: logits [..., classes]."""
        return self.head(self.normed(tokens))

    def _ordered(self, tokens: Tensor) -> Tensor:
        """From images first to the order of axes that the blocks take, and back."""
        return tokens if self._timm or self._trunk.transformer.batch_first else tokens.transpose(0, 1)


class Pooled:
    """A transformer whose head reads the mean over its last positions (Swin, ViTs without CLS), taken apart."""

    def __init__(self, model: Model, head: Head) -> None:
        self._trunk, self._head = model.trunk, head

    @staticmethod
    def applies(model: Model) -> bool:
        """Whether ``model`` is such a one."""
        return model.spec.family == "vit" and model.is_vit and getattr(model.trunk, "global_pool", "") == "avg"

    def positions(self, images: Tensor) -> Tensor:
        """What the mean is taken of: [b, p, c]."""
        features = self._trunk.forward_features(images)
        if isinstance(self._trunk, VisionTransformer):
            return features[:, self._trunk.num_prefix_tokens :]
        return features.flatten(1, -2)

    def classify(self, positions: Tensor) -> Tensor:
        """The classifier on each position on its own: logits [..., classes]."""
        trunk = self._trunk
        if isinstance(trunk, VisionTransformer):
            positions = trunk.fc_norm(positions)
        return getattr(trunk.head, "fc", trunk.head)(positions)


def cut_open(model: Model, head: Head) -> OpenViT | Pooled:
    """``model`` taken apart in the way that suits it. Raises InputError where none does."""
    return Pooled(model, head) if Pooled.applies(model) else OpenViT(model, head)


def _why_not(trunk: nn.Module) -> str:
    """Why ``trunk`` cannot be taken apart, empty if it can."""
    if isinstance(trunk, VisionTransformerDistilled):
        return "reads its class from two tokens, CLS and distillation"
    if isinstance(trunk, VisionTransformer):
        reads_cls = trunk.global_pool == "token"
    else:
        reads_cls = isinstance(trunk, OpenClipViT) and trunk.pool_type == "tok"
    return "" if reads_cls else "reads no class from a CLS token as a plain ViT does"
