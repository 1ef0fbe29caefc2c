"""What the columns of a list are proposed to be, and what their words say: by whole words, never by letters that happen to meet."""

import pytest

from newsletter.imports import exporters, mapping
from newsletter.imports.exporters import DATE, EMPTY, end_in, meaning_of, meaning_of_file, tells_all, value_of, words_of


def proposed(text, program=""):
    """{what: number of its column} of a list, its lines separated by `/`, its cells by `|`."""
    headings, *lines = (line.split("|") for line in text.split("/"))
    columns = [mapping.Column() for _heading in headings]
    for line in lines:
        for column, cell in zip(columns, line, strict=True):
            column.add(cell)
    return mapping.mapping_of(headings, columns, program)


def is_proposed(heading, *cells):
    """Whether a column is proposed as a state."""
    lines = "/".join(f"a{number}@example.org|{cell}" for number, cell in enumerate(cells))
    return proposed(f"email|{heading}/{lines}").get("status") == [1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("EMAIL_BLACKLISTED", "email blacklisted"),
        ("EmailOptOuts", "email opt outs"),
        ("DOUBLE_OPT-IN", "double opt in"),
        ("Estado de suscripción", "estado de suscripcion"),
        ("HTMLEmail", "html email"),
    ],
)
def test_a_heading_is_taken_as_words(text, words):
    assert words_of(text) == words


def test_words_are_matched_whole():
    assert meaning_of(words_of("Estado de suscripción"), "no") is None
    assert meaning_of(words_of("Estado de suscripción"), "activo") == "active"
    assert is_proposed("Estado de suscripción", "Lima")
    assert proposed("email|Fecha de suscripción/a@example.org|2023-05-06") == {"email": 0, "asked_at": 1}
    assert not is_proposed("Común subregión", "Lima")
    assert not is_proposed("Trabajadora", "Lima")
    assert meaning_of_file(["Lista de suscriptores 2023.csv"], "", has_states=False) is None
    assert meaning_of_file(["Desuscriptores 2023.csv"], "", has_states=False) == "left"


@pytest.mark.parametrize(
    "heading",
    ["isUnsubscribed", "emailOptOut", "emailoptout", "is_unsubscribed", "Fecha de baja", "hardBounced", "isbounced",
     "Do not email", "cancelled_at", "Correos rebotados"],
)  # fmt: skip
def test_a_word_of_leaving_is_found_wherever_it_stands_in_a_heading(heading):
    assert is_proposed(heading, "Lima")
    assert meaning_of(words_of(heading), "yes") in {"left", "bounced"}


ENDS = """
Baja|Dada de baja en mayo|BAJAS 2022|unsubscribed-2022|Se desuscribió|Desinscrita|descadastrado em maio|CANCELADA|Suscripción anulada|Rebotó dos veces
bounced (hard)|Correo devuelto|devolvido|Se retiró|Opted out|opt-out|OptOut|No enviar|no escribir|NO MAIL|no newsletter|no e-mails|do not mail|Do-not-email
do not send|do not contact|don't write|never subscribed|Desuscritos ::: * myContacts|blacklisted|block list|bloqueado|spam|complained|Eliminar de la lista
removed|removido|desligada|renunció|fallecido|falecida|não quer mais|Unconfirmed|sin confirmar|sem confirmar|no confirmó|não confirmou|on hold|ya no quiere
Ana Quispe (BAJA)|não enviar|no quiere correos|No desea recibir|[{"name": "Boletín", "subscription_status": "unsubscribed"}]|hardbounce|BAJA2022|pendiente de confirmar
Suprimida|borrar de la lista|desactivado|desativada|suspendida|salió de la lista|STOP 2022|correo inválido|ese correo no existe|deu baixa|archivada
pidió salir de la lista|pidió que lo saquen|remover de la lista|tirar da lista|pediu para sair|Salió en 2021|took herself off the list|ex suscriptora|former subscriber|desinscrever
falleció en 2021|faleceu|morreu|murió|difunto|no molestar|não incomodar|no autoriza|sin autorización|sin consentimiento|não dá consentimento|no more e-mails|no más|ya no trabaja aquí
rechazó|recusou|Rejected|declined|revocó su consentimiento|revogado|withdrew consent|correo errado|e-mail incorreto|wrong address|no le llega|não chega|devuelve los mensajes|no entregado
bloqueó su cuenta|queixa|Lista Robinson|dead address|unverified|sin verificar|no verificado|por confirmar|falta confirmación|aguardando confirmação|se quejó|reclamou|denunció|lista negra|excluded|exclusión|vetado|papelera|lixeira|cuenta cerrada
"""


