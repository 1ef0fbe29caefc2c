"""Backup and restore: one tar file with the database, the media and the private files, consistent while the site runs.

The database is copied as a snapshot (VACUUM INTO on SQLite; pg_dump with an exported snapshot on PostgreSQL). Media files never
change in place, so hard links made before and after the snapshot include every file that it refers to. A manifest lists the
hash of each file and the number of rows of each table. A backup is kept only after it was read back and matches its manifest.
With BACKUP_KEY, it is encrypted with age (age-encryption.org).
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import IO, TypedDict

import pyrage
from caching import page_cache
from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from privacy import erasure_log

DATABASE = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
MANIFEST = "manifest.json"
STORAGES = {
    "media": "default",
    "renditions": "renditions",
    "private": "private",
}  # {folder in the backup: alias of the storage}
FILE_NAME = "clac-%Y-%m-%dT%H-%M-%SZ.tar"
COPY_BUFFER_BYTES = 1024 * 1024
# libpq's environment variables and connection parameters: PostgreSQL's programs connect the way Django does.
LIBPQ_VARIABLES = {
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


ReportProgress = Callable[[str], object]


class FileEntry(TypedDict):
    """What the manifest says of a file."""

    bytes: int
    sha256: str


class Manifest(TypedDict):
    """What a backup holds."""

    made_at: str
    database: str
    rows: dict[str, int]  # by table
    files: dict[str, FileEntry]  # by path


class BackupError(Exception):
    """A backup or restore failed; the message is written for the operator."""


def backups() -> list[Path]:
    """Return the paths of the finished backups in BACKUP_DIR, newest first."""
    found = [path for path in Path(settings.BACKUP_DIR).glob("clac-*.tar*") if path.suffix in {".tar", ".age"}]
    return sorted(found, key=lambda path: path.name, reverse=True)


def create(report_progress: ReportProgress = lambda text: None) -> Path:
    """Write a backup to BACKUP_DIR, verify it, and delete all but the newest BACKUP_KEEP backups. Returns its path.

    BACKUP_KEEP 0 switches the nightly backups off; a backup made by hand then deletes none.

    `report_progress` is called with a line of text at each step. Raises BackupError; an incomplete file is never left behind
    under the name of a backup.
    """
    folder = Path(settings.BACKUP_DIR)
    with _as_backup_error():
        folder.mkdir(parents=True, exist_ok=True)
    key = _key()
    target = folder / timezone.now().astimezone(UTC).strftime(FILE_NAME)
    if key:
        target = target.with_suffix(".tar.age")
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        with _as_backup_error(), tempfile.TemporaryDirectory(dir=settings.VAR_DIR, prefix="backup-") as scratch:
            collected = Path(scratch)
            manifest = _collect(collected, report_progress)
            report_progress(f"writing {sum(entry['bytes'] for entry in manifest['files'].values()) / 1e6:,.1f} MB …")
            _write(collected, unfinished, key)
            report_progress("reading it back …")
            _verify(unfinished, manifest)
            os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    if settings.BACKUP_KEEP:
        # The clock may have been set back: the new backup is kept whatever its name says.
        for old in [path for path in backups() if path != target][settings.BACKUP_KEEP - 1 :]:
            old.unlink()
    return target


@contextmanager
def _as_backup_error() -> Iterator[None]:
    """Convert OSError and DatabaseError (full disk, missing folder, unavailable database) to BackupError."""
    try:
        yield
    except OSError as error:
        raise BackupError(f"{error.strerror or error} ({error.filename or settings.BACKUP_DIR})") from error
    except DatabaseError as error:
        raise BackupError(f"The database: {error}") from error


def _key() -> pyrage.x25519.Identity | None:
    """Return BACKUP_KEY as an age identity, or None if it is not set."""
    return pyrage.x25519.Identity.from_str(settings.BACKUP_KEY) if settings.BACKUP_KEY else None


# Collecting


def _collect(folder: Path, report_progress: ReportProgress) -> Manifest:
    """Copy database and files to `folder` and write the manifest, which is returned."""
    made_at = timezone.now()
    _link_storages(folder)
    report_progress("the database …")
    database = folder / DATABASE[connection.vendor]
    rows = _dump_sqlite(database) if connection.vendor == "sqlite" else _dump_postgresql(database)
    report_progress("pictures, documents and lists …")
    _link_storages(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    manifest: Manifest = {
        "made_at": made_at.isoformat(),
        "database": connection.vendor,
        "rows": rows,
        "files": {str(path.relative_to(folder)): _describe_file(path) for path in sorted(files)},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return manifest


def _describe_file(path: Path) -> FileEntry:
    with path.open("rb") as stream:
        return _describe(stream)


def _describe(stream: BufferedReader) -> FileEntry:
    """Return the manifest's entry for a file, given as an open binary stream."""
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"bytes": stream.tell(), "sha256": digest}


