"""The tables that geard needs in PostgreSQL, as ``geard --queue-schema`` prints them."""

from typing import Final

VERSION: Final = 1
"""The version of the tables."""
SCHEMA: Final = f"""\
-- The tables of geard's queue, version {VERSION}. Whoever makes them, the role of the geards needs
--     GRANT SELECT ON gear_version TO geard;
--     GRANT SELECT, INSERT, UPDATE, DELETE ON gear_node, gear_job, gear_limit TO geard;

CREATE TABLE gear_version (version integer NOT NULL);
INSERT INTO gear_version VALUES ({VERSION});

-- Each start of a geard, and which one has adopted its jobs since.
CREATE TABLE gear_node (
    node integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name bytea NOT NULL,
    adopter integer,
    batch bigint NOT NULL DEFAULT 0,
    seen timestamptz NOT NULL DEFAULT now()
);
-- Tables that are made anew do not name jobs like earlier ones.
SELECT setval(pg_get_serial_sequence('gear_node', 'node'), (random() * 4000000)::bigint + 1);

-- The background jobs, and the start of geard to which each belongs.
CREATE TABLE gear_job (
    id bigint PRIMARY KEY,
    node integer NOT NULL,
    handle bytea NOT NULL,
    function bytea NOT NULL,
    uniq bytea,
    arguments bytea NOT NULL,
    precedence integer NOT NULL,
    due bigint NOT NULL,
    reducer bytea,
    retries integer NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- The limits of maxqueue, by geard and function.
CREATE TABLE gear_limit (
    name bytea NOT NULL,
    function bytea NOT NULL,
    normal integer NOT NULL,
    low integer NOT NULL,
    high integer NOT NULL,
    PRIMARY KEY (name, function)
);
"""
