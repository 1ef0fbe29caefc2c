"""Production refuses to start with what would leave the site open, in one line that names the setting."""

import os
import re
from pathlib import Path

import hypothesis
import pytest
from config.environment import warnings as environment_warnings
from config.variables import GROUPS, VARIABLES
from django.conf import settings
from hypothesis import strategies as st

from newsletter.delivery.providers import PROVIDERS
from tests import starts
from tests.services import in_services

ROOT = Path(__file__).parents[2]
GOOD = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "SECRET_KEY": "T7cTJ5hX0dDyzD7mIqk3nYt6cX8sVw2rLp9aQe4uGf1oKb5jHx",
    "SITE_URL": "https://clac.example",
}
RETENTION = sorted(f"RETENTION_{name.upper()}_DAYS" for name in settings.RETENTION_DAYS)


def environment(tmp_path, **more):
    return {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), **GOOD, **more}


def manage(tmp_path, *arguments, **more):
    return starts.manage(*arguments, env=environment(tmp_path, **more))


def test_the_deployment_check_has_nothing_to_say(tmp_path):
    answer = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")
    assert answer.returncode == 0, answer.stderr
    assert "no issues (2 silenced)" in answer.stdout  # HSTS_SUBDOMAINS and HSTS_PRELOAD are the operators'


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 60),
        ("DEBUG", "yes"),
        ("DJANGO_DEBUG", "1"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "www.clac.example,.clac.example"),
        ("SITE_URL", "clac.example"),
        ("WEB_PROCESSES", "many"),
        ("DATABASE_URL", "oracle://somewhere/clac"),
        ("EMAIL_PROVIDER", "carrier-pigeon"),
        *((name, value) for name in RETENTION for value in ("0", "-1")),
        ("RETENTION_PENDING_DAYS", "1000000000"),
        ("RETENTION_PENDING_DAYS", "1.5"),
        ("BACKUP_KEEP", "-1"),
        ("SOFT_BOUNCES", "0"),
        ("SOFT_BOUNCE_DAYS", "-5"),
        ("SMTP_CONNECTIONS", "0"),
        ("SIGNUP_LIMIT_GLOBAL", "-1"),
        ("REDIS_URL", "http://127.0.0.1:6379"),
        ("FRONTEND_CACHE", "127.0.0.1:8081"),
        ("NEWSLETTER_WARM_UP_FROM", "31.01.2027"),
        ("NEWSLETTER_WARM_UP_FROM", "2027-02-30"),
        ("NEWSLETTER_SEND_PER_SECOND", "-1"),
        ("WEB_PROCESSES", "0"),
        ("ALERT_EMAILS", "nobody, somewhere"),
        ("DEFAULT_FROM_EMAIL", "CLAC"),
        ("VAR_DIR", "/proc/nowhere"),
        ("VAR_DIR", "/etc/hostname/below-a-file"),
        ("VAR_DIR", "/" + "x" * 300),
        ("BACKUP_DIR", "/" + "x" * 300),
        ("GOOGLE_CREDENTIALS_PATH", "/" + "x" * 300),
        ("SITE_URL", "https://clac.example:port"),
        ("SITE_URL", "https://clac.example:70000"),
        ("SITE_URL", "https://clac.example/es"),
        ("TIME_ZONE", "America/San_Salvador"),
        ("SENTRY_DSN", "nonsense"),
        ("BACKUP_KEY", "secret"),
        ("WEBHOOK_SECRET", "password"),
        ("LOG_JSON", "perhaps"),
        ("EMAIL_HOST", "mail server"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(tmp_path, setting, value):
    answer = manage(tmp_path, "check", **{setting: value})
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Setting {setting}: ")
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "docs/operators/settings.md" in answer.stderr
    shows = setting in VARIABLES and VARIABLES[setting].is_secret and value and f"{value!r}" in answer.stderr
    assert not shows


def test_subdomains_have_to_use_https_only_when_the_operators_say_so(tmp_path):
    code = "from django.conf import settings as s; print(s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD)"
    assert starts.python(code, environment(tmp_path)).stdout.split() == ["False", "False"]
    asked = environment(tmp_path, HSTS_SUBDOMAINS="yes", HSTS_PRELOAD="yes")
    assert starts.python(code, asked).stdout.split() == ["True", "True"]


def test_no_secret_comes_with_the_software(tmp_path):
    """The example, copied and left as it is, does not start; nor does anything whose key was not given."""
    lines = (ROOT / "deploy/env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]", line))
    answer = manage(tmp_path, "check", **example)
    assert answer.returncode == 1
    assert answer.stderr.startswith("Setting SECRET_KEY: ")
    for name, given in {
        "POSTMARK_SERVER_TOKEN": {"EMAIL_PROVIDER": "postmark"},
        "EMAIL_HOST": {"EMAIL_PROVIDER": "smtp"},
        "S3_ACCESS_KEY": {"S3_BUCKET": "clac", "S3_ENDPOINT": "https://s3.example"},
        "DEEPL_AUTH_KEY": {"MACHINE_TRANSLATOR": "deepl"},
    }.items():
        answer = manage(tmp_path, "check", **given)
        assert answer.returncode == 1
        assert answer.stderr.startswith(f"Setting {name}")


