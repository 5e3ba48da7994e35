-- What was done to accounts, phases and keys, and by whom. Rows are only ever added; `detail` holds words of
-- ours (states, phases, reasons, ways), never a name, password, hash or token.

CREATE TABLE audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    event      text NOT NULL,
    actor      text NOT NULL,
    source     text,
    account_id uuid,
    detail     jsonb NOT NULL
);
CREATE INDEX audit_account ON audit (account_id);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only';
END $$;

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
