-- Who has crossed, under which names, with which passwords. No password itself, and no legacy hash.

CREATE TABLE accounts (
    id            uuid PRIMARY KEY,
    source        text NOT NULL,
    legacy_id     text NOT NULL,
    state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'blocked', 'deleted')),
    username      text NOT NULL,
    email         text NOT NULL,
    name          text NOT NULL,
    attributes    jsonb NOT NULL,
    -- names, e-mail and aliases, case folded by the gateway: the server's collation may not know how
    sought        text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz,
    -- the guarantee behind adoption: one account for one legacy user, whatever races
    UNIQUE (source, legacy_id)
) WITH (fillfactor = 90);

-- Two accounts may claim one alias: then it belongs to neither, so it is not unique by itself.
CREATE TABLE aliases (
    source     text NOT NULL,
    alias      text NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts,
    PRIMARY KEY (source, alias, account_id)
);
CREATE INDEX aliases_account ON aliases (account_id);

CREATE TABLE credentials (
    account_id  uuid PRIMARY KEY REFERENCES accounts,
    encoded     text NOT NULL,
    held        bytea NOT NULL CHECK (octet_length(held) = 32),
    legacy_seen bytea,
    changed_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 90);

CREATE TABLE previous_passwords (
    account_id  uuid NOT NULL REFERENCES accounts,
    held        bytea NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, held)
);

-- `number` gives the order in which the changes were begun; two clocks could not.
CREATE TABLE pending_changes (
    id         uuid PRIMARY KEY,
    number     bigint GENERATED ALWAYS AS IDENTITY,
    account_id uuid NOT NULL REFERENCES accounts,
    encoded    text NOT NULL,
    held       bytea NOT NULL CHECK (octet_length(held) = 32),
    begun_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX pending_changes_account ON pending_changes (account_id, number);
