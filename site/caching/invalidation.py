"""Several machines (REDIS_URL): what drops the cached pages of one drops those of all."""

import logging
import socket
import threading
import time

import redis
from django.conf import settings
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
CHANNEL = "clac:purge"
AGAIN_SECONDS = 1  # before Redis is asked again after it went away
CHECK_SECONDS = 30  # how often the listener looks whether its silent connection still stands


def _name():
    """This machine, or at least this data folder on it."""
    return f"{socket.gethostname()}:{settings.VAR_DIR}"


def tell_purge():
    """Tell the other machines to drop their pages. If Redis is away, they drop them when it is back."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            client.publish(CHANNEL, _name())
    except RedisError as error:
        logger.warning("Redis is away (%s); other machines show old pages until it is back", error)


class PurgeListener(threading.Thread):
    """Begins a new Generation whenever another machine purged, or may have while nobody listened."""

    def __init__(self, generation):
        super().__init__(name="purge-listener", daemon=True)
        self.generation = generation
        self.own_name = _name()
        self.is_listening = threading.Event()

    def run(self):
        while True:
            try:
                self._listen()
            except RedisError:
                self.is_listening.clear()
                time.sleep(AGAIN_SECONDS)

    def _listen(self):
        client = redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, health_check_interval=CHECK_SECONDS)
        with client, client.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(CHANNEL)
            self.generation.renew()
            self.is_listening.set()
            while True:
                message = channel.get_message(timeout=CHECK_SECONDS)
                if message and message["data"].decode() != self.own_name:
                    self.generation.renew()
