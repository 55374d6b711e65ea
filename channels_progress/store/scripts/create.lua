-- ARGV[4] the epoch, if one is needed; [5] owner; [6] parent; [7] body; [8] '1' if published inside the task;
-- [9] name. Returns epoch and owner.
local r = load()
if r and (ARGV[8] == '1' or not LATCHED[r.state]) then
  redis.call('HSET', task, 'republished', '1')
  if not LATCHED[r.state] then renew(r) end
  return {for_lists(r)}
end
r = make(ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[9], '')
r.seq = 1
redis.call('HSET', task, 'seq', r.seq)
renew(r)
announce(r, ARGV[7], '', true)
return {r.epoch, ARGV[5]}
