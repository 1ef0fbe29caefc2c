"""Media in S3 (S3_BUCKET), sent to readers by the site itself: one address and one set of headers wherever the files lie."""

import mimetypes

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404
from django.utils._os import safe_join
from storages.backends.s3 import S3Storage


class MediaInS3(S3Storage):
    """Pictures and documents in S3, whose addresses are those of the site (core.views.media)."""

    def url(self, name, *args, **kwargs):
        return f"{settings.MEDIA_URL}{name}"


def serve_stored(path):
    """A FileResponse with a file of the default storage. Raises Http404."""
    try:
        safe_join("/", path)
        stored = default_storage.open(path)
    except (FileNotFoundError, SuspiciousFileOperation):
        raise Http404 from None
    return FileResponse(stored, content_type=mimetypes.guess_type(path)[0] or "application/octet-stream")
