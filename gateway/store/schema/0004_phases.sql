-- How far each source is. The configuration only ever gives the first value.

CREATE TABLE phases (
    source     text PRIMARY KEY,
    phase      text NOT NULL CHECK (phase IN ('migrate', 'complete')),
    changed_at timestamptz NOT NULL DEFAULT now()
);
