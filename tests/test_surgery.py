"""Cutting a ViT open, against a forward pass that keeps CLS and patches apart with an attention mask."""

from collections.abc import Callable

import pytest
import reference_vit as reference
import torch
from timm.models import VisionTransformer
from torch import Tensor

from vitexplore.data.captions import class_prompts
from vitexplore.data.shapes import CLASSES
from vitexplore.errors import InputError
from vitexplore.measures.token_mixing import cls_only, isolated_cls
from vitexplore.models.heads import Head, make_head
from vitexplore.models.lab import Tokenizer
from vitexplore.models.registry import Model, load
from vitexplore.models.spec import ModelSpec
from vitexplore.models.surgery import OpenViT, Pooled, cut_open
from vitexplore.tools.bench_token_mixing import separate

DEPTH, SIDE, CLASS_COUNT = 3, 24, 5
VARIANTS = {
    "plain": {},
    "registers": {"reg_tokens": 2, "no_embed_class": True},
    "layer_scale": {"init_values": 0.1},
    "fc_norm": {"fc_norm": True},
}
HALF = (0.5, 0.5, 0.5)
PREPROCESSING = {"input_size": SIDE, "mean": HALF, "std": HALF, "interpolation": "bilinear", "crop": 1.0}
SPEC = ModelSpec("tiny", "timm", "tiny", "vit", "random", **PREPROCESSING)


def tiny(**options: object) -> Model:
    torch.manual_seed(0)
    shape = {"img_size": SIDE, "patch_size": 8, "embed_dim": 24, "depth": DEPTH, "num_heads": 3}
    module = VisionTransformer(**shape, num_classes=CLASS_COUNT, **options).eval().requires_grad_(False)
    for parameter in module.parameters():  # timm starts so small that blocks hardly matter
        parameter += 0.3 * torch.randn(parameter.shape)
    return Model(SPEC, module, "")


@pytest.fixture(params=VARIANTS)
def model(request) -> Model:
    return tiny(**VARIANTS[request.param])


def images(size: int = SIDE, count: int = 3) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def slow_tokens(model: Model, pictures: Tensor, joined_before: int) -> Tensor:
    """After the last block; before block ``joined_before`` prefix and patch tokens cannot see each other."""
    trunk, prefix = model.trunk, model.trunk.num_prefix_tokens
    tokens = reference.embed(trunk, pictures)
    is_patch = torch.arange(tokens.shape[1]) >= prefix
    same_side = is_patch[:, None] == is_patch[None]
    for number, block in enumerate(reference.blocks(trunk)):
        allowed = same_side if number < joined_before else None
        tokens = reference.run_block(block, tokens, allowed=allowed)["block"]
    return tokens


def slow_norm(model: Model, tokens: Tensor) -> Tensor:
    for norm in (model.trunk.norm, model.trunk.fc_norm):
        if isinstance(norm, torch.nn.LayerNorm):
            tokens = reference.layer_norm(tokens, norm)
    return tokens


def slow_head(model: Model, tokens: Tensor) -> Tensor:
    """On each token alone."""
    return slow_norm(model, tokens) @ model.trunk.head.weight.T + model.trunk.head.bias


