"""Production refuses to start with what would leave the site open, in one line that names the setting."""

import os
import re
from pathlib import Path

import pytest
from django.conf import settings

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
    assert "no issues (0 silenced)" in answer.stdout


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
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(tmp_path, setting, value):
    answer = manage(tmp_path, "check", **{setting: value})
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Setting {setting}: ")
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "docs/operators/settings.md" in answer.stderr or "Choose" in answer.stderr
    assert setting != "SECRET_KEY" or not value or f"{value} " not in answer.stderr


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
        "S3_ACCESS_KEY": {"S3_BUCKET": "b", "S3_ENDPOINT": "https://s3.example"},
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
    answer = manage(tmp_path, "check", SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY="no key", **given)
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


def names_in_settings():
    """Every name that the settings read from the environment."""
    text = (ROOT / "site/config/settings/base.py").read_text() + (
        ROOT / "site/config/settings/production.py"
    ).read_text()
    names = set(re.findall(r'(?:setting\(\s*"\w+",|whole_number\()\s*"([A-Z][A-Z0-9_]+)"', text)) | {"VAR_DIR"}
    return names


def test_every_setting_is_in_the_table():
    table = (ROOT / "docs/operators/settings.md").read_text()
    missing = [
        name
        for name in names_in_settings()
        if not re.search(rf"`{name}`", table) and not name.startswith(("RETENTION_", "TEST_"))
    ]
    assert not missing


def test_the_example_file_holds_only_settings_that_exist():
    example = (ROOT / "deploy/env.example").read_text()
    known = names_in_settings() | {"POSTMARK_SERVER_TOKEN"}
    assert set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", example, re.M)) <= known


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
            {"S3_BUCKET": "b", "S3_ACCESS_KEY": "k", "S3_SECRET_KEY": "s", "S3_ENDPOINT": "http://s3.example"},
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
