"""Figures for Prometheus at /metrics: requests and the page cache counted by each web process, the rest asked at each visit."""

import hmac
import os
import time

from django.conf import settings
from django.http import Http404, HttpResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("clac_requests", "Requests answered", ["method", "status", "cache"])
SECONDS = Histogram("clac_request_seconds", "Time to answer what is not in the page cache", ["method"])
METHODS = {"GET", "HEAD", "POST"}


class MetricsMiddleware:
    """Counts every request. `request.cache`, set by the page cache, says whether it was a hit or a miss."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        started = time.perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in METHODS else "other"
        cache = getattr(request, "cache", "none")
        REQUESTS.labels(method, response.status_code, cache).inc()
        if cache != "hit":
            SECONDS.labels(method).observe(time.perf_counter() - started)
        return response


class SiteCollector:
    """What stands in the database, asked when Prometheus comes by."""

    def collect(self):
        from operations import status

        for name, text, label, values in status.figures():
            family = GaugeMetricFamily(f"clac_{name}", text, labels=[label] if label else None)
            for key, value in values.items():
                family.add_metric([key] if label else [], value)
            yield family


@never_cache
def metrics(request):
    """The figures, for who carries METRICS_TOKEN as a bearer token (RFC 6750); 404 for everybody else."""
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