def close(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_isolated_cls_equals_attention_with_a_mask_for_every_k(model):
    vit = OpenViT(model, Head(model, None))
    found = isolated_cls(vit, vit.embed(images()))
    assert found.shape == (DEPTH + 1, 3, CLASS_COUNT)
    for k in range(DEPTH + 1):
        close(found[k], slow_head(model, slow_tokens(model, images(), k)[:, 0]))
    assert (found[:-1] - found[1:]).abs().amax(dim=(1, 2)).min() > 1e-3  # every k is another computation


@torch.no_grad()
def test_joined_before_block_0_is_the_whole_model(model):
    vit = OpenViT(model, Head(model, None))
    close(isolated_cls(vit, vit.embed(images()))[0], model.module(images()))


@torch.no_grad()
def test_those_k_that_are_asked_for_are_those_of_all(model):
    vit = OpenViT(model, Head(model, None))
    every, some = (isolated_cls(vit, vit.embed(images()), joined) for joined in (None, [0, 1, DEPTH]))
    assert torch.equal(some, every[[0, 1, DEPTH]])


@torch.no_grad()
def test_a_cls_that_never_joins_says_the_same_of_every_image(model):
    vit = OpenViT(model, Head(model, None))
    found = isolated_cls(vit, vit.embed(images()))
    torch.testing.assert_close(found[DEPTH], found[DEPTH][:1].expand(3, -1), rtol=0, atol=1e-5)
    assert (found[DEPTH - 1] - found[DEPTH - 1][:1]).abs().max() > 1e-3


@torch.no_grad()
def test_isolated_cls_of_an_image_does_not_depend_on_its_batch(model):
    vit = OpenViT(model, Head(model, None))
    together = isolated_cls(vit, vit.embed(images()))
    close(isolated_cls(vit, vit.embed(images()[2:]))[:, 0], together[:, 2])


def slow_cls_only(model: Model, pictures: Tensor, dropped_before: int) -> Tensor:
    """CLS after the last block; from block ``dropped_before`` on, prefix tokens see prefix tokens alone."""
    trunk, prefix = model.trunk, model.trunk.num_prefix_tokens
    tokens = reference.embed(trunk, pictures)
    not_patch = torch.arange(tokens.shape[1]) < prefix
    for number, block in enumerate(reference.blocks(trunk)):
        allowed = not_patch[None].expand(tokens.shape[1], -1) if number >= dropped_before else None
        tokens = reference.run_block(block, tokens, allowed=allowed)["block"]
    return tokens[:, 0]


@torch.no_grad()
def test_cls_only_equals_attention_that_sees_no_patch_from_block_k_on(model):
    vit = OpenViT(model, Head(model, None))
    found = cls_only(vit, vit.embed(images()))
    assert found.shape == (DEPTH + 1, 3, CLASS_COUNT)
    for k in range(DEPTH + 1):
        close(found[k], slow_head(model, slow_cls_only(model, images(), k)))
    close(found[DEPTH], model.module(images()))
    assert (found[:-1] - found[1:]).abs().amax(dim=(1, 2)).min() > 1e-3


@torch.no_grad()
def test_the_head_reads_each_token_and_the_mean_of_normed_ones(model):
    vit, prefix = OpenViT(model, Head(model, None)), model.trunk.num_prefix_tokens
    last = vit.run(vit.embed(images()), 0, DEPTH)
    wanted = slow_tokens(model, images(), 0)
    each = vit.classify(last[:, prefix:])
    for position in range(9):
        close(each[:, position], slow_head(model, wanted[:, prefix + position]))
    for start in (0, prefix):  # of all tokens, of the patches
        found = vit.head(vit.normed(last)[:, start:].mean(1))
        after_norm = slow_norm(model, wanted)[:, start:].mean(dim=1)
        close(found, after_norm @ model.trunk.head.weight.T + model.trunk.head.bias)
        before_norm = slow_head(model, wanted[:, start:].mean(dim=1))
        assert (found - before_norm).abs().max() > 0.05


@torch.no_grad()
def test_the_benchs_separate_passes_compute_the_same(model):
    vit = OpenViT(model, Head(model, None))
    close(separate(vit, vit.embed(images())), isolated_cls(vit, vit.embed(images())))


@torch.no_grad()
def test_all_k_cost_about_half_of_as_many_passes():
    """Counted, not timed: tokens that go through a block."""
    model = tiny()
    seen = []
    for block in model.trunk.blocks:
        block.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape[:2].numel()))
    vit = OpenViT(model, Head(model, None))
    isolated_cls(vit, vit.embed(images()))
    every_k_on_its_own = (DEPTH + 1) * DEPTH * 3 * 10
    assert sum(seen) < 0.75 * every_k_on_its_own  # 3 blocks; the share falls to a half as there are more


AVERAGING = {
    "avg": {"class_token": False, "global_pool": "avg"},
    "avg_with_cls": {"global_pool": "avg"},
    "avg_no_fc_norm": {"class_token": False, "global_pool": "avg", "fc_norm": False},
}


@pytest.mark.parametrize("options", AVERAGING.values(), ids=AVERAGING)
@torch.no_grad()
def test_a_model_that_averages_its_positions_is_their_mean_under_the_head(options):
    model = tiny(**options)
    opened = cut_open(model, Head(model, None))
    assert isinstance(opened, Pooled)
    positions = opened.positions(images())
    assert positions.shape == (3, 9, 24)
    close(opened.classify(positions.mean(1)), model.module(images()))
    normed = (
        positions[:, 4]
        if options.get("fc_norm") is False
        else reference.layer_norm(positions[:, 4], model.trunk.fc_norm)
    )
    close(opened.classify(positions)[:, 4], normed @ model.trunk.head.weight.T + model.trunk.head.bias)


@pytest.mark.parametrize("name", ["lab_swin", "lab_twins"])
@torch.no_grad()
def test_swin_and_twins_are_their_positions_mean_under_the_head(name):
    model = load(ModelSpec("m", "lab", name, "vit", "random"))
    reference.stir(model.module)
    opened = cut_open(model, Head(model, None))
    positions = opened.positions(images(64))
    close(opened.classify(positions.mean(1)), model.module(images(64)))
    assert opened.classify(positions).shape == (*positions.shape[:2], len(CLASSES))


