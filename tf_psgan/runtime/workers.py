"""What the processes of one training exchange: means over all of them, decisions, and the first one's state.

Each worker computes its share of every batch. A quantity that one process would average over its whole batch (moments
of batch normalization, spectra, losses, gradients) is averaged over the workers as well, by TensorFlow's collective
operations: in a ring over gRPC on processors, by NCCL on GPUs. Tensors that are needed at one time go in one message.

The calls to `tensorflow.python.eager.context` start and end the collective runtime. TensorFlow has no public names for
them; `tf.distribute.MultiWorkerMirroredStrategy`, which cannot be used with steps that call compiled functions, makes
the same ones.
"""

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from tf_psgan.errors import SettingError
from tf_psgan.runtime.cluster import VARIABLE, Cluster

START_SECONDS = 300.0
"""How long workers wait for each other at the start."""
TOLD_SECONDS = 10.0
"""After this time a worker says for whom it waits."""
CHECK_SECONDS = 1.0
"""Time between two checks of whether the others are there."""
ANSWER_SECONDS = 10.0
"""Time in which a worker has to answer such a check. Its main thread takes no part in it, and may be busy."""

_NO_CONNECTION = (
    tf.errors.UnavailableError,
    tf.errors.FailedPreconditionError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
)
_DEVICES, _HOSTS = 1, 2  # keys of the two groups of devices

logger = logging.getLogger(__name__)


class LostWorker(ConnectionError):
    """Another worker has ended, or does not answer."""


