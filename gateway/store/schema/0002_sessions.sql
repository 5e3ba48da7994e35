-- Gateway sessions. The browser's token is not here: `handle` is its SHA-256.

CREATE TABLE sessions (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts,
    app        text NOT NULL,
    handle     bytea NOT NULL UNIQUE CHECK (octet_length(handle) = 32),
    opened_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    end_reason text
);
CREATE INDEX sessions_account ON sessions (account_id);
