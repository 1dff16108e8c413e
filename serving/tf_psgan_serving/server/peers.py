"""Sums over clients: by address first, then by connection, so that one address gains nothing from many connections."""

import collections


def address(peer: str) -> str:
    """The address in gRPC's name of a connection, such as ipv4:127.0.0.1 for ipv4:127.0.0.1:40000."""
    return peer.rpartition(":")[0] or peer


class Counts:
    """A sum for each address and each connection; entries of zero are forgotten."""

    def __init__(self) -> None:
        self.total = 0.0
        self._addresses: collections.Counter[str] = collections.Counter()
        self._connections: collections.Counter[str] = collections.Counter()

    def of(self, peer: str) -> tuple[float, float]:
        """The sums of a connection's address and of the connection, in this order for comparisons."""
        return self._addresses[address(peer)], self._connections[peer]

    def add(self, peer: str, amount: float) -> None:
        """Adds to a connection's sums."""
        self.total += amount
        for counter, key in ((self._addresses, address(peer)), (self._connections, peer)):
            counter[key] += amount  # type: ignore[assignment]
            if not counter[key]:
                del counter[key]
