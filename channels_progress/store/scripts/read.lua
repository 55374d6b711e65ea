-- ARGV[4] the epoch and [5] the offset after which to read; another epoch is read from its start.
-- [6] … the names of the fields wanted, of which the first two are epoch and offset.
local fields = redis.call('HMGET', task, unpack(ARGV, 6))
if not fields[1] then return nil end
local since = 0
if fields[1] == ARGV[4] and tonumber(ARGV[5]) <= tonumber(fields[2]) then since = tonumber(ARGV[5]) end
local texts = {}
for i, entry in ipairs(redis.call('XRANGE', log, (since + 1) .. '-0', '+')) do
  texts[i] = entry[2][2]
end
return {now, fields, texts}
