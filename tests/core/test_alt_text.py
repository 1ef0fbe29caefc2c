"""Alternative texts: written by a person, never the name of a file."""

import io

import pytest
from core.alt_text import looks_like_file_name
from core.images import CustomImage
from django.core.files.images import ImageFile
from django.urls import reverse
from editorial import content_checks
from PIL import Image
from wagtail.images.blocks import ImageBlock

pytestmark = pytest.mark.django_db
FILE_NAMES = [
    "cosecha 12MP",
    "IMG_2041",
    "IMG-20240131-WA0007",
    "logo-final.png",
    "Logo final.PNG",
    "DSC01234",
    "PXL_20260101_101010.jpg",
    "WhatsApp Image 2026-01-31 at 10.20.30",
    "Captura de pantalla 2026-01-31 a las 10.20.30",
    "Captura de tela 2026-01-31",
    "Screenshot 2026-01-31",
    "foto 3",
    "imagen1",
    "Imagem",
    "2041",
    "...",
    "cartel-final",
    "sin título",
    "Copia de IMG-2041",
    "IMG 2041 - copia",
    "IMG 2041 - copia (2)",
    "Copy of Untitled design (2)",
    "FB IMG 1612345678",
    "received 1234567890",
    "MVIMG 20200101",
    "DJI 0042",
    "FullSizeRender",
    "FullSizeRender (1)",
    "3f2b8c1e-9d4a-4c57-8e21-0a1b2c3d4e5f",
    "3F2B8C1E-9D4A-4C57-8E21-0A1B2C3D4E5F (1)",
    "Foto de WhatsApp 2024-01-02",
    "Imagen de WhatsApp 2024-01-31 a las 10.20.30",
    "Imagen de WhatsApp 2024-01-31 a las 10.20.30 p. m.",
    "Imagem do WhatsApp de 2024-01-31 às 10.20.30",
    "Imagem do WhatsApp de 2024-01-31 à(s) 10.20.30",
    "signal-2024-01-31-102030",
    "Diseño sin título (3)",
    "Design sem nome (3)",
    "Untitled design",
    "AdobeStock 123456",
    "shutterstock 123456789",
    "descarga (1)",
    "download",
    "pexels-photo-12345",
    "logo final v2",
    "Cartel feria v3",
    "Banner web 1920x1080",
    "Banner de inicio 1200 x 630",
    "cosecha 12MP final",
]
WORDS = [
    "",
    "Café",
    "Una productora seca café al sol",
    "Asamblea de 2022",
    "Reunión del G20 en Río de Janeiro",
    "Manos que tejen",
    "Mapa de los 24 países",
    "Foto de la asamblea general",
    "Imagem de uma colmeia",
    "Sonia, apicultora",
    "Rosa muestra 12 sacos de café",
    "Feria de 2023 en Lima",
    "Mujeres que secan café en un patio",
    "Copia de un mural de 1950 en la sede",
    "Cámara de 12 MP sobre un trípode",
    "Cámara de 12MP sobre un trípode",
    "Lona de 300x200 cm en la plaza",
    "Parcela de 20x30 metros",
    "Camión rojo con motor V8",
    "Foto de WhatsApp de Rosa con su hija",
    "Logo de Signal",
    "WhatsApp",
    "Telegram",
    "Diseño de una bolsa de café",
    "Design de um cartaz para a feira",
    "Signal 4 towers above the valley",
    "Un dron DJI sobre el cafetal",
    "Taller de café-bosque en Jaén",
]


@pytest.mark.parametrize("text", FILE_NAMES)
def test_names_of_files_are_recognised(text):
    assert looks_like_file_name(text, "x.jpg")


@pytest.mark.parametrize("text", WORDS)
def test_words_are_not(text):
    assert not looks_like_file_name(text, "x.jpg")


@pytest.mark.parametrize(
    ("text", "is_name"), [("Cosecha", True), ("cosecha café", True), ("Cosecha de café fino", False)]
)
def test_a_word_or_two_that_are_the_files_own_name_are_not_taken(text, is_name):
    assert looks_like_file_name(text, "images/cosecha_cafe_Xy12aBc.jpg") == is_name


@pytest.mark.parametrize(
    ("text", "is_name"),
    [("foto-de-rosa-en-la-finca", True), ("Foto-de-Rosa-en-la-finca", True), ("Foto de Rosa en la finca", False), ("cara-a-cara", False)],
)  # fmt: skip
def test_a_row_of_words_that_is_the_files_own_name_is_not_taken(text, is_name):
    assert looks_like_file_name(text, "images/foto-de-rosa-en-la-finca_Xy12aBc.jpg") == is_name


@pytest.fixture
def image(db):
    raw = io.BytesIO()
    Image.new("RGB", (60, 40), "#24512b").save(raw, "JPEG")
    return CustomImage.objects.create(title="IMG_2041", file=ImageFile(raw, "IMG_2041.jpg"))


def test_the_name_of_a_file_is_never_proposed(image):
    assert image.default_alt_text == ""
    assert image.get_rendition("width-30").alt == ""
    image.description = "Una colmena"
    assert image.default_alt_text == "Una colmena"


def test_a_description_that_is_a_files_name_is_refused_with_a_sentence(staff_client, image):
    data = {"title": "IMG_2041", "description": "IMG_2041", "collection": image.collection_id}
    answer = staff_client.post(reverse("wagtailimages:edit", args=[image.pk]), data)
    assert "looks like the name of a file" in answer.text
    staff_client.post(reverse("wagtailimages:edit", args=[image.pk]), data | {"description": "Una colmena"})
    image.refresh_from_db()
    assert image.description == "Una colmena"


def kinds(page):
    return [kind for kind, _values in content_checks.find_problems(page) if "alt" in kind]


@pytest.mark.parametrize(
    ("text", "found"), [("IMG_2041", ["alt_file_name"]), ("", ["alt"]), ("Abejas en su panal", [])]
)
def test_a_page_is_not_published_with_such_a_text(page_of, image, text, found):
    page = page_of("mission")
    block = page.body.stream_block.child_blocks["picture"].child_blocks["image"]
    assert isinstance(block, ImageBlock)
    value = {"image": block.to_python({"image": image.pk, "decorative": False, "alt_text": text}), "caption": ""}
    page.body = [("picture", value)]
    assert kinds(page) == found
    assert content_checks.any_blocking(content_checks.check_page(page)) == bool(found)
