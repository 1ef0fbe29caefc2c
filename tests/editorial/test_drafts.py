"""A draft may be unfinished: what is missing is asked for when the page is published, what is wrong at once."""

import json

import pytest
from core.blocks import BodyBlock
from django.urls import reverse
from django.utils.translation import override
from wagtail import blocks
from wagtail.images.blocks import ImageBlock
from wagtail.test.utils.form_data import inline_formset, nested_form_data, streamfield

from newsletter.editions.blocks import IssueBlock

pytestmark = pytest.mark.django_db


def values_of(block):
    """(how, value) of a block: empty, without each of its parts, full."""
    full = block.get_preview_value()
    yield "empty", None
    if isinstance(block, blocks.StructBlock) and not isinstance(block, ImageBlock):
        for name in block.child_blocks:
            yield f"without {name}", {**full, name: None}
    if isinstance(block, blocks.StructBlock) and "rows" in block.child_blocks:
        row = block.child_blocks["rows"].child_block
        yield "with one empty row", {**full, "rows": [None]}
        for name in getattr(row, "child_blocks", {}) if not isinstance(row, ImageBlock) else ():
            yield f"with a row without {name}", {**full, "rows": [{**full["rows"][0], name: None}]}
    yield "full", full


def as_form(block, value):
    """What the editor's form sends for a value; None is an empty part."""
    if isinstance(block, ImageBlock):
        return {"image": str(value.pk) if value else "", "alt_text": (value and value.contextual_alt_text) or ""}
    if isinstance(block, blocks.StructBlock):
        return {name: as_form(child, value and value[name]) for name, child in block.child_blocks.items()}
    if isinstance(block, blocks.ListBlock):
        return streamfield([("item", as_form(block.child_block, item)) for item in value or []])
    if isinstance(block, blocks.StaticBlock):
        return ""
    if isinstance(block, blocks.MultipleChoiceBlock):
        return value or []
    if isinstance(block, blocks.RichTextBlock):
        return block.get_form_state(block.normalize(value or ""))
    state = block.get_form_state(block.normalize(value)) if value is not None else None
    if isinstance(state, dict):
        return str(state["id"])
    return state if isinstance(state, (str, list)) else str(state) if state else ""


def cases():
    for page, stream in (("mission", BodyBlock()), ("issue-welcome", IssueBlock())):
        for name in stream.child_blocks:
            yield pytest.param(page, stream, name, id=f"{page}-{name}")


@pytest.fixture
def form_of(page_of):
    """The editor's form of a page with another body, as (page, data)."""

    def make(name, body):
        page = page_of(name)
        fields = {"title": page.title, "slug": page.slug, "seo_title": "", "search_description": "x", "share_image": ""}
        fields |= {"preheader": "x", "introduction": "x", "pattern": page.pattern, "date": "2026-01-01", "source": ""}
        fields |= {"date_precision": "day", "lead_image": streamfield([]), "go_live_at": "", "expire_at": ""}
        fields |= {"topic_links": inline_formset([]), "comments": inline_formset([]), "body": streamfield(body)}
        return page, nested_form_data(fields)

    return make


@pytest.mark.parametrize(("name", "stream", "kind"), list(cases()))
def test_every_block_can_be_kept_empty_half_filled_and_full(staff_client, form_of, name, stream, kind):
    block = stream.child_blocks[kind]
    for how, value in values_of(block):
        page, data = form_of(name, [(kind, as_form(block, value))])
        answer = staff_client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), data)
        assert answer.status_code == 302, (how, answer.context["form"].errors)
        page.refresh_from_db()
        kept = page.get_latest_revision_as_object()
        assert [child.block_type for child in kept.body] == [kind], how
        shown = staff_client.get(reverse("wagtailadmin_pages:view_draft", args=[page.pk]))
        assert shown.status_code == 200, how
        preview = reverse("wagtailadmin_pages:preview_on_edit", args=[page.pk])
        assert staff_client.post(preview, data).json()["is_valid"], how
        for mode, _label in page.preview_modes:
            assert staff_client.get(preview, {"mode": mode}).status_code == 200, (how, mode)


@pytest.mark.parametrize(("name", "stream", "kind"), list(cases()))
def test_what_is_missing_is_asked_for_at_publishing(staff_client, form_of, name, stream, kind):
    block = stream.child_blocks[kind]
    if isinstance(block, blocks.StaticBlock):
        return
    page, data = form_of(name, [(kind, as_form(block, None))])
    before = page.latest_revision_id
    answer = staff_client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), data | {"action-publish": "1"})
    page.refresh_from_db()
    if answer.status_code == 302:  # all parts of the block have a default, or none is required
        assert not any(child.required for child in getattr(block, "child_blocks", {}).values())
        return
    assert "body" in answer.context["form"].errors
    assert page.latest_revision_id == before


def test_a_half_filled_draft_is_kept_by_autosave(staff_client, form_of, page_of):
    page, data = form_of("mission", [("button", {"text": "", "page": "", "address": ""})])
    url = reverse("wagtailadmin_pages:edit", args=[page.pk])
    answer = staff_client.post(url, data, headers={"accept": "application/json"})
    assert json.loads(answer.content)["success"] is True


def test_what_is_wrong_is_said_at_once(staff_client, form_of):
    both = {"text": "x", "page": "", "address": "https://"}
    page, data = form_of("mission", [("button", both)])
    assert staff_client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), data).status_code == 200
    elsewhere = {"address": "https://example.org/film", "title": "x"}
    page, data = form_of("mission", [("video", elsewhere)])
    answer = staff_client.post(reverse("wagtailadmin_pages:edit", args=[page.pk]), data)
    assert "Lugares conocidos" in answer.text or "Known places" in answer.text


def test_a_new_greeting_comes_filled_in():
    """In the language in which editions are written, whatever the editor's own; it can be published as it is."""
    greeting = IssueBlock().child_blocks["greeting"]
    with override("pt-br"):
        value = greeting.clean(greeting.get_default())
    assert dict(value) == {"named": "Hola, {name}:", "unnamed": "Hola:"}
