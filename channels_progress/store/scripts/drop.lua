-- Tasks that do not belong on a list. KEYS[1] and [2] as in list.lua. ARGV: a uid and its note, and so on; one that
-- has got another note meanwhile stays.
for i = 1, #ARGV, 2 do
  local field = ':' .. ARGV[i]
  if (redis.call('HGET', KEYS[2], field) or '') == ARGV[i + 1] then
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('HDEL', KEYS[2], field)
  end
end
