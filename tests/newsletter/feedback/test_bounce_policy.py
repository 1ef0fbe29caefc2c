"""The policy for bounces: which codes and words are about the address, the mailbox, a system or a policy."""

import pytest

from newsletter.feedback.bounce_policy import Subject, classify
from tests.growth import grows_in_step

A, M, S, P, U = Subject


@pytest.mark.parametrize(
    ("enhanced", "smtp", "words", "subject", "is_hard"),
    [
        # The code says it.
        ("5.1.1", 550, "", A, True),
        ("5.1.2", "", "", A, True),
        ("5.1.6", "", "", A, True),
        ("5.1.10", 556, "recipient domain has a null MX", A, True),
        ("5.2.1", 550, "no such user", M, False),
        ("5.2.2", 552, "", M, False),
        ("5.3.4", 552, "", S, False),
        ("5.4.6", "", "unknown user", S, False),
        ("5.7.1", 550, "user unknown", P, False),
        ("5.7.26", 550, "", P, False),
        ("5.1.8", 550, "", P, False),
        ("5.6.7", 553, "", S, False),
        # What is for now is never for good, whichever of them says so.
        ("4.1.1", 450, "user unknown", A, False),
        ("5.1.1", 450, "", A, False),
        ("4.4.7", 550, "550 5.1.1 user unknown", S, False),
        ("5.7.1", "", "550 5.1.1 user unknown", P, False),
        ("5.0.0", "", "451 4.1.1 unknown user", A, False),
        ("5.1.1", "", "temporarily unable to look up the user", S, False),
        ("5.0.0", "", "retry timeout exceeded", U, False),
        # The words say it where the code says little, and where they blame the sender.
        ("5.0.0", "", "550 No such user here", A, True),
        ("", "", "550 5.1.1 <rosa@example.org>: Recipient address rejected: User unknown in table", A, True),
        ("", 550, "<spam-blocked@example.org> unknown user", A, True),
        ("5.0.0", "", "550-5.1.1 unknown user, see https://example.net/spam/blocked?x=1", A, True),
        ("5.4.1", 550, "Recipient address rejected: Access denied", A, True),
        ("5.4.4", "", "Host or domain name not found", A, True),
        ("5.0.0", "", "Unrouteable address", A, True),
        ("5.1.1", 550, "mailbox is full, over quota", M, False),
        ("5.1.1", 550, "your IP 192.0.2.1 is blocked", P, False),
        ("5.0.0", 554, "listed at zen.example.net", P, False),
        ("5.0.0", 552, "message too large for this user", S, False),
        ("5.0.0", 550, "el usuario no existe", A, True),
        ("5.0.0", 550, "usuário desconhecido", A, True),
        ("5.0.0", 550, "buzón lleno", M, False),
        # Nobody says anything.
        ("5.0.0", 554, "transaction failed", U, False),
        ("", "", "", U, False),
        ("", "", "unknown user", A, False),
    ],
)
def test_only_a_permanent_word_about_the_address_ends_a_subscription(enhanced, smtp, words, subject, is_hard):
    cause = classify(enhanced, smtp, words)
    assert (cause.subject, cause.ends_subscription) == (subject, is_hard)


