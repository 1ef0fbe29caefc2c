"""Tick until SIGTERM: what is due is queued also when every worker is busy or gone, and the operators hear of it.

Workers tick as well, so it may run anywhere, several times or not at all; each job still runs once.
"""

import signal
import threading

from django.core.management.base import BaseCommand

from core import operations
from core.database import wait_for_database
from core.work import Ticker


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args, **options):
        wait_for_database()
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_signal: stopping.set())
        ticker = Ticker()
        ticker.start()
        while not stopping.wait(operations.LOOK_SECONDS):
            operations.look_after_the_queue()
