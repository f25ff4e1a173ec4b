"""A model at the input size that all models share."""

from dataclasses import replace

from vitexplore.measures.sizes import at_sizes
from vitexplore.models.registry import load
from vitexplore.models.spec import ModelSpec


def test_a_model_at_the_common_size_is_what_is_loaded_at_that_size():
    spec = ModelSpec("m", "timm", "vit_tiny_patch16_224", "vit", weights="random")
    models = at_sizes(load(spec), 96)
    wanted = load(replace(spec, input_size=96))
    assert list(models) == ["own", "common"]
    assert (models["common"].spec, models["common"].weight_hash) == (wanted.spec, wanted.weight_hash)
    for size in (0, 224):
        assert list(at_sizes(models["own"], size)) == ["own"]