def _link_storages(folder: Path) -> None:
    """Hard-link the files of the local storages into `folder`. Files in S3 are not part of backups (docs/operators/deploying.md)."""
    for name, alias in STORAGES.items():
        storage = storages[alias]
        if isinstance(storage, FileSystemStorage) and Path(storage.location).is_dir():
            shutil.copytree(storage.location, folder / name, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    if os.path.exists(target):
        return
    try:
        os.link(source, target)
    except FileNotFoundError:
        return  # deleted in the meantime
    except OSError:
        shutil.copy2(source, target)  # on another file system


def _dump_sqlite(path: Path) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])
    with closing(sqlite3.connect(path)) as database:
        if (damage := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            raise BackupError(f"The database is damaged: {damage}")
        return _row_counts(database.cursor())


def _row_counts(cursor: CursorWrapper | sqlite3.Cursor) -> dict[str, int]:
    """Return {table: number of rows}."""
    found = {}
    for table in sorted(connection.introspection.django_table_names(only_existing=True)):
        cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
        found[table] = cursor.fetchone()[0]
    return found


def _dump_postgresql(path: Path) -> dict[str, int]:
    """Dump the database and count its rows in the same snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_export_snapshot()")
        _run_postgresql_program(
            "pg_dump", "--format=custom", "--no-owner", f"--snapshot={cursor.fetchone()[0]}", f"--file={path}"
        )
        return _row_counts(cursor)


def _run_postgresql_program(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the site's database. The password is passed in the environment, not in the arguments."""
    parameters = connection.get_connection_params()
    given = {name: str(parameters[key]) for name, key in LIBPQ_VARIABLES.items() if parameters.get(key)}
    try:
        subprocess.run([program, *arguments], env={**os.environ, **given}, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise BackupError(f"The program {program} is missing: install Debian's package postgresql-client.") from None
    except subprocess.CalledProcessError as error:
        raise BackupError(f"{program}: {' '.join(error.stderr.split())}") from error


# Writing and reading


def _write(folder: Path, path: Path, key: pyrage.x25519.Identity | None) -> None:
    """Pack `folder` into `path`, encrypted if `key` is given, and sync it to disk."""
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


def _pack(folder: Path, stream: IO[bytes]) -> None:
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(folder / MANIFEST, MANIFEST)
        for path in sorted(folder.iterdir()):
            if path.name != MANIFEST:
                archive.add(path, path.name)


def _decrypt(stream: IO[bytes], plain: IO[bytes], key: pyrage.x25519.Identity) -> None:
    """Decrypt `stream` into `plain`. Raises pyrage.DecryptError, also where pyrage reports damage as an OSError without errno."""
    try:
        pyrage.decrypt_io(stream, plain, [key])
    except OSError as error:
        if error.errno:
            raise
        raise pyrage.DecryptError(str(error)) from error


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a backup, decrypted if necessary, as a TarFile. Raises BackupError."""
    with tempfile.TemporaryFile(dir=settings.VAR_DIR) as plain:
        try:
            with open(path, "rb") as file:
                stream: IO[bytes] = file
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


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo | str) -> BufferedReader:
    """Open a file in a backup. Raises tarfile.ReadError, which `_opened` turns into a BackupError, if it is none."""
    content = archive.extractfile(member)
    if not isinstance(content, BufferedReader):
        raise tarfile.ReadError(f"{member} is no file")
    return content


def _verify(path: Path, manifest: Manifest | None = None) -> Manifest:
    """Compare each file of a backup with its manifest, which is returned. Raises BackupError.

    If `manifest` is given, the one in the file has to equal it.
    """
    with _opened(path) as archive:
        first = archive.next()
        if first is None or first.name != MANIFEST:
            raise BackupError(f"{path} is no backup of this site.")
        found = json.load(_content(archive, first))
        if manifest and found != manifest:
            raise BackupError(f"{path} does not hold what was written.")
        left = dict(found["files"])
        for member in archive:
            if (
                member.isfile()
                and member is not first
                and left.pop(member.name, None) != _describe(_content(archive, member))
            ):
                raise BackupError(f"{path} is damaged: {member.name} is not what was saved.")
        if left:
            raise BackupError(f"{path} is damaged: {', '.join(sorted(left)[:3])} missing.")
        return found


# Restoring


def is_empty() -> bool:
    """Return whether the database has no pages besides the root and home pages, so that a restore would not overwrite anything."""
    if "wagtailcore_page" not in connection.introspection.table_names():
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM wagtailcore_page WHERE depth > 2")
        return cursor.fetchone()[0] == 0


def restore(
    path: Path, report_progress: ReportProgress = lambda text: None, without_unknown: bool = False
) -> erasure_log.Replay:
    """Replace database and files by a backup, then replay the erasure log since. Returns an `erasure_log.Replay`.

    Raises BackupError. If entries of the log were written under an unknown SECRET_KEY, it does so before anything is replaced,
    unless `without_unknown` is true: then those entries are skipped.
    """
    report_progress("reading the backup …")
    manifest = _verify(path)
    if manifest["database"] != connection.vendor:
        raise BackupError(f"The backup is of {manifest['database']}, DATABASE_URL is {connection.vendor}.")
    made_at = datetime.fromisoformat(manifest["made_at"])
    with _as_backup_error():
        unknown = erasure_log.count_unknown_keys(path.parent, made_at)
    if unknown and not without_unknown:
        raise BackupError(
            f"{unknown} erasures and unsubscribes since the backup were logged under another SECRET_KEY, so they cannot be done"
            " again. Add that key to SECRET_KEY_FALLBACKS; if it is lost, --without-unknown goes on without them."
        )
    for name, alias in STORAGES.items():
        if any(file.startswith(f"{name}/") for file in manifest["files"]):
            _local_storage(alias)
    with _as_backup_error(), tempfile.TemporaryDirectory(dir=settings.VAR_DIR, prefix="restore-") as scratch:
        with _opened(path) as archive:
            _unpack(archive, manifest["files"], Path(scratch))
        report_progress("the database …")
        _load_database(Path(scratch))
        report_progress("pictures, documents and lists …")
        _load_storages(Path(scratch))
    with connection.cursor() as cursor:
        rows = _row_counts(cursor)
    if rows != manifest["rows"]:
        wrong = sorted(table for table in manifest["rows"] if rows.get(table) != manifest["rows"][table])
        raise BackupError(f"Not everything came back: {', '.join(wrong)}.")
    report_progress("replaying erasures and unsubscribes since the backup …")
    call_command("migrate", verbosity=0, interactive=False)
    page_cache.purge()
    return erasure_log.replay(path.parent, made_at)


def _unpack(archive: tarfile.TarFile, names: Iterable[str], folder: Path) -> None:
    """Extract the files named in the manifest, and no others, into `folder`. Raises BackupError for paths outside of it."""
    for name in names:
        target = (folder / name).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise BackupError(f"{name} would lie outside of the backup.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            shutil.copyfileobj(_content(archive, name), stream, COPY_BUFFER_BYTES)


def _load_database(folder: Path) -> None:
    file = folder / DATABASE[connection.vendor]
    if connection.vendor == "sqlite":
        connection.ensure_connection()
        with closing(sqlite3.connect(file)) as source:
            source.backup(connection.connection)
    else:
        script = folder / "database.sql"
        _run_postgresql_program("pg_restore", "--no-owner", f"--file={script}", str(file))
        connection.close()
        # One transaction: if it fails, the database is unchanged.
        anew = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        once = ["--single-transaction", "--set=ON_ERROR_STOP=1", "--quiet"]
        _run_postgresql_program("psql", "--no-psqlrc", *once, "--command", anew, "--file", str(script))


def _local_storage(alias: str) -> FileSystemStorage:
    """Return a storage. Raises BackupError if its files are not on this machine."""
    storage = storages[alias]
    if not isinstance(storage, FileSystemStorage):
        raise BackupError(f"The backup holds files of the storage “{alias}”, which is not on this machine.")
    return storage


def _load_storages(folder: Path) -> None:
    for name, alias in STORAGES.items():
        if (folder / name).is_dir():
            shutil.copytree(folder / name, _local_storage(alias).location, dirs_exist_ok=True)
