"""Load the starter content: the roles, Spanish pages, and their English and Portuguese translations."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polib
from core.images import CustomImage
from core.models import BasePage, Menu, SiteSettings, Topic
from core.sites import sync_default_site
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.translation import to_locale
from editorial import roles
from translation.models import GlossaryTerm, GlossaryWording
from wagtail.blocks import StreamBlock, StreamValue
from wagtail.models import Locale, Page, Site, TranslatableMixin
from wagtail.signal_handlers import disable_reference_index_auto_update
from wagtail_localize.models import Translation, TranslationSource

from home.models import ContactPage, ContentPage, HomePage
from home.starter import content, pictures
from news.models import ArticlePage, NewsIndexPage
from newsletter.models import IssuePage, NewsletterPage

NAMESPACE = uuid.UUID("5f0a1c7e-3a63-4d26-9a0e-7a4f2c1b8d90")
STARTER = Path(content.__file__).parent


def key_of(name: str) -> uuid.UUID:
    """Return the translation key of the starter object `name`, the same on every installation."""
    return uuid.uuid5(NAMESPACE, name)


class Command(BaseCommand):
    """Can be repeated without duplicating or overwriting anything; stops if the database holds another site."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        if self._is_loaded():
            self.stdout.write("The starter content is already there; nothing was changed.")
            return
        self._refuse_foreign_site()
        roles.install()
        self._create_locales()
        self.strings = dict(self._read_translations())
        self.pages: dict[str, BasePage] = {}
        with disable_reference_index_auto_update():  # rebuilt once at the end instead of a task per change
            with transaction.atomic():
                made = self._build()
                self._create_glossary()
            for number, thing in enumerate(made, 1):
                self._translate(thing)
                self._progress(number, len(made))
        call_command("rebuild_references_index", verbosity=0)
        self._open_site()
        self.stdout.write(f"Loaded {len(made)} pages and texts in {1 + len(self.strings)} languages.")

    def _is_loaded(self) -> bool:
        """Return whether loading was completed: its last step sets the site's root page."""
        return Site.objects.filter(root_page__translation_key=key_of("home")).exists()

    def _refuse_foreign_site(self) -> None:
        own = Page.objects.filter(translation_key=key_of("home")).values_list("path", flat=True)
        foreign = [
            page
            for page in Page.objects.filter(depth=2).exclude(translation_key=key_of("home"))
            if page.slug != "home" or page.get_children().exists() or page.specific_class is not Page
        ]
        if foreign:
            raise CommandError(
                f"This database holds a site of its own (“{foreign[0].title}”). The starter content is only for an empty one; "
                "nothing was changed."
            )
        if not own:
            Page.objects.filter(depth=2).delete()

    def _create_locales(self) -> None:
        for code, _name in settings.LANGUAGES:
            Locale.objects.get_or_create(language_code=code)
        self.spanish = Locale.objects.get(language_code=settings.LANGUAGE_CODE)

    @staticmethod
    def _create_glossary() -> None:
        if GlossaryTerm.objects.exists():
            return
        locales = {locale.language_code: locale for locale in Locale.objects.all()}
        for wordings in content.GLOSSARY:
            term = GlossaryTerm.objects.create()
            for code in wordings.keys() & locales.keys():
                term.wordings.add(GlossaryWording(locale=locales[code], text=wordings[code]))
            term.save()

    @staticmethod
    def _read_translations() -> Iterator[tuple[str, dict[str, str]]]:
        """Yield (code, {Spanish text: translation}) for each language that has a .po file beside the Spanish content."""
        for code in settings.SITE_LANGUAGES:
            path = STARTER / f"{to_locale(code)}.po"
            if path.exists():
                yield code, {entry.msgid: entry.msgstr for entry in polib.pofile(path) if entry.msgstr}

    def _progress(self, number: int, total: int) -> None:
        end = "\n" if number == total else "\r"
        if self.stdout.isatty() or number == total:
            self.stdout.write(f"  {number} of {total}", ending=end)
            self.stdout.flush()

    # Creating the Spanish content

    def _build(self) -> list[TranslatableMixin]:
        """Create the Spanish content in the order of translation: parents and linked objects first."""
        topics = [self._snippet(Topic, f"topic-{slug}", slug=slug, name=name) for slug, name in content.TOPICS]
        self.topics = {topic.slug: topic for topic in topics}
        texts = self._snippet(SiteSettings, "site", **content.SITE)
        root = Page.get_first_root_node()
        home = self._page(root, HomePage, content.HOME)
        about = self._page(home, ContentPage, content.ABOUT)
        pages = [home, about, *(self._page(about, ContentPage, section) for section in content.SECTIONS)]
        index = self._page(home, NewsIndexPage, content.NEWS)
        pages += [index, *(self._page(index, ArticlePage, article) for article in content.ARTICLES)]
        newsletter = self._page(home, NewsletterPage, content.NEWSLETTER)
        pages += [newsletter, self._page(newsletter, IssuePage, content.ISSUE)]
        pages += [self._page(home, ContactPage, content.CONTACT), self._page(home, ContentPage, content.PRIVACY)]
        menus = [self._menu("main", content.MAIN_MENU), self._menu("footer", content.FOOTER_MENU)]
        return [*topics, texts, *pages, *menus]

    def _snippet(self, model: type[TranslatableMixin], key: str, **fields: Any) -> TranslatableMixin:
        snippet, _created = model.objects.get_or_create(
            translation_key=key_of(key), locale=self.spanish, defaults=fields
        )
        return snippet

    def _page(self, parent: Page, model: type[BasePage], fields: Mapping[str, Any]) -> BasePage:
        fields = dict(fields)
        name = fields.pop("key")
        found = model.objects.filter(translation_key=key_of(name), locale=self.spanish).first()
        self.pages[name] = found or self._new_page(parent, model, name, fields)
        return self.pages[name]

    def _new_page(self, parent: Page, model: type[BasePage], name: str, fields: dict[str, Any]) -> BasePage:
        body, topics, picture = (fields.pop(field, None) for field in ("body", "topics", "picture"))
        page = model(starter_content=True, locale=self.spanish, translation_key=key_of(name), **fields)
        if body is not None:
            page.body = self._stream(model._meta.get_field("body").stream_block, body)
        if picture:
            block = model._meta.get_field("lead_image").stream_block
            page.lead_image = block.to_python([self._picture(*picture)])
        for slug in topics or []:
            page.topic_links.add(ArticlePage.topic_links.rel.related_model(topic=self.topics[slug]))
        parent.add_child(instance=page)
        page.save_revision().publish()
        return page

    def _stream(self, block: StreamBlock, body: Iterable[content.Block]) -> StreamValue:
        """Return a StreamValue from (block, value) pairs; page keys become page ids."""
        plain = block.to_python([{"type": name, "value": self._value(value)} for name, value in body])
        # Converted to values first: list items need ids, or wagtail-localize skips them.
        return block.to_python([child.get_prep_value() for child in plain])

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict) and "page" in value:
            return value | {"page": self.pages[value["page"]].pk}
        return value

    @staticmethod
    def _picture(seed: str, description: str) -> dict[str, Any]:
        title = f"starter-{seed}"
        image = CustomImage.objects.filter(title=title).first()
        if image is None:
            file = ContentFile(pictures.weave(seed), name=f"{title}.png")
            image = CustomImage.objects.create(title=title, description=description, file=file)
        return {"type": "image", "value": {"image": image.pk, "alt_text": description, "decorative": False}}

    def _menu(self, place: str, names: Iterable[str]) -> TranslatableMixin:
        entries = [
            {"type": "entry", "value": {"text": content.MENU_TEXTS.get(name, ""), "page": self.pages[name].pk}}
            for name in names
        ]
        block = Menu._meta.get_field("items").stream_block
        return self._snippet(Menu, f"menu-{place}", place=place, items=block.to_python(entries))

    # Translating

    def _translate(self, thing: TranslatableMixin) -> None:
        """Submit `thing` to wagtail-localize, fill in the strings and publish each translation."""
        source, _created = TranslationSource.update_or_create_from_instance(thing)
        for code, strings in self.strings.items():
            translation, created = Translation.objects.get_or_create(
                source=source, target_locale=Locale.objects.get(language_code=code)
            )
            if not created and translation.source.translation_logs.filter(locale=translation.target_locale).exists():
                continue
            translation.import_po(self._filled(translation.export_po(), strings, code))
            translation.save_target()

    def _filled(self, po: polib.POFile, strings: Mapping[str, str], code: str) -> polib.POFile:
        missing = [entry.msgid for entry in po if entry.msgid not in strings]
        if missing:
            raise CommandError(f"home/starter/{to_locale(code)}.po lacks: {missing}")
        for entry in po:
            entry.msgstr = strings[entry.msgid]
        return po

    def _open_site(self) -> None:
        home = self.pages["home"]
        site = Site.objects.filter(is_default_site=True).first() or Site(is_default_site=True, hostname="localhost")
        site.site_name, site.root_page = "CLAC", home
        site.save()
        sync_default_site()
