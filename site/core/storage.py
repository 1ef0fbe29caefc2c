"""Files in S3 (S3_BUCKET), sent to readers by the site itself: one address and one set of headers wherever the files lie."""

import mimetypes

from django.conf import settings
from django.http import FileResponse, Http404
from storages.backends.s3 import S3Storage


class FilesInS3(S3Storage):
    """Files in S3 whose addresses are those of the site; core.views.media decides which of them it serves."""

    def url(self, name, *args, **kwargs):
        return f"{settings.MEDIA_URL}{name}"


def serve_stored(storage, name: str) -> FileResponse:
    """A response with a file of `storage`. Raises Http404."""
    try:
        stored = storage.open(name)
    except FileNotFoundError:
        raise Http404 from None
    return FileResponse(stored, content_type=mimetypes.guess_type(name)[0] or "application/octet-stream")
