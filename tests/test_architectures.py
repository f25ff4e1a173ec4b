"""The contract on every architecture of the paper, at full size with random weights: the sites of all blocks are
found, and a gradient reaches the pixels from early, middle and late blocks."""

import ctypes
import gc
import re
import socket
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from vitexplore.models.registry import Model, load
from vitexplore.models.sites import TRANSFORMER_SITES, Site, read, read_many, sites
from vitexplore.models.spec import ModelSpec

MOST_MB = 16_000
# Blocks as published, stage by stage. CoaT: serial ones, then each parallel block once for each of its three scales.
BLOCKS = {
    "vit_base": 12,
    "vit_large": 24,
    "deit": 12,
    "coat_lite_tiny": 2 + 2 + 2 + 2,
    "coat_lite_mini": 2 + 2 + 2 + 2,
    "coat_lite_small": 3 + 4 + 6 + 3,
    "coat_tiny": 2 + 2 + 2 + 2 + 6 * 3,
    "coat_mini": 2 + 2 + 2 + 2 + 6 * 3,
    "convit": 12,
    "pit_ti": 2 + 6 + 4,
    "pit_xs": 2 + 6 + 4,
    "pit_s": 2 + 6 + 4,
    "pit_b": 3 + 6 + 4,
    "swin_tiny": 2 + 2 + 6 + 2,
    "swin_small": 2 + 2 + 18 + 2,
    "swin_base": 2 + 2 + 18 + 2,
    "swin_large": 2 + 2 + 18 + 2,
    "twins_pcpvt_small": 3 + 4 + 6 + 3,
    "twins_pcpvt_base": 3 + 4 + 18 + 3,
    "twins_pcpvt_large": 3 + 8 + 27 + 3,
    "twins_svt_small": 2 + 2 + 10 + 4,
    "twins_svt_base": 2 + 2 + 18 + 2,
    "twins_svt_large": 2 + 2 + 18 + 2,
    "ViT-B-32": 12,
    "ViT-B-16": 12,
    "RN50": 3 + 4 + 6 + 3,
    "RN101": 3 + 4 + 23 + 3,
    "RN50x4": 4 + 6 + 10 + 6,
    "RN50x16": 6 + 8 + 18 + 8,
}
VITS = ("vit_base_patch32_384", "vit_base_patch16_384", "vit_large_patch32_384", "vit_large_patch16_384")
CLIPS = ("ViT-B-32/openai", "ViT-B-16/openai", "RN50/openai", "RN101/openai", "RN50x4/openai", "RN50x16/openai")
VARIANTS = pd.read_csv(Path(__file__).parent / "data" / "variants.csv")
FAMILY = {
    **dict.fromkeys(VITS, "vit"),
    **dict.fromkeys(CLIPS, "clip"),
    **dict(zip(VARIANTS["timm_name"], VARIANTS["family"], strict=True)),
}
SMALLEST = (
    "deit_tiny_distilled_patch16_224.fb_in1k",
    "coat_lite_tiny.in1k",
    "convit_tiny.fb_in1k",
    "pit_ti_224.in1k",
    "swin_tiny_patch4_window7_224.ms_in1k",
    "twins_svt_small.in1k",
)


@pytest.fixture(autouse=True)
def no_network(monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("random weights need no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def freed_memory() -> None:
    """Nothing is left of the architecture before, and the peak starts anew (Linux with glibc)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def peak_rss_mb() -> int:
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024


def published_blocks(architecture: str) -> int:
    return BLOCKS[max((name for name in BLOCKS if architecture.startswith(name)), key=len)]


def built(architecture: str) -> Model:
    source, family = ("open_clip", "clip") if FAMILY[architecture] == "clip" else ("timm", "vit")
    return load(ModelSpec(architecture, source, architecture, family, "random"))


def image(model: Model) -> torch.Tensor:
    side = model.spec.input_size
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))


def check(architecture: str) -> Model:
    """Raises AssertionError for an architecture that breaks the contract."""
    model, blocks = built(architecture), published_blocks(architecture)
    kinds = ("channel",) if architecture.startswith("RN") else TRANSFORMER_SITES
    assert sites(model) == dict.fromkeys(kinds, blocks)
    with torch.no_grad():
        found = read_many(model, [Site(kind, block) for kind in kinds for block in range(blocks)], image(model))
    assert len(found) == len(kinds) * blocks
    for activations in found.values():
        images, positions, _ = activations.bpc.shape
        assert (images, positions) == (1, activations.grid[0] * activations.grid[1])
        assert activations.bpc.isfinite().all() and activations.bpc.std() > 0
    for block in (0, blocks // 2, blocks - 1):
        pixels = image(model).requires_grad_()
        read(model, Site(kinds[0], block), pixels).bpc.square().mean().backward()
        assert pixels.grad.isfinite().all() and pixels.grad.abs().max() > 0
    return model


def test_the_table_is_whole():
    assert VARIANTS["family"].value_counts().to_dict() == dict(swin=10, pit=8, deit=6, twins=6, coat=5, convit=3)
    assert len(FAMILY) == 48
    assert set(SMALLEST) <= set(FAMILY)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", SMALLEST)
def test_the_smallest_of_each_family_has_its_sites_and_a_gradient(architecture):
    check(architecture)


@pytest.mark.registry
@pytest.mark.parametrize("architecture", FAMILY)
def test_an_architecture_has_its_sites_and_a_gradient(architecture, architecture_rows):
    began = time.process_time()  # of one core, whatever else runs
    model = check(architecture)
    peak = peak_rss_mb()
    assert peak <= MOST_MB
    architecture_rows.append(
        {
            "architecture": architecture,
            "family": FAMILY[architecture],
            "blocks": max(sites(model).values()),
            "sites": " ".join(sites(model)),
            "parameters_millions": round(sum(p.numel() for p in model.trunk.parameters()) / 1e6, 1),
            "seconds": round(time.process_time() - began, 1),
            "peak_rss_mb": peak,
        }
    )
