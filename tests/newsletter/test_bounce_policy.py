"""The policy for bounces: which codes and words are about the address, the mailbox, a system or a policy."""

import pytest

from newsletter.bounce_policy import Subject, classify

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
        ("5.1.1", "", "temporarily unable to look up the user", A, False),
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


@pytest.mark.parametrize("words", ["running 5.1.1.9 on port 550", "host 10.5.1.1 said hello", "version 15.1.1"])
def test_numbers_that_look_like_codes_are_none(words):
    assert classify(text=words).is_permanent is None
