-- ARGV[4] reason. Returns a name of records.CancelOutcome.
local r = load()
if not r then return 'unknown' end
if LATCHED[r.state] then return 'ended' end
if r.cancelling == 'true' then return 'cancelling' end
r.seq, r.reason = r.seq + 1, ARGV[4]
local outcome = 'cancelling'
if RUNNING[r.state] then
  r.cancelling = 'true'
else
  outcome, r.state, r.ended_at, r.retry_at = 'cancelled', 'REVOKED', now, '0'
end
redis.call('HSET', task, 'seq', r.seq, 'reason', r.reason, 'cancelling', r.cancelling, 'state', r.state,
  'ended_at', r.ended_at, 'retry_at', r.retry_at)
renew(r)
announce(r, redis.call('HGET', task, 'body'), '', true)
return outcome
