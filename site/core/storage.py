"""Files in S3 (S3_BUCKET), sent to readers by the site itself: one address and one set of headers wherever the files lie."""

import mimetypes

from django.conf import settings
from django.core.files.storage import storages
from django.http import FileResponse, Http404
from storages.backends.s3 import S3Storage


class RenditionsInS3(S3Storage):
    """The resized copies of pictures in S3, whose addresses are those of the site (core.views.media)."""

    def url(self, name, *args, **kwargs):
        return f"{settings.MEDIA_URL}{name}"


def serve_stored(name: str) -> FileResponse:
    """A response with a rendition's file. Raises Http404."""
    try:
        stored = storages["renditions"].open(name)
    except FileNotFoundError:
        raise Http404 from None
    return FileResponse(stored, content_type=mimetypes.guess_type(name)[0] or "application/octet-stream")
