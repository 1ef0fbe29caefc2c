"""A day of the communications team in Spanish and in Portuguese: whoever speaks the language finds the way by the words on the screen."""

import re
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tests.e2e.conftest import arrive, as_made_by_make_run, type_text, window
from tests.e2e.test_editors_day import PASSWORD, choose_password, invite
from tests.e2e.test_journey import join, wait_for

pytestmark = pytest.mark.e2e
DESK = {"viewport": {"width": 1400, "height": 1000}}
WORDS = {
    "es": SimpleNamespace(
        invitation="Invitación a",
        confirm="Falta un paso: confirme su suscripción",
        sign_in="Iniciar sesión",
        write="Escribir una noticia",
        insert="Insertar un bloque",
        text="Texto",
        hand_in="Enviar a Revisar y publicar",
        waiting="Espera mi revisión",
        approve="Aprobar y Publicar",
        due="Traducir lo pendiente",
        start="Traducir a: Português",
        take_over="F2: Tomar el original",
        translate="Traducir",
        publish_translation="Publicar en Português",
        edition="Nueva edición",
        draft="Crear un borrador con las noticias desde la última edición",
        publish="Publicar",
        is_published="publicada",
        send="Enviar la edición…",
        found="Lo que se encontró",
        go_on="Continuar…",
        readers=re.compile(r"\d+ personas? recibirán? este correo\."),
        yes="Sí, enviarla ahora",
        done=re.compile(r"(\d+) de \1 listos"),
    ),
    "pt-br": SimpleNamespace(
        invitation="Convite para",
        confirm="Falta um passo: confirme sua inscrição",
        sign_in="Entrar",
        write="Escrever uma notícia",
        insert="Inserir um bloco",
        text="Texto",
        hand_in="Enviar para Revisar y publicar",
        waiting="Espera a minha revisão",
        approve="Aprovar e publicar",
        due="Traduzir o que falta",
        start="Traduzir para: Português",
        take_over="F2: Usar o original",
        translate="Traduzir",
        publish_translation="Publicar em Português",
        edition="Nova edição",
        draft="Criar um rascunho com as notícias desde a última edição",
        publish="Publicar",
        is_published="publicada",
        send="Enviar a edição…",
        found="O que foi encontrado",
        go_on="Continuar…",
        readers=re.compile(r"\d+ (pessoa vai|pessoas vão) receber este e-mail\."),
        yes="Sim, enviar agora",
        done=re.compile(r"(\d+) de \1 prontos"),
    ),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of its own: what is sent here would be in the way of other tests' editions."""
    with contextmanager(as_made_by_make_run)(tmp_path_factory.mktemp("day")) as site:
        yield site


@pytest.mark.parametrize("language", WORDS)
def test_the_day_is_walked_by_the_words_on_the_screen(admin, page, browser, site, language):
    words, title = WORDS[language], f"Un día en la cooperativa ({language})"
    give_postal_address(admin)
    join(page, admin, site, f"/{language}/", f"reader-{language}@example.org", words.confirm)
    link = invite(admin, site, language, ["Publishing", "Newsletter"], language, words.invitation)
    with window(browser, site, locale=language, **DESK) as desk:
        choose_password(desk, link)
        sign_in(desk, language, words)
        hand_in_an_article(desk, title, words)
        approve_it(desk, title, words)
        translate_it(desk, title, words)
        draft_an_edition(desk, title, words)
        send_it(desk, words)


def give_postal_address(admin):
    admin.goto("/admin/newsletter/postal-address/")
    admin.fill("#id_postal_address", "Calle del Cafetal 1, San Salvador")
    admin.get_by_role("button", name="Save").click()
    admin.get_by_text("The postal address is saved.").wait_for()


def sign_in(desk, name, words):
    desk.goto("/admin/login/")
    desk.fill("input[name=username]", name)
    desk.fill("input[name=password]", PASSWORD)
    desk.get_by_role("button", name=words.sign_in, exact=True).click()
    arrive(desk, "/admin/")


def button_in_menu(desk, name):
    """A button of the menu beside the one that saves."""
    desk.locator("footer [data-w-dropdown-target=toggle]").click()
    return desk.locator("footer").get_by_role("button", name=name, exact=True)


def hand_in_an_article(desk, title, words):
    desk.get_by_role("link", name=words.write).click()
    desk.fill("#id_title", title)
    desk.fill("#id_introduction", "Lo que hacemos de la mañana a la noche.")
    desk.get_by_role("button", name=words.insert).last.click()
    desk.get_by_role("option", name=words.text, exact=True).click()
    type_text(desk, "Empezamos temprano.")
    button_in_menu(desk, words.hand_in).click()
    desk.locator(".messages li").filter(has_text=title).first.wait_for()


def approve_it(desk, title, words):
    desk.goto("/admin/")
    desk.get_by_role("link", name=words.waiting).click()
    desk.get_by_role("link", name=title).first.click()
    desk.wait_for_url("**/edit/")
    button_in_menu(desk, words.approve).click()
    desk.locator(".messages li").filter(has_text=title).first.wait_for()


def translate_it(desk, title, words):
    """Translate each text from the keyboard: take the original over, save, and go on to the next."""
    desk.goto("/admin/")
    desk.get_by_role("link", name=words.due).click()
    desk.get_by_role("row", name=title).get_by_role("button", name=words.start).click()
    desk.wait_for_url("**/edit/")
    desk.get_by_role("button", name=words.translate, exact=True).first.click()
    desk.get_by_text(words.take_over).first.wait_for()
    assert (
        not desk.get_by_text(" to Português translation").filter(visible=True).count()
    )  # English, of wagtail-localize
    rows = desk.locator("li.incomplete")
    while count := rows.count():
        desk.locator("textarea:focus").wait_for()
        desk.keyboard.press("F2")
        desk.keyboard.press("Enter")
        wait_for(desk, lambda count=count: rows.count() < count)
    desk.get_by_role("button", name=words.publish_translation).click()
    desk.locator(".messages li").filter(has_text=title).first.wait_for()


def draft_an_edition(desk, title, words):
    desk.goto("/admin/")
    desk.get_by_role("link", name=words.edition).click()
    article = desk.get_by_role("listitem").filter(has_text=title)
    wait_for(desk, lambda: article.count() or not desk.reload())  # live once its pictures are resized
    desk.get_by_role("button", name=words.draft).click()
    desk.wait_for_url("**/edit/")
    button_in_menu(desk, words.publish).click()
    desk.locator(".messages li").filter(has_text=words.is_published).first.wait_for()


def send_it(desk, words):
    """Look at what was found, see who gets it, confirm, and watch it arrive."""
    desk.go_back()
    desk.get_by_role("link", name=words.send).click()
    desk.get_by_role("heading", name=words.found).wait_for()
    go_on = desk.get_by_role("button", name=words.go_on)
    wait_for(desk, lambda: go_on.count() or not desk.reload())  # as with the article
    go_on.click()
    desk.get_by_text(words.readers).wait_for()
    desk.get_by_role("button", name=words.yes).click()
    desk.get_by_text(words.done).wait_for()
