"""The SQL of the journal. Every statement that writes rows takes them as one JSON array.

``executemany`` would hand over the interpreter lock for each row. ``json_extract``, because ``->>`` needs SQLite 3.38.
"""

from __future__ import annotations

APPLICATION_ID = 0x4C51_4A31
VERSION = 1

TABLES = """
CREATE TABLE run (
  one INTEGER PRIMARY KEY CHECK (one = 1), campaign TEXT NOT NULL, settings TEXT NOT NULL, source TEXT NOT NULL,
  created REAL NOT NULL, loaded REAL, finished REAL);
CREATE TABLE row (
  position INTEGER PRIMARY KEY,
  key TEXT NOT NULL, recipient TEXT NOT NULL, row_id TEXT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL,
  state INTEGER NOT NULL DEFAULT 0, begun REAL, ended REAL, attempts INTEGER NOT NULL DEFAULT 0,
  chat_id INTEGER, message_id INTEGER, delivery_status TEXT, status INTEGER, error TEXT,
  again INTEGER NOT NULL DEFAULT 0);
"""
CREATE = f"BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
CLEAR = f"BEGIN; DROP TABLE run; DROP TABLE row; {TABLES} COMMIT;"

FOREIGN = "SELECT 1 FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%' LIMIT 1"
"""What no journal has. A view or a trigger could make a query endless."""
# A value of the wrong type is outside of any range of numbers.
DAMAGED = """
SELECT 1 FROM run WHERE typeof(campaign) <> 'text' OR typeof(source) <> 'text' OR NOT json_valid(settings)
  OR json_type(settings) <> 'object' OR created NOT BETWEEN 0 AND 1e11 OR loaded NOT BETWEEN 0 AND 1e11
  OR finished NOT BETWEEN 0 AND 1e11
UNION ALL
SELECT 1 FROM row WHERE position < 1 OR state NOT IN (0, 1, 2, 3, 4, 5)
  OR typeof(key) <> 'text' OR typeof(recipient) <> 'text' OR typeof(row_id) <> 'text' OR typeof(sender) <> 'text'
  OR typeof(body) <> 'text' OR typeof(delivery_status) = 'blob' OR typeof(error) = 'blob'
  OR begun NOT BETWEEN 0 AND 1e11 OR ended NOT BETWEEN 0 AND 1e11 OR attempts NOT BETWEEN 0 AND 1e9
  OR again NOT BETWEEN 0 AND 1e9 OR status NOT BETWEEN 0 AND 1e9 OR chat_id < 0 OR message_id < 0
LIMIT 1"""

INSERT = """
INSERT INTO row (position, key, recipient, row_id, sender, body)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
  json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
FROM json_each(?)"""
# A row inserted in the order of an index on random keys takes six times as long.
INDEXES = "CREATE INDEX row_key ON row (key); CREATE INDEX row_line ON row (sender, position);"
DUPLICATES = """
UPDATE row SET state = 5, error = 'duplicate of row ' || twin.first
FROM (SELECT key, min(position) AS first FROM row GROUP BY key HAVING count(*) > 1) AS twin
WHERE row.key = twin.key AND row.position > twin.first AND row.state = 0"""
SUPPRESS = """
UPDATE row SET state = CASE WHEN begun IS NULL THEN 5 ELSE 4 END, error = 'suppressed'
WHERE state IN (0, 1, 4) AND error IS NOT 'suppressed' AND recipient IN (SELECT value FROM json_each(?))"""
SKIPPED = "SELECT count(*), total(error = 'suppressed'), total(error LIKE 'duplicate%') FROM row"

BEGIN = """
UPDATE row SET state = 1, begun = coalesce(begun, ?) WHERE position IN (SELECT value FROM json_each(?))"""
END = """
UPDATE row SET state = json_extract(e.value, '$[1]'), ended = json_extract(e.value, '$[2]'),
  attempts = attempts + json_extract(e.value, '$[3]'), chat_id = json_extract(e.value, '$[4]'),
  message_id = json_extract(e.value, '$[5]'), delivery_status = json_extract(e.value, '$[6]'),
  status = json_extract(e.value, '$[7]'), error = json_extract(e.value, '$[8]')
FROM json_each(?) AS e WHERE row.position = json_extract(e.value, '$[0]')"""
RESTORE = """
UPDATE row SET state = json_extract(e.value, '$[1]'), begun = json_extract(e.value, '$[2]')
FROM json_each(?) AS e WHERE row.position = json_extract(e.value, '$[0]')"""
SETTLE = "UPDATE row SET state = 4, ended = ?, error = coalesce(error, 'in doubt') WHERE state = 1 AND begun < ?"

PENDING = "state <= 1"
# A KeyReusedError would only be repeated.
IN_DOUBT = "state = 4 AND begun >= :since AND error NOT IN ('KeyReusedError', 'suppressed')"
NEXT = """
SELECT position, key, recipient, row_id, body, state, begun, sender FROM row INDEXED BY row_line
WHERE sender = :sender AND position > :after AND {condition} ORDER BY position LIMIT :limit"""
LEFT = "SELECT sender, count(*) FROM row WHERE {condition} GROUP BY sender"
BEGUN_SINCE = "SELECT count(*), min(begun) FROM row WHERE sender = ? AND begun > ?"

FAILED = """
SELECT position, recipient, row_id, again + 1 FROM row WHERE state = 3 AND position > ? ORDER BY position LIMIT ?"""
AGAIN = """
UPDATE row SET key = json_extract(e.value, '$[1]'), again = json_extract(e.value, '$[2]'), state = 0, begun = NULL,
  ended = NULL, chat_id = NULL, message_id = NULL, delivery_status = NULL, status = NULL, error = NULL
FROM json_each(?) AS e WHERE row.position = json_extract(e.value, '$[0]')"""

COUNTS = "SELECT state, count(*) FROM row GROUP BY state"
FINISH = "UPDATE run SET finished = ? WHERE NOT EXISTS (SELECT 1 FROM row WHERE state <= 1)"
REPORT = """
SELECT position, recipient, row_id, sender, key, state, begun, ended, attempts, chat_id, message_id, delivery_status,
  status, error, again
FROM row WHERE position > ? ORDER BY position LIMIT ?"""
SPAN = "SELECT min(ended), max(ended) FROM row WHERE state IN (2, 3, 4)"
OVER_TIME = """
SELECT CAST((ended - ?) / ? AS INTEGER), state,
  CASE state WHEN 2 THEN '' ELSE coalesce(error, '?') || coalesce(' ' || status, '') END AS cause, count(*)
FROM row WHERE state IN (2, 3, 4) AND ended IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""