@pytest.mark.parametrize("provider", [provider for provider in PROVIDERS.values() if provider.needs_signature], ids=lambda provider: provider.name)  # fmt: skip
def test_a_webhook_that_could_take_no_message_stops_the_start(tmp_path, provider):
    given = dict.fromkeys(provider.credentials, "https://provider.example") | {"EMAIL_PROVIDER": provider.name}
    answer = manage(tmp_path, "check", WEBHOOK_SECRET="user:password", **given)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Setting {provider.signature}: ")
    assert len(answer.stderr.strip().splitlines()) == 1
    answer = manage(tmp_path, "check", **given)
    assert answer.returncode == 0, answer.stderr


def test_a_webhook_key_that_is_none_stops_the_start(tmp_path):
    given = {"EMAIL_PROVIDER": "sendgrid", "SENDGRID_API_KEY": "k"}
    answer = manage(tmp_path, "check", SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY="nokey", **given)
    assert answer.returncode == 1
    assert "Setting SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY: messages of sendgrid cannot be checked" in answer.stderr
    assert "Traceback" not in answer.stderr
    answer = manage(tmp_path, "check", **given)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    "command", ["worker", *(pytest.param(name, marks=in_services) for name in ("scheduler", "deploy"))]
)
@in_services
def test_a_database_that_does_not_answer_stops_the_start_and_keeps_its_password(tmp_path, command):
    url = "postgres://clac:hunter2hunter2@127.0.0.1:9/clac"
    answer = manage(tmp_path, command, DATABASE_URL=url)
    assert answer.returncode == 1
    line = answer.stderr.strip().splitlines()[-1]
    assert line.startswith("Setting DATABASE_URL: the database does not answer")
    assert "hunter2" not in answer.stderr + answer.stdout
    assert "Traceback" not in answer.stderr


@in_services
def test_the_web_server_does_not_start_without_a_database_either(tmp_path):
    answer = starts.python("import config.wsgi", environment(tmp_path, DATABASE_URL="postgres://clac@127.0.0.1:9/clac"))
    assert answer.returncode == 1
    assert "Setting DATABASE_URL" in answer.stderr


ONE_OF_EACH_KIND = {variable.kind.takes: variable for variable in VARIABLES.values()}
ANYTHING = (
    st.text()
    | st.integers().map(str)
    | st.from_regex(r"\A[a-z]{1,8}://[^/]{0,9}(:[0-9]{0,6})?/?.{0,9}\Z")
    | st.sampled_from([variable.example for variable in VARIABLES.values()])
)


@pytest.mark.parametrize("variable", ONE_OF_EACH_KIND.values(), ids=lambda variable: variable.name)
@hypothesis.given(ANYTHING)
@hypothesis.settings(max_examples=50, deadline=None)
def test_a_setting_takes_what_it_understands_and_says_what_it_takes_of_everything_else(variable, text):
    said = ""
    try:
        variable.read({variable.name: text})
    except ValueError as error:
        said = str(error)
    assert said == "" or said.startswith(f"Setting {variable.name}: it takes {variable.kind.takes}, not ")
    assert said.isprintable()


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=lambda variable: variable.name)
def test_an_empty_setting_is_one_that_is_not_set_and_its_example_is_valid(variable):
    assert variable.read({variable.name: " "}) == variable.read({}) == variable.default
    if variable.example and not variable.example.endswith("…"):
        assert variable.read({variable.name: variable.example}) != variable.default


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("EMAIL_HOST", "mail_relay", "mail_relay"),
        ("EMAIL_HOST", "Correo.Ñandú.example.", "correo.xn--and-6ma2c.example"),
        ("EMAIL_HOST", "::1", "::1"),
        ("FRONTEND_CACHE", "http://nginx_cache:8081", "http://nginx_cache:8081"),
        ("EMAIL_HOST_PASSWORD", " secreto ", " secreto "),
        ("WEB_PROCESSES", " 4 ", 4),
        ("BEHIND_PROXY", "Y", True),
        ("BEHIND_PROXY", "f", False),
        ("ALLOWED_HOSTS", "www.clac.example, clac.example", ["www.clac.example", "clac.example"]),
    ],
)
def test_what_operators_really_write_is_understood(name, text, value):
    assert VARIABLES[name].read({name: text}) == value


