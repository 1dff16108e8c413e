"""Clients that ask for 4096 x 4096 pixels one after the other, in a process of their own without TensorFlow.

A refused client waits as long as the server says. The process writes a line when it has begun, ends when its standard
input ends, and then writes the numbers of answers and of refused requests.
"""

import subprocess
import sys
import threading
import time

import grpc

from tf_psgan_serving import wire
from tf_psgan_serving.client import Window

SIDE = 4096
"""Pixels of a side: the largest picture of one request."""


class LargeClients:
    """The process, as a context manager.

    Args:
      address: of the server.
      model: the model's name.
      clients: their number.

    Attributes:
      answers, refused: the numbers at its end.
    """

    def __init__(self, address: str, model: str, clients: int) -> None:
        command = [sys.executable, "-m", "benchmarks.server.large_clients", address, model, str(clients)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers = self.refused = 0

    def __enter__(self) -> "LargeClients":
        """The clients themselves, which have begun."""
        assert self._process.stdout
        self._process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends them."""
        out, _ = self._process.communicate()
        self.answers, self.refused = map(int, out.split())


def main(address: str, model: str, clients: str) -> None:
    """Asks until standard input ends."""
    stopped, counts = threading.Event(), [0, 0]

    def work(number: int) -> None:
        with grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)]) as channel:
            call = channel.unary_unary(wire.PREDICT)
            for row in range(10**6):
                view = Window(height=SIDE, width=SIDE, top=SIDE * row, left=SIDE * number)
                future = call.future(wire.predict_request(model, 0, "window", view.inputs()))
                while not future.done():
                    if stopped.wait(0.01):
                        future.cancel()
                        return
                refused = future.code() is not grpc.StatusCode.OK
                counts[refused] += 1
                if refused:
                    time.sleep(float(dict(future.trailing_metadata()).get(wire.RETRY_AFTER, 100)) / 1000)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(int(clients))]
    for thread in threads:
        thread.start()
    print("begun", flush=True)
    sys.stdin.read()
    stopped.set()
    for thread in threads:
        thread.join()
    print(*counts)


if __name__ == "__main__":
    main(*sys.argv[1:])
