"""Widgets of the admin."""

from django.forms import Textarea, TextInput
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.widgets.slug import SlugInput as WagtailSlugInput


def _guide(best, good, long):
    """The attributes by which static/js/guide.js says how long a text is; “#” is where it puts the number of letters."""
    words = {"data-guide-good": good, "data-guide-long": long}
    return {"data-guide": best} | {name: format_lazy(text, best=best) for name, text in words.items()}


class MailboxInput(TextInput):
    """A line that says, while it is written, how much of it a phone shows in the mailbox: `best` letters."""

    def __init__(self, best, **kwargs):
        good, long = (
            _("# letters; up to {best} are seen on phones"),
            _("# letters; phones cut it off after about {best}"),
        )
        super().__init__(attrs=_guide(best, good, long), **kwargs)


class SlugInput(WagtailSlugInput):
    """A slug that, when it is typed, is written as it is from a title: `años` becomes `anos`. Wagtail's drops the letter."""

    def __init__(self, attrs=None, **kwargs):
        super().__init__(attrs, **kwargs)
        self.attrs["data-action"] = self.attrs["data-action"].replace("blur->w-slug#slugify", "blur->w-slug#urlify")


class DescriptionInput(Textarea):
    """A description that says, while it is written, how much of it search engines show."""

    BEST = 160

    def __init__(self, **kwargs):
        good = _("# letters; search engines show up to {best}")
        long = _("# letters; search engines cut it off after about {best}")
        super().__init__(attrs={"rows": 3} | _guide(self.BEST, good, long), **kwargs)
