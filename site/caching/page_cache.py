"""Whole pages for anonymous readers: kept in each process's memory, shared through files, dropped together on any change.

A page is kept under the generation that was current before it was rendered. `purge()` starts a new generation, which
every process on this machine sees on its next request, because the number stands in memory that they all map. So a page
rendered from old data can never be served after a purge, and no list of what depends on what is needed.
"""

import copy
import fcntl
import hashlib
import mmap
import os
import pickle
import re
import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path

import brotli
from django.conf import settings
from django.http import HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.text import compress_string

from caching import invalidation
from caching.signals import page_read

MAX_ENTRIES = 2000  # pages in a process's memory; the least recently used one makes room
MAX_AGE_SECONDS = 3600
LOCK_SECONDS = 15  # after this a reader no longer waits for somebody else's rendering
# Readers' browsers ask again each time (and show the kept page meanwhile); a CDN keeps pages, and is purged.
CACHE_CONTROL = "public, max-age=0, s-maxage=600, stale-while-revalidate=60, stale-if-error=600"
CACHED_PATHS = re.compile(r"/(?:(?:es|en|pt-br)/|share/|sitemap\.xml$|robots\.txt$)")
CACHED_QUERIES = re.compile(r"(?:page=\d{1,4})?$")
GENERATION_BYTES = 8
CODE = hashlib.sha256(
    Path(__file__).read_bytes()
).digest()  # a release with another Page reads none of this one's files


