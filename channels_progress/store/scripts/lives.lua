-- Put between shared.lua and the scripts in which a record, an attempt or a delivery begins or ends.
local LATCHED = {SUCCESS = true, FAILURE = true, REVOKED = true, IGNORED = true}
local SEEN = {'seen0', 'seen1', 'seen2', 'seen3', 'seen4', 'seen5', 'seen6', 'seen7'}

-- A new record in place of whatever was there. The deliveries seen are kept.
local function make(epoch, owner, parent, body, name, worker)
  redis.call('HSET', task, 'epoch', epoch, 'attempt', '0', 'seq', '0', 'state', 'PENDING', 'cancelling', 'false',
    'reason', '""', 'parent', parent, 'created_at', now, 'began_at', '0', 'heartbeat_at', '0', 'ended_at', '0',
    'retry_at', '0', 'offset', '0', 'base', '0', 'delivery', '', 'republished', '', 'owner', owner, 'body', body,
    'name', name, 'worker', worker, 'seen', '', 'dismissed', '')
  redis.call('DEL', log)
  return load()
end

-- The epoch and the attempt that a delivery belongs to, or nil.
local function find_delivery(delivery)
  if delivery == '' then return nil end
  for _, text in ipairs(redis.call('HMGET', task, unpack(SEEN))) do
    if text then
      local epoch, attempt, seen = text:match('^(%x+) (%d+) (.*)$')
      if seen == delivery then return epoch, attempt end
    end
  end
  return nil
end

local function hand_to(r, delivery)
  r.delivery, r.base = delivery, r.offset
  redis.call('HSET', task, 'delivery', delivery, 'base', r.base)
  if delivery ~= '' then
    local turn = redis.call('HINCRBY', task, 'turn', 1)
    redis.call('HSET', task, SEEN[turn % #SEEN + 1], r.epoch .. ' ' .. r.attempt .. ' ' .. delivery)
  end
end

-- What the lists of a task must know: the epoch of its record, and its owner.
local function for_lists(r)
  return r.epoch, redis.call('HGET', task, 'owner')
end
