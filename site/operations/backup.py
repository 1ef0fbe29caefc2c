"""Backups: one tar file with the database, the media and the private files, consistent while the site runs.

The database comes as a snapshot (SQLite's VACUUM INTO; pg_dump on an exported snapshot). Media never change in place, so hard links
made before and after it hold every file that it names. A manifest says what is inside, with a hash of each file and the number
of rows of each table; a backup counts only once it was read back and found to agree. With BACKUP_KEY it is an age file (age-encryption.org).
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyrage
from caching import page_cache
from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from privacy import erasure_log

DATABASE = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
MANIFEST = "manifest.json"
STORAGES = {
    "media": "default",
    "renditions": "renditions",
    "private": "private",
}  # the folder in the backup, the storage that it holds
NAME = "clac-%Y-%m-%dT%H-%M-%SZ.tar"
BLOCK = 1024 * 1024
# libpq's variables, by the names of its connection parameters: how Django connects is how PostgreSQL's programs do.
PG_NAMES = {
    "PGHOST": "host",
    "PGPORT": "port",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGDATABASE": "dbname",
    "PGSSLMODE": "sslmode",
    "PGSSLROOTCERT": "sslrootcert",
    "PGSSLCERT": "sslcert",
    "PGSSLKEY": "sslkey",
}


class BackupError(Exception):
    """What went wrong, in words for the operator."""


def backups():
    """The finished backups on this machine, the newest first."""
    found = [path for path in Path(settings.BACKUP_DIR).glob("clac-*.tar*") if path.suffix in {".tar", ".age"}]
    return sorted(found, key=lambda path: path.name, reverse=True)


def make(say=lambda text: None):
    """Write a backup into BACKUP_DIR, read it back, and forget those beyond BACKUP_KEEP. Returns its path.

    `say` is told what is going on. Raises BackupError; no half backup is ever left under a backup's name.
    """
    folder = Path(settings.BACKUP_DIR)
    with _in_words():
        folder.mkdir(parents=True, exist_ok=True)
    key = _key()
    target = folder / timezone.now().astimezone(UTC).strftime(NAME)
    if key:
        target = target.with_suffix(".tar.age")
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        with _in_words(), tempfile.TemporaryDirectory(dir=settings.VAR_DIR, prefix="backup-") as scratch:
            collected = Path(scratch)
            manifest = _collect(collected, say)
            say(f"writing {sum(entry['bytes'] for entry in manifest['files'].values()) / 1e6:,.1f} MB …")
            _write(collected, unfinished, key)
            say("reading it back …")
            _verify(unfinished, manifest)
            os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    for old in backups()[settings.BACKUP_KEEP :]:
        old.unlink()
    return target


@contextmanager
def _in_words():
    """Full disks, missing folders and databases that are away, as BackupError."""
    try:
        yield
    except OSError as error:
        raise BackupError(f"{error.strerror or error} ({error.filename or settings.BACKUP_DIR})") from error
    except DatabaseError as error:
        raise BackupError(f"The database: {error}") from error


def _key():
    """The Identity that backups are encrypted to and decrypted with, or None. Raises BackupError."""
    if not settings.BACKUP_KEY:
        return None
    try:
        return pyrage.x25519.Identity.from_str(settings.BACKUP_KEY)
    except pyrage.IdentityError:
        raise BackupError(
            "Setting BACKUP_KEY: not a key of age (AGE-SECRET-KEY-1…); `manage.py backup --new-key` makes one."
        ) from None


# Collecting


def _collect(folder, say):
    """Put everything into `folder`; returns the manifest."""
    made_at = timezone.now()
    _link_storages(folder)
    say("the database …")
    database = folder / DATABASE[connection.vendor]
    rows = _dump_sqlite(database) if connection.vendor == "sqlite" else _dump_postgresql(database)
    say("pictures, documents and lists …")
    _link_storages(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    manifest = {
        "made_at": made_at.isoformat(),
        "database": connection.vendor,
        "rows": rows,
        "files": {str(path.relative_to(folder)): _describe_file(path) for path in sorted(files)},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return manifest


def _describe_file(path):
    with path.open("rb") as stream:
        return _describe(stream)


def _describe(stream):
    """What the manifest says of a file, an open binary stream."""
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"bytes": stream.tell(), "sha256": digest}


def _link_storages(folder):
    """Hard links to what the storages hold on this machine; what lies in S3 is kept there (docs/operators/deploying.md)."""
    for name, alias in STORAGES.items():
        storage = storages[alias]
        if isinstance(storage, FileSystemStorage) and Path(storage.location).is_dir():
            shutil.copytree(storage.location, folder / name, copy_function=_link, dirs_exist_ok=True)


def _link(source, target):
    if os.path.exists(target):
        return
    try:
        os.link(source, target)
    except FileNotFoundError:
        return  # deleted just now
    except OSError:
        shutil.copy2(source, target)  # on another file system


def _dump_sqlite(path):
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])
    with closing(sqlite3.connect(path)) as database:
        if (damage := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            raise BackupError(f"The database is damaged: {damage}")
        return _rows(database.cursor())


def _rows(cursor):
    """How many rows each table has."""
    found = {}
    for table in sorted(connection.introspection.django_table_names(only_existing=True)):
        cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
        found[table] = cursor.fetchone()[0]
    return found


def _dump_postgresql(path):
    """Dump the very state of the database whose rows are counted."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_export_snapshot()")
        _postgresql("pg_dump", "--format=custom", "--no-owner", f"--snapshot={cursor.fetchone()[0]}", f"--file={path}")
        return _rows(cursor)


