"""Widgets of the admin."""

from django.forms import TextInput
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _


class GuidedInput(TextInput):
    """A line that says, while it is written, how long it is and how much of it people see (static/js/guide.js)."""

    def __init__(self, best, **kwargs):
        """`best` is the number of letters up to which nothing is cut off."""
        # “#” is where the script puts the number.
        attrs = {
            "data-guide": best,
            "data-guide-good": format_lazy(_("# letters; up to {best} are seen on phones"), best=best),
            "data-guide-long": format_lazy(_("# letters; phones cut it off after about {best}"), best=best),
        }
        super().__init__(attrs=attrs, **kwargs)
