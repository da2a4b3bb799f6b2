"""The ledger's schema, as the steps that led to it. A step that has shipped is never edited: add one.

Times are INTEGER microseconds UTC; nested values are JSON text; paths are relative to the home folder.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

MIGRATIONS = Migrations("lazaretto.ledger")


@MIGRATIONS(name="001_ledger")
def ledger(db: Database) -> None:
    """Facilities, runs, progress, coverage, incidents with their history, and evidence."""
    db.executescript(
        """
        CREATE TABLE facilities (
            code TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            managing_body TEXT NOT NULL,
            timezone TEXT NOT NULL
        ) STRICT;

        CREATE TABLE facility_versions (
            sha256 TEXT PRIMARY KEY,
            facility TEXT NOT NULL REFERENCES facilities(code),
            text TEXT NOT NULL,
            first_used INTEGER NOT NULL,
            last_used INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE cameras (
            facility_version TEXT NOT NULL REFERENCES facility_versions(sha256),
            position INTEGER NOT NULL,
            id TEXT NOT NULL,
            name TEXT NOT NULL,
            place TEXT NOT NULL,
            PRIMARY KEY (facility_version, id)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            facility_version TEXT NOT NULL REFERENCES facility_versions(sha256),
            models TEXT NOT NULL,
            settings TEXT NOT NULL,
            started INTEGER NOT NULL,
            finished INTEGER,
            status TEXT NOT NULL
        ) STRICT;

        CREATE TABLE streams (
            key TEXT PRIMARY KEY,
            completed INTEGER
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE stretches (
            stream TEXT NOT NULL REFERENCES streams(key),
            seq INTEGER NOT NULL,
            camera TEXT NOT NULL,
            source TEXT NOT NULL,
            started INTEGER NOT NULL,
            ended INTEGER NOT NULL CHECK (ended > started),
            frames INTEGER NOT NULL,
            part TEXT NOT NULL,
            coverage TEXT NOT NULL,
            run TEXT NOT NULL REFERENCES runs(id),
            PRIMARY KEY (stream, seq)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX stretches_by_time ON stretches (camera, ended);

        CREATE TABLE coverage (
            camera TEXT NOT NULL,
            started INTEGER NOT NULL,
            ended INTEGER NOT NULL CHECK (ended > started),
            state TEXT NOT NULL,
            cause TEXT NOT NULL,
            PRIMARY KEY (camera, started)
        ) STRICT, WITHOUT ROWID;
        -- Intervals never overlap, so only the last one that starts before the new one ends can meet it.
        CREATE TRIGGER coverage_once BEFORE INSERT ON coverage
        WHEN (
            SELECT ended FROM coverage WHERE camera = NEW.camera AND started < NEW.ended
            ORDER BY started DESC LIMIT 1
        ) > NEW.started
        BEGIN
            SELECT RAISE(ABORT, 'each second of a camera is in one interval');
        END;
        CREATE TRIGGER coverage_fixed BEFORE UPDATE ON coverage
        BEGIN
            SELECT RAISE(ABORT, 'an interval of coverage is replaced, never changed in place');
        END;

        CREATE TABLE incidents (
            id TEXT PRIMARY KEY,
            facility TEXT NOT NULL REFERENCES facilities(code),
            facility_version TEXT NOT NULL REFERENCES facility_versions(sha256),
            camera TEXT NOT NULL,
            kind TEXT NOT NULL,
            severity TEXT NOT NULL,
            started INTEGER NOT NULL,
            ended INTEGER NOT NULL CHECK (ended >= started),
            judgement TEXT NOT NULL,
            run TEXT NOT NULL REFERENCES runs(id),
            added INTEGER NOT NULL,
            status TEXT NOT NULL,
            reviewer TEXT,
            decision TEXT,
            reason TEXT,
            decided INTEGER,
            facility_action TEXT,
            report_number TEXT
        ) STRICT;
        CREATE INDEX incidents_by_time ON incidents (started, id);
        CREATE INDEX incidents_by_status ON incidents (status, started);

        CREATE TABLE incident_history (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            incident TEXT NOT NULL REFERENCES incidents(id),
            at INTEGER NOT NULL,
            event TEXT NOT NULL,
            from_status TEXT,
            to_status TEXT,
            by TEXT,
            reason TEXT,
            run TEXT REFERENCES runs(id),
            detail TEXT
        ) STRICT;
        CREATE INDEX incident_history_by_incident ON incident_history (incident, id);
        CREATE TRIGGER incident_history_not_changed BEFORE UPDATE ON incident_history
        BEGIN
            SELECT RAISE(ABORT, 'the history of an incident is append-only');
        END;
        CREATE TRIGGER incident_history_not_deleted BEFORE DELETE ON incident_history
        BEGIN
            SELECT RAISE(ABORT, 'the history of an incident is append-only');
        END;
        -- INSERT OR REPLACE deletes without firing delete triggers unless a connection asks for it.
        CREATE TRIGGER incident_history_not_replaced BEFORE INSERT ON incident_history
        WHEN EXISTS (SELECT 1 FROM incident_history WHERE id = NEW.id)
        BEGIN
            SELECT RAISE(ABORT, 'the history of an incident is append-only');
        END;

        CREATE TRIGGER incidents_not_deleted BEFORE DELETE ON incidents
        WHEN EXISTS (SELECT 1 FROM incident_history WHERE incident = OLD.id)
        BEGIN
            SELECT RAISE(ABORT, 'an incident with a history is never deleted');
        END;

        CREATE TABLE evidence (
            incident TEXT NOT NULL REFERENCES incidents(id),
            kind TEXT NOT NULL,
            path TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            bytes INTEGER NOT NULL CHECK (bytes >= 0),
            created INTEGER NOT NULL,
            PRIMARY KEY (incident, kind)
        ) STRICT, WITHOUT ROWID;
        """
    )


@MIGRATIONS(name="002_publications")
def publications(db: Database) -> None:
    """Which version of a facility's file was put in force by whom, after what comparison."""
    db.executescript(
        """
        CREATE TABLE publications (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            facility TEXT NOT NULL REFERENCES facilities(code),
            version TEXT NOT NULL REFERENCES facility_versions(sha256),
            previous TEXT REFERENCES facility_versions(sha256),
            author TEXT NOT NULL CHECK (author <> ''),
            at INTEGER NOT NULL,
            note TEXT NOT NULL,
            comparison TEXT
        ) STRICT;
        CREATE INDEX publications_by_facility ON publications (facility, id);
        CREATE TRIGGER publications_not_changed BEFORE UPDATE ON publications
        BEGIN
            SELECT RAISE(ABORT, 'what was published stays as it was');
        END;
        CREATE TRIGGER publications_not_deleted BEFORE DELETE ON publications
        BEGIN
            SELECT RAISE(ABORT, 'what was published stays as it was');
        END;
        -- INSERT OR REPLACE deletes without firing delete triggers unless a connection asks for it.
        CREATE TRIGGER publications_not_replaced BEFORE INSERT ON publications
        WHEN EXISTS (SELECT 1 FROM publications WHERE id = NEW.id)
        BEGIN
            SELECT RAISE(ABORT, 'what was published stays as it was');
        END;
        """
    )


@MIGRATIONS(name="003_exposures")
def exposures(db: Database) -> None:
    """Care at care stations, which is logged and is no incident as long as it is short."""
    db.executescript(
        """
        CREATE TABLE exposures (
            id TEXT PRIMARY KEY,
            facility_version TEXT NOT NULL REFERENCES facility_versions(sha256),
            camera TEXT NOT NULL,
            zone TEXT NOT NULL,
            started INTEGER NOT NULL,
            ended INTEGER NOT NULL CHECK (ended >= started),
            held_s REAL NOT NULL,
            distance_min REAL NOT NULL,
            distance_median REAL NOT NULL,
            exceeded INTEGER NOT NULL CHECK (exceeded IN (0, 1)),
            tracks TEXT NOT NULL,
            run TEXT NOT NULL REFERENCES runs(id)
        ) STRICT;
        CREATE INDEX exposures_by_time ON exposures (started, id);
        """
    )


@MIGRATIONS(name="004_segments")
def segments(db: Database) -> None:
    """Name the parts of a stream segments, as the observation log does."""
    db.executescript(
        """
        ALTER TABLE stretches RENAME TO segments;
        DROP INDEX stretches_by_time;
        CREATE INDEX segments_by_time ON segments (camera, ended);
        """
    )


@MIGRATIONS(name="005_rule_record")
def rule_record(db: Database) -> None:
    """Name the JSON text of what the rules recorded of an incident `rule_record`."""
    db.execute("ALTER TABLE incidents RENAME COLUMN judgement TO rule_record")


@MIGRATIONS(name="006_incident_events")
def incident_events(db: Database) -> None:
    """Withdrawal, replacement and second look of incidents, and the stream time of events in their history.

    `replaced_by` may name an incident that is recorded a moment later, in the same chunk of events.
    """
    db.executescript(
        """
        ALTER TABLE incidents ADD COLUMN second_look TEXT;
        ALTER TABLE incidents ADD COLUMN withdrawn_reason TEXT;
        ALTER TABLE incidents ADD COLUMN replaced_by TEXT;
        CREATE INDEX incidents_by_replacement ON incidents (replaced_by) WHERE replaced_by IS NOT NULL;
        ALTER TABLE incident_history ADD COLUMN t INTEGER;
        ALTER TABLE incident_history ADD COLUMN replaced_by TEXT;
        """
    )


@MIGRATIONS(name="007_recordings")
def recordings(db: Database) -> None:
    """Which file recorded a camera when, so that evidence opens no other files. Paths are absolute."""
    db.executescript(
        """
        CREATE TABLE recordings (
            stream TEXT NOT NULL REFERENCES streams(key),
            started INTEGER NOT NULL,
            ended INTEGER NOT NULL CHECK (ended > started),
            camera TEXT NOT NULL,
            path TEXT NOT NULL,
            fps REAL,
            bytes INTEGER NOT NULL CHECK (bytes >= 0),
            modified INTEGER NOT NULL,
            fingerprint TEXT NOT NULL,
            PRIMARY KEY (stream, started)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX recordings_by_time ON recordings (camera, started);
        -- The longest recording bounds how early one that overlaps a window can have started.
        CREATE INDEX recordings_by_length ON recordings (camera, (ended - started));
        """
    )


@MIGRATIONS(name="008_evidence_forms")
def evidence_forms(db: Database) -> None:
    """Originals and copies for viewing, in revisions. What there was is original.

    The history names every file that was ever attached, also those that a longer clip has replaced since.
    """
    db.executescript(
        """
        ALTER TABLE evidence RENAME TO evidence_before;
        CREATE TABLE evidence (
            incident TEXT NOT NULL REFERENCES incidents(id),
            kind TEXT NOT NULL,
            form TEXT NOT NULL CHECK (form IN ('original', 'viewing')),
            revision INTEGER NOT NULL CHECK (revision >= 1),
            path TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            bytes INTEGER NOT NULL CHECK (bytes >= 0),
            created INTEGER NOT NULL,
            PRIMARY KEY (incident, kind, form, revision)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO evidence (incident, kind, form, revision, path, sha256, bytes, created)
        SELECT incident, json_extract(detail, '$.kind'), 'original',
            row_number() OVER (PARTITION BY incident, json_extract(detail, '$.kind') ORDER BY id),
            json_extract(detail, '$.path'), json_extract(detail, '$.sha256'),
            json_extract(detail, '$.bytes'), json_extract(detail, '$.created')
        FROM incident_history WHERE event = 'evidence' AND detail IS NOT NULL;
        INSERT INTO evidence (incident, kind, form, revision, path, sha256, bytes, created)
        SELECT incident, kind, 'original',
            1 + (SELECT count(*) FROM evidence AS e WHERE e.incident = b.incident AND e.kind = b.kind),
            path, sha256, bytes, created
        FROM evidence_before AS b
        WHERE (path, sha256) IS NOT (
            SELECT path, sha256 FROM evidence AS e WHERE e.incident = b.incident AND e.kind = b.kind
            ORDER BY revision DESC LIMIT 1
        );
        DROP TABLE evidence_before;
        CREATE TRIGGER evidence_not_changed BEFORE UPDATE ON evidence
        BEGIN
            SELECT RAISE(ABORT, 'a file of evidence is followed by a revision, never changed');
        END;
        CREATE TRIGGER evidence_not_deleted BEFORE DELETE ON evidence
        BEGIN
            SELECT RAISE(ABORT, 'a file of evidence is followed by a revision, never deleted');
        END;
        -- INSERT OR REPLACE deletes without firing delete triggers unless a connection asks for it.
        CREATE TRIGGER evidence_not_replaced BEFORE INSERT ON evidence
        WHEN EXISTS (
            SELECT 1 FROM evidence WHERE incident = NEW.incident AND kind = NEW.kind AND form = NEW.form
            AND revision = NEW.revision
        )
        BEGIN
            SELECT RAISE(ABORT, 'a file of evidence is followed by a revision, never replaced');
        END;
        """
    )


@MIGRATIONS(name="009_withdrawn_exposures")
def withdrawn_exposures(db: Database) -> None:
    """Why an entry of the exposure log was taken back; null where it holds."""
    db.execute("ALTER TABLE exposures ADD COLUMN withdrawn TEXT")


@MIGRATIONS(name="010_hour_counts")
def hour_counts(db: Database) -> None:
    """What each camera watched in each clock hour, and what could have been judged in it."""
    db.executescript(
        """
        CREATE TABLE hour_counts (
            camera TEXT NOT NULL,
            hour INTEGER NOT NULL,
            facility_version TEXT NOT NULL REFERENCES facility_versions(sha256),
            computed INTEGER NOT NULL,
            inputs TEXT NOT NULL,
            counts TEXT NOT NULL,
            PRIMARY KEY (camera, hour, facility_version)
        ) STRICT, WITHOUT ROWID;
        """
    )


@MIGRATIONS(name="011_recording_clocks")
def recording_clocks(db: Database) -> None:
    """What is known of the timestamps of a recording; see `vision.sources.frame_clock.ClockState`."""
    db.execute(
        "ALTER TABLE recordings ADD COLUMN clock INTEGER NOT NULL DEFAULT 0 CHECK (clock IN (0, 1, 2))"
    )


@MIGRATIONS(name="012_uncounted")
def uncounted(db: Database) -> None:
    """What a count of incidents leaves out: segments not evaluated yet, and recordings that were not read.

    `evaluated` is when the incidents of a segment were recorded. Up to here only whole streams tell of it.
    """
    db.executescript(
        """
        ALTER TABLE segments ADD COLUMN evaluated INTEGER;
        UPDATE segments SET evaluated = (SELECT completed FROM streams WHERE key = segments.stream);
        CREATE INDEX segments_not_evaluated ON segments (camera, started) WHERE evaluated IS NULL;
        CREATE TABLE unread (
            camera TEXT NOT NULL,
            path TEXT NOT NULL,
            started INTEGER,
            reason TEXT NOT NULL,
            PRIMARY KEY (camera, path)
        ) STRICT, WITHOUT ROWID;
        """
    )


@MIGRATIONS(name="013_maintenance")
def maintenance(db: Database) -> None:
    """Maintenance that was announced before it began, and the ends that made it shorter.

    `cameras` is a JSON array of ids; null = all cameras.
    """
    db.executescript(
        """
        CREATE TABLE maintenance (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            cameras TEXT CHECK (json_array_length(cameras) > 0),
            started INTEGER NOT NULL CHECK (started >= announced),
            ended INTEGER NOT NULL CHECK (ended > started),
            reason TEXT NOT NULL CHECK (reason <> ''),
            by TEXT NOT NULL CHECK (by <> ''),
            announced INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX maintenance_by_time ON maintenance (ended, started);
        CREATE TABLE maintenance_ends (
            maintenance INTEGER PRIMARY KEY REFERENCES maintenance(id),
            ended INTEGER NOT NULL,
            by TEXT NOT NULL CHECK (by <> ''),
            at INTEGER NOT NULL CHECK (ended >= at)
        ) STRICT;
        CREATE TRIGGER maintenance_not_changed BEFORE UPDATE ON maintenance
        BEGIN
            SELECT RAISE(ABORT, 'maintenance stays as it was announced');
        END;
        CREATE TRIGGER maintenance_not_deleted BEFORE DELETE ON maintenance
        BEGIN
            SELECT RAISE(ABORT, 'maintenance stays as it was announced');
        END;
        CREATE TRIGGER maintenance_ends_not_changed BEFORE UPDATE ON maintenance_ends
        BEGIN
            SELECT RAISE(ABORT, 'maintenance is ended once');
        END;
        CREATE TRIGGER maintenance_ends_not_deleted BEFORE DELETE ON maintenance_ends
        BEGIN
            SELECT RAISE(ABORT, 'maintenance is ended once');
        END;
        -- INSERT OR REPLACE deletes without firing delete triggers unless a connection asks for it.
        CREATE TRIGGER maintenance_not_replaced BEFORE INSERT ON maintenance
        WHEN EXISTS (SELECT 1 FROM maintenance WHERE id = NEW.id)
        BEGIN
            SELECT RAISE(ABORT, 'maintenance stays as it was announced');
        END;
        CREATE TRIGGER maintenance_ends_not_replaced BEFORE INSERT ON maintenance_ends
        WHEN EXISTS (SELECT 1 FROM maintenance_ends WHERE maintenance = NEW.maintenance)
        BEGIN
            SELECT RAISE(ABORT, 'maintenance is ended once');
        END;
        """
    )


with Database(memory=True) as _empty:
    STEPS = tuple(step.name for step in MIGRATIONS.pending(_empty))
"""Names of all steps that this program knows, oldest first."""
