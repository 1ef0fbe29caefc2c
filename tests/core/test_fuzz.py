"""Whatever arrives at a public address is answered, in the reader's language, and never with a 500 (hypothesis)."""

import os
import re
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.core.test_access import routes

pytestmark = pytest.mark.django_db
PUBLIC = sorted({route.removeprefix("/") for route in routes() if not route.startswith("admin/")})
OPEN_IN_THE_ADMIN = [
    "admin/login/",
    "admin/login/passkey/",
    "admin/login/passkey/options/",
    "admin/password_reset/",
    "admin/password_reset/confirm/<str:a>/<str:b>/",
    "admin/logout/",
]
PART = re.compile(r"<[^>]+>|\([^()]*(?:\([^()]*\)[^()]*)*\)")
NASTY = [
    "", "0", "-1", "9" * 40, "None", "a" * 5000, "..", "../../etc/passwd", "%00", "\0", "\ud7ff", "\u202e", "'", '"><script>',
    "{{ 7*7 }}", "${7*7}", "; ls", "a\r\nSet-Cookie: x=1", "ñandú", "🌽", "\ufeff", "١٢٣", "1e309", "[]", "{}", "x" * 300 + "@y.org",
]  # fmt: skip
values = st.sampled_from(NASTY) | st.text(max_size=40)
fields = st.dictionaries(
    st.sampled_from(
        ["email", "name", "message", "stamp", "website", "topics", "language", "country", "q", "page", "c", "next",
         "username", "password", "List-Unsubscribe", "new_password1", "csrfmiddlewaretoken", "items", "topic", "passkey", "state"]
    ),
    values,
    max_size=5,
)  # fmt: skip
headers = st.fixed_dictionaries(
    {},
    optional={
        name: values.map(lambda value: value.encode("ascii", "replace").decode().replace("\n", " ").replace("\r", " "))
        for name in ("accept-language", "referer", "origin", "user-agent", "cookie", "if-none-match", "if-modified-since",
                     "accept-encoding", "authorization", "x-forwarded-for", "x-request-id", "range", "content-type", "accept")
    },
)  # fmt: skip
METHODS = ["get", "head", "post", "put", "patch", "delete", "options", "trace"]
LANGUAGES = {"es", "en", "pt-BR"}
much = settings(
    max_examples=30 if "TEST_REDIS_URL" in os.environ else 2,  # many of them: make test-services
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def is_fine(answer):
    """Whether an answer is no failure of ours, and a refusal that a reader can read."""
    if answer.status_code >= 500:
        return False
    if answer.status_code in {400, 403, 404, 410, 422, 429} and answer.get("Content-Type", "").startswith("text/html"):
        found = re.search(r'<html[^>]*lang="([\w-]+)"', answer.content.decode())
        return answer.wsgi_request.method == "HEAD" or not answer.content or (found and found[1] in LANGUAGES)
    return True


@pytest.mark.parametrize("route", [*PUBLIC, *OPEN_IN_THE_ADMIN])
@much
@given(data=st.data(), query=fields, body=fields, more=headers, method=st.sampled_from(METHODS))
def test_nothing_that_arrives_is_a_500(route, data, query, body, more, method):
    path = PART.sub(lambda part: quote(data.draw(values)), route).strip("^$")
    client = Client(raise_request_exception=False, headers=more)
    options = {"query_params": query}
    if method == "trace":
        answer = client.trace(f"/{path}", **options)
    elif method in {"get", "head"}:
        answer = getattr(client, method)(f"/{path}", query)
    elif method == "post":
        answer = client.post(f"/{path}", body, **options)
    else:
        answer = getattr(client, method)(f"/{path}", str(body).encode(), **options)
    assert is_fine(answer), (answer.status_code, path, query, body, more)


@much
@given(
    raw=st.binary(max_size=300),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=x", "text/xml", ""]),
)
@example(raw=b"{", kind="application/json")
@example(
    raw=b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n\xff\xfe', kind="multipart/form-data; boundary=x"
)
@pytest.mark.parametrize(
    "path", ["/es/subscription/join/", "/pt-br/contact/send/", "/webhooks/brevo/", "/admin/login/", "/t/x/1/"]
)
def test_bodies_that_are_no_forms_are_answered(path, raw, kind):
    answer = Client(raise_request_exception=False).post(path, raw, content_type=kind)
    assert is_fine(answer), answer.status_code


@pytest.mark.parametrize("host", ["evil.example", "", "a b", "[::1", "ñ.example", "testserver\0"])
def test_another_host_is_refused_in_plain_words(host):
    answer = Client(raise_request_exception=False).get("/es/", headers={"host": host, "accept-language": "pt-br"})
    assert answer.status_code == 400
    assert "evil" not in answer.content.decode()
    assert 'lang="pt-BR"' in answer.content.decode() or 'lang="pt-br"' in answer.content.decode()


def test_too_much_is_refused():
    answer = Client(raise_request_exception=False).post("/es/subscription/join/", {f"f{n}": "1" for n in range(1500)})
    assert answer.status_code == 400
    assert 'lang="es"' in answer.content.decode()
