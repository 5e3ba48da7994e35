-- Signing keys and the gateway's own secrets; both arrive sealed under a key that is never in this database.

CREATE TABLE signing_keys (
    kid            text PRIMARY KEY,
    number         bigint GENERATED ALWAYS AS IDENTITY,
    algorithm      text NOT NULL,
    state          text NOT NULL,
    public_jwk     jsonb NOT NULL,
    sealed_private bytea NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    activated_at   timestamptz
);

CREATE TABLE server_secrets (
    purpose    text PRIMARY KEY,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