@pytest.mark.parametrize("text", ["*", ".clac.example", "clac..example", "a b", "clac.example/es", "-", "256.0.0.1"])
def test_what_is_no_host_name_is_refused(text):
    with pytest.raises(ValueError, match="Setting ALLOWED_HOSTS: it takes host names in full"):
        VARIABLES["ALLOWED_HOSTS"].read({"ALLOWED_HOSTS": text})


def test_a_time_zone_that_is_none_leads_to_the_near_ones():
    with pytest.raises(ValueError, match="America/El_Salvador"):
        VARIABLES["TIME_ZONE"].read({"TIME_ZONE": "America/San_Salvador"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ALARM_EMAILS", "ALERT_EMAILS"),
        ("RETENTION_SUBSCRIBERS_DAYS", "RETENTION_"),
        ("BACKUP_KEPP", "BACKUP_KEEP"),
        ("SENTRY_DNS", "SENTRY_DSN"),
        ("NEWSLETTER_PER_SECOND", "NEWSLETTER_SEND_PER_SECOND"),
        ("POSTMARK_API_TOKEN", "POSTMARK_"),
    ],
)
def test_a_name_that_looks_like_a_setting_is_said_at_the_start_with_the_nearest_one(tmp_path, name, meant):
    answer = manage(tmp_path, "check", **{name: "x"})
    assert answer.returncode == 0, answer.stderr
    assert f"Setting {name!r}: there is none of this name; did you mean {meant}" in answer.stderr


def test_what_is_no_business_of_the_site_is_not_mentioned(tmp_path):
    given = {"PORT": "1", "LANG": "es", "HOSTNAME": "web", "AWS_DEFAULT_REGION": "x", "PGHOST": "db", "REDIS_PORT": "1"}
    assert environment_warnings(VARIABLES, {**os.environ, **given}) == []


def shown_default(variable):
    if variable.default_text:
        return variable.default_text
    if isinstance(variable.default, bool):
        return "yes" if variable.default else "no"
    return f"`{variable.default}`" if variable.default not in ("", None, []) else "none"


def table():
    """The tables of docs/operators/settings.md."""
    lines = []
    for heading, variables in GROUPS.items():
        lines += [f"### {heading}", "", "| name | what it is | it takes | default |", "|---|---|---|---|"]
        for variable in variables:
            takes = variable.kind.takes.replace("|", "\\|")
            lines.append(f"| `{variable.name}` | {variable.text} | {takes} | {shown_default(variable)} |")
        lines.append("")
    return "\n".join(lines)


def example():
    """deploy/env.example: what a server sets, and in comments what else there is."""
    lines = [
        "# /etc/clac/env: the settings of this site (docs/operators/settings.md has the table). systemd reads it: no `export`, no `$`.",
        "# What starts with # shows what may stand there.",
    ]
    for heading, variables in GROUPS.items():
        lines += ["", f"# {heading}"]
        for variable in variables:
            value = variable.example or ("" if variable.default in (None, []) else variable.default)
            value = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
            lines.append(f"{'' if variable.is_in_example else '#'}{variable.name}={value}")
    return "\n".join(lines) + "\n"


def test_the_table_and_the_example_are_those_of_the_declarations():
    page, file = ROOT / "docs/operators/settings.md", ROOT / "deploy/env.example"
    before, rest = page.read_text().split("<!-- settings -->\n")
    _old, after = rest.split("<!-- end of settings -->\n")
    written = f"{before}<!-- settings -->\n{table()}<!-- end of settings -->\n{after}"
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(written)
        file.write_text(example())
    assert (page.read_text(), file.read_text()) == (written, example()), "run this test once with UPDATE_DOCS=1"


