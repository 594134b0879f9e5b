"""Chooses devices and `tf.distribute` strategies; no other file names them."""

import contextlib
import json
import os
import re
import socket
from collections.abc import Iterator

import tensorflow as tf

from akita_bayes import errors
from akita_bayes.training import slurm_cluster

FORMS = "cpu, cpu:2, gpu, gpu:2, multiworker"


def choose(devices: str | None = None) -> tf.distribute.Strategy:
    """Returns the strategy for a choice of devices.

    Args:
        devices: `cpu` or `gpu`, one device; `cpu:N`, N logical devices of the divided processor;
            `gpu:N`, the first N GPUs; `multiworker`, one worker of the cluster that TF_CONFIG
            describes, or else the variables of SLURM's srun. None takes the first GPU, else the
            CPU.

    Raises:
        RunError: The words are unknown, a requested GPU is absent, or the processor can no longer
            be divided because TensorFlow is already in use.
    """
    if devices is None:
        devices = "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
    if devices == "multiworker":
        return _multi_worker()
    match = re.fullmatch(r"(cpu|gpu)(?::([1-9]\d*))?", devices)
    if match is None:
        raise errors.RunError(
            f'devices: "{devices}" is not a valid choice of devices; expected one of {FORMS}.'
        )
    kind, count = match[1].upper(), int(match[2] or 1)
    if kind == "CPU":
        _divide_processor(count)
    else:
        _need_gpus(devices, count)
    if count == 1:
        return tf.distribute.OneDeviceStrategy(f"/{kind}:0")
    return tf.distribute.MirroredStrategy([f"/{kind}:{index}" for index in range(count)])


def describe(strategy: tf.distribute.Strategy) -> str:
    """Returns a short text with the strategy's devices, for logs and provenance."""
    devices = getattr(strategy.extended, "worker_devices", ())
    # "/job:localhost/replica:0/task:0/device:GPU:1" becomes "GPU:1".
    names = sorted({":".join(device.split(":")[-2:]) for device in devices})
    return f"{type(strategy).__name__}: {', '.join(names)}"


def spans_machines(strategy: tf.distribute.Strategy) -> bool:
    """Returns True when each machine runs its own process and must read its own records."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


class Agreement:
    """Tells all workers at the same step that one of them wants something, such as to stop.

    Args:
        strategy: Strategy of the workers.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        self._sum = tf.function(lambda value: strategy.run(_all_reduce, args=(value,)))

    def __call__(self, request: bool) -> bool:
        """Returns True when `request` is True in any worker."""
        if not spans_machines(self._strategy):
            return request
        total = self._sum(tf.constant(float(request)))
        return bool(self._strategy.experimental_local_results(total)[0] > 0)


def _all_reduce(value: tf.Tensor) -> tf.Tensor:
    # The reduction goes by devices; an argument has none, and a copy has that of its replica.
    value = tf.identity(value)
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


@contextlib.contextmanager
def lost_workers_named(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turns the errors that follow the end of a worker into a sentence that names it.

    Raises:
        RunError: A worker of the cluster has ended.
    """
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.InternalError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    ) as error:
        if not spans_machines(strategy):
            raise
        cluster = json.loads(os.environ["TF_CONFIG"])["cluster"]
        lost = [
            f"{job} {index} ({address})"
            for job, addresses in cluster.items()
            for index, address in enumerate(addresses)
            if not _answers(address)
        ]
        if not lost:
            raise
        raise errors.RunError(
            f"multiworker: {', '.join(lost)} has ended, so the training cannot go on; start all "
            "workers again with --resume."
        ) from error


def _answers(address: str) -> bool:
    """Returns True when a process listens at an address, written as host:port."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=5):
            return True
    except OSError:
        return False


def writes(strategy: tf.distribute.Strategy) -> bool:
    """Returns True in the one process of a cluster that writes files; always on one machine."""
    if not spans_machines(strategy):
        return True
    resolver = strategy.cluster_resolver
    jobs = resolver.cluster_spec().as_dict()
    leading_job = next((name for name in ("chief", "master", "worker") if name in jobs), None)
    return bool(resolver.task_id == 0 and resolver.task_type == leading_job)


def _multi_worker() -> tf.distribute.Strategy:
    if "TF_CONFIG" not in os.environ and slurm_cluster.is_step(os.environ):
        os.environ["TF_CONFIG"] = slurm_cluster.config(os.environ)
    if "TF_CONFIG" not in os.environ:
        raise errors.RunError(
            "devices: multiworker needs the environment variable TF_CONFIG, a JSON text with the "
            "addresses of all workers and this worker's index; set it, or start the tasks by srun."
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def _divide_processor(count: int) -> None:
    processor = tf.config.list_physical_devices("CPU")[0]
    if count == 1 or len(tf.config.get_logical_device_configuration(processor) or ()) >= count:
        return
    try:
        tf.config.set_logical_device_configuration(
            processor, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError:
        raise errors.RunError(
            f"devices: cpu:{count} must be chosen before TensorFlow is first used; call "
            "training.strategy.choose at the start of a fresh process."
        ) from None


def _need_gpus(devices: str, count: int) -> None:
    gpus = len(tf.config.list_physical_devices("GPU"))
    if gpus < count:
        raise errors.RunError(
            f"devices: {devices} asks for {count} GPU{'s' * (count > 1)}, but TensorFlow finds "
            f"{gpus or 'none'} on this machine; choose {f'gpu:{gpus}' if gpus else 'cpu'}, or "
            "install TensorFlow's GPU libraries: pip install tensorflow[and-cuda]."
        )
