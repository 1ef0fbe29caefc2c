"""The snapshot edition, which holds every block there is, so that each is seen in the HTML and in the text."""

import io

from django.core.files.images import ImageFile
from PIL import Image
from wagtail.images import get_image_model

from newsletter.models import IssuePage


def drawing(kind, size, title):
    """An image in the library, of one colour."""
    raw = io.BytesIO()
    Image.new("RGB", size, "#24512b").save(raw, kind)
    return get_image_model().objects.create(title=title, file=ImageFile(raw, f"golden.{kind.lower()}"))


def snapshot_edition(page_of, article):
    """A published Spanish edition with every block; its list of news names one chosen article."""
    picture, icon = drawing("JPEG", (1600, 900), "Sol"), drawing("PNG", (300, 300), "Hoja")

    def image(of, text):
        return {"image": of.pk, "alt_text": text, "decorative": not text}

    column = {"image": image(icon, "Una hoja de café"), "title": "Café", "text": "<p>Del <b>grano</b> a la taza.</p>"}
    body = [
        ("greeting", {"named": "Querida, querido {name}:", "unnamed": "Queridas amigas y amigos:"}),
        ("heading", "Lo más importante & lo nuevo"),
        ("text", '<p>Un párrafo con un <a href="https://clac-comerciojusto.org/">enlace</a>.</p><ul><li>Uno</li></ul>'),
        ("picture", {"image": image(picture, "El sol sobre el cafetal"), "caption": "Amanece."}),
        ("button", {"text": "Leer más", "page": None, "address": "https://clac-comerciojusto.org/mas/?a=1&b=2"}),
        ("news", {"chosen": [article.pk], "since_last": False, "latest": 3}),
        ("quote", {"text": "Juntas y juntos llegamos más lejos.", "source": "Una productora"}),
        (
            "columns",
            {
                "rows": [
                    column,
                    {"image": {"image": None, "alt_text": "", "decorative": True}, "title": "Cacao", "text": ""},
                ]
            },
        ),
        ("divider", None),
        ("text", "<p>Hasta pronto.</p>"),
    ]
    raw = [{"type": kind, "value": value} for kind, value in body]
    issue = IssuePage(
        title="Edición dorada",
        slug="edicion-dorada",
        subject="Todo lo que cabe en un correo",
        preheader="Una muestra de cada bloque.",
        locale=page_of("newsletter").locale,
        body=IssuePage._meta.get_field("body").stream_block.to_python(raw),
    )
    page_of("newsletter").add_child(instance=issue)
    issue.save_revision().publish()
    return issue
