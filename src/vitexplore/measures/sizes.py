"""A model at more than one input size."""

from dataclasses import replace

from vitexplore.models.registry import Model, load


def at_sizes(model: Model, common_size: int) -> dict[str, Model]:
    """``model`` at its ``own`` input size and, where ``common_size`` is another (in pixels; 0 for none), at the
    ``common`` one. CLIPs stay at their own: their position embeddings are not resampled."""
    models = {"own": model}
    if common_size not in (0, model.spec.input_size) and model.spec.family != "clip":
        models["common"] = load(replace(model.spec, input_size=common_size), model.device)
    return models