@torch.no_grad()
def test_running_in_pieces_is_running_at_once(model):
    vit = OpenViT(model, Head(model, None))
    tokens = vit.embed(images())
    close(vit.run(vit.run(tokens, 0, 1), 1, DEPTH), vit.run(tokens, 0, DEPTH))
    assert torch.equal(vit.run(tokens, 1, 1), tokens)


def lab_clip() -> tuple[Model, Head, Callable[[Tensor], Tensor]]:
    model = load(ModelSpec("lab_clip", "lab", "lab_clip", "clip", "random"))
    return model, make_head(model, CLASSES), reference.gelu


def open_clip_vit() -> tuple[Model, Head, Callable[[Tensor], Tensor]]:
    model = load(ModelSpec("open_clip", "open_clip", "ViT-S-32/openai", "clip", "random"))
    text = torch.randn(model.trunk.output_dim, 7, generator=torch.Generator().manual_seed(2))
    text = torch.nn.functional.normalize(text, dim=0)
    return model, Head(model, text), reference.quick_gelu


@pytest.mark.parametrize("build", [lab_clip, open_clip_vit])
@torch.no_grad()
def test_clips_taken_apart_say_what_they_say_whole(build):
    model, head, activation = build()
    reference.stir(model.module)
    pictures = images(model.spec.input_size, 2)
    vit = OpenViT(model, head)
    tokens = vit.embed(pictures)
    found = isolated_cls(vit, tokens)
    close(found[0], head(pictures))
    close(found[0], model.module.encode_image(pictures, normalize=True) @ head.text)
    close(found[-1, 0], found[-1, 1])
    close(vit.classify(vit.run(tokens, 0, len(vit.blocks))[:, 0]), head(pictures))
    close(tokens, reference.embed(model.trunk, pictures))
    close(vit.run(tokens, 0, 1), reference.run_block(vit.blocks[0], tokens, activation)["block"])
    each = vit.classify(vit.run(tokens, 0, len(vit.blocks)))
    assert each.shape == (*tokens.shape[:2], head.text.shape[1])
    assert each.abs().max() <= 1 + 1e-5  # cosines


@pytest.mark.parametrize("build", [lab_clip, open_clip_vit])
@torch.no_grad()
def test_a_clips_head_reads_the_mean_of_normed_tokens(build):
    model, head, activation = build()
    reference.stir(model.module)
    trunk, pictures = model.trunk, images(model.spec.input_size, 2)
    tokens = reference.embed(trunk, pictures)
    for block in reference.blocks(trunk):
        tokens = reference.run_block(block, tokens, activation)["block"]
    timm = reference.is_timm(trunk)
    norm, project = (trunk.norm, model.module.visual.head.proj.weight.T) if timm else (trunk.ln_post, trunk.proj)
    embedded = reference.layer_norm(tokens, norm).mean(dim=1) @ project
    wanted = embedded / embedded.norm(dim=-1, keepdim=True) @ head.text
    vit = OpenViT(model, head)
    last = vit.run(vit.embed(pictures), 0, len(vit.blocks))
    close(vit.head(vit.normed(last).mean(1)), wanted)
    assert (vit.classify(last.mean(1)) - wanted).abs().max() > 1e-3  # the mean before the norm


@torch.no_grad()
def test_a_zero_shot_head_is_the_mean_of_the_prompts_embeddings():
    model, head, _ = lab_clip()
    assert head.text.shape == (64, len(CLASSES))
    torch.testing.assert_close(head.text.norm(dim=0), torch.ones(len(CLASSES)))
    total = torch.zeros(64)
    for prompt in class_prompts("key"):
        embedded = model.module.encode_text(Tokenizer()([prompt]))[0]
        total += embedded / embedded.norm()
    torch.testing.assert_close(head.text[:, CLASSES.index("key")], total / total.norm(), rtol=1e-4, atol=1e-5)


def test_a_head_of_another_width_than_the_data_is_refused():
    model = load(ModelSpec("lab_vit", "lab", "lab_vit", "vit", "random"))
    with pytest.raises(InputError, match="lab_vit tells 16 classes, the data has 3"):
        make_head(model, ("a", "b", "c"))
    clip = load(ModelSpec("lab_clip", "lab", "lab_clip", "clip", "random"))
    with pytest.raises(InputError, match="lab_clip has prompts for 16 classes, the data has 3"):
        make_head(clip, ("a", "b", "c"))


def test_a_model_whose_head_reads_no_cls_is_refused():
    cnn = load(ModelSpec("cnn", "lab", "lab_cnn", "cnn", "random"))
    averaging = tiny(class_token=False, global_pool="avg")
    for model in (cnn, averaging, tiny(global_pool="avg")):
        with pytest.raises(InputError, match="reads no class from a CLS token"):
            OpenViT(model, Head(model, None))
