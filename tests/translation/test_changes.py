"""What changes in a published original: carried over to its translations, or shown on the board."""

import copy
import datetime
import json
import re
from itertools import islice

import pytest
from core.images import CustomImage
from core.models import PATTERNS, Menu, Topic
from django.db import models, transaction
from django.urls import reverse
from editorial import roles
from translation import changes, status
from translation.status import BEHIND, CHANGED, PUBLISHED, READY
from wagtail import blocks
from wagtail.fields import RichTextField, StreamField
from wagtail.images.blocks import ImageBlock
from wagtail.models import Page, get_page_models
from wagtail_localize.fields import get_translatable_fields
from wagtail_localize.models import SegmentOverride, StringTranslation, Translation

from news.models import ArticlePage, ArticleTopic
from newsletter.models import IssuePage
from tests.factories import person

pytestmark = pytest.mark.django_db

PAGES = ["home", "mission", "contact", "news", "newsletter", "issue-welcome", "article-assembly"]
TEXT_BLOCKS = (blocks.CharBlock, blocks.TextBlock, blocks.RichTextBlock)
PLAIN_BLOCKS = [  # the class of a block, a value, and another one
    (blocks.URLBlock, "https://vimeo.com/76979871", "https://vimeo.com/1084537"),
    (blocks.MultipleChoiceBlock, ["SV"], ["SV", "BR"]),
    (blocks.BooleanBlock, False, True),
    (blocks.IntegerBlock, 3, 5),
    (blocks.RichTextBlock, "<p>Un texto</p>", "<p>Un texto nuevo</p>"),
    (TEXT_BLOCKS, "Un texto", "Un texto nuevo"),
]


def cell_of(original, language="en"):
    """The cell of the board of an original."""
    languages = status.locales()
    ((_row, cells),) = status.table(status.originals(status_model(original)).filter(pk=original.pk), languages)
    return next(cell for cell, locale in zip(cells, languages, strict=True) if locale.language_code == language)


def status_model(original):
    return type(original) if isinstance(original, Topic | Menu) else Page


def translation_of(original, language="en"):
    return Translation.objects.get(source__object=original.translation_key, target_locale__language_code=language)


def translate(translation):
    """Translate all texts: “X” becomes “X.” (which is no text of the original)."""
    segments = translation.source.stringsegment_set.annotate_translation(translation.target_locale)
    for segment in segments.filter(translation=None).select_related("string"):
        StringTranslation.objects.create(
            translation_of=segment.string,
            context=segment.context,
            locale=translation.target_locale,
            data=f"en-{segment.string.data}" if segment.context.path == "slug" else f"{segment.string.data}.",
        )


@pytest.fixture
def publish(django_capture_on_commit_callbacks):
    """Publish an original as it is now and follow it in its translations, as a worker does."""

    def run(original):
        with django_capture_on_commit_callbacks(execute=True):
            if hasattr(original, "save_revision"):
                original.save_revision().publish()
            else:
                original.save()
            changes.update_source_strings.call(str(original.translation_key), original.locale_id)

    return run


def sample(block):
    """A value for a block that leaves none of its parts empty, as JSON."""
    if isinstance(block, ImageBlock):
        return {"image": CustomImage.objects.first().pk, "alt_text": "Un tejido", "decorative": False}
    if isinstance(block, blocks.StreamBlock):
        return [
            {"type": name, "id": f"{number:032}", "value": sample(child)}
            for number, (name, child) in enumerate(block.child_blocks.items())
        ]
    if isinstance(block, blocks.StructBlock):
        return {name: sample(child) for name, child in block.child_blocks.items()}
    if isinstance(block, blocks.ListBlock):
        return [
            {"type": "item", "id": f"{id(block):030}{number}", "value": sample(block.child_block)} for number in (1, 2)
        ]
    if isinstance(block, blocks.PageChooserBlock):
        target = block.target_model
        return target.objects.filter(locale__language_code="es", depth__gt=1).order_by("pk").first().pk
    if isinstance(block, blocks.StaticBlock):
        return None
    return plain_values(block)[0]


def plain_values(block):
    return next((value, other) for kind, value, other in PLAIN_BLOCKS if isinstance(block, kind))


def changed_blocks(block, value):
    """Yield (path, changed copy of the JSON `value`, whether a text has changed) for each part of a block."""
    if isinstance(block, ImageBlock):
        yield "picture", value | {"image": CustomImage.objects.last().pk}, False
        yield "alt text", value | {"alt_text": "Otro"}, True
        yield "decorative", value | {"decorative": True}, False
    elif isinstance(block, blocks.StreamBlock):
        yield from changed_rows(value, block.child_blocks)
    elif isinstance(block, blocks.ListBlock):
        yield from changed_rows(value, {"item": block.child_block})
    elif isinstance(block, blocks.StructBlock):
        for name, child in block.child_blocks.items():
            for path, changed, is_text in changed_blocks(child, value[name]):
                yield f"{name}.{path}", value | {name: changed}, is_text
    elif isinstance(block, blocks.PageChooserBlock):
        target = block.target_model.objects.filter(locale__language_code="es", depth__gt=1)
        yield "page", target.exclude(pk=value).order_by("pk").last().pk, False
    elif not isinstance(block, blocks.StaticBlock):
        yield "value", plain_values(block)[1], isinstance(block, TEXT_BLOCKS)


