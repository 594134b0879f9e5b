"""Reads which operations a SavedModel holds, and refuses those that no network needs.

A SavedModel is a TensorFlow program, and its operations can read and write files. `check` reads the
protocol buffer of the program and runs nothing. Reading and writing checkpoints is allowed only in
functions that no function of the model calls: TensorFlow adds them to every SavedModel, and does
not run them when it loads one.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

from akita_bayes import errors, files
from akita_bayes.files import damage
from akita_bayes.origins import provenance

GRAPH = "saved_model.pb"
EXPORTED = "exported"
"""Entry of `provenance.json` with the digest of the graph that this package has written."""

_ARITHMETIC = frozenset(
    [
        "Abs",
        "AddN",
        "AddV2",
        "All",
        "Any",
        "ArgMax",
        "ArgMin",
        "Assert",
        "AvgPool",
        "BatchMatMulV2",
        "BatchToSpaceND",
        "BiasAdd",
        "BroadcastTo",
        "Cast",
        "Ceil",
        "ConcatV2",
        "Const",
        "Conv2D",
        "Cumsum",
        "DepthToSpace",
        "DepthwiseConv2dNative",
        "Einsum",
        "Elu",
        "EnsureShape",
        "Equal",
        "Erf",
        "Erfc",
        "Exp",
        "ExpandDims",
        "Expm1",
        "Fill",
        "Floor",
        "FloorDiv",
        "FloorMod",
        "FusedBatchNormV3",
        "GatherNd",
        "GatherV2",
        "Greater",
        "GreaterEqual",
        "Identity",
        "IdentityN",
        "LeakyRelu",
        "Less",
        "LessEqual",
        "Log",
        "Log1p",
        "LogSoftmax",
        "LogicalAnd",
        "LogicalNot",
        "LogicalOr",
        "MatMul",
        "Max",
        "MaxPool",
        "Maximum",
        "Mean",
        "Min",
        "Minimum",
        "MirrorPad",
        "Mul",
        "Neg",
        "NoOp",
        "NotEqual",
        "OneHot",
        "OnesLike",
        "Pack",
        "Pad",
        "PadV2",
        "PartitionedCall",
        "Placeholder",
        "Pow",
        "Prod",
        "Range",
        "Rank",
        "ReadVariableOp",
        "RealDiv",
        "Reciprocal",
        "Relu",
        "Relu6",
        "Reshape",
        "ReverseV2",
        "Rsqrt",
        "Select",
        "SelectV2",
        "Selu",
        "Shape",
        "Sigmoid",
        "Sign",
        "Size",
        "Slice",
        "Softmax",
        "Softplus",
        "Softsign",
        "SpaceToBatchND",
        "SpaceToDepth",
        "Split",
        "SplitV",
        "Sqrt",
        "Square",
        "SquaredDifference",
        "Squeeze",
        "StatefulPartitionedCall",
        "StatelessWhile",
        "StopGradient",
        "StridedSlice",
        "Sub",
        "Sum",
        "Tanh",
        "TensorListFromTensor",
        "TensorListGetItem",
        "TensorListReserve",
        "TensorListSetItem",
        "TensorListStack",
        "Tile",
        "Transpose",
        "Unpack",
        "VarHandleOp",
        "ZerosLike",
    ]
)
"""Operations that compute arrays from arrays, and calls of functions of the same graph."""

_CHECKPOINT = frozenset(
    [
        "AssignVariableOp",
        "DisableCopyOnRead",
        "MergeV2Checkpoints",
        "RestoreV2",
        "SaveV2",
        "ShardedFilename",
        "StaticRegexFullMatch",
        "StringJoin",
    ]
)
"""Operations of the functions that save and restore the variables."""

_OBJECTS = {"bare_concrete_function", "constant", "function", "user_object", "variable"}
_CLASSES = {"_generic_user_object", "signature_map", "trackable_list_wrapper"}
_ADVICE = (
    "and a SavedModel can read and write files; export the model again from its run, or give "
    "--trust if you trust its author"
)
_SHOWN = 5  # operations that a message names


def record(path: Path) -> dict[str, Any]:
    """Returns the `provenance.json` entry of an export of this package: the digest of its graph."""
    return {EXPORTED: files.digest(path / GRAPH)}


def check(path: Path) -> None:
    """Refuses a SavedModel that may do anything else than predict.

    Raises:
        RunError: This package did not export it, it changed since, it holds an operation that
            networks of this package do not use, or the graph is damaged.
    """
    content = (path / GRAPH).read_bytes()
    recorded = _recorded(path)
    digest = hashlib.sha256(content).hexdigest()
    if recorded is None or recorded != digest:
        reason = "was not exported by this version of akita_bayes"
        if recorded is not None:
            reason = "its graph has changed since it was exported"
        raise errors.RunError(f"{path}: {reason}, {_ADVICE}.")
    if (path / "saved_model.cpb").exists():  # TensorFlow would read it in place of the graph.
        raise errors.RunError(f"{path}: holds a second graph, saved_model.cpb, {_ADVICE}.")
    advice = "copy it again, or export the model again"
    with damage.explained(path, "a SavedModel", advice, error=errors.RunError):
        wrong = sorted(set(_foreign(content)))
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise errors.RunError(
            f"{path}: holds {', '.join(wrong[:_SHOWN])}{more}, which no network of this package "
            f"uses, {_ADVICE}."
        )


def _recorded(path: Path) -> str | None:
    """Returns the digest that the export recorded; None without one."""
    if not (path / provenance.FILE).is_file():
        return None
    content = files.read_json(path / provenance.FILE)
    digest = content.get(EXPORTED) if isinstance(content, dict) else None
    return digest if isinstance(digest, str) else None


def _foreign(content: bytes) -> Iterator[str]:
    """Yields what a graph holds beside networks and their checkpoints, as words for a message."""
    saved = saved_model_pb2.SavedModel.FromString(content)
    # TensorFlow runs the initializers of a graph without objects, or with several graphs.
    if len(saved.meta_graphs) != 1 or not saved.meta_graphs[0].HasField("object_graph_def"):
        yield "a graph of TensorFlow 1"
        return
    (graph,) = saved.meta_graphs
    if graph.asset_file_def:
        yield "asset files"
    for node in graph.object_graph_def.nodes:
        kind = node.WhichOneof("kind")
        if kind not in _OBJECTS:
            yield f"an object of kind {kind}"
        if kind == "user_object" and node.user_object.identifier not in _CLASSES:
            yield f"an object of class {node.user_object.identifier or 'without a name'}"
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    # A function with the name of an operation could pass for it. Names of operations begin with a
    # capital letter; loops of TensorFlow have names such as while_body_12.
    yield from (
        f"a function {name}"
        for name in functions
        if not (name.startswith("__") or name[:1].islower())
    )
    gradients = {gradient.gradient_func for gradient in graph.graph_def.library.gradient}
    roots = {*graph.object_graph_def.concrete_functions, *gradients}
    callable_functions = _reached(roots, functions)
    allowed = _ARITHMETIC | functions.keys()
    for name, function in functions.items():
        permitted = allowed if name in callable_functions else allowed | _CHECKPOINT
        yield from (node.op for node in function.node_def if node.op not in permitted)
    yield from (node.op for node in graph.graph_def.node if node.op not in allowed)


def _reached(roots: Iterable[str], functions: dict[str, Any]) -> set[str]:
    """Returns the names of functions that some functions call, directly or not, with themselves."""
    names: set[str] = set()
    waiting = [name for name in roots if name in functions]
    while waiting:
        name = waiting.pop()
        if name in names:
            continue
        names.add(name)
        for node in functions[name].node_def:
            waiting += _called(node, functions)
    return names


def _called(node: Any, functions: dict[str, Any]) -> Iterator[str]:
    """Yields the functions that a node names: as its operation, or in an attribute."""
    names = [node.op]
    for attribute in node.attr.values():
        names.append(attribute.func.name)
        names += [function.name for function in attribute.list.func]
        names.append(attribute.s.decode("latin-1"))
    yield from (name for name in names if name in functions)
