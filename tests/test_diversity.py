"""Facets of a feature differ, and their value says by how much."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.models.spec import ModelSpec
from vitexplore.visualize.custom import Custom
from vitexplore.visualize.diversity import Facets, similarity
from vitexplore.visualize.objective import Objective, channel, ffn, logit
from vitexplore.visualize.optimize import Checkpoint, Engine, visualize
from vitexplore.visualize.recipes import PAPER

SHORT = replace(PAPER, steps=3, copies=2)
PLAIN = replace(PAPER, steps=150, copies=1, augmentations=(), tv=0.0, learning_rate=0.05)


def slow_similarity(fkpc: Tensor) -> list[list[float]]:
    maps = fkpc.double().numpy()

    def gram(facet: int, copy: int) -> np.ndarray:
        return sum(np.outer(channels, channels) for channels in maps[facet, copy]).ravel()

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return a @ b / np.sqrt((a @ a) * (b @ b))

    facets, copies = range(maps.shape[0]), range(maps.shape[1])
    return [[np.mean([cosine(gram(f, k), gram(g, k)) for g in facets if g != f]) for k in copies] for f in facets]


def test_similarity_against_explicit_loops():
    fkpc = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(similarity(fkpc), torch.tensor(slow_similarity(fkpc), dtype=torch.float32), atol=1e-6)


def test_similarity_of_equal_maps_is_1_and_of_maps_with_no_channel_in_common_0():
    red, blue = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    assert similarity(torch.stack([red, 2 * red])[:, None]).flatten().tolist() == pytest.approx([1, 1])
    assert similarity(torch.stack([red, blue])[:, None]).flatten().tolist() == pytest.approx([0, 0])
    assert similarity(torch.stack([red, blue, blue])[:, None]).flatten().tolist() == pytest.approx([0, 0.5, 0.5])


@pytest.mark.parametrize("position", [None, 9])
def test_a_facets_value_is_its_activation_less_the_weighed_similarity_of_its_blocks_output(shared_vit, position):
    images = torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    value = Facets(ffn(2, 7, position=position), 3, 0.4).bind(shared_vit)
    caught = []
    handle = shared_vit.trunk.blocks[2].register_forward_hook(lambda _module, _inputs, output: caught.append(output))
    with torch.no_grad():
        found = value(images)
        handle.remove()
        activation = ffn(2, 7, 7, 7, position=position).bind(shared_vit)(images)
    output_fkpc = caught[0][:, shared_vit.trunk.num_prefix_tokens :].unflatten(0, (3, 2))
    expected = activation - 0.4 * torch.tensor(slow_similarity(output_fkpc), dtype=torch.float32)
    assert torch.allclose(found, expected, atol=1e-5)


# a planted feature that fires for red, and a little less for blue


class Colours(nn.Module):
    """One position; its channels are the image's mean red and mean blue."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False))
        self.features[0].weight = nn.Parameter(torch.eye(3)[[0, 2], :, None, None], requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.features(images.mean((2, 3), keepdim=True))


@pytest.fixture(scope="module")
def colours() -> Model:
    spec = ModelSpec("colours", "lab", "colours", "cnn", "random", input_size=8, mean=(0.0,) * 3, std=(1.0,) * 3)
    return Model(spec, Colours(), "")


RED_OR_BLUE = Custom(
    "red or blue", (Site("channel", 0),), lambda fkpc: torch.maximum(fkpc[..., 0], 0.9 * fkpc[..., 1]).mean(2)
)


def test_facets_without_weight_are_the_same_pattern(colours):
    found = visualize(colours, Facets(RED_OR_BLUE, 2, 0.0), PLAIN)
    assert found.images[:, 0].mean((1, 2)).tolist() == pytest.approx([1, 1], abs=0.01)
    assert found.score.tolist() == pytest.approx([1, 1], abs=0.01)


def test_facets_with_weight_are_the_two_patterns_that_the_feature_fires_for(colours):
    found = visualize(colours, Facets(RED_OR_BLUE, 2, 6.0), PLAIN, batch=1)
    means = sorted(found.images[:, (0, 2)].mean((2, 3)).tolist())
    assert np.allclose(means, [[0, 1], [1, 0]], atol=0.02)
    assert sorted(found.score.tolist()) == pytest.approx([0.9, 1], abs=0.02)
    assert found.batch == 2


# facets as an objective


def test_every_facet_has_its_own_random_stream_and_a_batch_of_one_parts_none(shared_vit):
    found = visualize(shared_vit, Facets(ffn(2, 7), 3, 0.4), SHORT, batch=1)
    assert found.batch == 3
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (found.images[a] - found.images[b]).abs().mean() > 0.05


def test_facets_in_a_sum_stay_together(shared_vit):
    objective = Facets(ffn(2, 7), 3, 0.4) - 0.5 * logit(3)
    found = visualize(shared_vit, objective, SHORT, batch=1)
    assert (found.batch, objective.labels) == (3, (0, 1, 2))


def test_a_checkpoint_of_facets_of_another_weight_is_refused(shared_vit, tmp_path):
    def run(weight: float) -> None:
        visualize(shared_vit, Facets(ffn(2, 7), 2, weight), SHORT, checkpoint=Checkpoint(tmp_path, keep=True))

    run(0.4)
    run(0.4)
    with pytest.raises(InputError, match="is of another run"):
        run(0.5)


def test_memory_that_runs_out_does_not_part_facets(shared_vit, monkeypatch):
    tried = []

    def fail(_engine: Engine, part: Objective, *_rest: object) -> None:
        tried.append(part)
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(Engine, "run", fail)
    objective = Facets(ffn(2, 7), 2, 0.4)
    with pytest.raises(torch.OutOfMemoryError):
        visualize(shared_vit, objective, SHORT)
    assert tried == [objective]


WRONG = {
    r"^facets are of one feature, not of 2$": lambda: Facets(ffn(2, 7, 8), 2, 0.4),
    r"^facets are of a feature of one site, not of logit$": lambda: Facets(logit(3), 2, 0.4),
    r"^facets are of a feature of one site, not of ffn 2, logit$": lambda: Facets(ffn(2, 7) - logit(3), 2, 0.4),
    r"^a feature has 2 facets or more, not 1$": lambda: Facets(ffn(2, 7), 1, 0.4),
    r"^the 3 facets of a feature are valued together; take all$": lambda: Facets(channel(0, 1), 3, 1.0).take(slice(2)),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_has_no_facets_is_refused(message):
    with pytest.raises(InputError, match=message):
        WRONG[message]()
