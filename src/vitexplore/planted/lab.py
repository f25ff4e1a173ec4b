"""The lab's images, models and budgets for twins; what several twins share is made once."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from vitexplore.data.loading import Loader
from vitexplore.data.scene_sets import scene_set
from vitexplore.experiments import embed
from vitexplore.measures.dissect import answers, judged, words_of
from vitexplore.measures.pixels import pixel_statistics
from vitexplore.models.catalogue import named
from vitexplore.models.registry import Model, load
from vitexplore.models.spec import ModelSpec
from vitexplore.provenance import of_model
from vitexplore.registry import find
from vitexplore.visualize.score import Judge


@dataclass(frozen=True)
class Budget:
    """At most: ``images`` that experiments are shown, but for ``concepts``; ``features`` of a site whose pictures
    are known."""

    images: int = 600
    concepts: int = 2000
    features: int = 256


FULL, SHORT = Budget(), Budget(images=96, concepts=640, features=8)


@dataclass
class Lab:
    """Twins run in it: ``rows`` measures one by any experiment, as a job would."""

    budget: Budget = FULL
    _made: dict[Any, Any] = field(default_factory=dict)

    def loader(self, split: str = "test", preprocessing: str = "own") -> Loader:
        """As many scenes of a split as an experiment is shown."""
        images = self.once(split, lambda: scene_set(split, self.budget.concepts, workers=2))
        return Loader(images, preprocessing)

    def once(self, key: Any, make: Any) -> Any:
        """What ``make`` gives, made once."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def rows(self, experiment: str, model: Model, loader: Loader, **options: Any) -> dict[str, pd.DataFrame]:
        """The tables of an experiment on ``model``, as its jobs write them."""
        entry = find(experiment)
        found = entry.found(entry.measure(model, loader, **options))
        return {name: as_job_writes(found[name], model, loader.preprocessing) for name in entry.tables}

    def of_random(self, experiment: str, loader: Loader, **options: Any) -> dict[str, pd.DataFrame]:
        """The same of a `lab_vit` with random weights."""
        spec = replace(named("lab/vit"), name="vit_random", weights="random")
        return self.once((experiment, "random"), lambda: self.rows(experiment, load(spec), loader, **options))

    @cached_property
    def judge(self) -> Judge:
        """The lab's CNN, with its embeddings of the test scenes."""
        model, loader = load(named("lab/cnn")), self.loader()
        found = embed.measure(model, loader, images=len(loader))
        return Judge(model, found.set_index("image")["embedding"])

    @cached_property
    def given(self) -> dict[str, dict[str, Any]]:
        """What the experiments `features` and `concepts` are given of the judge, the lab's CLIP, and of the pixels."""
        clip = load(replace(named("lab/clip"), seed=1))  # another than the one that is tested
        shown = self.loader("unlinked").sample(self.budget.concepts)  # in its order
        prompts = words_of(shown.images, 0)
        return {
            "features": {"judge": clip, "words": (judged(clip, shown, prompts), list(prompts))},
            "concepts": {"judge": answers(clip, shown), "pixels": pixel_statistics(shown)},
        }


def as_job_writes(table: pd.DataFrame, model: Model, preprocessing: str) -> pd.DataFrame:
    """``table`` with the columns that say what it is of."""
    return table.assign(**of_model(model, "", preprocessing))


def lab_model(kind: str, name: str = "", **changes: Any) -> Model:
    """A model of the lab, built anew, so that it can be changed."""
    spec: ModelSpec = named(f"lab/{kind}")
    return load(replace(spec, name=name or kind, **changes))


def shown(model: Model, loader: Loader) -> Tensor:
    """The images of ``loader`` as ``model`` sees them: [n, 3, size, size]."""
    load_one = loader.pictures(model.spec)
    return torch.stack([load_one(index) for index in loader.indices])


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal noise, the same at each call."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))
