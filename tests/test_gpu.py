"""A GPU makes the pictures that a processor makes, though it runs the model in bfloat16 and replays recorded steps.
`make gpu-check` runs this."""

import gc
import logging
from dataclasses import replace

import pytest
import torch

from vitexplore.data.scenes import draw_split
from vitexplore.models import train as training
from vitexplore.models.catalogue import load_named
from vitexplore.models.sites import Site
from vitexplore.visualize import memory, optimize
from vitexplore.visualize.accentuate import Near
from vitexplore.visualize.custom import Custom
from vitexplore.visualize.diversity import Facets
from vitexplore.visualize.expression import objectives
from vitexplore.visualize.objective import Channels, Logits
from vitexplore.visualize.optimize import Checkpoint, Visualization, normaliser, visualize
from vitexplore.visualize.recipes import FAST, PAPER, RELEASED, Recipe

# no augmentations: their random streams are the device's own
PLAIN = Recipe("plain", (), parametrization="fourier", steps=30, copies=1, leak=0.1)
VALUE, COSINE = 0.05, 0.9  # a processor's own bfloat16 is off its float32 by 0.005 of a value, by a cosine of 0.947
MEAN_SCORE = 0.2  # a start that is off by 0.001 a pixel changes one feature's score by up to 0.22, the mean by 0.03
START = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
STEPS = 12
MACO = Recipe("maco", ("jitter",), "maco", copies=2)

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")]


@pytest.fixture(scope="module")
def vit():
    """One that was visualized before, so that libraries have taken the memory that they keep."""
    model = load_named("lab/vit", "cuda")
    visualize(model, Channels(Site("ffn", 4), (0,)), replace(FAST, steps=3))
    return model


@pytest.fixture
def unrecorded(monkeypatch):
    """Every step runs as it is."""

    def leave() -> None:
        monkeypatch.setattr(optimize, "Captured", lambda work, generators, device: work)

    return leave


@pytest.fixture
def replays(monkeypatch) -> list[torch.cuda.CUDAGraph]:
    """Grows by a graph whenever one is replayed."""
    replayed, replay = [], torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: (replayed.append(graph), replay(graph)))
    return replayed


def assert_same(one: Visualization, other: Visualization) -> None:
    torch.testing.assert_close(one.loss, other.loss, rtol=0.02, atol=0.01)
    assert (one.images - other.images).abs().mean() < 0.005


FEATURES = [("lab/vit", "ffn:4:0:4"), ("lab/cnn", "channel:5:0:4")]


