"""Invalidates cached pages on every machine, over Redis (REDIS_URL)."""

import logging
import socket
import threading
import time
from typing import TYPE_CHECKING

import redis
from django.conf import settings
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from caching.page_cache import Generation

logger = logging.getLogger(__name__)
CHANNEL = "clac:purge"
RECONNECT_SECONDS = 1
HEALTH_CHECK_SECONDS = 30  # between two checks of an idle connection


def _sender_name() -> str:
    """Return a name for the processes that share this page cache: the host and VAR_DIR."""
    return f"{socket.gethostname()}:{settings.VAR_DIR}"


def publish_purge() -> None:
    """Tell the other machines to purge. If Redis is unavailable, they purge when they reconnect."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            client.publish(CHANNEL, _sender_name())
    except RedisError as error:
        logger.warning("Redis is unavailable (%s); other machines show old pages until it is available", error)


class PurgeListener(threading.Thread):
    """Starts a new Generation when another machine purges, and after each (re)connection, as messages may have been missed."""

    def __init__(self, generation: "Generation") -> None:
        super().__init__(name="purge-listener", daemon=True)
        self.generation = generation
        self.own_name = _sender_name()
        self.is_listening = threading.Event()

    def run(self) -> None:
        while True:
            try:
                self._listen()
            except RedisError:
                self.is_listening.clear()
                time.sleep(RECONNECT_SECONDS)

    def _listen(self) -> None:
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=HEALTH_CHECK_SECONDS
        )
        with client, client.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(CHANNEL)
            self.generation.renew()
            self.is_listening.set()
            while True:
                message = channel.get_message(timeout=HEALTH_CHECK_SECONDS)
                if message and message["data"].decode() != self.own_name:
                    self.generation.renew()
