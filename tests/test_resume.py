"""A run that was killed goes on and ends with the same bytes; one that runs out of memory goes on smaller."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vitexplore.errors import InputError
from vitexplore.models.registry import Model
from vitexplore.models.sites import Site
from vitexplore.visualize.accentuate import Near
from vitexplore.visualize.objective import Channels, Directions
from vitexplore.visualize.optimize import Checkpoint, Engine, Visualization, visualize
from vitexplore.visualize.recipes import FAST, PAPER, Recipe

SITE = Site("ffn", 0)
FIVE = Channels(SITE, (12, 3, 40, 7, 99))  # in batches of 2: three of them
STEPS = 6
RECIPES = {"pixels": replace(PAPER, steps=STEPS, copies=2), "fourier": replace(FAST, steps=STEPS, copies=2)}
RECIPES["maco"] = replace(RECIPES["fourier"], parametrization="maco")
SHORT = RECIPES["pixels"]
DIRECTIONS = torch.rand(5, 256, generator=torch.Generator().manual_seed(0))


def run(model: Model, folder: Path | None, recipe: Recipe = SHORT, batch: int = 2, **options) -> Visualization:
    """Writes its state after every step."""
    checkpoint = Checkpoint(folder, every=0) if folder else None
    return visualize(model, options.pop("objective", FIVE), recipe, 1, batch, checkpoint, **options)


def after(features: float, do: Callable[[], None]) -> Callable[[float], None]:
    """A report that does something as soon as so many features are done."""
    done = 0.0

    def report(more: float) -> None:
        nonlocal done
        done += more
        if done >= features - 1e-6:
            do()

    return report


def interrupt() -> None:
    raise KeyboardInterrupt


def killed(model: Model, folder: Path, features: float, **options) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(model, folder, report=after(features, interrupt), **options)


def assert_same(found: Visualization, expected: Visualization) -> None:
    for name in ("images", "loss", "score"):
        assert getattr(found, name).numpy().tobytes() == getattr(expected, name).numpy().tobytes(), name
    if expected.transparency is None:
        assert found.transparency is None
    else:
        assert found.transparency.numpy().tobytes() == expected.transparency.numpy().tobytes()
    assert found.batch == expected.batch


@pytest.fixture
def steps(monkeypatch) -> list[int]:
    """The features of each step that is made from here on."""
    made = []
    step = Engine.step

    def counted(self, now, value):
        made.append(len(now["labels"]))
        step(self, now, value)

    monkeypatch.setattr(Engine, "step", counted)
    return made


@pytest.fixture(scope="module")
def unbroken(shared_vit) -> dict[str, Visualization]:
    return {name: run(shared_vit, None, recipe) for name, recipe in RECIPES.items()}


@pytest.mark.parametrize("features", [0.4, 2.0, 3.0, 5.0])
@pytest.mark.parametrize("name", ["pixels", "fourier"])
def test_a_run_that_was_interrupted_ends_with_the_same_bytes(shared_vit, unbroken, tmp_path, name, features):
    """In the first batch, before that is written, in the second, and after the last step of all."""
    killed(shared_vit, tmp_path / "run", features, recipe=RECIPES[name])
    assert_same(run(shared_vit, tmp_path / "run", RECIPES[name]), unbroken[name])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", RECIPES)
def test_interrupted_again_and_again_it_still_ends_with_the_same_bytes(shared_vit, unbroken, tmp_path, name):
    for features in (0.5, 1.5, 2.5, 4.2):
        killed(shared_vit, tmp_path / "run", features, recipe=RECIPES[name])
    assert_same(run(shared_vit, tmp_path / "run", RECIPES[name]), unbroken[name])


@pytest.mark.parametrize("name", RECIPES)
def test_so_does_one_from_images_that_stays_near_them_and_records_transparency(shared_vit, tmp_path, name):
    side = shared_vit.spec.input_size
    start = torch.rand(5, 3, side, side, generator=torch.Generator().manual_seed(1))
    options = {"start": start, "near": Near(Site("block", 0), 1.0), "transparency": True}
    unbroken = run(shared_vit, None, RECIPES[name], **options)
    assert unbroken.transparency.shape == (5, side, side)
    for features in (0.5, 3.0):
        killed(shared_vit, tmp_path / "run", features, recipe=RECIPES[name], **options)
    assert_same(run(shared_vit, tmp_path / "run", RECIPES[name], **options), unbroken)


def test_no_step_is_made_twice_but_the_one_that_was_not_written(shared_vit, tmp_path, steps):
    killed(shared_vit, tmp_path / "run", 3.0)
    assert steps == [2] * (STEPS + STEPS // 2)
    steps.clear()
    run(shared_vit, tmp_path / "run")
    assert steps == [2] * (STEPS // 2 + 1) + [1] * STEPS


def test_progress_begins_with_what_was_done_and_ends_with_all(shared_vit, tmp_path):
    killed(shared_vit, tmp_path / "run", 3.0)
    told = []
    run(shared_vit, tmp_path / "run", report=told.append)
    assert told[0] == 2  # the batch that is done
    assert told[1] == pytest.approx(2 * (STEPS / 2 - 1) / STEPS)  # the steps of the next that were written
    assert sum(told) == pytest.approx(5)


CHILD = """
import sys
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[1])
from conftest import RANDOM_VIT
from test_resume import RECIPES, after, end_at_once, run
from vitexplore.models.registry import load
torch.set_num_threads(1)
run(load(RANDOM_VIT), Path(sys.argv[2]), RECIPES["fourier"], report=after(3.0, end_at_once))
"""


def end_at_once() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_was_killed_is_gone_on_with_by_another_to_the_same_bytes(shared_vit, unbroken, tmp_path, steps):
    words = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path / "run")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert {"run.json", "part_00000.pt", "running.pt"} <= {path.name for path in (tmp_path / "run").iterdir()}
    assert_same(run(shared_vit, tmp_path / "run", RECIPES["fourier"]), unbroken["fourier"])
    assert len(steps) == STEPS // 2 + 1 + STEPS


@pytest.mark.parametrize("name", ["pixels", "fourier"])
def test_killed_between_two_batches_the_state_of_the_finished_one_is_passed_over(
    shared_vit, unbroken, tmp_path, name, steps
):
    """The first batch's file is written, and its running state is not yet gone."""
    folder, stale, recipe = tmp_path / "run", tmp_path / "stale.pt", RECIPES[name]
    killed(shared_vit, folder, 2.0, recipe=recipe)
    (folder / "running.pt").rename(stale)
    killed(shared_vit, folder, 2.1, recipe=recipe)
    assert (folder / "part_00000.pt").exists()
    stale.rename(folder / "running.pt")
    steps.clear()
    assert_same(run(shared_vit, folder, recipe), unbroken[name])
    assert len(steps) == 2 * STEPS


