"""Widgets of the admin."""

from django.forms import Textarea, TextInput
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.widgets.slug import SlugInput as WagtailSlugInput


def _length_hints(best, good, long):
    """Return the attributes for static/js/guide.js, which shows the length of a text and replaces “#” by it."""
    words = {"data-guide-good": good, "data-guide-long": long}
    return {"data-guide": best} | {name: format_lazy(text, best=best) for name, text in words.items()}


class MailboxInput(TextInput):
    """A text input that shows its length, and whether it exceeds the `best` letters that phones show in a mailbox."""

    def __init__(self, best, **kwargs):
        good, long = (
            _("# letters; up to {best} are seen on phones"),
            _("# letters; phones cut it off after about {best}"),
        )
        super().__init__(attrs=_length_hints(best, good, long), **kwargs)


class SlugInput(WagtailSlugInput):
    """A slug input that transliterates typed letters: `años` becomes `anos`. Wagtail's drops the letter."""

    def __init__(self, attrs=None, **kwargs):
        super().__init__(attrs, **kwargs)
        self.attrs["data-action"] = self.attrs["data-action"].replace("blur->w-slug#slugify", "blur->w-slug#urlify")


class DescriptionInput(Textarea):
    """A textarea that shows its length, and whether it exceeds what search engines show."""

    BEST = 160

    def __init__(self, **kwargs):
        good = _("# letters; search engines show up to {best}")
        long = _("# letters; search engines cut it off after about {best}")
        super().__init__(attrs={"rows": 3} | _length_hints(self.BEST, good, long), **kwargs)
