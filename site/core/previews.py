"""Preview values of the blocks in the editor's block chooser."""

from collections.abc import Callable
from functools import partial

from django.apps import apps
from django.utils.translation import gettext as _
from wagtail.models import Locale, Page

from core.images import CustomImage


def sample(name: str) -> Callable[[], object]:
    """Return a callable for a block's `preview_value`, evaluated on each use in the editor's language."""
    return partial(_make, name)


def _make(name: str) -> object:
    return MAKERS[name]()


def _text() -> str:
    return f"<p>{_('Small producers and workers organise, decide together and trade on fair terms.')}</p>"


def _image() -> CustomImage | None:
    image = CustomImage.objects.first()
    if image:
        image.contextual_alt_text, image.decorative = image.description, False
    return image


def _points() -> list[dict[str, object]]:
    return [{"title": title, "text": _text()} for title in (_("Autonomy"), _("Equity"))]


def _pictures() -> list[dict[str, object]]:
    return [{"image": _image(), "caption": _("A woven band")} for _number in range(2)]


MAKERS: dict[str, Callable[[], object]] = {
    "heading": lambda: _("What we work for"),
    "text": _text,
    "statement": _text,
    "pillars": lambda: {"rows": _points()},
    "goals": lambda: {"rows": [_text(), _text()]},
    "timeline": lambda: {"rows": [{"date": year, "text": _text()} for year in ("2020", "2024")]},
    "figures": lambda: {"rows": [{"number": "24", "label": _("countries")}, {"number": "3", "label": _("languages")}]},
    "partners": lambda: {"rows": [{"name": _("A partner"), "detail": _("and what it does with us")}]},
    "map": lambda: {"figures": [{"number": "24", "label": _("countries")}], "countries": ["SV", "BR", "PE"]},
    "picture": lambda: _pictures()[0],
    "gallery": lambda: {"rows": _pictures()},
    "video": lambda: {"address": "https://www.youtube.com/watch?v=aaaaaaaaaaa", "title": _("A video"), "picture": None},
    "quote": lambda: {"text": _("We decide together."), "source": _("Somebody's name")},
    "button": lambda: {"text": _("Read the plan"), "page": None, "address": "https://example.org/"},
    "greeting": lambda: {"named": _("Dear {name},"), "unnamed": _("Dear friends,")},
    "columns": lambda: {"rows": [point | {"image": _image()} for point in _points()]},
    "divider": lambda: None,
    "news": lambda: {"chosen": _articles(), "since_last": False, "latest": 2},
}


def _articles() -> list[Page]:
    articles = apps.get_model("news.ArticlePage").objects.filter(live=True, locale=Locale.get_active())
    return [article.page_ptr for article in articles[:2]]
