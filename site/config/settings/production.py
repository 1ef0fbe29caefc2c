"""The real thing: what `make run` and every server use."""

from .base import *  # noqa: F403
from .base import setting

DEBUG = False
SECRET_KEY = setting("str", "SECRET_KEY")
# Older keys: links in mails already sent go on working after SECRET_KEY changes.
SECRET_KEY_FALLBACKS = setting("list", "SECRET_KEY_FALLBACKS", default=[])
