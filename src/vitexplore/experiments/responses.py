"""What all features of a model do on the same images: how much on each, and where in some of them."""

from typing import Annotated, Any

from pydantic import Field

from vitexplore.experiments import Cost, Experiment, Images, Options
from vitexplore.experiments.collect import settings


class ResponsesOptions(Options):
    images: Images = 1000
    views: Annotated[int, Field(ge=1, description="of these images, those in which it is kept where features fire")] = (
        12
    )


def measure(model, loader, *, images: int, views: int, sites: list[str]) -> dict[str, Any]:
    """``responses``: the mean of each feature's map on each image, at ``sites``. ``views``: maps. See
    measures/responses.py."""
    from vitexplore.measures.responses import responses, views_of

    shown = loader.sample(images)
    return {"responses": responses(model, shown, sites), "views": views_of(model, shown.of(shown.indices[:views]))}


EXPERIMENT = Experiment(
    measure,
    ResponsesOptions,
    tables={},
    arrays=("responses", "views"),
    models=lambda scale: scale.taking_part("collect"),
    settings=settings,  # the sites whose most activating images are known
    cost=lambda options, family: Cost(options.images + options.views, options.images + options.views),
)
