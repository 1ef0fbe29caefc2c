"""Videos and the like from elsewhere: which places are known, and the cookie-free address of each for the frame.

Nothing is asked of these places until a reader clicks; the address is taken apart here, without the network.
"""

import re
from dataclasses import dataclass

# (name, pattern of the addresses that people copy, address of the frame). The frames' hosts are in the site's CSP.
PLACES = [
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
PLACE_NAMES = ", ".join(name for name, _pattern, _frame in PLACES)


@dataclass(frozen=True)
class Embed:
    """Something from elsewhere: the place's name and the address of the frame."""

    place: str
    frame: str


def find(address):
    """The Embed of an address such as https://youtu.be/…, or None if the place is not known."""
    for place, pattern, frame in PLACES:
        if found := pattern.match(address):
            return Embed(place, frame.format(found[1]))
    return None
