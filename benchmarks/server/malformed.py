"""Malformed requests, counted by the status that they get."""

import collections

import grpc

from benchmarks.server.processes import HANG_SECONDS, ServerProcess
from tests.support.malformed import malformed
from tf_psgan_serving import wire


def run(server: ServerProcess, count: int, seed: int) -> tuple[list[str], dict]:
    """Sends them one after the other; a table and the values."""
    codes: collections.Counter[str] = collections.Counter()
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(wire.PREDICT)
        for _, data in malformed(seed, count):
            try:
                call(data, timeout=HANG_SECONDS)
                codes["OK"] += 1
            except grpc.RpcError as error:
                codes[error.code().name] += 1
    lines = ["| status | requests |", "|---|---|", *(f"| {code} | {number} |" for code, number in codes.most_common())]
    return lines, dict(codes)
