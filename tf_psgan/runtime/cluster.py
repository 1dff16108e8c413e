"""The processes that train together: their addresses, as `TF_CONFIG` lists them, and which of them this one is."""

import dataclasses
import json
import re

from tf_psgan.errors import SettingError

VARIABLE = "TF_CONFIG"
"""The environment variable with the cluster and this process's task in it, in JSON."""

_EXAMPLE = '{"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Workers, each a process with one device; the first one writes what the run writes.

    Args:
      addresses: HOST:PORT of each worker, the same in all of them.
      index: of this process.
    """

    addresses: tuple[str, ...]
    index: int = 0

    def to_json(self) -> str:
        """The value of `TF_CONFIG` that `from_json` reads."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})


def share(batch_size: int, workers: int) -> int:
    """Examples of a batch for each of so many workers.

    Raises:
      SettingError: they cannot be divided equally.
    """
    if batch_size % workers:
        raise SettingError(
            "batch_size",
            f"{batch_size} crops cannot be divided equally among {workers} workers",
            f"choose {-(-batch_size // workers) * workers}, or fewer workers",
            value=batch_size,
            settings=("batch_size", "workers"),
        )
    return batch_size // workers


def from_json(text: str) -> Cluster:
    """The cluster of a value of `TF_CONFIG`. A chief, where it has one, is the first worker.

    Raises:
      SettingError: it is not of that form, or has tasks of another kind.
    """
    try:
        values = json.loads(text)
        jobs, task = values["cluster"], values["task"]
        kind, index = task["type"], task["index"]
        chiefs, workers = jobs.get("chief", []), jobs.get("worker", [])
        addresses = [*chiefs, *workers]
        if not all(isinstance(address, str) and re.fullmatch(r".+:\d+", address) for address in addresses):
            raise ValueError("an address is not HOST:PORT")
        if not all(0 < int(address.rpartition(":")[2]) < 2**16 for address in addresses):
            raise ValueError("a port is not from 1 to 65535")
        if len(set(addresses)) < len(addresses):
            raise ValueError("two tasks have one address")
        if kind not in ("chief", "worker") or set(jobs) - {"chief", "worker"}:
            raise ValueError("only tasks of the types chief and worker train together")
        if type(index) is not int or not 0 <= index < len(jobs.get(kind, [])):
            raise ValueError(f"there is no {kind} of index {index!r}")
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise SettingError(VARIABLE, f"cannot be used ({reason})", f"give {_EXAMPLE}", value=text) from None
    return Cluster(tuple(addresses), index + (len(chiefs) if kind == "worker" else 0))
