"""Looking for due work while the database is away."""

import pytest
from django.db import OperationalError
from jobs import recovery

from tests import starts
from tests.workers import environment


def test_the_command_says_in_one_line_that_there_is_no_database(tmp_path):
    answer = starts.manage("run_due_jobs", env=environment(DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/db.sqlite3"))
    assert answer.returncode == 1
    (line,) = (answer.stdout + answer.stderr).splitlines()
    assert "unable to open database file" in line


@pytest.mark.django_db
def test_an_outage_is_logged_once(monkeypatch, caplog):
    def fail():
        raise OperationalError("connection refused")

    def logged():
        return [record.levelname for record in caplog.records if "database is" in record.message]

    monkeypatch.setattr(recovery, "close_old_connections", lambda: None)  # it would close the connection of the test
    thread = recovery.PollThread()
    with monkeypatch.context() as patched:
        patched.setattr(recovery, "recover_work", fail)
        for _time in range(3):
            thread._poll_and_log_errors()
        assert logged() == ["WARNING"]
    thread._poll_and_log_errors()
    monkeypatch.setattr(recovery, "recover_work", fail)
    thread._poll_and_log_errors()
    assert logged() == ["WARNING", "INFO", "WARNING"]
