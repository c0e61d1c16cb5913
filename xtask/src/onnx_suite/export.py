"""Writes the test cases of several releases of the `onnx` package as one file per case.

Most cases give shapes, axes and scales as inputs where the files of exporters hold constants, so a
node with several inputs comes twice: as it is, and as NAME_constants, its inputs but the first stored.

Releases differ in the operator set that their cases are written for, and each carries the expected
outputs of its time. A case is JSON: `name`, `rtol`, `atol`, `model` (base64 of the file) and `sets`,
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
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.loader import DATA_DIR

DTYPES = {"bool", "float16", "float32", "float64"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
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


def write(out, name, model, sets, rtol, atol):
    """Writes the case, and the one with constants in the place of inputs."""
    write_one(out, name, model, sets, rtol, atol)
    if made := constants(model, sets):
        write_one(out, f"{name}_constants", *made, rtol, atol)


def write_one(out, name, model, sets, rtol, atol):
    case = {"name": name, "rtol": rtol, "atol": atol}
    graph = model.graph
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
        stored = made.graph.initializer.add()
        stored.CopyFrom(value)
        stored.name = info.name
    del made.graph.input[1:]
    return made, [(given[:1], expected)]


def generated(out):
    """The node cases of the installed release are code."""
    for case in collect_testcases(None):
        write(out / "node", case.name, case.model, case.data_sets, case.rtol, case.atol)


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
    installed(here)
    for path in sorted(wheels.glob("onnx-*.whl")):
        wheel(out / "-".join(path.name.split("-")[:2]), path)


main()