class Generation:
    """The number of the current generation, in a file that every process of this machine maps into its memory."""

    def __init__(self, path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the pages in it are unpickled
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < GENERATION_BYTES:
                os.pwrite(descriptor, os.urandom(GENERATION_BYTES), 0)
            self._shared = mmap.mmap(descriptor, GENERATION_BYTES)
        finally:
            os.close(descriptor)

    def current(self):
        """Eight bytes that change with every purge."""
        return self._shared[:]

    def renew(self):
        """Begin a new generation. Random rather than counted, so that two purges at once need no lock."""
        self._shared[:] = os.urandom(GENERATION_BYTES)


class PageCache:
    """The pages of this process, and the files through which processes share them."""

    def __init__(self, folder, generation):
        self.folder, self.generation = Path(folder), generation
        self.pages = OrderedDict()
        self._locks = [threading.Lock() for _number in range(64)]

    def get(self, key):
        """The kept Page of `key`, or None."""
        page = self.pages.get(key)
        if page and page.generation == self.generation.current() and page.expires > time.time():
            return page
        return None

    def keep(self, key, page):
        """Keep a Page in memory."""
        self.pages[key] = page
        while len(self.pages) > MAX_ENTRIES:
            self.pages.popitem(last=False)

    def _file(self, key, generation):
        name = hashlib.sha256(CODE + repr(key).encode() + generation).hexdigest()[:32]
        return self.folder / generation.hex() / name

    def load(self, key):
        """The Page that another process rendered, or None."""
        generation = self.generation.current()
        try:
            page = pickle.loads(self._file(key, generation).read_bytes())  # noqa: S301 - written by ourselves, in our folder
            return page if page.expires > time.time() else None
        except Exception:  # there is none, or another release wrote it: the page is rendered
            return None

    def share(self, key, page):
        """Let the other processes have a Page. A full disk only means that they render it themselves."""
        file = self._file(key, page.generation)
        try:
            if not file.parent.exists():
                self._drop_old(keep=file.parent.name)
                file.parent.mkdir(exist_ok=True)
            unfinished = file.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
            unfinished.write_bytes(pickle.dumps(page))
            os.replace(unfinished, file)
        except OSError:
            return

    def _drop_old(self, keep):
        """Remove the files of earlier generations."""
        for folder in self.folder.iterdir():
            if folder.is_dir() and folder.name != keep:
                for file in folder.iterdir():
                    file.unlink(missing_ok=True)
                folder.rmdir()

    @contextmanager
    def rendering(self, key):
        """Held by the one who renders `key`, in whichever thread or process; the others wait, LOCK_SECONDS at most."""
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
    def _lock_file(file):
        until = time.monotonic() + LOCK_SECONDS
        while time.monotonic() < until:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(0.005)
            else:
                return


class Page:
    """A rendered page in each encoding, ready to be sent."""

    def __init__(self, response, generation):
        self.generation = generation
        self.expires = time.time() + MAX_AGE_SECONDS
        etag = hashlib.sha256(response.content).hexdigest()[:20]
        headers = dict(response.items())
        headers.pop("Content-Length", None)
        bodies = {"": response.content}
        if len(response.content) > 200 and not headers["Content-Type"].startswith("image/"):
            bodies |= {"br": brotli.compress(response.content, quality=7), "gzip": compress_string(response.content)}
        self.answers = {encoding: self._answer(body, encoding, etag, headers) for encoding, body in bodies.items()}

    @staticmethod
    def _answer(body, encoding, etag, headers):
        response = HttpResponse(body, headers={**headers, "Content-Length": str(len(body))})
        response["ETag"] = f'"{etag}{"-" if encoding else ""}{encoding}"'
        response.setdefault("Cache-Control", CACHE_CONTROL)
        patch_vary_headers(response, ["Accept-Encoding", "Cookie"])
        if encoding:
            response["Content-Encoding"] = encoding
        return response

    def respond(self, request):
        """An HttpResponse for `request`: the page in an encoding that it takes, or 304 if the reader has it (RFC 9110)."""
        accepted = request.META.get("HTTP_ACCEPT_ENCODING", "")
        encoding = "br" if "br" in accepted else "gzip" if "gzip" in accepted else ""
        kept = self.answers.get(encoding) or self.answers[""]
        known = request.META.get("HTTP_IF_NONE_MATCH")
        if known and kept["ETag"] in known.replace("W/", ""):
            response = HttpResponseNotModified()
            for name in ("ETag", "Cache-Control", "Vary"):
                response[name] = kept[name]
            return response
        # Copying is a third of the cost of building a response; only this list is ever changed on the way out.
        response = copy.copy(kept)
        response._resource_closers = []
        return response


class PageCacheMiddleware:
    """Outermost: answers anonymous readers from the cache before anything else runs."""

    def __init__(self, get_response):
        self.get_response = get_response
        self.cache = PageCache(settings.VAR_DIR / "pagecache", shared_generation())
        self.session_cookie = f"{settings.SESSION_COOKIE_NAME}="
        _listen()

    def __call__(self, request):
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

    def is_cacheable(self, request):
        """Whether a request is an anonymous reader's for a page; a draft that Wagtail renders by itself is none."""
        return (
            not getattr(request, "is_dummy", False)
            and request.method in ("GET", "HEAD")
            and CACHED_PATHS.match(request.path_info)
            and CACHED_QUERIES.match(request.META.get("QUERY_STRING", ""))
            and self.session_cookie not in request.META.get("HTTP_COOKIE", "")
        )

    def render(self, request, key):
        """Render a page once, however many ask for it at the same time, and keep it if it may be kept."""
        with self.cache.rendering(key):
            page = self.cache.get(key) or self.cache.load(key)
            if page is None:
                generation = self.cache.generation.current()
                # The whole page, uncompressed: encodings and conditions are this middleware's business.
                asked = {name: request.META.pop(name, None) for name in ("HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH")}
                response = self.get_response(request)
                request.META.update({name: value for name, value in asked.items() if value is not None})
                if not self.may_be_kept(request, response):
                    return response
                page = Page(response, generation)
                self.cache.share(key, page)
            self.cache.keep(key, page)
        return page.respond(request)

    @staticmethod
    def may_be_kept(request, response):
        """Whether a response is the same for every anonymous reader."""
        control = response.get("Cache-Control", "")
        return (
            request.method == "GET"
            and response.status_code == 200
            and not response.streaming
            and not response.cookies
            and not any(word in control for word in ("private", "no-store", "no-cache"))
        )


@cache
def shared_generation():
    """This machine's Generation, opened once in a process."""
    return Generation(settings.VAR_DIR / "pagecache" / "generation")


@cache
def _listen():
    """Listen to the other machines, once in a process: Wagtail makes the middleware anew for each preview."""
    if settings.REDIS_URL:
        invalidation.PurgeListener(shared_generation()).start()


def purge():
    """Drop all pages, in every process of this machine, before the next request; on other machines, a moment later."""
    shared_generation().renew()
    if settings.REDIS_URL:
        invalidation.tell_purge()


def cached_until_purge(function):
    """Remember what `function` returns for its arguments until the next purge: for what stands on every page.

    The results are shared by all threads, so nobody may change them.
    """
    memory = (None, {})

    @wraps(function)
    def remembered(*arguments):
        nonlocal memory
        generation = shared_generation().current()
        if memory[0] != generation:
            memory = (generation, {})
        known = memory[1]
        if arguments not in known:
            known[arguments] = function(*arguments)
        return known[arguments]

    return remembered