class Workers:
    """This process as one of several that train together, or alone.

    Args:
      cluster: the workers; None for one process alone. Then nothing is exchanged, and means add nothing to a graph.
    """

    def __init__(self, cluster: Cluster | None = None) -> None:
        self.cluster = cluster
        self.count = len(cluster.addresses) if cluster else 1
        self.index = cluster.index if cluster else 0
        self._keys = itertools.count(1)  # of collectives: equal in all workers, which trace them in the same order
        self._has_ended = threading.Event()
        self._lost = ""  # the worker that the watch has found missing

    @property
    def is_first(self) -> bool:
        """Whether this process writes files."""
        return self.index == 0

    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        """Connects the workers, before TensorFlow computes anything; all of them are there inside.

        Raises:
          LostWorker: one does not come, ends or stops answering. Also for errors of TensorFlow inside that follow.
        """
        if self.cluster is None:
            yield
            return
        self._start()
        watch = threading.Thread(target=self._watch, name="workers", daemon=True)
        try:
            self._wait()
            self._pair_key, self._token = next(self._keys), tf.Variable(0.0, trainable=False)
            watch.start()
            self.total(0, 0)
            yield
        except tf.errors.OpError as error:
            if not isinstance(error, _NO_CONNECTION):
                raise
            if loss := self._loss(error):
                raise LostWorker(loss) from error
            raise
        finally:
            self._has_ended.set()

    def release(self) -> None:
        """From now on the others may end; nothing more is exchanged."""
        self._has_ended.set()

    def mean(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The mean of each tensor over the workers, in one message. Differentiable any number of times.

        A gradient is that of the mean of the workers' losses: the gradient of a mean is the mean of the gradients.

        Args:
          tensors: float32, of static shapes that are the same in all workers.
        """
        if self.cluster is None:
            return list(tensors)
        packed = self._mean(tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0))
        parts = tf.split(packed, [tensor.shape.num_elements() for tensor in tensors])
        return [tf.reshape(part, tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def total(self, a: int, b: int) -> tuple[int, int]:
        """The sums of two small integers over the workers, all of which have to call it."""
        if self.cluster is None:
            return a, b
        sums = self._sum_on_host(np.array([a, b], np.int32), self._pair_key)
        return int(sums[0]), int(sums[1])

    def from_first(self, content: bytes = b"") -> bytes:
        """The content that the first worker gives; that of the others is ignored."""
        if self.cluster is None:
            return content
        size = int(self._from_first(np.array([len(content)], np.int32))[0])
        values = np.zeros(size, np.int32)
        if self.is_first:
            values[:] = np.frombuffer(content, np.uint8)
        return self._from_first(values).astype(np.uint8).tobytes()

    def set_as_first(self, variables: Mapping[str, tf.Variable]) -> None:
        """Sets variables to the values that they have in the first worker, bit for bit."""
        if self.cluster is None:
            return
        values = [variable.numpy() for variable in variables.values()]
        bits = self._from_first(np.concatenate([np.frombuffer(value.tobytes(), np.int32) for value in values]))
        for variable, value in zip(variables.values(), values, strict=True):
            own, bits = np.split(bits, [value.nbytes // 4])
            variable.assign(np.frombuffer(own.tobytes(), value.dtype).reshape(value.shape))

    def _mean(self, vector: tf.Tensor) -> tf.Tensor:
        """`mean` of one vector, with its gradient."""

        @tf.custom_gradient
        def mean(vector: tf.Tensor) -> tuple[tf.Tensor, Any]:
            gpu = bool(tf.config.get_visible_devices("GPU"))
            with tf.device("GPU:0" if gpu else "CPU:0"):
                # NCCL has to get the messages in the same order in all workers: they follow each other by the token.
                tokens = [self._token.handle] if gpu else []
                hint = "nccl" if gpu else "ring"
                summed = _reduce(vector, self.count, _DEVICES, next(self._keys), hint, tokens)
                return summed / self.count, self._mean

        return mean(vector)

    def _from_first(self, values: np.ndarray) -> np.ndarray:
        return self._sum_on_host(values if self.is_first else np.zeros_like(values), next(self._keys))

    def _sum_on_host(self, values: np.ndarray, key: int) -> np.ndarray:
        with tf.device("CPU:0"):
            return _reduce(tf.identity(values), self.count, _HOSTS, key, "ring", []).numpy()

    def _start(self) -> None:
        """Starts this worker's server and the collective runtime."""
        assert self.cluster
        jobs = tf.train.ClusterSpec({"worker": list(self.cluster.addresses)})
        own = context.context()
        own.configure_collective_ops(
            collective_leader="/job:worker/replica:0/task:0",
            scoped_allocator_enabled_ops=(),
            use_nccl_communication=True,  # of GPUs
            device_filters=(f"/job:worker/task:{self.index}",),
        )
        server = tf.train.ServerDef(
            cluster=jobs.as_cluster_def(),
            default_session_config=own.config,
            job_name="worker",
            task_index=self.index,
            protocol="grpc",
            port=int(self.cluster.addresses[self.index].rpartition(":")[2]),
        )
        try:
            own.enable_collective_ops(server)
            own.ensure_initialized()
        except tf.errors.UnknownError as error:
            address = self.cluster.addresses[self.index]
            problem = f"this worker cannot listen at its address {address} ({error.message})"
            raise SettingError(
                VARIABLE, problem, "choose a free port of this machine, or try again", value=address
            ) from None

    def _wait(self) -> None:
        """Waits until every worker answers.

        Before they do, no collective may begin: it would fail with the first connection that is refused.
        """
        began = time.monotonic()
        limit, told = began + START_SECONDS, False
        for peer in range(self.count):
            while problem := self._problem(peer):
                if not told and time.monotonic() > began + TOLD_SECONDS:
                    logger.info("waiting for %s.", self._name(peer))
                    told = True
                if time.monotonic() > limit:
                    raise LostWorker(f"{self._name(peer)} did not come within {START_SECONDS:.0f} s ({problem}).")
                time.sleep(0.1)

    def _watch(self) -> None:
        """Ends all collectives when a worker is lost: those that wait for it would wait for ever."""
        while not self._has_ended.wait(CHECK_SECONDS):
            for peer in range(self.count):
                problem = self._problem(peer)
                if problem and not self._has_ended.is_set():
                    self._lost = self._name(peer)
                    context.context().abort_collective_ops(tf.errors.UNAVAILABLE, problem)
                    return

    def _problem(self, peer: int) -> str:
        """Why a worker does not answer; "" if it does."""
        try:
            name = f"/job:worker/replica:0/task:{peer}"
            context.context().check_collective_ops_peer_health(name, timeout_in_ms=int(1000 * ANSWER_SECONDS))
        except tf.errors.OpError as error:
            return error.message.partition("\n")[0].partition(";")[0]
        return ""

    def _loss(self, error: tf.errors.OpError) -> str:
        """Which worker is lost, after an error of TensorFlow; "" for an error of another kind."""
        remedy = "the same command in all of them goes on from the newest checkpoint"
        limit = time.monotonic() + 3 * CHECK_SECONDS  # one that is ending may still answer
        while not self._lost and time.monotonic() < limit:
            missing = (peer for peer in range(self.count) if peer != self.index and self._problem(peer))
            self._lost = next(map(self._name, missing), "")
            time.sleep(0.1)
        if self._lost:
            return f"{self._lost} has ended or does not answer; {remedy}."
        _, aborted, reason = error.message.rpartition("Collective ops is aborted by: ")
        reason = reason.partition("\n")[0]
        return f"the connection of the workers failed ({reason}); {remedy}." if aborted else ""

    def _name(self, peer: int) -> str:
        assert self.cluster
        return f"worker {peer} of {self.count} ({self.cluster.addresses[peer]})"


def _reduce(value: tf.Tensor, count: int, group: int, key: int, hint: str, tokens: list[Any]) -> tf.Tensor:
    return tf.raw_ops.CollectiveReduceV2(
        input=value,
        group_size=count,
        group_key=group,
        instance_key=key,
        ordering_token=tokens,
        merge_op="Add",
        final_op="Id",
        communication_hint=hint,
    )


ALONE = Workers()
"""One process that trains by itself."""
