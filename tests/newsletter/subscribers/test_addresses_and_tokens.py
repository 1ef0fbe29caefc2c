"""Addresses and tokens, by properties."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import example, given
from hypothesis import strategies as st

from home.forms import ContactForm
from newsletter import forms
from newsletter.models import Subscriber
from newsletter.subscribers import email_addresses, tokens


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Rosa@Example.ORG", "rosa@example.org"),
        (" rosa@example.org ", "rosa@example.org"),
        ("rosa@example.org.", "rosa@example.org"),
        ("rosa@año.example.com", "rosa@xn--ao-zja.example.com"),
    ],
)
def test_one_mailbox_has_one_form(typed, kept):
    assert email_addresses.normalise(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "rosa",
        "rosa@",
        "@example.org",
        "a b@example.org",
        "rosa@example.org\nbcc: x@y.org",
        "a@b@c.org",
        "x" * 250 + "@example.org",
        "x" * 65 + "@example.org",
        "me@iana.c",
    ],
)
def test_malformed_addresses_are_refused(typed):
    with pytest.raises(ValidationError):
        email_addresses.normalise(typed)


def test_local_parts_outside_ascii_get_a_sentence_of_their_own():
    with pytest.raises(ValidationError, match="ñ"):
        email_addresses.normalise("muñoz@example.org")


LABEL = st.text("abcz09-_.+ñ", min_size=1, max_size=66)


@given(
    st.builds(
        "{}@{}.{}".format, LABEL, LABEL, st.sampled_from(["c", "org", "xn--p1ai", "123", "o-g", "museum", "example"])
    )
)
@example("a" * 65 + "@example.org")
@example("me@iana.c")
def test_what_a_form_takes_the_model_takes(text):
    try:
        address = email_addresses.normalise(text)
    except ValidationError:
        return
    Subscriber(email=address).clean_fields(exclude=["name"])


@pytest.mark.parametrize("email", ["a" * 65 + "@example.org", "me@iana.c", "muñoz@example.org", "rosa@example"])
@pytest.mark.django_db
def test_every_public_form_refuses_what_no_mail_reaches(email):
    for form in (
        forms.SignUpForm({"email": email}),
        ContactForm({"email": email}),
        forms.TestSendForm({"email": email}, languages={}),
    ):
        assert "email" in form.errors


@given(st.text(max_size=80))
def test_any_text_is_either_normalised_or_refused(text):
    try:
        once = email_addresses.normalise(text)
    except ValidationError:
        return
    assert email_addresses.normalise(once) == once
    assert once.isascii()
    assert "\n" not in once


people = st.builds(Subscriber, uuid=st.uuids(), confirmation_round=st.integers(0, 65535), email=st.emails())


@given(people)
def test_a_token_says_whose_it_is_even_in_upper_case(subscriber):
    for purpose in (tokens.CONFIRM, tokens.MANAGE):
        assert tokens.read(purpose, tokens.make(purpose, subscriber).upper()).subscriber == subscriber.uuid


@given(people, st.integers(0, 60), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_an_altered_token_is_refused(subscriber, place, letter):
    token = tokens.make(tokens.MANAGE, subscriber)
    place %= len(token) - 1  # the last letter carries padding bits
    altered = token[:place] + letter + token[place + 1 :]
    if altered != token:
        with pytest.raises(tokens.BadToken):
            tokens.read(tokens.MANAGE, altered)


@given(st.text(max_size=90))
def test_any_other_text_is_refused(text):
    with pytest.raises(tokens.BadToken):
        tokens.read(tokens.MANAGE, text)


@given(people, st.text(max_size=40), st.text(max_size=40))
def test_a_token_is_about_one_value_only(subscriber, value, other):
    token = tokens.read(tokens.CONFIRM, tokens.make(tokens.CONFIRM, subscriber, value))
    assert token.is_about(value)
    assert token.is_about(other) == (other == value)


def test_a_token_serves_one_purpose_only():
    subscriber, purposes = Subscriber(email="rosa@example.org"), {tokens.CONFIRM, tokens.MANAGE, tokens.ADDRESS}
    for purpose in purposes:
        for other in purposes - {purpose}:
            with pytest.raises(tokens.BadToken):
                tokens.read(other, tokens.make(purpose, subscriber))
        with pytest.raises(tokens.BadToken):
            tokens.read_tracking(tokens.make(purpose, subscriber))
        with pytest.raises(tokens.BadToken):
            tokens.read(purpose, tokens.make_tracking(1))


def test_links_work_after_the_secret_key_was_rotated(settings):
    subscriber = Subscriber(email="rosa@example.org")
    token = tokens.make(tokens.MANAGE, subscriber)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
    found = tokens.read(tokens.MANAGE, token)
    assert (found.subscriber, found.is_about(subscriber.email)) == (subscriber.uuid, True)
    assert tokens.make(tokens.MANAGE, subscriber) != token
