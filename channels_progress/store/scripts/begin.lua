-- ARGV[4] the epoch, if one is needed; [5] owner; [6] parent; [7] body; [8] delivery; [9] name;
-- [10] worker. The answer ends with the epoch of the record, and its owner.
local body, delivery, name, worker = ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local r = load()
if r and LATCHED[r.state] then return {0, r.epoch, tonumber(r.attempt), r.state, 0, r.reason, for_lists(r)} end
if r then
  local epoch, attempt = find_delivery(delivery)
  if epoch then
    return {1, epoch, tonumber(attempt), r.state, r.cancelling == 'true' and 1 or 0, r.reason, for_lists(r)}
  end
end
r = r or make(ARGV[4], ARGV[5], ARGV[6], body, name, worker)
r.attempt, r.seq, r.state, r.began_at, r.ended_at, r.retry_at = r.attempt + 1, r.seq + 1, 'STARTED', now, '0', '0'
if r.cancelling ~= 'true' then r.reason = '""' end
redis.call('HSET', task, 'attempt', r.attempt, 'seq', r.seq, 'state', r.state, 'began_at', now, 'heartbeat_at', now,
  'ended_at', '0', 'retry_at', '0', 'reason', r.reason, 'republished', '', 'body', body,
  'worker', worker)
if name ~= '' then redis.call('HSET', task, 'name', name) end
hand_to(r, delivery)
renew(r)
announce(r, body, '', true)
return {1, r.epoch, r.attempt, r.state, r.cancelling == 'true' and 1 or 0, r.reason, for_lists(r)}
