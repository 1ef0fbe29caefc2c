"""Page cache for anonymous visitors: whole responses, in the memory of each process and in files that the processes share.

Any change purges all pages. A page is stored with the generation that was current before it was rendered. `purge()` starts a
new generation, which every process on this machine sees at its next request, because its number is in shared memory. A page
rendered from old data is therefore never served after a purge, and dependencies need not be tracked.
"""

import fcntl
import hashlib
import mmap
import os
import pickle
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path
from typing import IO, Literal, TypeVar, TypeVarTuple

import brotli
from compat.django import shallow_copy
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.text import compress_string

from caching import invalidation
from caching.signals import page_read

MAX_ENTRIES = 2000  # pages in the memory of a process; the oldest one is evicted first
MAX_AGE_SECONDS = 3600
LOCK_SECONDS = 15  # the longest wait for another request that renders the same page
# Browsers revalidate on each visit; a CDN caches pages and is purged on changes (caching/cdn.py).
CACHE_CONTROL = "public, max-age=0, s-maxage=600, stale-while-revalidate=60, stale-if-error=600"
CACHED_PATHS = re.compile(rf"/(?:(?:{'|'.join(dict(settings.LANGUAGES))})/|share/|sitemap\.xml$|robots\.txt$)")
CACHED_QUERIES = re.compile(r"(?:page=\d{1,4})?$")
GENERATION_BYTES = 8
CODE_HASH = hashlib.sha256(
    Path(__file__).read_bytes()
).digest()  # part of the file names: a release with another Page class ignores older files


Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")
PageKey = tuple[str | None, str, str, str | None]  # host, path, query string, scheme


class CacheableRequest(HttpRequest):
    """A request for a page, with the result of the page cache for the metrics."""

    cache: Literal["hit", "miss"]


class Generation:
    """The number of the current generation, in a memory-mapped file that all processes of this machine share."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # pages are unpickled from this folder
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < GENERATION_BYTES:
                os.pwrite(descriptor, os.urandom(GENERATION_BYTES), 0)
            self._shared = mmap.mmap(descriptor, GENERATION_BYTES)
        finally:
            os.close(descriptor)

    def current(self) -> bytes:
        """Return the current generation: GENERATION_BYTES bytes that change with every purge."""
        return self._shared[:]

    def renew(self) -> None:
        """Start a new generation. The number is random, so that concurrent purges need no lock."""
        self._shared[:] = os.urandom(GENERATION_BYTES)


class PageCache:
    """Pages in the memory of this process, backed by files in `folder` that all processes share."""

    def __init__(self, folder: Path | str, generation: Generation) -> None:
        self.folder, self.generation = Path(folder), generation
        self.pages: OrderedDict[PageKey, Page] = OrderedDict()
        self._locks = [threading.Lock() for _number in range(64)]

    def get(self, key: PageKey) -> "Page | None":
        """Return the Page stored in memory under `key`, or None."""
        page = self.pages.get(key)
        if page and page.generation == self.generation.current() and page.expires > time.time():
            return page
        return None

    def store(self, key: PageKey, page: "Page") -> None:
        """Store a Page in memory."""
        self.pages[key] = page
        while len(self.pages) > MAX_ENTRIES:
            self.pages.popitem(last=False)

    def _file(self, key: PageKey, generation: bytes) -> Path:
        name = hashlib.sha256(CODE_HASH + repr(key).encode() + generation).hexdigest()[:32]
        return self.folder / generation.hex() / name

    def load(self, key: PageKey) -> "Page | None":
        """Return the Page that another process saved under `key`, or None."""
        generation = self.generation.current()
        try:
            page = pickle.loads(self._file(key, generation).read_bytes())  # noqa: S301 - written by ourselves, in our folder
            return page if page.expires > time.time() else None
        except Exception:  # missing, or written by another release: render the page
            return None

    def save(self, key: PageKey, page: "Page") -> None:
        """Write a Page to a file for the other processes. Errors such as a full disk are ignored: they render it themselves."""
        file = self._file(key, page.generation)
        try:
            if not file.parent.exists():
                self._delete_old_generations(keep=file.parent.name)
                file.parent.mkdir(exist_ok=True)
            unfinished = file.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
            unfinished.write_bytes(pickle.dumps(page))
            os.replace(unfinished, file)
        except OSError:
            return

    def _delete_old_generations(self, keep: str) -> None:
        """Delete the files of all generations but `keep`."""
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name != keep:
                for file in folder.iterdir():
                    file.unlink(missing_ok=True)
                folder.rmdir()

    @contextmanager
    def render_lock(self, key: PageKey) -> Iterator[None]:
        """Lock `key` across threads and processes while it is rendered. Waits for LOCK_SECONDS at most, then continues anyway."""
        number = int(hashlib.sha256(repr(key).encode()).hexdigest()[:4], 16) % len(self._locks)
        lock = self._locks[number]
        is_held = lock.acquire(timeout=LOCK_SECONDS)
        try:
            with open(self.folder / f"lock-{number}", "w") as file:
                self._lock_file(file)
                yield
        finally:
            if is_held:
                lock.release()

    @staticmethod
    def _lock_file(file: IO[str]) -> None:
        until = time.monotonic() + LOCK_SECONDS
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(0.005)
            else:
                return


class Page:
    """A rendered page: one response for each content encoding."""

    def __init__(self, response: HttpResponse, generation: bytes) -> None:
        self.generation = generation
        self.expires = time.time() + MAX_AGE_SECONDS
        etag = hashlib.sha256(response.content).hexdigest()[:20]
        headers = dict(response.items())
        headers.pop("Content-Length", None)
        bodies = {"": response.content}
        if len(response.content) > 200 and not headers["Content-Type"].startswith("image/"):
            bodies |= {"br": brotli.compress(response.content, quality=7), "gzip": compress_string(response.content)}
        self.responses = {
            encoding: self._build_response(body, encoding, etag, headers) for encoding, body in bodies.items()
        }

    @staticmethod
    def _build_response(body: bytes, encoding: str, etag: str, headers: Mapping[str, str]) -> HttpResponse:
        response = HttpResponse(body, headers={**headers, "Content-Length": str(len(body))})
        response["ETag"] = f'"{etag}{"-" if encoding else ""}{encoding}"'
        response.setdefault("Cache-Control", CACHE_CONTROL)
        patch_vary_headers(response, ["Accept-Encoding", "Cookie"])
        if encoding:
            response["Content-Encoding"] = encoding
        return response

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Return the response in an encoding that `request` accepts, or 304 if its If-None-Match matches (RFC 9110)."""
        accepted = request.META.get("HTTP_ACCEPT_ENCODING", "")
        encoding = "br" if "br" in accepted else "gzip" if "gzip" in accepted else ""
        cached = self.responses.get(encoding) or self.responses[""]
        known = request.META.get("HTTP_IF_NONE_MATCH")
        if known and cached["ETag"] in known.replace("W/", ""):
            response: HttpResponse = HttpResponseNotModified()
            for name in ("ETag", "Cache-Control", "Vary"):
                response[name] = cached[name]
            return response
        # A shallow copy costs a third of a new response; nothing but this list is modified afterwards.
        return shallow_copy(cached)