def changed_rows(value, child_blocks):
    """The same for a list of blocks: each part of each, and each one deleted, moved or added."""
    for number, row in enumerate(value):
        kind, before, after = row["type"], value[:number], value[number + 1 :]
        changes_inside = list(changed_blocks(child_blocks[kind], row["value"]))
        for path, changed, is_text in changes_inside:
            yield f"{kind}.{path}", [*before, row | {"value": changed}, *after], is_text
        yield f"{kind} deleted", [*before, *after], False
        yield f"{kind} moved", [row, *before, *after] if number else [*after, row], False
        has_text = any(is_text for *_changed, is_text in changes_inside)
        yield f"{kind} added", [*value, row | {"id": "f" * 32}], has_text


def stream_of(field, value):
    return field.stream_block.to_python(copy.deepcopy(value))


OTHER_VALUES = {
    models.SlugField: lambda value: "otra-direccion",
    models.BooleanField: lambda value: not value,
    models.DateField: lambda value: datetime.date(2001, 2, 3),
    models.ForeignKey: lambda value: CustomImage.objects.last(),
}


def changed_fields(page):
    """Yield (name, function that changes a page, whether a text has changed) for each field of a page."""

    def setter(name, value):
        return lambda page: setattr(page, name, value)

    for one in get_translatable_fields(type(page)):
        field, name = one.get_field(type(page)), one.field_name
        if isinstance(field, StreamField):
            raw = json.loads(json.dumps(getattr(page, name).get_prep_value()))
            # The same blocks stand on all pages but editions: all of them are tried in articles.
            is_thorough = isinstance(page, ArticlePage | IssuePage)
            for path, value, is_text in islice(changed_blocks(field.stream_block, raw), None if is_thorough else 5):
                yield f"{name}.{path}", setter(name, stream_of(field, value)), is_text
        elif getattr(field, "choices", None):
            yield name, setter(name, field.choices[-1][0]), False
        elif make := next((make for kind, make in OTHER_VALUES.items() if isinstance(field, kind)), None):
            yield name, setter(name, make(getattr(page, name))), False
        elif name == "topic_links":
            topic = Topic.objects.filter(locale=page.locale).exclude(pk__in=page.topic_links.values("topic")).first()
            yield name, lambda page, topic=topic: page.topic_links.add(ArticleTopic(topic=topic)), False
        else:
            assert isinstance(field, models.CharField | models.TextField | RichTextField), field
            yield name, setter(name, "<p>Nuevo</p>" if isinstance(field, RichTextField) else "Nuevo"), True


def fill(page):
    """Leave no field of a page empty."""
    for one in get_translatable_fields(type(page)):
        field, name = one.get_field(type(page)), one.field_name
        if isinstance(field, StreamField):
            value = sample(field.stream_block)
            for row in value:  # a button has either a page or an address; an edition shows each kind
                if row["type"] == "button":
                    row["value"]["page"] = None
            setattr(page, name, stream_of(field, value))
        elif isinstance(field, models.ForeignKey):
            setattr(page, name, CustomImage.objects.first())
        elif isinstance(field, models.CharField | models.TextField) and not getattr(page, name):
            setattr(page, name, f"Texto {name}")


def shape(page):
    """What of a page is no text of its own language, as JSON."""
    found = {}
    for one in get_translatable_fields(type(page)):
        field, name = one.get_field(type(page)), one.field_name
        if isinstance(field, StreamField):
            found[name] = without_texts(field.stream_block, getattr(page, name).get_prep_value())
        elif name == "topic_links":
            found[name] = sorted(page.topic_links.values_list("topic", flat=True))
        elif getattr(field, "choices", None) or not isinstance(field, models.CharField | models.TextField):
            found[name] = field.value_from_object(page)
    return found


def without_texts(block, value):
    if isinstance(block, ImageBlock):
        return value and {"image": value["image"], "decorative": value["decorative"]}
    if isinstance(block, blocks.StreamBlock):
        return [(row["type"], row["id"], without_texts(block.child_blocks[row["type"]], row["value"])) for row in value]
    if isinstance(block, blocks.ListBlock):
        return [(row["id"], without_texts(block.child_block, row["value"])) for row in value]
    if isinstance(block, blocks.StructBlock):
        return {name: without_texts(child, value.get(name)) for name, child in block.child_blocks.items()}
    return None if isinstance(block, TEXT_BLOCKS) else value


