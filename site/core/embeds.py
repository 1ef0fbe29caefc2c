"""Videos of other sites: the supported providers, and the URL of each one's frame that sets no cookies.

URLs are parsed without network access. A provider is contacted only when the reader clicks on the video.
"""

import re
from dataclasses import dataclass

# (name, pattern of the URLs that people copy, URL of the frame). The frames' hosts are in the site's CSP.
PROVIDERS = [
    (
        "YouTube",
        re.compile(r"https?://(?:(?:www|m)\.)?(?:youtube\.com/(?:watch\?(?:.*&)?v=|shorts/|live/|embed/)|youtu\.be/)([\w-]{11})"),
        "https://www.youtube-nocookie.com/embed/{}?autoplay=1&rel=0",
    ),
    (
        "Vimeo",
        re.compile(r"https?://(?:www\.|player\.)?vimeo\.com/(?:video/)?(\d{6,12})"),
        "https://player.vimeo.com/video/{}?autoplay=1&dnt=1",
    ),
    (
        "Internet Archive",
        re.compile(r"https?://archive\.org/(?:details|embed)/([\w.-]+)"),
        "https://archive.org/embed/{}?autoplay=1",
    ),
]  # fmt: skip
FRAME_HOSTS = ["https://www.youtube-nocookie.com", "https://player.vimeo.com", "https://archive.org"]
PROVIDER_NAMES = ", ".join(name for name, _pattern, _frame in PROVIDERS)


@dataclass(frozen=True)
class Embed:
    """A video: the name of its provider and the URL of its frame."""

    provider: str
    frame_url: str


def find(address: str) -> Embed | None:
    """Return the Embed of a URL such as https://youtu.be/…, or None if the provider is not supported."""
    for provider, pattern, frame_url in PROVIDERS:
        if found := pattern.match(address):
            return Embed(provider, frame_url.format(found[1]))
    return None
