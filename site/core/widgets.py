"""Widgets of the admin."""

from typing import TYPE_CHECKING, Any

from django.forms import Textarea, TextInput
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.widgets.slug import SlugInput as WagtailSlugInput

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


def _length_hints(best: int, good: "StrPromise", long: "StrPromise") -> "dict[str, int | StrPromise]":
    """Return the attributes for static/js/guide.js, which shows the length of a text and replaces “#” by it."""
    words = {"data-guide-good": good, "data-guide-long": long}
    return {"data-guide": best} | {name: format_lazy(text, best=best) for name, text in words.items()}


class MailboxInput(TextInput):
    """A text input that shows its length, and whether it exceeds the `best` letters that phones show in a mailbox."""

    def __init__(self, best: int, **kwargs: Any) -> None:
        good, long = (
            _("# letters; up to {best} are seen on phones"),
            _("# letters; phones cut it off after about {best}"),
        )
        super().__init__(attrs=_length_hints(best, good, long), **kwargs)


class SlugInput(WagtailSlugInput):
    """A slug input that transliterates typed letters: `años` becomes `anos`. Wagtail's drops the letter."""

    def __init__(self, attrs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(attrs, **kwargs)
        self.attrs["data-action"] = self.attrs["data-action"].replace("blur->w-slug#slugify", "blur->w-slug#urlify")


class DescriptionInput(Textarea):
    """A textarea that shows its length, and whether it exceeds what search engines show."""

    BEST = 160

    def __init__(self, **kwargs: Any) -> None:
        good = _("# letters; search engines show up to {best}")
        long = _("# letters; search engines cut it off after about {best}")
        super().__init__(attrs={"rows": 3} | _length_hints(self.BEST, good, long), **kwargs)
