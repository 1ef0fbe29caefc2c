"""Storage in S3 (S3_BUCKET). Files are served by the site, with the same URLs and headers as local files."""

import mimetypes

from django.conf import settings
from django.core.files.storage import Storage
from django.http import FileResponse, Http404
from storages.backends.s3 import S3Storage


class FilesInS3(S3Storage):
    """S3 storage whose URLs are those of `core.media.serve_media`, which checks access."""

    def url(self, name: str, *args: object, **kwargs: object) -> str:
        return f"{settings.MEDIA_URL}{name}"


def serve_stored(storage: Storage, name: str) -> FileResponse:
    """Return a response with a file of `storage`. Raises Http404."""
    try:
        stored = storage.open(name)
    except FileNotFoundError:
        raise Http404 from None
    return FileResponse(stored, content_type=mimetypes.guess_type(name)[0] or "application/octet-stream")