def test_a_file_that_was_half_written_is_passed_over(shared_vit, unbroken, tmp_path):
    """Files are written beside their place; what a kill leaves there is no part."""
    folder = tmp_path / "run"
    killed(shared_vit, folder, 3.0)
    for name in (".part_00001.123.pt", ".running.123.pt"):
        (folder / name).write_bytes(b"half")
    assert_same(run(shared_vit, folder), unbroken["pixels"])
    assert not folder.exists()


def test_the_batch_size_of_the_first_start_stays(shared_vit, unbroken, tmp_path):
    killed(shared_vit, tmp_path / "run", 3.0)
    assert_same(run(shared_vit, tmp_path / "run", batch=4), unbroken["pixels"])


def test_state_is_written_no_more_often_than_asked(shared_vit, tmp_path):
    options = {"recipe": SHORT, "batch": 2, "report": after(3.0, interrupt)}
    with pytest.raises(KeyboardInterrupt):
        visualize(shared_vit, FIVE, checkpoint=Checkpoint(tmp_path, every=1000), **options)
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "part_00000.pt"}


def test_a_finished_run_that_is_kept_is_read_and_not_made_again(shared_vit, unbroken, tmp_path, steps):
    kept = Checkpoint(tmp_path / "run", keep=True)
    for made in (3 * STEPS, 0):
        steps.clear()
        assert_same(visualize(shared_vit, FIVE, SHORT, 1, 2, kept), unbroken["pixels"])
        assert len(steps) == made


# another run's checkpoint


def directions(change: float) -> Directions:
    """``change`` is of one number in the middle, which no ``repr`` shows."""
    changed = DIRECTIONS.clone()
    changed[2, 128] += change
    return Directions(SITE, FIVE.labels, changed)


