"""Rejects a SavedModel whose graph does anything but compute pictures.

A SavedModel is a program: operations such as ReadFile, WriteFile or PyFunc act on the machine that loads it, some of
them while it is loaded. An exported model of this project needs none of them. `check` compares the operations with
those of such exports, separately for the three uses of a graph:

- what a request runs, and what the loader runs to initialise the model (also everything that nothing runs);
- what the loader runs to restore the weights: one function, which reads the files that the loader names;
- what only saves weights: files are written there, and no server runs it. No signature and no initialiser may reach it.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from google.protobuf import message
from tensorflow.core.protobuf import saved_model_pb2

from tf_psgan_serving.version_files.errors import VersionError

REMEDY = "load models of your own or of people you trust only"

_SERVED = """
Abs AddV2 All ArgMin AsString Assert BiasAdd BitwiseAnd BitwiseXor BroadcastTo Cast ConcatV2 Const Conv2D Cos Cumsum
DeviceIndex EncodeJpeg EncodePng Equal ExpandDims Fill Floor FloorDiv FloorMod GatherNd GatherV2 Greater GreaterEqual
Identity IsFinite LeftShift Less LessEqual LogicalAnd LogicalOr MatMul Max Maximum Minimum Mul Neg NoOp NotEqual Pack
Pad PartitionedCall Placeholder Pow Prod Range ReadVariableOp RealDiv Relu Reshape ResourceGather RightShift Round
SelectV2 Shape Sign Sin Sqrt SquaredDifference Squeeze StatefulPartitionedCall StatelessIf StatelessWhile
StridedSlice StringJoin Sub Substr Sum Tanh TensorListFromTensor TensorListGetItem TensorListReserve
TensorListSetItem TensorListStack TensorScatterUpdate Tile TopKV2 Transpose Unpack VarHandleOp Where While
"""
_RELATED = """
AccumulateNV2 Acos Acosh AddN AdjustContrastv2 Angle Any ApproximateEqual ArgMax Asin Asinh Atan Atan2 Atanh AvgPool
BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpaceND Betainc BiasAddV1 Bincount Bitcast BitwiseOr BroadcastArgs
BroadcastGradientArgs Bucketize Case Ceil ClipByValue Complex ComplexAbs ConcatOffset Conj Conv2DBackpropInput Cosh
CropAndResize Cross Cumprod DecodeRaw DenseBincount DepthToSpace DepthwiseConv2dNative Digamma Div DivNoNan
DynamicPartition DynamicStitch Einsum Elu EmptyTensorList EnsureShape Erf Erfc EuclideanNorm Exp Expm1
ExtractImagePatches FFT FFT2D FusedBatchNormV3 Gather HSVToRGB HistogramFixedWidth IFFT IFFT2D IRFFT IRFFT2D
IdentityN If Imag Inv Invert InvertPermutation IsInf IsNan L2Loss LeakyRelu Lgamma LinSpace ListDiff Log Log1p
LogSoftmax LogicalNot LowerBound MatrixBandPart MatrixDiagPartV3 MatrixDiagV3 MaxPool Mean Min MirrorPad Mod
NextAfter OneHot OnesLike PadV2 ParallelDynamicStitch PlaceholderWithDefault PopulationCount RFFT RFFT2D RGBToHSV
Rank Real Reciprocal ReduceJoin Relu6 ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor Reverse
ReverseSequence ReverseV2 Rint Roll Rsqrt ScaleAndTranslate ScatterNd SegmentMax SegmentMaxV2 SegmentMean SegmentMin
SegmentMinV2 SegmentProd SegmentSum SegmentSumV2 Selu ShapeN Sigmoid Sinh Size Slice Snapshot Softmax Softplus
SpaceToBatchND SpaceToDepth SparseToDense Split SplitV Square StatelessCase StatelessMultinomial
StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
StatelessRandomUniform StatelessRandomUniformFullIntV2 StatelessRandomUniformIntV2 StatelessRandomUniformV2
StopGradient StringFormat StringLength Tan TensorListConcatV2 TensorListElementShape TensorListGather
TensorListLength TensorListPopBack TensorListPushBack TensorListResize TensorListScatterV2 TensorListSplit
TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TopK TruncateDiv TruncateMod Unique UniqueV2
UniqueWithCounts UniqueWithCountsV2 UnravelIndex UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
UnsortedSegmentSum UpperBound Xdivy Xlogy ZerosLike
"""
_RESTORED = "AssignVariableOp Const Identity NoOp RestoreV2"
_SAVED = """
Const DisableCopyOnRead Identity MergeV2Checkpoints NoOp Pack ReadVariableOp SaveV2 Select ShardedFilename
StaticRegexFullMatch StringJoin
"""
SERVED, RESTORED, SAVED = (frozenset(names.split()) for names in (_SERVED + _RELATED, _RESTORED, _SAVED))
"""Operations of the three uses in the exports of all schema versions, and some that other settings or other releases of
TensorFlow may need for the same arithmetic. None of `SERVED` acts outside the graph."""

_CALLS = frozenset({"Const", "Placeholder", "StatefulPartitionedCall", "VarHandleOp"})
_MAX_NAMED = 8


def check(folder: Path) -> None:
    """Rejects a version whose graph has operations beyond those of this project's exports. Call it before the loader.

    A program that lets its user trust models calls it only without that permission:

        checksums.check(folder)
        if not trust_models:
            operations.check(folder)
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))

    The folder must not be writable for others: what they change between this check and the load is not checked.

    Args:
      folder: of the version.

    Raises:
      VersionError: an operation is not allowed, or there is no readable `saved_model.pb`.
      OSError: the file cannot be read.
    """
    if (folder / "saved_model.cpb").exists():
        raise VersionError(f"saved_model.cpb: a graph in parts is not checked; {REMEDY}.")
    try:
        model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except message.DecodeError:
        raise VersionError("saved_model.pb: not a SavedModel; copy or export the version again.") from None
    for graph in model.meta_graphs:
        _Graph(graph).check()


class _Graph:
    def __init__(self, graph: Any) -> None:
        self._saver, self._functions = graph.saver_def, {f.signature.name: f for f in graph.graph_def.library.function}
        self._nodes = {node.name: node for node in graph.graph_def.node}
        outputs = [info.name for signature in graph.signature_def.values() for info in signature.outputs.values()]
        initialisers = [name for entry in graph.collection_def.values() for name in entry.node_list.value]
        self._run = self._closure([*outputs, *initialisers])

    def check(self) -> None:
        saving = self._closure([self._saver.save_tensor_name]) - self._run
        restoring = self._closure([self._saver.restore_op_name]) - self._run
        served = [self._nodes[name] for name in self._nodes.keys() - saving - restoring]
        restore, save = ([self._nodes[name] for name in names] for names in (restoring, saving))
        run, restored, saved = self._called(served), self._called(restore), self._called(save)
        # While restoring, a constant outside the function could be the name of any file.
        foreign = _foreign(served, SERVED) | _foreign(save, _CALLS) | _foreign(restore, _CALLS - {"Const"})
        for name, function in self._functions.items():
            if "api_implements" in function.attr:
                raise VersionError(f"saved_model.pb: lets TensorFlow run one function instead of another; {REMEDY}.")
            if name in restored:
                foreign |= _foreign(function.node_def, RESTORED)
                self._check_prefix(function)
            if name in saved - restored:
                foreign |= _foreign(function.node_def, SAVED)
            if name in run or name not in restored | saved:
                foreign |= _foreign(function.node_def, SERVED)
        if foreign:
            names = ", ".join(repr(name[:80]) for name in sorted(foreign)[:_MAX_NAMED])
            text = f"{len(foreign)} operations that no export of this project has at that place: {names}"
            raise VersionError(f"saved_model.pb: {text}; {REMEDY}.")

    def _check_prefix(self, function: Any) -> None:
        arguments = {argument.name for argument in function.signature.input_arg}
        for node in function.node_def:
            if node.op == "RestoreV2" and node.input[0] not in arguments:
                raise VersionError(f"saved_model.pb: reads a file of its own choice while it is restored; {REMEDY}.")

    def _closure(self, names: Iterable[str]) -> set[str]:
        """The names of the nodes that are run to compute these tensors or operations."""
        found: set[str] = set()
        waiting = [name for name in names if name]
        while waiting:
            name = waiting.pop().lstrip("^").partition(":")[0]
            if name in self._nodes and name not in found:
                found.add(name)
                waiting += self._nodes[name].input
        return found

    def _called(self, nodes: Iterable[Any]) -> set[str]:
        """The names of the functions that nodes call, directly or not."""
        found: set[str] = set()
        waiting = list(nodes)
        while waiting:
            for attribute in waiting.pop().attr.values():
                for called in (attribute.func, *attribute.list.func):
                    if called.name in self._functions and called.name not in found:
                        found.add(called.name)
                        waiting += self._functions[called.name].node_def
        return found


def _foreign(nodes: Iterable[Any], allowed: Collection[str]) -> set[str]:
    return {node.op for node in nodes} - set(allowed)
