"""Ten times the traffic that is expected, for locust (bench/load.py): readers, searches, sign-ups, a provider's webhooks."""

import base64
import itertools
import json
import os
import random
import time

from locust import FastHttpUser, constant_throughput, task

PAGES = os.environ["LOAD_PAGES"].split()
WORDS = ["café", "miel", "cacao", "cooperativa", "Perú", "banano", "precio justo", "mujeres", "clima", "asamblea"]
SECRET = base64.b64encode(os.environ["WEBHOOK_SECRET"].encode()).decode()
numbers = itertools.count(random.randrange(10**9))  # noqa: S311
ENCODING = {"Accept-Encoding": "br"}


class Reader(FastHttpUser):
    """Ten pages a second each; twenty of them are 200."""

    fixed_count = 20
    wait_time = constant_throughput(10)

    @task
    def read(self) -> None:
        self.client.get(random.choice(PAGES), name="page", headers=ENCODING)  # noqa: S311


class Searcher(FastHttpUser):
    """Ten searches a second."""

    fixed_count = 2
    wait_time = constant_throughput(5)

    @task
    def search(self) -> None:
        self.client.get(f"/es/buscar/?q={random.choice(WORDS)}", name="search", headers=ENCODING)  # noqa: S311


class Joiner(FastHttpUser):
    """Two sign-ups a second."""

    fixed_count = 2
    wait_time = constant_throughput(1)

    @task
    def join(self) -> None:
        data = {"email": f"load.{next(numbers)}@example.org", "stamp": os.environ["LOAD_STAMP"]}
        headers = {"Origin": self.host, "Sec-Fetch-Site": "same-origin"}
        url = "/es/subscription/join/"
        with self.client.post(
            url, data, headers=headers, name="sign-up", allow_redirects=False, catch_response=True
        ) as answer:
            if answer.status_code != 302:
                answer.failure(f"{answer.status_code} instead of 302")


class Provider(FastHttpUser):
    """Fifty messages a second of what became of a mail."""

    fixed_count = 5
    wait_time = constant_throughput(10)

    @task
    def tell(self) -> None:
        number = next(numbers)
        event = {
            "event": "delivered",
            "email": "person@example.org",
            "message-id": f"<{number}@example.org>",
            "ts_epoch": int(time.time() * 1000),
            "X-Mailin-custom": json.dumps({"delivery": random.randrange(1, 20_000)}),  # noqa: S311
        }
        headers = {"Authorization": f"Basic {SECRET}"}
        self.client.post("/webhooks/brevo/", json=event, headers=headers, name="webhook")
