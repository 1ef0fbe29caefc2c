"""From an edition to the mail: MJML blocks through mrml to HTML, and a text part from the same blocks.

Content is rendered once for each language. What differs per recipient are tokens such as `@@leave_url@@`.
"""

import re
from dataclasses import dataclass, replace

import html2text
import mrml
from bs4 import BeautifulSoup
from core.i18n import language_tag
from core.markup import absolute, absolute_html
from core.models import SiteTexts
from django.conf import settings
from django.template.loader import render_to_string
from django.utils.html import escape
from django.utils.translation import override
from wagtail.rich_text import expand_db_html

LEAVE_URL, PREFERENCES_URL = "@@leave_url@@", "@@preferences_url@@"
TOKENS = re.compile("|".join([LEAVE_URL, PREFERENCES_URL]))


@dataclass(frozen=True)
class Rendered:
    """A mail in one language: subject, preheader, HTML and text."""

    subject: str
    preheader: str
    html: str
    text: str

    def personalised(self, values):
        """The mail with each token replaced by its value of `values` ({token: text}), escaped in the HTML part."""
        return replace(
            self,
            html=TOKENS.sub(lambda found: escape(values[found[0]]), self.html),
            text=TOKENS.sub(lambda found: values[found[0]], self.text),
        )


def mail_html(rich_text):
    """Wagtail's rich text as the simple HTML that mail programs take: absolute, underlined links."""
    soup = BeautifulSoup(absolute_html(expand_db_html(rich_text.source)), "html.parser")
    for link in soup.find_all("a"):
        link["class"] = "link"
    return str(soup)


def plain_text(html):
    """HTML as readable text: links written out, lines left unwrapped."""
    converter = html2text.HTML2Text(bodywidth=0)
    converter.ul_item_mark = "-"
    converter.emphasis_mark = "*"
    converter.strong_mark = ""
    converter.inline_links = True
    converter.use_automatic_links = True
    return converter.handle(html).strip()


def render_mjml(template, context):
    """Render an MJML template to HTML. Raises OSError from mrml if the markup is broken."""
    return mrml.to_html(render_to_string(template, context)).content


def render_mail(name, context, language):
    """Render templates/newsletter/mail/<name>.mjml and .txt in `language` as (html, text)."""
    with override(language):
        context = {
            **context,
            "lang": language_tag(language),
            "site_texts": SiteTexts.current(language),
            "SITE_URL": settings.SITE_URL,
        }
        html = render_mjml(f"newsletter/mail/{name}.mjml", context)
        text = render_to_string(f"newsletter/mail/{name}.txt", context)
    return html, re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def render_issue(issue):
    """The mail of an IssuePage, in the page's language, with tokens for what differs per recipient."""
    context = {
        "issue": issue,
        "subject": issue.mail_subject,
        "preheader": issue.preheader,
        "web_url": absolute(issue.url or ""),
        "leave_url": LEAVE_URL,
        "preferences_url": PREFERENCES_URL,
    }
    html, text = render_mail("issue", context, issue.locale.language_code)
    return Rendered(issue.mail_subject, issue.preheader, html, text)


def preview(issue):
    """The mail as an editor sees it: links to leave lead nowhere."""
    return render_issue(issue).personalised({LEAVE_URL: "#", PREFERENCES_URL: "#"})
