-- ARGV[4] the epoch, if one is needed; [5] owner; [6] state; [7] delivery; [8] '1' where a body is given; [9] body;
-- [10] reason; [11] retry_at; [12] name; [13] worker; [14] '1' where none is to be made; [15] messages kept;
-- [16] skipped; [17] numbered_from; [18] … messages. The answer ends with the epoch of a record that was made here.
local state, delivery, body, reason = ARGV[6], ARGV[7], ARGV[9], ARGV[10]
local r = load()
if not r and (ARGV[14] == '1' or not LATCHED[state]) then return nil end
if r then
  if LATCHED[r.state] then return answer(false, r) end
  if delivery ~= '' then
    local may_finish = RUNNING[r.state] and delivery == r.delivery or not RUNNING[r.state] and not find_delivery(delivery)
    if not may_finish then return answer(false, r) end
  end
end
local made = not r
r = r or make(ARGV[4], ARGV[5], '""', '', ARGV[12], ARGV[13])
if delivery ~= '' and delivery ~= r.delivery then hand_to(r, delivery) end
if state == 'IGNORED' and r.republished == '1' then state = 'PENDING' end
if r.cancelling == 'true' and (not LATCHED[state] or state == 'REVOKED' and reason == '""') then
  state, reason = 'REVOKED', r.reason
end
if ARGV[8] ~= '1' then body = redis.call('HGET', task, 'body') end
r.seq, r.state, r.reason, r.cancelling = r.seq + 1, state, reason, 'false'
r.retry_at = state == 'RETRY' and ARGV[11] or '0'
r.ended_at = LATCHED[state] and now or '0'
local messages, recovered = append(r, ARGV[15], tonumber(ARGV[16]), tonumber(ARGV[17]), 18)
redis.call('HSET', task, 'seq', r.seq, 'state', r.state, 'reason', r.reason, 'cancelling', r.cancelling,
  'retry_at', r.retry_at, 'ended_at', r.ended_at, 'offset', r.offset, 'body', body)
renew(r)
announce(r, body, messages, recovered)
local written = answer(true, r)
if made then written[5] = r.epoch end
return written