@pytest.mark.parametrize("text", ENDS.replace("\n", "|").strip("|").split("|"))
def test_words_of_leaving_count_within_a_cell(text):
    assert end_in(text)
    assert is_proposed("Dirección", "Lima", text)


@pytest.mark.parametrize(
    "text",
    ["Baja California", "Baja Verapaz", "Trabajadora", "Café", "activo", "sí", "no", "No. 5", "suscrito", "Suboficial",
     "https://example.org/unsubscribe?x=1", "unsub@example.org", "Norte", "opción", "Notaría", "Robot", "Cancún", "Noemí Mandela", "De baixa renda", "Spampinato", "Stopper", "Invalidez", "Cajamarca", "no aplica",
     "Esperanza", "Robinson", "Yolanda Quejada", "Exclusivo", "Zacarías", "Obituarios de Salinas", "Sairi", "Muriel", "Exportaciones", "Revollo", "No tiene"],
)  # fmt: skip
def test_other_words_are_no_words_of_leaving(text):
    assert not end_in(text)


def test_the_states_of_a_program_are_not_hidden_by_its_other_columns():
    assert proposed("Subscriber|Subscribed/a@example.org|Yes/b@example.org|No", "MailerLite")["status"] == [1]
    assert proposed("Subscriber|Subscribed/a@example.org|S/b@example.org|N", "MailerLite")["status"] == [1]
    assert meaning_of("subscribed", "no") == "left"
    assert proposed("Email|Lead status|x/a@example.org|Unsubscribed|", "HubSpot")["status"] == [1]
    assert proposed("Email|Lead status|x/a@example.org|Active|", "HubSpot")["status"] == [1]
    assert proposed("Email|Lead status|x/a@example.org|Open|", "HubSpot") == {"email": 0}


@pytest.mark.parametrize(
    "heading",
    ["¿Recibe el boletín?", "Recebe", "Desea información", "Deseja novidades", "Quiere", "Quer", "Envío", "Enviar",
     "May we email you?", "Acepto", "Aceito", "On hold", "Do not email", "No bulk", "Privacy", "Retiro", "Ended", "Stop", "Renuncia"],
)  # fmt: skip
def test_questions_of_consent_are_proposed(heading):
    assert is_proposed(heading, "Lima")


@pytest.mark.parametrize("cells", ["SN", "N", "S", "xx", "✓✗", "✓"])
def test_letters_and_signs_may_be_states(cells):
    assert is_proposed("Kundenart", *cells)
    assert meaning_of("kundenart", value_of("S")) is None


@pytest.mark.parametrize("cell", ["No, gracias", "não obrigada", "Not interested", "Don't", "NO POR AHORA"])
def test_a_cell_that_says_no_proposes_its_column(cell):
    assert is_proposed("Wer", "Ana", "Eva", cell)


def test_a_no_in_a_harmless_column_says_nothing():
    assert not is_proposed("Ciudad", "Lima", "No declarada", "Puno")


def test_signs_are_told_apart():
    assert [value_of(cell) for cell in ("✓", " ✗ ", "x", "–", "…", "")] == ["✓", "✗", "x", "…", "…", EMPTY]
    column = mapping.Column()
    column.add("✓")
    column.add("✗")
    assert column.counts == {"✓": 1, "✗": 1}


@pytest.mark.parametrize(
    "cell",
    ["6 de mayo de 2023", "may-23", "May 6, 2022 10:00 am", "06/05/2023", "2023-05-06T07:08:09Z", "6/5/23 10:00",
     "06/05/2023 10:00 p. m.", "2023-05-06 07:08:09 UTC", "Sat, 6 May 2023 10:00:00 +0000", "6 mai. 2023", "mayo 2023", "2023-05-06 07:08:09.123+00"],
)  # fmt: skip
def test_dates_count_as_dates(cell):
    assert value_of(cell) == DATE


@pytest.mark.parametrize("cell", ["06/05/2023 baja", "6 de mayo de 2023: baja", "Mayo", "999 888 777", "Junio 5", "1"])
def test_what_is_more_or_less_than_a_date_is_none(cell):
    assert value_of(cell) != DATE


