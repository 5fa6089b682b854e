-- wrk's side of the load: one connection a thread, and one line for each request, whatever becomes of it:
--   seconds sent <tab> seconds taken <tab> status <tab> deployment <tab> prediction <tab> request id
-- A request that a closed connection swallowed gets status 0: wrk opens another connection and sends the next one.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } slipway_time;
  int clock_gettime(int clock, slipway_time *out);
]]
local REALTIME = 0
local clock = ffi.new("slipway_time")
local threads = 0
local log, pending, sent, pause, turn

local function now()
  ffi.C.clock_gettime(REALTIME, clock)
  return tonumber(clock.seconds) + tonumber(clock.nanoseconds) / 1e9
end

local function write(status, deployment, prediction)
  log:write(string.format("%.6f\t%.6f\t%d\t%s\t%s\t%s\n", sent, now() - sent, status, deployment, prediction, pending))
  pending = nil
end

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

-- `number` is a global: setup() sets it in each thread.
-- arguments: the file of the body, the folder of the logs, milliseconds between an answer and the next request
function init(arguments)
  local body = assert(io.open(arguments[1], "rb"))
  wrk.method, wrk.body = "POST", body:read("*a")
  body:close()
  wrk.headers["Content-Type"] = "application/json"
  log = assert(io.open(arguments[2] .. "/" .. number .. ".tsv", "w"))
  log:setvbuf("line")
  pause, turn = tonumber(arguments[3]), 0
end

function delay()
  return pause
end

function request()
  -- wrk asks the first thread for a request that it only looks at, before the run begins.
  local looked_at = number == 0 and turn == 1
  if pending and not looked_at then write(0, "", "") end
  turn = turn + 1
  pending, sent = string.format("load-%d-%d", number, turn), now()
  wrk.headers["X-Request-Id"] = pending
  return wrk.format()
end

function response(status, headers, body)
  local deployment = ""
  for name, value in pairs(headers) do
    if name:lower() == "x-slipway-deployment" then deployment = value end
  end
  write(status, deployment, body:match('"predictions":%s*%[%s*%[?%s*([^,%]]+)') or "")
end
