"""A stand-in for all that the scale `hub` downloads: made photographs in the layouts of ImageNet-V2, the backgrounds
challenge and COCO, and random weights in the form of the published ones, on a server of their own.

As a program (``rehearsal.py PROJECT FILES``) it serves the folder FILES on loopback, makes that the list of public
files of the copy PROJECT, and runs the workflow there."""

import fcntl
import hashlib
import io
import json
import socket
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from file_server import Fault, FileServer, serving
from PIL import Image
from project import ROOT, snakemake
from safetensors.torch import save

from vitexplore.data.imagenet9 import FOLDERS
from vitexplore.data.said import SAID
from vitexplore.models.registry import load
from vitexplore.scale import read

HUB = "workflow/scales/hub.yaml"
LIST = "workflow/downloads.yaml"
SCALES = (HUB, "rehearsal.yaml")
IFF_UP, GET_FLAGS, SET_FLAGS = 1, 0x8913, 0x8914  # linux/if.h, linux/sockios.h
TARGET = "results/rehearsal/claims.csv"

# Each model of the scale at another architecture or weight tag: none of these is one of the paper's. The small ones
# stand beside each other, for fewer jobs are quicker.
BESIDE = {"beside": "vit_b16"}
SMALL = {
    "vit_b16": {"architecture": "vit_tiny_patch16_224", "input_size": 64},
    "vit_b16_224": {"architecture": "vit_tiny_patch16_224", "input_size": 48, **BESIDE},
    "vit_b16_random": {"architecture": "vit_tiny_patch16_224", "input_size": 64, **BESIDE},
    "deit_b16": {"architecture": "deit_tiny_patch16_224", "input_size": 64, **BESIDE},
    "deit_b16_random": {"architecture": "deit_tiny_patch16_224", "input_size": 64, **BESIDE},
    "clip_vit_b16": {"architecture": "ViT-S-32-alt/made", "input_size": 64, **BESIDE},
    "resnet50": {"architecture": "resnet18", "input_size": 64, **BESIDE},
    "mobilenet_v2": {"architecture": "mobilenet_v2.IMAGENET1K_V2", "input_size": 64, **BESIDE},
}
FULL = {
    "vit_b16": {"architecture": "vit_base_patch16_384"},
    "vit_b16_224": {"architecture": "vit_base_patch16_384"},
    "deit_b16": {"architecture": "deit_base_patch16_224"},
    "clip_vit_b16": {"architecture": "ViT-B-16/made"},
    "resnet50": {"architecture": "resnet50"},
    "mobilenet_v2": {"architecture": "mobilenet_v2.IMAGENET1K_V2"},
}


# --- files


def jpeg(rng: np.random.Generator, height: int, width: int) -> bytes:
    """Coarse noise, which differs from place to place and from picture to picture."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    found = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(found, "JPEG")
    return found.getvalue()


def imagenetv2(rng: np.random.Generator, classes: int, side: int) -> dict[str, bytes]:
    """Two pictures of each of ``classes`` classes."""
    root = "imagenetv2-matched-frequency-format-val"
    names = [f"{root}/{label}/{rng.bytes(8).hex()}.jpeg" for label in range(classes) for _ in range(2)]
    return {name: jpeg(rng, side, side + 11) for name in names}


def imagenet9(rng: np.random.Generator, each: int, side: int) -> dict[str, bytes]:
    """``each`` originals of each of the nine classes, in three variants."""
    names = [f"val/{folder}/n0208593{number}_{number}.JPEG" for folder in FOLDERS for number in range(each)]
    variants = ("original", "only_fg", "only_bg_b")
    return {f"bg_challenge/{variant}/{name}": jpeg(rng, side, side) for variant in variants for name in names}


def coco(rng: np.random.Generator, count: int, side: int) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Pictures, each of a cat, a dog or a bus, every other one with a person; and what is known of them, in COCO's
    form."""
    categories = [("cat", "animal"), ("dog", "animal"), ("bus", "vehicle"), ("person", "person")]
    pictures, images, annotations, captions = {}, [], [], []
    for number in range(count):
        file, height, width = f"{number:012d}.jpg", side, side + 20
        pictures[f"val2017/{file}"] = jpeg(rng, height, width)
        images.append({"id": number, "file_name": file, "height": height, "width": width})
        for each in [number % 3, *([3] if number % 2 else [])]:
            left, top, right, bottom = 5 + each, 4, side // 2, side - 6
            corners = [left, top, right, top, right, bottom, left, bottom]
            known = {"image_id": number, "category_id": each, "iscrowd": 0, "segmentation": [corners]}
            annotations.append({**known, "bbox": [left, top, right - left, bottom - top]})
        said = [f"a picture {each.prompt}" for place, each in enumerate(SAID.values()) if number % (place + 2) == 0]
        captions += [{"image_id": number, "caption": text} for text in ["A picture.", *said]]
    named = [{"id": number, "name": name, "supercategory": of} for number, (name, of) in enumerate(categories)]
    instances = {"images": images, "annotations": annotations, "categories": named}
    files = {"instances": instances, "captions": {"images": images, "annotations": captions}}
    return pictures, {f"annotations/{kind}_val2017.json": json.dumps(what).encode() for kind, what in files.items()}


