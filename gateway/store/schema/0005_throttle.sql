-- Consecutive failures by keyed digest; no name or address is here.
--
-- Logged, although an unlogged table would be cheaper: that one is empty after a crash or a promotion, so
-- whoever can make the server fall over would be given all their attempts back.

CREATE TABLE throttle (
    key           bytea PRIMARY KEY CHECK (octet_length(key) = 16),
    failures      integer NOT NULL,
    blocked_until timestamptz NOT NULL,
    forget_at     timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX throttle_forget ON throttle (forget_at);

-- The pause after this many consecutive failures: none for the free ones, then 1 s, 2 s, 4 s … up to `longest`.
-- The exponent is capped, because 2 ^ 30 s are 34 years and more would overflow.
CREATE FUNCTION throttle_pause(failures integer, free integer, longest interval) RETURNS interval
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN failures <= free THEN interval '0'
                ELSE least(make_interval(secs => power(2, least(failures - free - 1, 30))), longest) END
$$;