def test_dates_that_nothing_explains_are_proposed():
    assert is_proposed("Fecha", "2023-05-06", "6 de mayo de 2023")
    assert is_proposed("Fecha", "2023-05-06", "")
    assert not is_proposed("Updated", "2023-05-06", "2023-05-07")
    assert not is_proposed("Fecha", "2023-05-06", "Lima")


@pytest.mark.parametrize(
    "heading",
    ["opt_out_sms", "SMS status", "WhatsApp opt-out", "Phone status", "Number of bounces", "Estado del teléfono", "Número de rebotes", "bouncecount"],
)  # fmt: skip
def test_other_channels_and_numbers_say_nothing(heading):
    assert not is_proposed(heading, "5")
    assert not tells_all([words_of(heading)])


def test_a_block_of_mail_and_of_others_says_something():
    assert is_proposed("Unsubscribed from e-mail and SMS", "1")
    assert is_proposed("Baja del correo y del teléfono", "Lima")


@pytest.mark.parametrize(
    "heading",
    ["Status", "Estado", "Email status", "Member status", "Contact Status", "List status", "Subscription status", "Unsubscribed",
     "Estado de suscripción", "Situação", "subscriber_type", "Global status", "Subscribed", "EMAIL_BLACKLISTED", "Email_disabled"],
)  # fmt: skip
def test_a_state_of_the_subscription_answers_for_everybody(heading):
    assert tells_all([words_of(heading)])


@pytest.mark.parametrize("heading", ["Order status", "Membership status", "opt_out_sms", "Estado civil", "Lead status", "Verified", "bounced_at"])  # fmt: skip
def test_any_other_state_does_not(heading):
    assert not tells_all([words_of(heading)])


@pytest.mark.parametrize(
    "heading",
    ["Tamaño", "Sello", "Rol", "Zona", "Año", "HTML email", "Subscribe page", "Digest", "Ack", "Plain", "Orders", "Points", "Tax exempt", "Tier"],
)  # fmt: skip
def test_harmless_headings(heading):
    assert not is_proposed(heading, *"AAAABBBB")


@pytest.mark.parametrize(
    ("what", "headings"),
    [
        ("asked_at", "Date subscribed|Subscribed On|Subscription date|Data de inscrição|Fecha de inscripción|Fecha de registro|Data de cadastro|Creado el|Marca temporal|Timestamp|Date Joined|Subscribed at|entered|created_on"),
        ("language", "Idioma preferido|Preferred language|preferred_locale|Língua"),
        ("name", "Nombre y apellidos|Nombres y apellidos|Apellidos y nombres"),
        ("last_name", "Primer apellido|Apellido paterno"),
        ("country", "País de origen|Country/Region"),
    ],
)  # fmt: skip
def test_known_headings(what, headings):
    for heading in headings.split("|"):
        columns = [mapping.Column(), mapping.Column()]
        assert mapping.mapping_of(["email", heading], columns, "").get(what) == 1, heading


def test_a_word_of_leaving_that_a_name_denies_says_nothing():
    assert meaning_of_file(["Activos sin rebotes.csv"], "", has_states=False) is None
    assert meaning_of_file(["Ativos sem descadastrados.csv"], "", has_states=True) == "active"
    assert meaning_of_file(["sin confirmar.csv"], "", has_states=True) == "unconfirmed"
    assert exporters.meaning_of_file(["Rebotes.csv"], "", has_states=False) == "bounced"


def test_a_date_of_confirming_holds_dates():
    dated = "email|CONFIRM_TIME/a@example.org|2023-05-06/b@example.org|"
    assert proposed(dated) == {"email": 0, "confirmed_at": 1}
    assert proposed("email|CONFIRM_TIME/a@example.org|/b@example.org|") == {"email": 0, "status": [1]}


@pytest.mark.parametrize("heading", ["Active (not bounced)", "No bajas", "Sin rebotes"])
@pytest.mark.parametrize("value", ["no", "yes", EMPTY, DATE])
def test_a_heading_that_denies_a_word_of_leaving_means_nothing_by_itself(heading, value):
    assert is_proposed(heading, "Lima")
    assert meaning_of(words_of(heading), value) is None
    assert meaning_of(words_of("Do not email"), "yes") == "left"


@pytest.mark.parametrize("name", ["No enviar.csv", "Fallecidos 2022.xlsx", "Retiros.csv"])
def test_a_name_that_may_say_who_left_has_to_be_explained_whatever_the_states_say(name):
    assert meaning_of_file([name], "", has_states=True) is None