OTHERS = {
    "recipe": lambda model: (model, FIVE, RECIPES["fourier"], 1),
    "steps": lambda model: (model, FIVE, replace(SHORT, steps=STEPS + 1), 1),
    "seed": lambda model: (model, FIVE, SHORT, 2),
    "features": lambda model: (model, Channels(SITE, (12, 3, 40, 7, 98)), SHORT, 1),
    "site": lambda model: (model, replace(FIVE, site=Site("ffn", 1)), SHORT, 1),
    "position": lambda model: (model, replace(FIVE, position=3), SHORT, 1),
    "objective": lambda model: (model, directions(0), SHORT, 1),
    "weights": lambda model: (replace(model, weight_hash="another"), FIVE, SHORT, 1),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_checkpoint_of_another_run_is_refused_in_one_line_and_left_as_it_is(shared_vit, unbroken, tmp_path, other):
    folder = tmp_path / "run"
    killed(shared_vit, folder, 1.0)
    with pytest.raises(InputError, match=r"run is of another run; delete it to start anew$") as caught:
        visualize(*OTHERS[other](shared_vit), checkpoint=Checkpoint(folder))
    assert "\n" not in str(caught.value)
    assert_same(run(shared_vit, folder), unbroken["pixels"])


def test_a_checkpoint_of_another_start_or_without_transparency_is_refused(shared_vit, tmp_path):
    start = torch.full((5, 3, 64, 64), 0.5)
    other = start.clone()
    other[2, 1, 30, 30] += 1e-4
    killed(shared_vit, tmp_path, 1.0, start=start)
    near = Near(Site("block", 0), 1.0)
    for options in ({}, {"start": other}, {"start": start, "near": near}, {"start": start, "transparency": True}):
        with pytest.raises(InputError, match="another run"):
            run(shared_vit, tmp_path, **options)
    run(shared_vit, tmp_path, start=start)


@pytest.mark.parametrize("change", [1e-6, 0.5])
def test_a_checkpoint_of_directions_that_differ_in_one_number_is_refused(shared_vit, tmp_path, change):
    killed(shared_vit, tmp_path, 1.0, objective=directions(0))
    with pytest.raises(InputError, match="another run"):
        run(shared_vit, tmp_path, objective=directions(change))
    run(shared_vit, tmp_path, objective=directions(0))


def test_nothing_is_written_of_what_the_model_lacks(shared_vit, tmp_path):
    for wrong in (Channels(SITE, (256,)), Channels(SITE, (1,), position=64)):
        with pytest.raises(InputError):
            run(shared_vit, tmp_path / "run", objective=wrong)
        assert not (tmp_path / "run").exists()


# out of memory


def out_of_memory_above(model: Model, most: int, error: Exception) -> list[int]:
    """``model`` raises ``error`` for more than ``most`` images at once; the numbers that steps asked for."""
    asked = []

    def refuse(_module, inputs) -> None:
        if inputs[0].requires_grad:  # without a gradient it is asked how many channels it has
            asked.append(len(inputs[0]))
        if len(inputs[0]) > most:
            raise error

    model.trunk.patch_embed.register_forward_pre_hook(refuse)
    return asked


TEN = Channels(SITE, tuple(range(10)))
ONE_COPY = replace(SHORT, copies=1)
CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")


@pytest.mark.parametrize("error", [CUDA, CPU], ids=["cuda", "cpu"])
def test_when_memory_runs_out_it_goes_on_with_half_as_many_to_the_same_pictures(vit, shared_vit, tmp_path, error):
    asked = out_of_memory_above(vit, 4, error)
    told = []
    found = run(vit, tmp_path / "run", ONE_COPY, batch=10, objective=TEN, report=told.append)
    assert found.batch == 2
    assert asked == [10, 5] + [2] * (5 * STEPS)
    plain = run(shared_vit, None, ONE_COPY, batch=10, objective=TEN)
    assert torch.allclose(found.images, plain.images, atol=1e-4)
    assert torch.allclose(found.loss, plain.loss, atol=1e-4)
    assert torch.allclose(found.score, plain.score, atol=1e-4)
    assert sum(told) == pytest.approx(10)


def test_memory_that_runs_out_in_the_middle_costs_that_batch_alone(vit, shared_vit, tmp_path, monkeypatch):
    """Of the batch's steps nothing is left, neither in the pictures nor in the progress; the batches before it stay."""
    step, made = Engine.step, []

    def fails_once(self, now, value):
        made.append((len(now["labels"]), now["step"]))
        if len(made) == STEPS + 4:  # in the second batch, whose state was written three times
            raise CUDA
        step(self, now, value)

    monkeypatch.setattr(Engine, "step", fails_once)
    told = []
    found = run(vit, tmp_path / "run", ONE_COPY, batch=4, objective=TEN, report=told.append)
    assert [features for features, step in made if step == 0] == [4, 4, 2, 2, 2]
    assert sum(told) == pytest.approx(10)
    monkeypatch.undo()
    plain = run(shared_vit, None, ONE_COPY, batch=10, objective=TEN)
    assert torch.allclose(found.images, plain.images, atol=1e-4)


def test_a_smaller_batch_is_remembered_by_the_next_start(vit, shared_vit, tmp_path):
    out_of_memory_above(vit, 4, CUDA)
    killed(vit, tmp_path / "run", 5.0, recipe=ONE_COPY, batch=8, objective=TEN)
    found = run(shared_vit, tmp_path / "run", ONE_COPY, batch=8, objective=TEN)
    assert_same(found, run(shared_vit, None, ONE_COPY, batch=4, objective=TEN))


def test_memory_that_is_too_small_for_one_feature_is_an_error(vit):
    asked = out_of_memory_above(vit, 1, CUDA)
    with pytest.raises(torch.OutOfMemoryError):
        run(vit, None, SHORT, batch=4)
    assert asked == [8, 4, 2]


def test_another_error_is_no_reason_to_go_on(vit):
    asked = out_of_memory_above(vit, 1, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1"):
        run(vit, None, SHORT, batch=4)
    assert asked == [8]
