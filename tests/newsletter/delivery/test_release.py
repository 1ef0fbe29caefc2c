"""A release in the middle of a campaign: one version of the worker begins it, another one ends it, with the content frozen at its start."""

import re
import shutil
import subprocess
import sys

import pytest

from newsletter.models import Campaign, Delivery, IssuePage, Subscriber
from tests.fakes import SMTPServer
from tests.services import in_services, redis_url
from tests.transactional import _django_db_helper  # noqa: F401
from tests.workers import ROOT, Workers, by_smtp, wait_until

pytestmark = pytest.mark.django_db
PEOPLE, CONNECTIONS = 60, 4
MAILS = "newsletter/templates/newsletter/mail"
START = """
from newsletter import tasks
from newsletter.campaigns import lifecycle
from newsletter.models import Campaign
campaign = Campaign.objects.get()
lifecycle.start(campaign)
tasks.send_campaign.enqueue(campaign.pk)
"""
QUEUE_WHAT_ONLY_THIS_RELEASE_KNOWS = """
from newsletter import tasks
tasks.only_here.enqueue()
"""


@pytest.fixture
def other(tmp_path):
    """The folder of another release: other templates, another layout of a mail's parts, a task that this one does not know."""
    root = tmp_path / "other"
    unneeded = shutil.ignore_patterns(".venv", ".git", "var", "tests", "bench", "docs", "__pycache__")
    shutil.copytree(ROOT, root, ignore=unneeded)
    for name in ("issue.txt", "issue.mjml"):
        template = root / MAILS / name
        template.write_text(template.read_text().replace("{{ issue.title }}", "OTHER RELEASE {{ issue.title }}"))
    prepared = root / "newsletter/delivery/message_template.py"
    prepared.write_text(
        prepared.read_text().replace("class MessageTemplate", "class OtherTemplate").replace("LINE = 74", "LINE = 60")
    )
    content = root / "newsletter/campaigns/snapshots.py"
    content.write_text(content.read_text().replace("MessageTemplate", "OtherTemplate"))
    tasks = root / "newsletter/tasks.py"
    tasks.write_text(tasks.read_text() + "\n\n@task(priority=90)\ndef only_here():\n    pass\n")
    return root


def run(root, code, env):
    subprocess.run(
        [sys.executable, root / "manage.py", "shell", "--no-imports", "-c", code], env=env, cwd=root, check=True
    )


def is_sent(campaign):
    return Campaign.objects.get(pk=campaign.pk).state == Campaign.State.SENT


def letters(message):
    """A mail without what differs per recipient."""
    body = message.get_body(("html",)).get_content() + message.get_body(("plain",)).get_content()
    return message["Subject"], re.sub(r"[a-z2-7]{24,}", "…", body)


@in_services
@pytest.mark.parametrize(("way", "queue"), [("forward", "database"), ("back", "database"), ("forward", "redis")])
def test_a_campaign_goes_on_with_its_frozen_content(other, way, queue):
    Subscriber.objects.bulk_create(
        Subscriber(email=f"{number}@example.org", state=Subscriber.State.ACTIVE) for number in range(PEOPLE)
    )
    campaign = Campaign.objects.create(issue=IssuePage.objects.get(locale__language_code="es"))
    before, after = (other, ROOT) if way == "forward" else (ROOT, other)
    with SMTPServer() as server:
        server.seconds = 0.05
        redis = {"REDIS_URL": redis_url()} if queue == "redis" else {}
        env = by_smtp(server.port, SMTP_CONNECTIONS=str(CONNECTIONS), **redis)
        with Workers(env) as workers:
            run(before, START, env)
            first = workers.start(before)
            assert wait_until(lambda: len(server.mails) >= 12, 30)
            first.terminate()
            assert first.wait(20) == 0
            assert len(server.mails) < PEOPLE
            if way == "forward":
                run(before, QUEUE_WHAT_ONLY_THIS_RELEASE_KNOWS, env)
            second = workers.start(after)
            assert wait_until(lambda: is_sent(campaign), 60), campaign.counts()
            assert second.poll() is None
        assert sorted(recipient for recipient, _message in server.mails) == sorted(
            f"{number}@example.org" for number in range(PEOPLE)
        )
        (one,) = {letters(message) for _recipient, message in server.mails}
    assert ("OTHER RELEASE" in one[1]) == (way == "forward")
    assert not Delivery.objects.exclude(state=Delivery.State.SENT).exists()