# What servers say in Spanish, Portuguese and English beside 5.1.1 or 5.0.0, and what is not about a missing address.
NOT_GONE = [
    # full
    "El buzón del usuario ha excedido su cuota", "El buzon del destinatario esta lleno", "Cuota excedida",
    "Cuota de disco superada para el usuario", "user has exceeded his disk allocation", "Caixa postal cheia",
    "O usuário excedeu a cota de armazenamento", "A caixa de correio do destinatário está lotada",
    "El usuario no tiene espacio suficiente", "Capacidad del buzón agotada, usuario no válido para recibir",
    "unknown user: account is over its allocation", "user unknown: no space left on device", "Buz=F3n lleno; usuario no v=E1lido",
    # for now, or locked
    "usuario temporalmente no disponible", "cuenta desactivada temporalmente", "Usuario bloqueado por falta de pago",
    "Conta bloqueada", "Conta suspensa", "Hourly limit of the account reached", "usuário temporariamente desconhecido",
    "Usuário inválido no momento, tente novamente mais tarde", "Usuario desconocido por el momento, inténtelo más tarde",
    "La cuenta ha sido suspendida, usuario no existe", "Cuenta cancelada", "Conta encerrada por inatividade",
    "cuenta de usuario inhabilitada", "unknown user, please retry in an hour", "account on hold, no such user until payment",
    "Daily quota of messages for this account reached", "invalid user: account expired",
    "Destinatario no disponible en este momento", "O destinatário não está disponível", "servicio en mantenimiento, usuario desconocido",
    # about the sender
    "Mensaje rechazado por política del destinatario", "remitente en lista negra", "correo no deseado, destinatario no válido",
    "Remetente não autorizado", "Dominio del remitente desconocido", "Domínio remetente inexistente",
    "El host remitente es desconocido", "No existe registro inverso para su dirección IP", "Emisor desconocido",
    "Su servidor no existe en el DNS", "Mensagem rejeitada pelo filtro do usuário desconhecido", "Usuário não aceita mensagens de desconhecidos",
    "No existe un registro PTR", "Seu domínio não existe", "O IP de origem é desconhecido", "El destinatario no acepta correo de desconocidos",
    "Sin permiso para enviar a este destinatario inexistente", "Unknown SMTP user: client not recognized", "invalid user credentials",
    "Can't find your hostname: host unknown", "unknown user: reply-to domain not found", "Bloqueada su IP: usuario no valido",
    "Origin domain not found", "The domain you are sending from does not exist", "El dominio de origen no existe",
    # the receiver's own failure
    "LDAP server down, user lookup failed", "unknown user (LDAP lookup failure)", "User lookup error, database not available",
    "Recipient address rejected: unable to look up user", "Error de base de datos: usuario no encontrado", "Falha ao consultar o usuário: usuário inexistente",
    "No se pudo verificar el destinatario: no existe conexión", "Não foi possível verificar o usuário, servidor desconhecido",
    "could not verify recipient, unknown user", "Error interno: usuario desconocido", "internal error: user not found",
    "user unknown: backend service unavailable", "DNS error: domain not found", "El servidor LDAP no existe", "Directory service unavailable, user not found",
    "Invalid recipient or too many errors; connection closed", "No valid recipients, certificate expired", "no such user; bad sequence of commands",
    "user unknown: SSL handshake failed", "El archivo adjunto no existe", "El asunto no existe", "server is unavailable", "Error connecting to host: DNS",
    "Recipient address rejected: unknown user (LDAP lookup failure)", "configuration problem: no such user", "host mx: unknown command", "this is not a valid command, user", "Protocol error: invalid recipient",
    # words in which somebody and “unknown” stand, not about each other
    "Su dirección de correo no existe", "Seu endereço de e-mail não existe", "El dominio desde el que envía no existe", "Erro desconhecido na caixa postal",
    "Unknown error for recipient", "Usuario no puede recibir correo de direcciones no válidas", "You are not a known user, recipient rejects",
    "El usuario sólo acepta correos de contactos conocidos; dirección desconocida", "The account from which you write does not exist",
    "address you write from is invalid", "user unknown - come back later", "tabla de usuarios no encontrada", "user database not found", "mailbox store not found",
    "Archivo de buzón no encontrado", "Domain in From not found", "account not verified: unknown user cannot send", "invalid user agent", "Invalid To: address header",
    "Encabezado con dirección inválida", "no such user in access list",
]  # fmt: skip
GONE = [
    "El usuario no existe", "Usuario desconocido", "No existe el usuario", "No existe ese buzón", "Destinatario desconocido", "El destinatario no existe",
    "La dirección de correo no existe", "Dirección de correo inexistente", "La cuenta de correo no existe", "Buzón inexistente", "Usuario no encontrado",
    "Dirección de destinatario no válida", "usuário desconhecido", "Usuário inexistente", "O usuário não existe", "Usuário não encontrado",
    "Destinatário inexistente", "Endereço de e-mail não existe", "A conta de e-mail não existe", "Caixa postal inexistente",
    "Conta inexistente", "El dominio del destinatario no existe", "Utilisateur inconnu", "Benutzer unbekannt", "Utente sconosciuto",
    "L'utilisateur n'existe pas", "Destinatario sconosciuto", "550-5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos",
    "RESOLVER.ADR.RecipientNotFound; Recipient rosa@example.org not found by SMTP address lookup", "Requested action not taken: mailbox unavailable",
    "Recipient address rejected: User unknown in virtual mailbox table", "Recipient address rejected: User unknown in local recipient table",
    "Host or domain name not found. Name service error for name=example.org type=MX: Host not found", "No such user here", "Unrouteable address", "Invalid recipient", "Recipient not found", "unknown recipient", "user does not exist",
    "Recipient address rejected: User unknown in relay recipient table", "Recipient address rejected: unknown user in LDAP directory",
    "sorry, no mailbox here by that name. (#5.1.1)", "Mailbox does not exist", "Address does not exist", "mailbox not found", "No such person at this address",
    "invalid mailbox", "User not found", 
    "no such user in database", "The original message was received from localhost. The following addresses had permanent fatal errors: (reason: 550 5.1.1 User unknown)",
    "User unknown. Please contact the postmaster", "user unknown; check the address before sending again", "unable to deliver (unknown user, mailbox not found)", "This user doesn't have a yahoo.example account",
    "delivery error: dd This user doesn't have an example.com account", "RCPT TO: user unknown", "User unknown; rejecting", "The recipient's e-mail address was not found in the recipient's e-mail system",
    "Your message couldn't be delivered. The recipient wasn't found", "Domain not found", "Unknown local part", "no such recipient", "bad destination mailbox address", "account does not exist",
    "El usuario al que intenta escribir no existe", "La cuenta de usuario no existe en este servidor", "Esta cuenta no existe", "Este usuario no existe", "Casilla inexistente", "Correo no entregado: usuario inexistente",
]  # fmt: skip


