"""Health and honest requests while peers leave 30 calls without a message and 18 responses unread."""

import contextlib
import itertools

from benchmarks.server.processes import NAME, ServerProcess
from benchmarks.server.timing import HealthClient, Latencies, measure, small_client, table
from tests.support.raw_http2 import RawClient
from tf_psgan_serving import wire
from tf_psgan_serving.client import Window

HALF_OPEN, UNREAD, SIDE = 30, 18, 512
ROUNDS = 4


def run(server: ServerProcess, seconds: float) -> tuple[list[str], dict]:
    """Alternates rounds with and without stalled peers; a table and the values."""
    found = {(kind, state): Latencies() for kind in ("health", "256 px") for state in ("alone", "beside")}
    numbers = itertools.count()
    health = HealthClient(server.address)
    with small_client(server.address) as client:

        def picture() -> None:
            client.window(256, 256, top=256 * next(numbers))

        for _ in range(20):
            picture()
        for _ in range(ROUNDS):
            for state in ("alone", "beside"):
                with contextlib.ExitStack() as stack:
                    if state == "beside":
                        stall(server.port, stack)
                    part = seconds / ROUNDS / 2
                    measure(health.check, part, found["health", state], pause=0.01)
                    measure(picture, part, found["256 px", state])
        ended = server.metric("psgan_stalled_calls")
    health.close()
    values = {f"{kind} {state}": latencies.percentiles() for (kind, state), latencies in found.items()}
    ratios = {key: values["256 px beside"][key] / values["256 px alone"][key] for key in ("p50", "p99")}
    text = (
        f"A window takes {ratios['p50']:.2f} (p50) and {ratios['p99']:.2f} (p99) times its time alone. Calls that the "
    )
    text += f"server ended: {ended:.0f}."
    return [*table("request", list(values.items())), "", text], values | {"ratios": ratios, "ended": ended}


def stall(port: int, stack: contextlib.ExitStack) -> None:
    """Opens the calls, until the stack is closed."""
    half = stack.enter_context(RawClient(port))
    for _ in range(HALF_OPEN):
        half.call()
    unread = stack.enter_context(RawClient(port, window=0))
    inputs = Window(height=SIDE, width=SIDE).inputs()
    for _ in range(UNREAD):
        unread.call(wire.predict_request(NAME, 0, "window", inputs))
