"""Prometheus metrics at /metrics.

Each web process counts its requests and page cache hits; all other values are read from the database when scraped.
"""

import hmac
import os
import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from operations import status

REQUESTS = Counter("clac_requests", "Requests answered", ["method", "status", "cache"])
SECONDS = Histogram("clac_request_seconds", "Time to answer what is not in the page cache", ["method"])
METHODS = {"GET", "HEAD", "POST"}


class MetricsMiddleware:
    """Counts requests by method, status and the result of the page cache, which it sets as `request.cache`: "hit" or "miss"."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in METHODS else "other"
        cache = getattr(request, "cache", "none")
        REQUESTS.labels(method, response.status_code, cache).inc()
        if cache != "hit":
            SECONDS.labels(method).observe(time.perf_counter() - started)
        return response


class SiteCollector:
    """Collects the gauges of `operations.status` from the database when Prometheus scrapes the site."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, text, label, values in status.gauges():
            family = GaugeMetricFamily(f"clac_{name}", text, labels=[label] if label else None)
            for key, value in values.items():
                family.add_metric([key] if label else [], value)
            yield family


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics in Prometheus' text format. Requires METRICS_TOKEN as a bearer token (RFC 6750); otherwise 404."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    if not settings.METRICS_TOKEN or not hmac.compare_digest(
        request.headers.get("Authorization", "").encode(), expected.encode()
    ):
        raise Http404
    registry = CollectorRegistry()
    registry.register(SiteCollector())
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)
        text = generate_latest(registry)
    else:
        text = generate_latest(REGISTRY) + generate_latest(registry)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)
