-- ARGV[4] epoch; [5] attempt.
local r = load()
if not r then return nil end
if r.epoch ~= ARGV[4] or r.attempt ~= ARGV[5] or not RUNNING[r.state] then return answer(false, r) end
redis.call('HSET', task, 'heartbeat_at', now)
renew(r)
return answer(true, r)
