"""What Prometheus reads at /metrics: requests, places, tokens and seconds."""

import time
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from likely.serving.bodies import Cost

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
COMPANY = (1, 2, 4, 8, 16, 32, 64)


@dataclass
class Measures:
    """Counters of one server, in a registry of their own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        """Make the counters."""
        to = self.registry
        self.requests = Counter("likely_requests", "Requests answered.", ("path", "status"), registry=to)
        self.seconds = Histogram(
            "likely_request_seconds", "Arrival to answer.", ("path",), buckets=SECONDS, registry=to
        )
        self.under_way = Gauge("likely_requests_under_way", "Requests that hold a place.", registry=to)
        self.tokens = Counter("likely_tokens_computed", "Tokens computed.", registry=to)
        self.saved = Counter("likely_tokens_saved", "Tokens that shared beginnings saved.", registry=to)
        self.together = Histogram("likely_requests_together", "Requests of one turn.", buckets=COMPANY, registry=to)

    def add(self, cost: Cost) -> None:
        """Count what an answer took."""
        self.tokens.inc(cost.tokens)
        self.saved.inc(cost.tokens_saved)
        self.together.observe(cost.together)

    def page(self) -> bytes:
        """Return all counters in Prometheus' text format."""
        return generate_latest(self.registry)


class MeasureRequests:
    """Counts the requests of an app, by path and status; paths that are not of the interface are one.

    Args:
        app: what answers.
        measures: where to count.
        paths: of the interface.
    """

    def __init__(self, app: ASGIApp, measures: Measures, paths: frozenset[str]) -> None:
        """Stand before an app."""
        self._app, self._measures, self._paths = app, measures, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and count its answer; one that got none counts as status 499, as with nginx."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = 499, time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._measures.requests.labels(path, str(status)).inc()
            self._measures.seconds.labels(path).observe(time.perf_counter() - started)