def test_the_example_file_starts_a_site_once_its_secret_is_set(tmp_path):
    lines = (ROOT / "deploy/env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]", line))
    given |= {"SECRET_KEY": GOOD["SECRET_KEY"], "VAR_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/db"}
    answer = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **given)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("DATABASE_URL", {"DATABASE_URL": "postgres://clac@db.example/clac"}),
        ("DATABASE_URL", {"DATABASE_URL": "postgres://clac@db.example/clac?sslmode=prefer"}),
        ("DATABASE_URL", {"DATABASE_URL": "postgres://clac@db.example/clac?sslmode=require"}),
        ("REDIS_URL", {"REDIS_URL": "redis://cache.example:6379/0"}),
        ("REDIS_URL", {"REDIS_URL": "rediss://cache.example:6379/0?ssl_cert_reqs=none"}),
        ("BOUNCE_IMAP_TLS", {"BOUNCE_IMAP_HOST": "mail.example", "BOUNCE_IMAP_TLS": "no"}),
        ("FRONTEND_CACHE", {"FRONTEND_CACHE": "http://proxy.example:8081"}),
        ("SENTRY_DSN", {"SENTRY_DSN": "http://key@sentry.example/1"}),
        (
            "LIBRETRANSLATE_URL",
            {
                "MACHINE_TRANSLATOR": "libretranslate",
                "LIBRETRANSLATE_URL": "http://t.example",
                "LIBRETRANSLATE_API_KEY": "k",
            },
        ),
        (
            "POSTAL_API_URL",
            {"EMAIL_PROVIDER": "postal", "POSTAL_API_URL": "http://mail.example", "POSTAL_API_KEY": "k"},
        ),
        ("BREVO_API_URL", {"EMAIL_PROVIDER": "brevo", "BREVO_API_KEY": "k", "BREVO_API_URL": "http://mail.example"}),
        ("EMAIL_USE_TLS", {"EMAIL_PROVIDER": "smtp", "EMAIL_HOST": "mail.example", "EMAIL_USE_TLS": "no"}),
        (
            "S3_ENDPOINT",
            {"S3_BUCKET": "clac", "S3_ACCESS_KEY": "k", "S3_SECRET_KEY": "s", "S3_ENDPOINT": "http://s3.example"},
        ),
    ],
)
def test_what_leaves_this_machine_has_to_be_encrypted(tmp_path, name, given):
    answer = manage(tmp_path, "check", **given)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Setting {name}: what leaves this machine")


@pytest.mark.parametrize(
    "given",
    [
        {"DATABASE_URL": "postgres://clac@db.example/clac?sslmode=verify-full"},
        {"DATABASE_URL": "postgres:///clac?host=/var/run/postgresql"},
        {"REDIS_URL": "rediss://cache.example:6379/0"},
        {"REDIS_URL": "redis://127.0.0.1:6379/0"},
    ],
)
def test_what_is_encrypted_or_stays_here_is_fine(tmp_path, given):
    answer = starts.python("import config.settings.production", environment(tmp_path, **given))
    assert answer.returncode == 0, answer.stderr


def settings_with(tmp_path, **more):
    """(exit status, what went wrong, settings) of the site with these settings in its environment."""
    code = "from django.conf import settings as s; print(s.DEFAULT_FROM_EMAIL, s.SITE_URL, s.BOUNCE_ADDRESS, s.ALERT_EMAILS, sep='|')"
    answer = starts.python(code, environment(tmp_path, **more))
    return answer.returncode, answer.stderr, answer.stdout.strip()


@pytest.mark.parametrize("name", ["DEFAULT_FROM_EMAIL", "BOUNCE_ADDRESS", "ALERT_EMAILS"])
@pytest.mark.parametrize("given", ["CLAC <boletin>", "CLAC\nBcc: eve@example.org <boletin@example.org>", b"Bolet\xedn <b@example.org>"])  # fmt: skip
def test_what_is_no_mailbox_stops_the_start(tmp_path, name, given):
    status, error, _found = settings_with(tmp_path, **{name: os.fsdecode(given)})
    assert status == 1
    assert error.startswith(f"Setting {name}: ")
    assert len(error.strip().splitlines()) == 1
    assert "docs/operators/settings.md" in error


def test_a_site_in_letters_outside_ascii(tmp_path):
    status, error, found = settings_with(
        tmp_path, SITE_URL="https://www.Ñandú.example:8443/", BOUNCE_ADDRESS="Rebotes <b@ñandú.example>"
    )
    assert not status, error
    assert found.split("|") == [
        "CLAC <boletin@www.xn--and-6ma2c.example>",
        "https://www.xn--and-6ma2c.example:8443",
        "b@xn--and-6ma2c.example",
        "[]",
    ]
