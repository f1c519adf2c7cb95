"""The tables of an agent's database, as numbered steps: forwards only, each wholly or not at all."""

STEPS = (
    """
    CREATE TABLE messages (
        row         INTEGER PRIMARY KEY,
        chat        TEXT NOT NULL,     -- canonical name of the other person
        author      TEXT NOT NULL,     -- canonical name of who wrote it
        id          BLOB NOT NULL,     -- 16 bytes, random
        seq         INTEGER NOT NULL,  -- author's session epoch * 2**32 + count
        prev        BLOB NOT NULL,     -- id of the author's text before, or empty
        text        TEXT NOT NULL,
        sent_ms     INTEGER NOT NULL,  -- milliseconds since 1970, by the author's clock
        received_ms INTEGER,           -- by our clock; of our own: when it was delivered
        state       TEXT NOT NULL,     -- queued, stored, delivered, read, failed; of the others': received, read
        copies      INTEGER NOT NULL,  -- on the ring, when it was stored
        epoch       INTEGER NOT NULL DEFAULT 0,  -- of our own: recipient's session that acknowledged it
        place       INTEGER NOT NULL,  -- order in the chat, about milliseconds since 1970
        UNIQUE (chat, author, id)
    ) STRICT;
    CREATE INDEX messages_order ON messages (chat, place, seq);
    CREATE INDEX messages_author ON messages (chat, author, seq);
    CREATE INDEX messages_id ON messages (id);
    CREATE INDEX messages_unread ON messages (chat, place) WHERE state = 'received';
    CREATE VIRTUAL TABLE words USING fts5 (text, content='messages', content_rowid='row', tokenize='trigram');
    CREATE TRIGGER messages_added AFTER INSERT ON messages BEGIN
        INSERT INTO words (rowid, text) VALUES (new.row, new.text);
    END;
    CREATE TRIGGER messages_removed AFTER DELETE ON messages BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.row, old.text);
    END;
    CREATE TABLE outbox (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        contact     TEXT NOT NULL,
        id          BLOB NOT NULL,
        frame       BLOB NOT NULL,     -- F, the same at each attempt
        type        INTEGER NOT NULL,
        attempts    INTEGER NOT NULL DEFAULT 0,
        UNIQUE (contact, id)
    ) STRICT;
    CREATE TABLE seen (
        fingerprint BLOB NOT NULL,     -- 32 bytes, of the author
        id          BLOB NOT NULL,
        digest      BLOB NOT NULL,     -- SHA-256 of F
        PRIMARY KEY (fingerprint, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE contacts (
        user        TEXT PRIMARY KEY,
        standing    TEXT NOT NULL,     -- contact, request, blocked, known
        fingerprint BLOB,              -- the pin, 32 bytes
        offered     BLOB,              -- another fingerprint that the ring has now; NULL while all is well
        verified    INTEGER NOT NULL DEFAULT 0,
        version     INTEGER NOT NULL DEFAULT 0,  -- highest account version seen
        epoch       INTEGER NOT NULL DEFAULT 0,  -- highest session epoch seen
        mail_key    INTEGER NOT NULL DEFAULT 0,  -- highest mail key number seen
        capability  BLOB,              -- theirs: opens their addresses
        given       BLOB,              -- our capability that they were told last
        count       INTEGER NOT NULL DEFAULT 0,  -- our texts to them in session `count_epoch`
        count_epoch INTEGER NOT NULL DEFAULT 0,
        last_id     BLOB NOT NULL DEFAULT x'',   -- our last text to them in that session
        draft       TEXT NOT NULL DEFAULT '',
        last_seen   INTEGER            -- milliseconds since 1970: when this home last knew them online
    ) STRICT;
    CREATE TABLE traces (
        row         INTEGER PRIMARY KEY,
        id          BLOB NOT NULL,
        at_ms       INTEGER NOT NULL,
        step        TEXT NOT NULL      -- a JSON object
    ) STRICT;
    CREATE INDEX traces_id ON traces (id);
    CREATE TABLE settings (
        name        TEXT PRIMARY KEY,
        value       TEXT NOT NULL
    ) STRICT;
    """,
    """
    ALTER TABLE messages ADD COLUMN envelope BLOB;  -- of our own: id of the envelope that was stored, 32 bytes
    CREATE INDEX messages_stored ON messages (row) WHERE state = 'stored';
    """,
    """
    CREATE TABLE replies (
        author      TEXT NOT NULL,     -- canonical name of who wrote the reply
        id          BLOB NOT NULL,     -- of the reply, which may still be under way
        quoted      BLOB NOT NULL,     -- id of the message that it answers
        PRIMARY KEY (author, id)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE contacts ADD COLUMN former BLOB;  -- the pin before its owner renewed it; NULL once digits were compared
    """,
    """
    CREATE TABLE handed (
        id          BLOB PRIMARY KEY,  -- of a page of a hand-over that the next home has not confirmed yet
        frame       BLOB NOT NULL,     -- F, the same at each attempt
        envelope    BLOB               -- id of the envelope that was stored, 32 bytes; NULL while it waits
    ) STRICT;
    """,
    """
    CREATE TABLE early (
        number      INTEGER PRIMARY KEY,
        chat        TEXT NOT NULL,     -- whose receipt it is
        id          BLOB NOT NULL,     -- of a message of ours that is not here (yet: another home hands it over)
        state       TEXT NOT NULL,     -- delivered or read
        epoch       INTEGER NOT NULL,  -- of their session
        UNIQUE (chat, id, state)
    ) STRICT;
    """,
    """
    ALTER TABLE seen ADD COLUMN day INTEGER NOT NULL DEFAULT 0;     -- since 1970: when it came; 0: not noted
    ALTER TABLE replies ADD COLUMN day INTEGER NOT NULL DEFAULT 0;  -- the same
    CREATE INDEX seen_day ON seen (day);
    CREATE INDEX replies_day ON replies (day);
    """,
    """
    CREATE TABLE history (
        row         INTEGER PRIMARY KEY,
        chat        TEXT NOT NULL,     -- canonical name of the other person
        author      TEXT NOT NULL,     -- canonical name of who wrote it
        id          BLOB NOT NULL,     -- 16 bytes, random
        seq         INTEGER NOT NULL,  -- author's session epoch * 2**32 + count
        prev        BLOB NOT NULL,     -- id of the author's text before, or empty
        text        TEXT NOT NULL,
        sent_ms     INTEGER NOT NULL,  -- milliseconds since 1970, by the author's clock
        received_ms INTEGER,           -- by our clock; of our own: when it was delivered
        state       TEXT NOT NULL,     -- queued, stored, delivered, read, failed; of the others': received, read
        copies      INTEGER NOT NULL,  -- on the ring, when it was stored
        epoch       INTEGER NOT NULL DEFAULT 0,  -- session at the other end: that acknowledged it, or that brought it
        place       INTEGER NOT NULL,  -- order in the chat, about milliseconds since 1970
        envelope    BLOB,              -- of our own: id of the envelope that was stored, 32 bytes
        trace       INTEGER NOT NULL DEFAULT 0  -- steps that this row tells: 1 queued or received, 2 delivered directly
    ) STRICT;
    INSERT INTO history (row, chat, author, id, seq, prev, text, sent_ms, received_ms, state, copies, epoch, place,
        envelope) SELECT row, chat, author, id, seq, prev, text, sent_ms, received_ms, state, copies, epoch, place,
        envelope FROM messages;
    DELETE FROM seen WHERE EXISTS (SELECT 1 FROM messages WHERE messages.id = seen.id);
    DROP TABLE messages;
    ALTER TABLE history RENAME TO messages;
    CREATE UNIQUE INDEX messages_id ON messages (id, author, chat);
    CREATE INDEX messages_order ON messages (chat, place, seq);
    CREATE INDEX messages_author ON messages (chat, author, seq);
    CREATE INDEX messages_unread ON messages (chat, place) WHERE state = 'received';
    CREATE INDEX messages_stored ON messages (row) WHERE state = 'stored';
    CREATE TABLE waiting (
        number      INTEGER PRIMARY KEY,  -- order of sending; that of the last one may come again
        contact     TEXT NOT NULL,
        id          BLOB NOT NULL,
        frame       BLOB NOT NULL,     -- F, the same at each attempt
        type        INTEGER NOT NULL,
        attempts    INTEGER NOT NULL DEFAULT 0,
        UNIQUE (contact, id)
    ) STRICT;
    INSERT INTO waiting SELECT number, contact, id, frame, type, attempts FROM outbox;
    DROP TABLE outbox;
    ALTER TABLE waiting RENAME TO outbox;
    CREATE TABLE indexed (row INTEGER NOT NULL) STRICT;  -- messages up to this row are in `words`
    INSERT INTO indexed SELECT coalesce(max(row), 0) FROM messages;
    """,
)
"""Step n brings a database from user_version n to n + 1."""
