"""A lane: requests of one kind that share running and waiting places, fairly between clients."""

import math
from typing import Any

import grpc

from tf_psgan_serving.server import peers
from tf_psgan_serving.server.peers import Counts
from tf_psgan_serving.server.status import StatusError


class Ticket:
    """A request in a lane."""

    def __init__(self, context: Any, cost: float, arrival: int) -> None:
        self.context, self.cost, self.arrival = context, cost, arrival
        self.peer: str = context.peer()
        self.start = math.inf  # time at which it began to run
        self.displaced = False


class Lane:
    """Requests of one kind that share running and waiting places.

    The next to run is the request of the client that has had the least so far (start-time fair queueing, Goyal et al.,
    1997, over addresses and then connections). If all places are taken, a client with fewer requests displaces the
    latest waiting one of the client with the most.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self.running, self.places = running, running + waiting
        self.waiting: list[Ticket] = []  # in the order of arrival
        self.active: list[Ticket] = []
        self.mean_seconds = 0.05  # of a request, an exponential moving average
        self._counts = Counts()
        self._used: dict[str, float] = {}  # cost so far by address and by connection
        self._floor = dict.fromkeys((0, 1), 0.0)  # the least that a client counts as having had

    def enter(self, ticket: Ticket) -> None:
        """Adds a request, or raises RESOURCE_EXHAUSTED."""
        if sum(not one.displaced for one in self.waiting) + len(self.active) >= self.places:
            self._displace(ticket.peer)
        for level, key in enumerate(_levels(ticket.peer)):
            self._used[key] = max(self._used.get(key, 0.0), self._floor[level])
        self._counts.add(ticket.peer, 1)
        self.waiting.append(ticket)

    def next(self) -> "Ticket | None":
        """The waiting request that may run now."""
        if len(self.active) >= self.running:
            return None
        living = [ticket for ticket in self.waiting if not ticket.displaced]
        return min(living, key=lambda one: (*map(self._used.__getitem__, _levels(one.peer)), one.arrival), default=None)

    def begin(self, ticket: Ticket, now: float) -> None:
        """Moves a request from waiting to running."""
        self.waiting.remove(ticket)
        self.active.append(ticket)
        ticket.start = now
        for level, key in enumerate(_levels(ticket.peer)):
            self._floor[level] = self._used[key]
            self._used[key] += ticket.cost

    def leave(self, ticket: Ticket, now: float) -> None:
        """Removes a request, which ran or did not."""
        if ticket in self.active:
            self.active.remove(ticket)
            self.mean_seconds += 0.1 * (now - ticket.start - self.mean_seconds)
        else:
            self.waiting.remove(ticket)
        self._counts.add(ticket.peer, -1)
        present = {key for one in (*self.waiting, *self.active) for key in _levels(one.peer)}
        least = min(self._floor.values())
        self._used = {key: used for key, used in self._used.items() if key in present or (present and used > least)}

    def busy(self) -> StatusError:
        """The error for a request that finds no place."""
        delay = int(1000 * self.mean_seconds * (len(self.waiting) + 1) / self.running) + 1
        text = f"busy: {len(self.active)} requests run and {len(self.waiting)} wait; retry in {delay} ms."
        return StatusError(grpc.StatusCode.RESOURCE_EXHAUSTED, text, delay)

    def _displace(self, peer: str) -> None:
        """Makes room for one more request of a client, or raises RESOURCE_EXHAUSTED."""
        address, connection = self._counts.of(peer)
        candidates = [ticket for ticket in reversed(self.waiting) if not ticket.displaced]
        victim = max(candidates, key=lambda ticket: self._counts.of(ticket.peer), default=None)
        if victim is None:
            raise self.busy()
        elsewhere = peers.address(victim.peer) != peers.address(peer)
        if self._counts.of(victim.peer) <= (address + elsewhere, connection + 1):
            raise self.busy()
        victim.displaced = True


def _levels(peer: str) -> tuple[str, str]:
    return peers.address(peer) + ":", peer