class PageCacheMiddleware:
    """Serves anonymous visitors from the cache. It is the outermost middleware but MetricsMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.cache = PageCache(settings.VAR_DIR / "pagecache", shared_generation())
        self.session_cookie = f"{settings.SESSION_COOKIE_NAME}="
        _start_purge_listener()

    def __call__(self, request: CacheableRequest) -> HttpResponse:
        if not self.is_cacheable(request):
            return self.get_response(request)
        meta = request.META
        key = (meta.get("HTTP_HOST"), request.path_info, meta.get("QUERY_STRING", ""), request.scheme)
        page = self.cache.get(key)
        request.cache = "hit" if page else "miss"
        response = page.respond(request) if page else self.render(request, key)
        if response.status_code in (200, 304) and "no-store" not in response.get("Cache-Control", ""):
            page_read.send(sender=None, request=request)
        return response

    def is_cacheable(self, request: HttpRequest) -> bool:
        """Return whether an anonymous visitor requests a page. Dummy requests with which Wagtail renders previews are excluded."""
        return (
            not getattr(request, "is_dummy", False)
            and request.method in ("GET", "HEAD")
            and CACHED_PATHS.match(request.path_info) is not None
            and CACHED_QUERIES.match(request.META.get("QUERY_STRING", "")) is not None
            and self.session_cookie not in request.META.get("HTTP_COOKIE", "")
        )

    def render(self, request: HttpRequest, key: PageKey) -> HttpResponse:
        """Render a page once for concurrent requests, and store it if it may be cached."""
        with self.cache.render_lock(key):
            page = self.cache.get(key) or self.cache.load(key)
            if page is None:
                generation = self.cache.generation.current()
                # Request the whole page, uncompressed: this middleware handles encodings and conditional requests.
                headers = {
                    name: request.META.pop(name, None) for name in ("HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH")
                }
                response = self.get_response(request)
                request.META.update({name: value for name, value in headers.items() if value is not None})
                if not self.may_be_cached(request, response):
                    return response
                page = Page(response, generation)
                self.cache.save(key, page)
            self.cache.store(key, page)
        return page.respond(request)

    @staticmethod
    def may_be_cached(request: HttpRequest, response: HttpResponse) -> bool:
        """Return whether a response is the same for every anonymous visitor."""
        control = response.get("Cache-Control", "")
        return (
            request.method == "GET"
            and response.status_code == 200
            and not response.streaming
            and not response.cookies
            and not any(word in control for word in ("private", "no-store", "no-cache"))
        )


@cache
def shared_generation() -> Generation:
    """Return the Generation of this machine, opened once per process."""
    return Generation(settings.VAR_DIR / "pagecache" / "generation")


@cache
def _start_purge_listener() -> None:
    """Start the PurgeListener once per process: Wagtail instantiates the middleware again for each preview."""
    if settings.REDIS_URL:
        invalidation.PurgeListener(shared_generation()).start()


def purge() -> None:
    """Invalidate all pages: on this machine before the next request, on other machines within moments."""
    shared_generation().renew()
    if settings.REDIS_URL:
        invalidation.publish_purge()


def cached_until_purge(function: Callable[[*Arguments], Result]) -> Callable[[*Arguments], Result]:
    """Decorator: cache the results of `function` by its arguments until the next purge, in each process.

    All threads share the results, so callers must not modify them.
    """
    cached: tuple[bytes | None, dict[tuple[*Arguments], Result]] = (None, {})

    @wraps(function)
    def wrapper(*arguments: *Arguments) -> Result:
        nonlocal cached
        generation = shared_generation().current()
        if cached[0] != generation:
            cached = (generation, {})
        results = cached[1]
        if arguments not in results:
            results[arguments] = function(*arguments)
        return results[arguments]

    return wrapper
