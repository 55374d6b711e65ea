-- Put before every other script of a task. All keys of a task are in one hash slot:
-- KEYS[1] a hash, the record; KEYS[2] a stream, its messages, where an entry's id is its offset.
-- ARGV[1] the channel to publish hints on; ARGV[2] a frame's text up to the epoch; ARGV[3] the TTL, milliseconds.
-- Texts that go into frames (body, reason, parent, messages) are stored as the JSON they came as.
local task, log = KEYS[1], KEYS[2]
local hint_channel, head, ttl = ARGV[1], ARGV[2], ARGV[3]

local RUNNING = {STARTED = true, PROGRESS = true}

local clock = redis.call('TIME')
local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))

-- The record without body and owner, or nil.
local function load()
  local v = redis.call('HMGET', task, 'epoch', 'attempt', 'seq', 'state', 'cancelling', 'reason', 'parent',
    'created_at', 'began_at', 'ended_at', 'retry_at', 'offset', 'base', 'delivery', 'republished')
  if not v[1] then return nil end
  return {
    epoch = v[1], attempt = v[2], seq = tonumber(v[3]), state = v[4], cancelling = v[5], reason = v[6], parent = v[7],
    created_at = v[8], began_at = v[9], ended_at = v[10], retry_at = v[11], offset = tonumber(v[12]),
    base = tonumber(v[13]), delivery = v[14], republished = v[15]
  }
end

-- A retry that is due later is waited for.
local function renew(r)
  local wait = r.state == 'RETRY' and math.max(0, r.retry_at - now) or 0
  local life = string.format('%.0f', ttl + wait)
  redis.call('PEXPIRE', task, life)
  if r.offset > 0 then redis.call('PEXPIRE', log, life) end
end

-- Log the messages in ARGV[first] and after. Returns them as a frame has them, and whether no offset stays empty.
local function append(r, kept, skipped, numbered_from, first)
  if numbered_from > 0 then skipped = numbered_from - (r.offset - r.base + 1) end
  if skipped < 0 then first, skipped = first - skipped, 0 end
  local offset, texts = r.offset + skipped, {}
  for i = first, #ARGV do
    offset = offset + 1
    local text = '{"offset":' .. offset .. ',' .. ARGV[i] .. ',"at":' .. now .. '}'
    texts[#texts + 1] = text
    redis.call('XADD', log, 'MAXLEN', '=', kept, offset .. '-0', 'm', text)
  end
  r.offset = offset
  return table.concat(texts, ','), skipped == 0
end

-- Publish the frame of `events.task_frame`, behind one letter: r, a newer one may replace it; k, keep it.
local function announce(r, body, messages, recovered)
  redis.call('PUBLISH', hint_channel, (messages == '' and 'r' or 'k') .. head .. r.epoch
    .. '","attempt":' .. r.attempt .. ',"seq":' .. r.seq .. ',"now":' .. now
    .. ',"state":{"state":"' .. r.state .. '","liveness":' .. (RUNNING[r.state] and '"live"' or 'null')
    .. ',"cancelling":' .. r.cancelling .. ',"reason":' .. r.reason .. ',"parent":' .. r.parent
    .. ',"created_at":' .. r.created_at .. ',"began_at":' .. r.began_at .. ',"ended_at":' .. r.ended_at
    .. ',"retry_at":' .. r.retry_at .. body .. '},"messages":[' .. messages
    .. '],"recovered":' .. (recovered and 'true' or 'false') .. '}')
end

-- The answer to a guarded write.
local function answer(accepted, r)
  local cancelling = r.cancelling == 'true'
  return {accepted and 1 or 0, r.seq, cancelling and 1 or 0, cancelling and r.reason or '""'}
end