def packed(members: Mapping[str, bytes], name: str) -> bytes:
    found = io.BytesIO()
    if name.endswith(".zip"):
        with zipfile.ZipFile(found, "w") as archive:
            for member, body in members.items():
                archive.writestr(member, body)
    else:
        with tarfile.open(fileobj=found, mode="w:gz") as archive:
            for member, body in members.items():
                about = tarfile.TarInfo(member)
                about.size = len(body)
                archive.addfile(about, io.BytesIO(body))
    return found.getvalue()


def weights(models: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """By the name of the file, random weights of each model of the scale that has some of its own."""
    scale = read(ROOT / HUB)
    for name, changes in models.items():
        spec = scale.models[name].spec
        if not spec.random and name != "vit_b16_224":  # which has those of vit_b16
            built = {key: changes[key] for key in ("architecture", "input_size") if key in changes}
            module = load(replace(spec, weights="random", seed=len(name), **built)).module
            yield f"{file_of(name)}.safetensors", save({key: each.clone() for key, each in module.state_dict().items()})


def file_of(model: str) -> str:
    """The name under which a model's made weights are listed."""
    return f"rehearsal_{model.removesuffix('_224')}"


def make(folder: Path, models: Mapping[str, Mapping[str, Any]], side: int, classes: int, each: int, count: int) -> None:
    """Fill ``folder`` with what the server has."""
    rng = np.random.default_rng(0)
    pictures, annotations = coco(rng, count, side)
    for name, members in {
        "imagenetv2-matched-frequency.tar.gz": imagenetv2(rng, classes, side),
        "backgrounds_challenge_data.tar.gz": imagenet9(rng, each, side),
        "val2017.zip": pictures,
        "annotations_trainval2017.zip": annotations,
    }.items():
        (folder / name).write_bytes(packed(members, name))
    for name, body in weights(models):
        (folder / name).write_bytes(body)


def scale(models: Mapping[str, Mapping[str, Any]], classes: int, each: int, count: int, **more: Any) -> dict[str, Any]:
    """What a rehearsal says besides the scale `hub`: other weights and fewer pictures."""
    published = {name for name, model in read(ROOT / HUB).models.items() if not model.random}
    sources = {
        name: {**changes, **({"weights": f"download:{file_of(name)}"} if name in published else {})}
        for name, changes in models.items()
    }
    return {
        "scale": "rehearsal",
        "rehearsal": True,
        "expected": {"data": 2 * classes, "classes": classes},
        "sets": {"imagenet9": {"expected": 9 * each, "images_per_class": each}, "coco": {"expected": count}},
        "models": sources,
        **more,
    }


def listed(files: Mapping[str, bytes], address: str) -> dict[str, dict[str, Any]]:
    """The list of public files: the project's four at another address, and the weights. The sum of the challenge is
    not known before its first use, as it is not for the real one."""
    real = yaml.safe_load((ROOT / LIST).read_text())
    names = {name: entry["url"].rpartition("/")[2] for name, entry in real.items()}
    names |= {name.removesuffix(".safetensors"): name for name in files if name.endswith(".safetensors")}
    found = {}
    for name, file in names.items():
        entry = {"url": f"{address}/{file}", "licence": "-", "citation": "-"}
        if "sha256" in real.get(name, {"sha256": ""}):
            entry |= {"bytes": len(files[file]), "sha256": hashlib.sha256(files[file]).hexdigest()}
        found[name] = entry
    return found


# --- the run


def loopback_up() -> None:
    """In a network namespace of its own, where nothing is up yet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        name = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(handle, GET_FLAGS, name))[1]
        fcntl.ioctl(handle, SET_FLAGS, struct.pack("16sh", b"lo", flags | IFF_UP))


def alone() -> list[str]:
    """The start of a command that runs in a network namespace with loopback alone, where that is allowed."""
    command = ["unshare", "--user", "--map-root-user", "--net"]
    try:
        allowed = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    return command if allowed else []


def run(project: Path, files: Path, faults: Iterable[Fault] = ()) -> subprocess.CompletedProcess:
    with serving() as server:
        _fill(server, files, faults)
        (project / LIST).write_text(yaml.safe_dump(listed(server.files, server.address)))
        return snakemake(project, TARGET, "--configfile", *SCALES)


def _fill(server: FileServer, files: Path, faults: Iterable[Fault]) -> None:
    server.files = {path.name: path.read_bytes() for path in files.iterdir()}
    server.faults = list(faults)


if __name__ == "__main__":
    if "--alone" in sys.argv:
        loopback_up()
    done = run(Path(sys.argv[1]), Path(sys.argv[2]), [Fault(cut=1000), Fault(429, ("Retry-After", "1"))])
    sys.stdout.write(done.stdout + done.stderr)
    sys.exit(done.returncode)
