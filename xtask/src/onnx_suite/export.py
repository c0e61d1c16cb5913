"""Writes the test cases of several releases of the `onnx` package as one file per case.

Most cases give shapes, axes and scales as inputs where the files of exporters hold constants, so a
node with several inputs comes twice: as it is, and as NAME_constants, its inputs but the first stored.

Releases differ in the operator set that their cases are written for, and each carries the expected
outputs of its time. A case is JSON: `name`, `operator` of a single node, `rtol`, `atol`, `model` (base64 of the file) and `sets`,
each with `inputs` and `outputs`: `{name, dtype, shape, data}`, `data` base64 of little-endian bytes. A
case that tensors cannot express (sequences, maps, text) says why in `skipped`.

    export.py OUT WHEELS     cases of the installed release, and of each older wheel in WHEELS
"""

import base64
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.loader import DATA_DIR
from onnx.reference import ReferenceEvaluator

DTYPES = {"bool", "float16", "float32", "float64"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


# Outputs that a later release corrected are not held against anyone: release, case and what was wrong.
CORRECTED = {
    ("1.6.0", "test_resize_upsample_sizes_nearest_ceil_half_pixel"): "its node lacks nearest_mode",
    ("1.6.0", "test_resize_upsample_sizes_nearest_floor_align_corners"): "its node lacks nearest_mode",
    ("1.6.0", "test_resize_upsample_sizes_nearest_round_prefer_ceil_asymmetric"): (
        "its node lacks nearest_mode"
    ),
    ("1.16.2", "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True"): (
        "counts padding beyond the input that ceil_mode adds"
    ),
    ("1.19.1", "test_l2normalization_axis_0"): "has NaN for a row of zeros",
}


class Skipped(Exception):
    """The case needs something that is no tensor of numbers."""


def tensor(value, info):
    """One input or output in the case's own form."""
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        raise Skipped(f"`{info.name}` is a {kind.removesuffix('_type')}")
    if isinstance(value, bytes):
        proto = onnx.TensorProto.FromString(value)
    elif isinstance(value, onnx.TensorProto):
        proto = value
    else:
        proto = None
    if proto is not None:
        value = numpy_helper.to_array(proto)
    array = np.asarray(value)
    if str(array.dtype) not in DTYPES:
        element = onnx.TensorProto.DataType.Name(info.type.tensor_type.elem_type)
        raise Skipped(f"`{info.name}` holds {element}")
    data = np.asarray(array, order="C", dtype=array.dtype.newbyteorder("<")).tobytes()
    return {
        "name": info.name,
        "dtype": str(array.dtype),
        "shape": list(array.shape),
        "data": base64.b64encode(data).decode(),
    }


def constants(model, sets):
    """The case with all inputs but the first in the file, or None where that is no other case."""
    graph = model.graph
    if len(graph.node) != 1 or len(graph.input) < 2 or graph.initializer or not sets:
        return None
    given, expected = sets[0]
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for info, value in list(zip(graph.input, given))[1:]:
        if info.type.WhichOneof("value") != "tensor_type":
            return None
        if isinstance(value, bytes):
            value = onnx.TensorProto.FromString(value)
        elif not isinstance(value, onnx.TensorProto):
            value = numpy_helper.from_array(np.asarray(value))
        if value.data_type != info.type.tensor_type.elem_type:
            return None  # early cases of bfloat16 are stored as uint16
        stored = made.graph.initializer.add()
        stored.CopyFrom(value)
        stored.name = info.name
    del made.graph.input[1:]
    return made, [(given[:1], expected)]


def write(out, name, model, sets, rtol, atol):
    """Writes the case, and the one with constants in the place of inputs."""
    write_one(out, name, model, sets, rtol, atol)
    if made := constants(model, sets):
        write_one(out, f"{name}_constants", *made, rtol, atol)


def write_one(out, name, model, sets, rtol, atol):
    case = {"name": name, "rtol": rtol, "atol": atol}
    release = out.parent.name.removeprefix("onnx-")
    corrected = CORRECTED.get((release, name.removesuffix("_constants")))
    if corrected:
        case["skipped"] = f"a later release corrected it: {corrected}"
    graph = model.graph
    if len(graph.node) == 1:
        case["operator"] = graph.node[0].op_type
    initialized = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in initialized]
    case["model"] = base64.b64encode(model.SerializeToString()).decode()
    try:
        case["sets"] = [
            {
                "inputs": [tensor(*pair) for pair in zip(given, inputs)],
                "outputs": [tensor(*pair) for pair in zip(expected, graph.output)],
            }
            for given, expected in sets
        ]
    except Skipped as reason:
        case["skipped"] = str(reason)
    except (ValueError, TypeError, KeyError) as reason:
        case["skipped"] = f"the package cannot read its own data: {reason}"
    path = out / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(case))


def generated(out):
    """The node cases of the installed release are code."""
    for case in collect_testcases(None):
        write(out / "node", case.name, case.model, case.data_sets, case.rtol, case.atol)


