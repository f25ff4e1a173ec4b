"""Which scores see that a visualization shows something that the feature has nothing to do with on natural images: all
but the feature's own activation, and the kernel distance of each picture alone."""

import pandas as pd
import pytest
import torch
from planted import fooling_circuit, silent_units

from vitexplore.activations.collect import collect, frame
from vitexplore.activations.pooled import pooled
from vitexplore.data.loading import Loader
from vitexplore.data.scene_sets import scene_set
from vitexplore.models.catalogue import named
from vitexplore.models.registry import embed, load
from vitexplore.models.sites import Site
from vitexplore.visualize.objective import Channels
from vitexplore.visualize.optimize import Visualization, visualize
from vitexplore.visualize.recipes import Recipe
from vitexplore.visualize.score import Judge, counterpart, score_table

SITE = Site("channel", 5)
FEATURES = (3, 12, 22, 35, 41, 54, 63, 77)
AUGMENTATIONS = ("gaussian_offset", "jitter")
# By where they start from: the Fourier parametrization starts near grey, pixels start as noise.
RECIPES = {
    "grey": Recipe("grey", AUGMENTATIONS, "fourier", steps=50, copies=1),
    "noise": Recipe("noise", AUGMENTATIONS, "pixels", steps=50, copies=1, tv=0.1),
}
PAIRS = ((("fooling", "grey"), ("honest", "grey")), (("silent", "noise"), ("honest", "noise")))


@pytest.fixture(scope="module")
def loader() -> Loader:
    return Loader(scene_set("test", 120), batch=120)


@pytest.fixture(scope="module")
def networks(loader) -> dict:
    """The lab's CNN, and it with what is planted by the look of half of the scenes."""
    honest = load(named("lab/cnn"))
    ((_, natural),) = loader.batches(honest.spec)
    planted = (make(SITE, FEATURES, natural[::2]) for make in (silent_units, fooling_circuit))
    return dict(zip(("honest", "silent", "fooling"), (honest, *planted), strict=True))


@pytest.fixture(scope="module")
def runs(networks) -> dict[tuple[str, str], Visualization]:
    """By network and recipe."""
    found = {}
    for network, recipe in (*PAIRS[0], *PAIRS[1], ("silent", "grey")):
        model = networks[network]
        found[network, recipe] = visualize(model, Channels(SITE, FEATURES), RECIPES[recipe], batch=len(FEATURES))
    return found


@pytest.fixture(scope="module")
def scores(networks, loader, runs) -> dict[tuple[str, str], pd.Series]:
    """Means over the features, before the lab's ViT."""
    seer = load(named("lab/vit"))
    ((_, images),) = loader.batches(seer.spec)
    with torch.no_grad():
        judge = Judge(seer, pd.Series(list(embed(seer, images).numpy())))
    deep = counterpart(networks["honest"], SITE, seer)
    judged_nc = pooled(seer, [deep], loader)[deep]
    found = {}
    for (network, recipe), run in runs.items():
        model = networks[network]
        top = frame(SITE, collect(model, loader, [SITE], k=10)[SITE])
        natural_nc = pooled(model, [SITE], loader)[SITE]
        table = score_table(model, SITE, FEATURES, [run], loader, natural_nc, top, judge, judged_nc)
        found[network, recipe] = table.mean(numeric_only=True)
    return found


@pytest.fixture(params=PAIRS, ids=["circuit", "silent units"])
def pair(request, scores) -> tuple[pd.Series, pd.Series]:
    """Scores of the changed network's pictures, and of the honest one's by the same recipe."""
    fooled, honest = request.param
    return scores[fooled], scores[honest]


@pytest.mark.parametrize("network", ["silent", "fooling"])
def test_on_natural_images_the_networks_are_the_same(networks, loader, network):
    """On those too by which nothing was planted."""
    ((_, images),) = loader.batches(networks["honest"].spec)
    with torch.no_grad():
        assert torch.equal(networks[network].module(images), networks["honest"].module(images))


def test_what_is_planted_is_what_the_pictures_show(pair):
    fooled, honest = pair
    assert fooled["high_frequency"] > 0.98
    assert honest["high_frequency"] < 0.85


def test_the_features_own_activation_does_not_see_it(pair):
    """It is the higher for it."""
    fooled, honest = pair
    assert fooled["percentile"] == 1
    assert fooled["ratio"] > 5 * honest["ratio"]


def test_the_kernel_distance_of_one_picture_does_not_see_it(pair):
    """By the lab's ViT, stripes are about as far from scenes' mean as visualizations and scenes are."""
    fooled, honest = pair
    assert fooled["kernel_distance"] < fooled["kernel_distance_natural"]
    assert fooled["kernel_distance"] == pytest.approx(honest["kernel_distance"], rel=0.1)


def test_the_kernel_distance_of_all_pictures_sees_it(pair):
    fooled, honest = pair
    assert fooled["kernel_distance_of_sets"] > 5 * honest["kernel_distance_of_sets"]


def test_the_network_does_not_process_the_pictures_as_it_does_natural_images(pair):
    fooled, honest = pair
    assert fooled["path_agreement"] < 0
    assert honest["path_agreement"] > 0.3


@pytest.mark.parametrize("score", ["identification", "transferability"])
def test_before_another_network_the_pictures_are_no_better_than_another_features(pair, score):
    ahead_fooled, ahead_honest = (each[score] - each[f"{score}_other"] for each in pair)
    assert ahead_honest > ahead_fooled + 0.1
    assert abs(ahead_fooled) < 0.1


def test_a_recipe_that_starts_near_grey_never_wakes_silent_units(runs):
    """They have no gradient there: it draws what it draws of the honest network. The circuit takes grey for unnatural,
    and fools it."""
    assert torch.equal(runs["silent", "grey"].images, runs["honest", "grey"].images)
    assert not torch.equal(runs["fooling", "grey"].images, runs["honest", "grey"].images)
