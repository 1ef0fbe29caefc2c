"""Serves uploaded images with access control."""

import re

from django.core.files.storage import FileSystemStorage, Storage, storages
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe
from django.views.static import serve
from wagtail.images.permissions import permission_policy
from wagtail.users.models import UserProfile

from core.images import CustomImage, CustomRendition
from core.storage import serve_stored

FILE_NAME = re.compile(r"(images|avatar_images)/[\w.-]+")
SHARED_CACHE_SECONDS = 600  # how long a proxy that is not purged serves an image that became private


@require_safe
def serve_media(request: HttpRequest, path: str) -> HttpResponseBase:
    """Serve a rendition or a user's avatar, the only files below MEDIA_URL, with a CSP sandbox against active content.

    The database has to contain exactly this file name. Renditions are subject to the view restrictions of the image's
    collection; avatars are visible to users of the admin.
    """
    name = FILE_NAME.fullmatch(path)
    if not name:
        raise Http404
    alias, is_private = _avatar(request, path) if name[1] == "avatar_images" else _rendition(request, path)
    response = _file_response(request, storages[alias], path)
    response["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'; sandbox"
    )
    if is_private:
        response["Cache-Control"] = "private, no-store"
    elif isinstance(response, FileResponse):
        # The names of renditions contain a hash of their content, so a file never changes.
        response["Cache-Control"] = f"public, max-age=31536000, immutable, s-maxage={SHARED_CACHE_SECONDS}"
        response["Cross-Origin-Resource-Policy"] = "cross-origin"  # webmail pages show it in mails
    return response


def _rendition(request: HttpRequest, path: str) -> tuple[str, bool]:
    """Return (alias of the storage, whether it is private) of a rendition. Raises Http404 without access to it."""
    rendition = get_object_or_404(CustomRendition.objects.select_related("image__collection"), file=path)
    is_private = rendition.image.is_private
    if is_private and not may_view(request, rendition.image):
        raise Http404
    return "renditions", is_private


def _avatar(request: HttpRequest, path: str) -> tuple[str, bool]:
    """Return the same of an avatar."""
    if not request.user.has_perm("wagtailadmin.access_admin"):
        raise Http404
    get_object_or_404(UserProfile, avatar=path)
    return "default", True


def may_view(request: HttpRequest, image: CustomImage) -> bool:
    """Return whether a request may access an image of a private collection, as a reader or with image permissions."""
    restrictions = image.collection.get_view_restrictions()
    return all(restriction.accept_request(request) for restriction in restrictions) or (
        permission_policy.user_has_any_permission_for_instance(request.user, ["change", "delete", "choose"], image)
    )


def _file_response(request: HttpRequest, storage: Storage, path: str) -> HttpResponseBase:
    if isinstance(storage, FileSystemStorage):
        return serve(request, path, document_root=str(storage.location))
    return serve_stored(storage, path)