def value_and_gradient(device: str, name: str, expression: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Of START: [f], and [f, pixels]."""
    model = load_named(name, device)
    (objective,) = objectives(model, expression).values()
    images = START.to(device, copy=True).requires_grad_()
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        value = objective.bind(model, PLAIN.leak)(normaliser(model)(images))
    value.float().sum().backward()
    return value.detach().float().cpu()[:, 0], images.grad.cpu().flatten(1)


@pytest.mark.parametrize("name, expression", FEATURES)
def test_a_gpu_has_the_processors_gradients(name, expression):
    (value, gradient), (own, own_gradient) = (
        value_and_gradient(device, name, expression) for device in ("cpu", "cuda")
    )
    torch.testing.assert_close(own, value, rtol=VALUE, atol=1e-3)
    assert torch.cosine_similarity(own_gradient, gradient).min() > COSINE


def drawn(device: str, name: str, expression: str) -> Visualization:
    model = load_named(name, device)
    (objective,) = objectives(model, expression).values()
    return visualize(model, objective, PLAIN, start=START)


@pytest.mark.parametrize("name, expression", FEATURES)
def test_a_gpus_pictures_show_as_much(name, expression):
    on_cpu, on_gpu = (drawn(device, name, expression) for device in ("cpu", "cuda"))
    torch.testing.assert_close(on_gpu.score.mean(), on_cpu.score.mean(), rtol=MEAN_SCORE, atol=0)
    assert (on_gpu.images - START).abs().mean() > 0.02  # that is no agreement to stand still


@pytest.mark.parametrize("recipe", [FAST, PAPER, RELEASED, MACO], ids=lambda recipe: recipe.name)
def test_recorded_steps_do_what_steps_do(vit, recipe, unrecorded, replays):
    recipe = replace(recipe, steps=STEPS)
    channels = Channels(Site("ffn", 4), (0, 1, 5))
    recorded = visualize(vit, channels, recipe, transparency=True)
    assert len(replays) == STEPS - 1
    unrecorded()
    plain = visualize(vit, channels, recipe, transparency=True)
    assert_same(recorded, plain)
    torch.testing.assert_close(recorded.transparency, plain.transparency, rtol=0, atol=0.1)


def test_recorded_steps_of_other_objectives(vit, unrecorded, replays):
    channel = Channels(Site("ffn", 4), (3,))
    wanted = [
        (Facets(channel, 3, 0.2), {}),
        (channel + 0.1 * Logits((2,)), {}),
        (Channels(Site("ffn", 4), (0, 1, 2, 3)), {"start": START, "near": Near(Site("block", 2), 0.5)}),
    ]
    recipe = Recipe("fast", FAST.augmentations, "fourier", STEPS, copies=2)
    recorded = [visualize(vit, objective, recipe, **more) for objective, more in wanted]
    assert len(replays) == len(wanted) * (STEPS - 1)
    unrecorded()
    for found, (objective, more) in zip(recorded, wanted, strict=True):
        assert_same(found, visualize(vit, objective, recipe, **more))


def test_what_waits_for_the_device_runs_as_it_is(vit, unrecorded, replays, caplog):
    def largest(maps):
        return maps.mean(2)[:, :, 3] * (1.0 if maps.sum().item() > 0 else 0.5)

    custom = Custom("largest", (Site("ffn", 4),), largest, labels=(0, 1))
    recipe = Recipe("fast", FAST.augmentations, "fourier", STEPS, copies=2)
    stream, before = torch.cuda.current_stream(), torch.cuda.memory_allocated()
    with caplog.at_level(logging.WARNING):
        found = visualize(vit, custom, recipe)
    assert "a step cannot be recorded" in caplog.text and not replays
    assert torch.cuda.current_stream() == stream
    assert torch.rand(3, device="cuda").isfinite().all()  # of the device's own generator
    after = visualize(vit, Channels(Site("ffn", 4), (0, 1)), recipe)
    assert len(replays) == STEPS - 1
    assert torch.cuda.memory_allocated() - before < 2**20  # nothing of the recording that failed is kept
    unrecorded()
    assert_same(found, visualize(vit, custom, recipe))
    assert_same(after, visualize(vit, Channels(Site("ffn", 4), (0, 1)), recipe))


def test_a_killed_run_goes_on(vit, tmp_path):
    class Killed(Exception):
        pass

    recipe = Recipe("fast", FAST.augmentations, "fourier", STEPS, copies=2)
    channels = Channels(Site("ffn", 4), (0, 1))
    whole = visualize(vit, channels, recipe)
    told = []

    def report(features: float) -> None:
        told.append(features)
        if len(told) == 9:  # of 14: two at the start, one a step
            raise Killed

    with pytest.raises(Killed):
        visualize(vit, channels, recipe, checkpoint=Checkpoint(tmp_path / "run", every=0), report=report)
    assert (tmp_path / "run/running.pt").exists()
    again: list[float] = []
    resumed = visualize(
        vit,
        channels,
        recipe,
        checkpoint=Checkpoint(tmp_path / "run", every=0),
        report=lambda share: again.append(share),
    )
    assert len(again) < len(told)  # it did not start anew
    assert_same(resumed, whole)


def test_as_many_features_as_fit_do_fit_batch_after_batch(vit, monkeypatch, caplog):
    room = 2**30
    monkeypatch.setattr(memory, "free_bytes", lambda device: room)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    gc.disable()  # a batch's memory must be free when the next begins, without help
    try:
        found = visualize(vit, Channels(Site("ffn", 2), tuple(range(256))), replace(PAPER, steps=3))
        left = torch.cuda.memory_allocated() - before
    finally:
        gc.enable()
    assert found.batch < 86 and "out of memory" not in caplog.text  # at least three batches
    assert torch.cuda.max_memory_allocated() - before < room
    assert left < 2**20


def test_a_batch_that_does_not_fit_is_halved_and_drawn_all_the_same(vit):
    channels, recipe = Channels(Site("ffn", 2), tuple(range(64))), replace(PAPER, steps=3)
    whole = visualize(vit, channels, recipe, batch=16)
    torch.cuda.empty_cache()
    share = (torch.cuda.memory_reserved() + 2**28) / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        halved = visualize(vit, channels, recipe, batch=64)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert halved.batch < 64
    assert_same(halved, whole)


def test_a_model_is_trained(tmp_path):
    pixels = {"train": draw_split("train", 256)[0], "validation": draw_split("validation", 64)[0]}
    recipe = training.Recipe("lab_vit", (training.Stage("train", 256, 1),), batch=64, warmup=2)
    (_, on_cpu), (model, on_gpu) = (
        training.train(recipe, tmp_path / device, pixels, device) for device in ("cpu", "cuda")
    )
    assert on_gpu["loss"].item() == pytest.approx(on_cpu["loss"].item(), rel=0.02)
    assert next(model.parameters()).is_cuda
    assert training.state_of(tmp_path / "cuda")["devices"] == ["cuda"]