def ours(out):
    """What exporters write and no case of the package has; the answers are its reference evaluator's."""
    random = np.random.default_rng(20263)

    def normal(*shape):
        return random.normal(0, 1, shape).astype(np.float32)

    def small(*shape, dtype=np.uint8):
        return random.integers(0, 100, shape).astype(dtype)

    scale, zero = np.float32(0.04), np.uint8(7)
    kernel = dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
    statistics = [normal(3), normal(3), normal(3), np.abs(normal(3)) + 0.5]
    gru = [normal(5, 2, 3), normal(1, 12, 3), normal(1, 12, 4), normal(1, 24)]
    nodes = {
        "gru_linear_before_reset": ("GRU", 14, dict(hidden_size=4, linear_before_reset=1), gru),
        "batchnorm_momentum": (
            "BatchNormalization", 15, dict(momentum=0.9, training_mode=0), [normal(2, 3, 4, 4), *statistics]
        ),
        "batchnorm_spatial": ("BatchNormalization", 15, dict(epsilon=1e-3), [normal(2, 3, 4), *statistics]),
        "layernorm_stash_type": (
            "LayerNormalization", 17, dict(axis=-1, stash_type=1), [normal(2, 3, 8), normal(8), normal(8)]
        ),
        "quantize_axis": (
            "QuantizeLinear", 21, dict(axis=1), [normal(2, 3, 4), np.abs(normal(3)) + 0.1, small(3)]
        ),
        "dequantize_axis": (
            "DequantizeLinear", 21, dict(axis=0), [small(3, 4, dtype=np.int8), np.abs(normal(3)) + 0.1]
        ),
        "qlinearconv_kernel": (
            "QLinearConv", 10, kernel,
            [small(1, 3, 8, 8), scale, zero, small(4, 3, 3, 3), scale, zero, np.float32(0.6), zero],
        ),
        "qlinearconv_group": (
            "QLinearConv", 10, dict(group=2, dilations=[1, 1]),
            [small(1, 4, 8, 8), scale, zero, small(4, 2, 3, 3), scale, zero, np.float32(0.6), zero],
        ),
        "convinteger_kernel": (
            "ConvInteger", 10, kernel | dict(group=1, dilations=[1, 1]),
            [small(1, 3, 8, 8), small(4, 3, 3, 3), zero],
        ),
        "reshape_allowzero": (
            "Reshape", 14, dict(allowzero=1), [normal(2, 3, 4), np.array([4, -1], np.int64)]
        ),
        "reduce_max_noop": (
            "ReduceMax", 18, dict(noop_with_empty_axes=0, keepdims=0), [normal(2, 3), np.array([1], np.int64)]
        ),
    }
    for reducer in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"):
        given = [np.abs(normal(2, 3, 4)) + 0.1, np.array([1], np.int64)]
        nodes[f"reduce_{reducer.lower()}_axes"] = (
            f"Reduce{reducer}", 18, dict(noop_with_empty_axes=1, keepdims=0), given
        )
    for name, (operator, opset, attributes, given) in nodes.items():
        names = [f"x{index}" for index in range(len(given))]
        given = [np.asarray(value) for value in given]
        node = helper.make_node(operator, names, ["y"], **attributes)
        inputs = [
            helper.make_tensor_value_info(
                each, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for each, value in zip(names, given)
        ]
        made = helper.make_model(
            helper.make_graph([node], name, inputs, [helper.make_empty_tensor_value_info("y")]),
            opset_imports=[helper.make_opsetid("", opset)],
        )
        made = onnx.shape_inference.infer_shapes(made)
        expected = ReferenceEvaluator(made).run(None, dict(zip(names, given)))
        write(out / "ours", name, made, [(given, expected)], 1e-3, 1e-5)


def light(out):
    """Whole networks whose weights are constants; inputs and outputs as the package's runner has them."""
    for path in sorted((Path(DATA_DIR) / "light").glob("light_*.onnx")):
        model = onnx.load(path)
        initialized = {each.name for each in model.graph.initializer}
        given = []
        for each in model.graph.input:
            if each.name not in initialized:
                shape = [dim.dim_value or 1 for dim in each.type.tensor_type.shape.dim]
                count = int(np.prod(shape))
                given.append((np.arange(count).reshape(shape) / count).astype(np.float32))
        expected = [
            path.with_name(f"{path.stem}_output_{index}.pb").read_bytes()
            for index in range(len(model.graph.output))
        ]
        write(out / "light", path.stem, model, [(given, expected)], 1e-3, 1e-5)


def stored(out, files):
    """Cases that lie as files: `files` maps `kind/name/file` to a function that reads it."""
    kinds = ("node", "simple", "pytorch-converted", "pytorch-operator")
    for model_path in sorted(files):
        parts = model_path.split("/")
        if parts[0] not in kinds or parts[-1] != "model.onnx":
            continue
        folder = "/".join(parts[:-1])
        model = onnx.ModelProto.FromString(files[model_path]())
        tolerance = json.loads(files[f"{folder}/data.json"]()) if f"{folder}/data.json" in files else {}
        sets = []
        while True:
            here = f"{folder}/test_data_set_{len(sets)}"
            pair = []
            for side in ("input", "output"):
                values = []
                while (path := f"{here}/{side}_{len(values)}.pb") in files:
                    values.append(files[path]())
                pair.append(values)
            if not pair[1]:
                break
            sets.append(pair)
        rtol, atol = tolerance.get("rtol", 1e-3), tolerance.get("atol", 1e-7)
        write(out / parts[0], parts[1], model, sets, rtol, atol)


def installed(out):
    root = Path(DATA_DIR)
    paths = [path for path in root.rglob("*") if path.is_file() and path.parts[len(root.parts)] != "node"]
    stored(out, {str(path.relative_to(root)): path.read_bytes for path in paths})


def wheel(out, path):
    archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    prefix = "onnx/backend/test/data/"
    stored(
        out,
        {
            name.removeprefix(prefix): lambda name=name: archive.read(name)
            for name in archive.namelist()
            if name.startswith(prefix + "node/")
        },
    )


def main():
    out, wheels = map(Path, sys.argv[1:])
    here = out / f"onnx-{onnx.__version__}"
    generated(here)
    light(here)
    ours(here)
    installed(here)
    for path in sorted(wheels.glob("onnx-*.whl")):
        wheel(out / "-".join(path.name.split("-")[:2]), path)


main()
