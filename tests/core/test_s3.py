"""Pictures, documents and lists in S3: moto plays it, over HTTP, on this machine."""

import json
import os

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests import starts
from tests.services import in_services
from tests.stack import free_port
from tests.template_database import copy_to

CODE = """
import json
from django.conf import settings
from django.core.files.storage import storages
from django.core.files.base import ContentFile
from django.test import Client
from wagtail.images.tests.utils import get_test_image_file
from wagtail.documents import get_document_model
from core.images import CustomImage
image = CustomImage.objects.create(title="Harvest", file=get_test_image_file(filename="harvest.png"))
rendition = image.get_rendition("width-20|format-webp")
document = get_document_model().objects.create(title="D", file=ContentFile(b"%PDF-1", "informe.pdf"))
storages["private"].save("list.csv", ContentFile(b"a@example.org"))
client = Client()
def look(url):
    answer = client.get(url)
    return [answer.status_code, answer.get("Content-Type"), answer.get("Content-Security-Policy", "")[:18], len(answer.getvalue())]
print(json.dumps({
    "url": rendition.url, "rendition": look(rendition.url), "document": look(document.url), "again": CustomImage.objects.get(pk=image.pk).width,
    "missing": look("/media/images/nothing.png")[0], "out": look("/media/../private/list.csv")[0], "private": look("/media/private/list.csv")[0],
}))
"""


@pytest.fixture
def s3():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port())
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@in_services
def test_files_lie_in_s3_and_come_through_the_site(s3, tmp_path):
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=s3, **keys)
    client.create_bucket(Bucket="clac")
    copy_to(tmp_path / "db.sqlite3", tmp_path / "media")
    env = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "S3_BUCKET": "clac", "S3_ENDPOINT": s3, "S3_REGION": "us-east-1", "S3_ACCESS_KEY": "k", "S3_SECRET_KEY": "s",
    }  # fmt: skip
    answer = starts.manage("shell", "--no-imports", "-c", CODE, env=env)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found["url"].startswith("/media/images/")
    assert found["rendition"][:3] == [200, "image/webp", "default-src 'none'"]
    assert found["document"][:3] == [200, "application/pdf", "default-src 'none'"]
    assert found["again"] == 640
    assert found["missing"] == found["private"] == 404
    assert found["out"] in {400, 404}
    stored = {entry["Key"] for entry in client.list_objects_v2(Bucket="clac")["Contents"]}
    assert "private/list.csv" in stored
    assert any(key.startswith("media/original_images/harvest") for key in stored)
    assert not (tmp_path / "media/original_images/harvest.png").exists()
