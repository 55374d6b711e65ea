-- One task on one list (the rules are in lists.py). The keys are in one hash slot, another one than the task's:
-- KEYS[1] a sorted set, uids by when they were listed; KEYS[2] a hash: the list's epoch and seq, and the note of each
-- uid behind a colon.
-- ARGV[1] the channel to publish hints on; [2] a frame's text up to the epoch; [3] the TTL, milliseconds; [4] how many
-- uids are kept; [5] the list's epoch, if one is needed; [6] the uid; [7] its note; [8] what the caller knows:
--   guess  the record may have got this epoch: a note that is there stands;
--   sure   it has this one, [9] was the caller's guess;
--   mark   it has got this mark, now where [9] is '1'.
-- Returns the note that stands.
local list, notes = KEYS[1], KEYS[2]
local hint_channel, head, ttl, kept, uid, note, mode = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[6], ARGV[7], ARGV[8]
local field = ':' .. uid

local known = redis.call('ZSCORE', list, uid) and redis.call('HGET', notes, field)

-- Whether the note is to be put down, and whether that is news.
local function judge()
  if mode == 'mark' then return known, known and known ~= note or not known and ARGV[9] == '1' end
  -- A guess that is there already is the same call, repeated: the record may be younger than what was announced.
  if mode == 'guess' then return not known or known == note, not known or known == note end
  return known ~= note, known ~= note and known ~= ARGV[9]
end

local puts, is_news = judge()
if puts then
  if mode ~= 'mark' then
    if redis.call('EXISTS', list) == 0 then
      -- Evicted or expired: notes without uids are of no use. The version goes on.
      local epoch, seq = unpack(redis.call('HMGET', notes, 'epoch', 'seq'))
      redis.call('DEL', notes)
      if epoch then redis.call('HSET', notes, 'epoch', epoch, 'seq', seq) end
    end
    local clock = redis.call('TIME')
    redis.call('ZADD', list, string.format('%.0f', clock[1] * 1000000 + clock[2]), uid)
  end
  redis.call('HSET', notes, field, note)
  local surplus = redis.call('ZCARD', list) - kept
  if surplus > 0 then
    for i, oldest in ipairs(redis.call('ZPOPMIN', list, surplus)) do
      if i % 2 == 1 then redis.call('HDEL', notes, ':' .. oldest) end
    end
  end
end
if is_news then
  redis.call('HSETNX', notes, 'epoch', ARGV[5])
  local seq = redis.call('HINCRBY', notes, 'seq', 1)
  if hint_channel ~= '' then
    local clock = redis.call('TIME')
    redis.call('PUBLISH', hint_channel, 'r' .. head .. redis.call('HGET', notes, 'epoch') .. '","seq":' .. seq
      .. ',"now":' .. string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000)) .. '}')
  end
end
redis.call('PEXPIRE', list, ttl)
redis.call('PEXPIRE', notes, ttl)
return puts and note or known