@pytest.mark.parametrize("key", PAGES)
def test_each_change_of_a_page_is_carried_over_or_told(key, page_of, publish):
    original = page_of(key)
    fill(original)
    publish(original)
    for language in ("en", "pt-br"):
        translate(translation_of(original, language))
    english = page_of(key, "en")
    translation_of(original).save_target(publish=False)
    page_of(key, "en").get_latest_revision().publish()
    assert cell_of(original).state == PUBLISHED
    assert shape(page_of(key, "en")) == shape(page_of(key))
    wrong = {}
    for name, change, is_text in changed_fields(page_of(key)):
        before = page_of(key, "en").to_json()
        with transaction.atomic():
            original = page_of(key)
            change(original)
            publish(original)
            cell, english = cell_of(original), page_of(key, "en")
            told = name.endswith(" added")
            if (is_text and (cell.state, english.to_json(), cell.blocks_changed) != (BEHIND, before, told)) or (
                not is_text and (cell.state, shape(english)) != (PUBLISHED, shape(page_of(key)))
            ):
                wrong[name] = cell
            transaction.set_rollback(True)
    assert wrong == {}


def test_each_type_of_page_is_tried(page_of):
    assert {type(page_of(key)) for key in PAGES} == {model for model in get_page_models() if model is not Page}


@pytest.fixture
def button(page_of, publish):
    """A published page with a button in two languages, and the path of its address."""
    original = page_of("mission")
    original.body.append(("button", {"text": "Leer", "page": None, "address": "https://example.org/es"}))
    publish(original)
    translate(translation_of(original))
    with transaction.atomic():
        translation_of(original).save_target()
    page_of("mission", "en").get_latest_revision().publish()
    original = page_of("mission")
    return original, f"body.{original.body[-1].id}.address"


def test_an_address_set_by_hand_stays_and_a_person_decides(button, publish, page_of, staff_client):
    original, path = button
    translation = translation_of(original)
    segment = translation.source.overridablesegment_set.get(context__path=path)
    SegmentOverride.objects.create(
        context=segment.context, locale=translation.target_locale, data_json=json.dumps("https://example.org/en")
    )
    original.body[-1].value["address"] = "https://example.org/es-2"
    publish(original)
    assert page_of("mission", "en").body[-1].value["address"] == "https://example.org/en"
    assert page_of("mission", "pt-br").body.raw_data != page_of("mission").body.raw_data  # its button is not translated
    assert (cell_of(original).state, cell_of(original, "pt-br").state) == (CHANGED, BEHIND)
    html = staff_client.get(reverse("translation_board")).text
    assert "changed in the original" in html
    assert "blocks added, deleted or moved" in html
    assert status.in_state(status.originals(), translation.target_locale, CHANGED).get().pk == original.pk
    original.body[-1].value["address"] = "https://example.org/es"
    publish(original)
    assert cell_of(original).state == PUBLISHED


@pytest.fixture
def decision(button, publish):
    """A published page and its English translation with an address of its own, which the original has changed."""
    original, path = button
    translation = translation_of(original)
    segment = translation.source.overridablesegment_set.get(context__path=path)
    SegmentOverride.objects.create(
        context=segment.context, locale=translation.target_locale, data_json=json.dumps("https://example.org/en")
    )
    original.body[-1].value["address"] = "https://example.org/es-2"
    publish(original)
    return original, translation_of(original)


def form_to_keep(client, translation):
    """Follow "Keep as it is". Returns (the address of the confirmation, what its button posts)."""
    html = client.get(reverse("translation_changes", args=[translation.pk])).text
    url = re.search(r'href="([^"]*/keep/[^"]*)"', html)[1]
    return url, {"shown": re.search(r'name="shown" value="(\w+)"', client.get(url).text)[1]}


def test_what_was_set_by_hand_is_shown_with_its_label(decision, staff_client):
    _original, translation = decision
    html = staff_client.get(reverse("translation_changes", args=[translation.pk])).text
    assert re.search(r"<dt>[^<]*: [^<]+</dt>", html)
    assert "https://example.org/es-2" in html


def test_a_person_may_keep_the_translation_as_it_is(decision, publish, client, page_of):
    original, translation = decision
    client.force_login(person(roles.TRANSLATORS["en"], "en"))
    url, fields = form_to_keep(client, translation)
    assert cell_of(original).state == CHANGED
    assert "stays as it is" in client.post(url, fields, follow=True).text
    assert cell_of(original).state == PUBLISHED
    assert page_of("mission", "en").body[-1].value["address"] == "https://example.org/en"
    publish(original)  # without a further change
    assert cell_of(original).state == PUBLISHED


