-- The load of every measurement: one request, byte for byte from the file named after `--`, again and again.
-- Tells what happened as one line of JSON. With PACE_MS each connection rests about that long between requests.

local pace = tonumber(os.getenv("PACE_MS") or "")

function init(args)
   local file = assert(io.open(args[1], "rb"))
   local request = file:read("*a")
   file:close()
   math.randomseed(1)
   wrk.format = function() return request end -- wrk keeps it: no Lua runs for a request
end

if pace then
   function delay() return math.random(math.floor(pace / 2), math.floor(pace * 3 / 2)) end
end

function done(summary, latency, _)
   local errors = summary.errors
   print(string.format(
      'LOAD {"requests": %d, "microseconds": %d, "bytes": %d, "p50": %d, "p99": %d, "errors": %d}',
      summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
