-- ARGV[4] epoch; [5] attempt; [6] body; [7] messages kept; [8] skipped; [9] numbered_from; [10] … messages.
local body = ARGV[6]
local r = load()
if not r then return nil end
if r.epoch ~= ARGV[4] or r.attempt ~= ARGV[5] or not RUNNING[r.state] then return answer(false, r) end
r.seq, r.state = r.seq + 1, 'PROGRESS'
redis.call('HSET', task, 'seq', r.seq, 'state', r.state, 'heartbeat_at', now, 'body', body)
local before = r.offset
local messages, recovered = append(r, ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), 10)
if r.offset ~= before then redis.call('HSET', task, 'offset', r.offset) end
renew(r)
announce(r, body, messages, recovered)
return answer(true, r)
