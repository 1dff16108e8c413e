"""Small requests beside clients that ask for 4096 x 4096 pixels, the largest picture of one request."""

import itertools

from benchmarks.server.large_clients import LargeClients
from benchmarks.server.processes import NAME, ServerProcess, wait
from benchmarks.server.timing import Latencies, measure, small_client, table

CLIENTS = (1, 2, 3)
ROUNDS = 2


def run(server: ServerProcess, seconds: float) -> tuple[list[str], dict]:
    """For each number of large clients, alternates rounds with and without them; a table and the values."""
    rows, values, numbers = [], {}, itertools.count()
    with small_client(server.address) as client:

        def picture() -> None:
            client.window(256, 256, top=256 * next(numbers))

        for _ in range(20):
            picture()
        for clients in CLIENTS:
            alone, beside, answers, refused = Latencies(), Latencies(), 0, 0
            for _ in range(ROUNDS):
                measure(picture, seconds / ROUNDS, alone)
                with LargeClients(server.address, NAME, clients) as others:
                    measure(picture, seconds / ROUNDS, beside)
                answers, refused = answers + others.answers, refused + others.refused
                wait(lambda: not server.metric("psgan_running"))  # a cancelled request runs to its end
            row = {"alone": alone.percentiles(), "beside": beside.percentiles()}
            row["large answers"], row["large refused"] = answers, refused
            row["ratio p50"], row["ratio p99"] = (row["beside"][key] / row["alone"][key] for key in ("p50", "p99"))
            values[str(clients)] = row
            rows += [(f"alone, before {clients}", row["alone"]), (f"beside {clients}", row["beside"])]
    texts = [
        f"Beside {clients}: {row['ratio p50']:.1f} (p50) and {row['ratio p99']:.1f} (p99) times the time alone; large "
        f"pictures: {row['large answers']} answered, {row['large refused']} refused."
        for clients, row in values.items()
    ]
    return [*table("256 x 256", rows), "", *texts], values