def _postgresql(program, *arguments):
    """Run one of PostgreSQL's programs on our database; the password goes through the environment, out of sight."""
    parameters = connection.get_connection_params()
    given = {name: str(parameters[key]) for name, key in PG_NAMES.items() if parameters.get(key)}
    try:
        subprocess.run([program, *arguments], env={**os.environ, **given}, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise BackupError(f"The program {program} is missing: install Debian's package postgresql-client.") from None
    except subprocess.CalledProcessError as error:
        raise BackupError(f"{program}: {' '.join(error.stderr.split())}") from error


# Writing and reading


def _write(folder, path, key):
    """Pack `folder` into `path`, encrypted if there is a key, and see it on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        if key:
            with tempfile.TemporaryFile(dir=settings.VAR_DIR) as plain:
                _pack(folder, plain)
                plain.seek(0)
                pyrage.encrypt_io(plain, stream, [key.to_public()])
        else:
            _pack(folder, stream)
        stream.flush()
        os.fsync(stream.fileno())


def _pack(folder, stream):
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(folder / MANIFEST, MANIFEST)
        for path in sorted(folder.iterdir()):
            if path.name != MANIFEST:
                archive.add(path, path.name)


def _decrypt(stream, plain, key):
    """Decrypt `stream` into `plain`. Raises pyrage.DecryptError for damage, too, which pyrage calls an OSError without a number."""
    try:
        pyrage.decrypt_io(stream, plain, [key])
    except OSError as error:
        if error.errno:
            raise
        raise pyrage.DecryptError(str(error)) from error


@contextmanager
def _opened(path):
    """The TarFile of a backup. Raises BackupError."""
    with tempfile.TemporaryFile(dir=settings.VAR_DIR) as plain:
        try:
            with open(path, "rb") as stream:
                if ".age" in path.suffixes:
                    if not (key := _key()):
                        raise BackupError("This backup is encrypted: set BACKUP_KEY to the key that it was made with.")
                    _decrypt(stream, plain, key)
                    plain.seek(0)
                    stream = plain
                with tarfile.open(fileobj=stream, mode="r:") as archive:
                    yield archive
        except pyrage.DecryptError as error:
            raise BackupError(f"{path} cannot be decrypted: another key, or damaged ({error}).") from error
        except tarfile.TarError as error:
            raise BackupError(f"{path} is no whole backup ({error}).") from error


def _verify(path, manifest=None):
    """Read a backup and compare each file with its manifest, which is returned. Raises BackupError."""
    with _opened(path) as archive:
        first = archive.next()
        if first is None or first.name != MANIFEST:
            raise BackupError(f"{path} is no backup of this site.")
        found = json.load(archive.extractfile(first))
        if manifest and found != manifest:
            raise BackupError(f"{path} does not hold what was written.")
        left = dict(found["files"])
        for member in archive:
            if (
                member.isfile()
                and member is not first
                and left.pop(member.name, None) != _describe(archive.extractfile(member))
            ):
                raise BackupError(f"{path} is damaged: {member.name} is not what was saved.")
        if left:
            raise BackupError(f"{path} is damaged: {', '.join(sorted(left)[:3])} missing.")
        return found


# Restoring


def is_empty():
    """Whether the database holds no pages of anybody: what can be restored into without losing anything."""
    if "wagtailcore_page" not in connection.introspection.table_names():
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM wagtailcore_page WHERE depth > 2")
        return cursor.fetchone()[0] == 0


def restore(path, say=lambda text: None, without_unknown=False):
    """Put a backup in the place of what is there, and say the goodbyes since again. Returns the goodbyes.Replay.

    Raises BackupError; before anything is replaced if goodbyes since were written under a key that is not known here, unless
    the restore is to go on `without_unknown` ones.
    """
    say("reading the backup …")
    manifest = _verify(path)
    if manifest["database"] != connection.vendor:
        raise BackupError(f"The backup is of {manifest['database']}, DATABASE_URL is {connection.vendor}.")
    made_at = datetime.fromisoformat(manifest["made_at"])
    with _in_words():
        unknown = erasure_log.under_unknown_keys(path.parent, made_at)
    if unknown and not without_unknown:
        raise BackupError(
            f"{unknown} erasures and unsubscribes since the backup were logged under another SECRET_KEY, so they cannot be done"
            " again. Add that key to SECRET_KEY_FALLBACKS; if it is lost, --without-unknown goes on without them."
        )
    with _in_words(), tempfile.TemporaryDirectory(dir=settings.VAR_DIR, prefix="restore-") as scratch:
        with _opened(path) as archive:
            _unpack(archive, manifest["files"], Path(scratch))
        say("the database …")
        _load_database(Path(scratch))
        say("pictures, documents and lists …")
        _load_storages(Path(scratch))
    with connection.cursor() as cursor:
        rows = _rows(cursor)
    if rows != manifest["rows"]:
        wrong = sorted(table for table in manifest["rows"] if rows.get(table) != manifest["rows"][table])
        raise BackupError(f"Not everything came back: {', '.join(wrong)}.")
    say("the goodbyes since …")
    call_command("migrate", verbosity=0, interactive=False)
    page_cache.purge()
    return erasure_log.replay(path.parent, made_at)


def _unpack(archive, names, folder):
    """Write the files of the manifest, and nothing else that an archive may hold, below `folder`."""
    for name in names:
        target = (folder / name).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise BackupError(f"{name} would lie outside of the backup.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            shutil.copyfileobj(archive.extractfile(name), stream, BLOCK)


def _load_database(folder):
    file = folder / DATABASE[connection.vendor]
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with closing(sqlite3.connect(file)) as source:
            source.backup(connection.connection)
    else:
        script = folder / "database.sql"
        _postgresql("pg_restore", "--no-owner", f"--file={script}", str(file))
        connection.close()
        # All or nothing: if it fails, the database is as it was.
        anew = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        once = ["--single-transaction", "--set=ON_ERROR_STOP=1", "--quiet"]
        _postgresql("psql", "--no-psqlrc", *once, "--command", anew, "--file", str(script))


def _load_storages(folder):
    for name, alias in STORAGES.items():
        if (folder / name).is_dir():
            shutil.copytree(folder / name, storages[alias].location, dirs_exist_ok=True)