@pytest.mark.parametrize("code", ["5.1.1", "5.0.0"])
@pytest.mark.parametrize("words", NOT_GONE)
def test_a_word_about_anything_else_keeps_a_subscription_whatever_is_unknown(words, code):
    assert not classify(code, text=f"smtp; 550 {words}").ends_subscription


@pytest.mark.parametrize("code", ["5.1.1", "5.0.0"])
@pytest.mark.parametrize("words", GONE)
def test_a_missing_user_is_understood_in_the_languages_of_our_readers(words, code):
    assert classify(code, text=f"smtp; 550 {words}").ends_subscription


@pytest.mark.parametrize(
    ("words", "subject"),
    [
        ("Cuota excedida", M), ("user has exceeded his disk allocation", M), ("Usuario bloqueado por falta de pago", M), ("Conta suspensa", M),
        ("remitente en lista negra", P), ("correo no deseado", P), ("Remetente não autorizado", P), ("unknown user (LDAP lookup failure)", S),
        ("Error connecting to host: DNS", S), ("552 message size exceeds the limit", S), ("No valid recipients, certificate expired", S),
    ],
)  # fmt: skip
def test_words_say_what_a_refusal_is_about(words, subject):
    assert classify("5.0.0", text=words).subject == subject


@pytest.mark.parametrize("words", GONE)
def test_nor_is_what_postfix_adds_taken_for_the_servers_words(words):
    said = f"host mx.example.org[192.0.2.7] said: 550 5.1.1 <rosa@example.org>: {words} (in reply to RCPT TO command)"
    assert classify("5.1.1", text=said).ends_subscription


@pytest.mark.parametrize("words", ["running 5.1.1.9 on port 550", "host 10.5.1.1 said hello", "version 15.1.1"])
def test_numbers_that_look_like_codes_are_none(words):
    assert classify(text=words).is_permanent is None


@pytest.mark.parametrize("unit", ["user ", "a", "error ", "<", "1."])
def test_long_words_take_no_longer_than_their_length(unit):
    assert grows_in_step(lambda size: classify("5.0.0", text=unit * size), 50_000)