def test_what_was_kept_does_not_come_back_while_texts_are_missing(decision, publish, staff_client):
    original, translation = decision
    original.introduction = "Una frase nueva."
    original.body[-1].value["address"] = "https://example.org/es-3"
    publish(original)
    staff_client.post(*form_to_keep(staff_client, translation))
    publish(original)  # without a further change
    assert cell_of(original).state == BEHIND
    html = staff_client.get(reverse("translation_changes", args=[translation.pk])).text
    assert "https://example.org/es-3" not in html


def test_not_if_the_original_has_changed_since_it_was_shown(decision, publish, staff_client):
    original, translation = decision
    url, fields = form_to_keep(staff_client, translation)
    original.body[-1].value["address"] = "https://example.org/es-3"
    publish(original)
    assert "Look at it again" in staff_client.post(url, fields, follow=True).text
    assert cell_of(original).state == CHANGED


def test_nor_who_may_not_edit_the_translation(decision, staff_client, client):
    original, translation = decision
    url, fields = form_to_keep(staff_client, translation)
    client.force_login(person(roles.NEWSLETTER_MANAGER, "en"))
    client.post(url, fields)
    assert cell_of(original).state == CHANGED


def test_texts_that_wait_to_be_published_are_not_carried_along(button, publish, page_of):
    original, _path = button
    english = page_of("mission", "en").to_json()
    original.introduction = "Una frase nueva."
    publish(original)
    translate(translation_of(original))
    assert cell_of(original).state == READY
    original.pattern = PATTERNS[-1][0]
    publish(original)
    assert cell_of(original).state == READY
    assert page_of("mission", "en").to_json() == english


def test_publishing_without_a_change_changes_no_translation(button, publish, page_of):
    original, _path = button
    before = page_of("mission", "en").latest_revision_id
    publish(original)
    assert page_of("mission", "en").latest_revision_id == before


def test_a_translation_that_is_edited_by_itself_is_told_of_changes(button, publish, page_of):
    original, _path = button
    Translation.objects.filter(pk=translation_of(original).pk).update(enabled=False)
    assert cell_of(original).state == PUBLISHED
    original.body.pop()
    publish(original)
    assert cell_of(original).state == CHANGED
    assert len(page_of("mission", "en").body) > len(page_of("mission").body)
    english = page_of("mission", "en")
    assert status.in_state(status.originals(), english.locale, CHANGED).get().pk == original.pk
    english.save_revision().publish()
    assert cell_of(original).state == PUBLISHED


def test_entries_of_a_menu_are_carried_over(publish, locales):
    menu = Menu.objects.get(place="main", locale=locales["es"])
    del menu.items[0]
    publish(menu)
    assert [entry.id for entry in Menu.objects.get(place="main", locale=locales["en"]).items] == [
        entry.id for entry in menu.items
    ]
    assert cell_of(menu).state == PUBLISHED


def test_each_changed_text_stands_beside_its_old_one_and_its_translation(button, publish, page_of, staff_client):
    original, _path = button
    original.introduction = "Juntos cuidamos la tierra <todos>"
    publish(original)
    translate(translation_of(original))
    translation_of(original).save_target()
    original.introduction = "Juntas cuidamos la tierra <todos>"
    publish(original)
    number = translation_of(original).pk
    link = reverse("translation_changes", args=[number])
    assert link in staff_client.get(reverse("translation_board"), {"state": "behind"}).text
    assert link in staff_client.get(reverse("wagtailadmin_pages:edit", args=[page_of("mission", "en").pk])).text
    html = staff_client.get(link).text
    assert "<del>Juntos</del> cuidamos la tierra" in html
    assert "<ins>Juntas</ins> cuidamos la tierra" in html
    assert html.count("<del>") == html.count("<ins>") == 1
    assert "Introduction" in html
    assert "Juntos cuidamos la tierra &lt;todos&gt;." in html  # its translation


@pytest.mark.parametrize("below", [True, False])
def test_pages_published_together_are_not_half_translated(below, button, publish, page_of, staff_client):
    original, _path = button
    original.introduction = "Una frase nueva."
    publish(original)
    english, complete = page_of("mission", "en"), page_of("contact", "en")
    english.unpublish()
    complete.unpublish()
    chosen = english.get_parent() if below else english
    url = reverse("wagtail_bulk_action", args=["wagtailcore", "page", "publish"])
    data = {"include_descendants": "on"} if below else {}
    answer = staff_client.post(f"{url}?id={complete.pk}&id={chosen.pk}", data, follow=True)
    assert "not translated completely yet" in answer.text
    assert not page_of("mission", "en").live
    assert not page_of("contact", "en").live
    staff_client.post(f"{url}?id={complete.pk}", data)
    assert page_of("contact", "en").live
