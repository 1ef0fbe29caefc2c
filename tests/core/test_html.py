"""Addresses and text as they leave the site, in mails and feeds."""

from xml.dom import minidom

import pytest
from core.html import absolute, absolute_html, without_control_characters
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("address", "result"),
    [
        ("/es/noticias/", "http://testserver/es/noticias/"),
        ("//example.org/x", "http://example.org/x"),
        ("https://example.org/x?a=1#b", "https://example.org/x?a=1#b"),
        ("www.example.org", "www.example.org"),
        ("#lugar", "#lugar"),
        ("mailto:ana@example.org", "mailto:ana@example.org"),
        ("tel:+50322223333", "tel:+50322223333"),
        ("", ""),
        ("//[mal", "//[mal"),
    ],
)
def test_addresses_read_the_same_outside_the_site(address, result):
    assert absolute(address) == result
    assert absolute_html(f'<a href="{address}">x</a>') == f'<a href="{result}">x</a>'


@given(st.text())
def test_what_is_left_of_any_text_is_xml(text):
    kept = without_control_characters(text)
    escaped = kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert minidom.parseString(f"<a>{escaped}</a>".encode())  # noqa: S318 – our own text


def test_letters_of_every_script_are_kept():
    text = "Ñandú, ação,\tkʼaskʼa\n日本語 👩🏽‍🌾 \u00ad\u200f"
    assert without_control_characters(text) == text
