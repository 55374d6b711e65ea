-- ARGV[4] '1' where the owner has seen the end; [5] '1' where they dismiss it; [6] the epoch meant, or ''.
-- Returns whether that is new, epoch, owner, and both marks.
local r = load()
if not r or not LATCHED[r.state] or ARGV[6] ~= '' and ARGV[6] ~= r.epoch then return nil end
local seen, dismissed, owner = unpack(redis.call('HMGET', task, 'seen', 'dismissed', 'owner'))
local is_new = ARGV[4] == '1' and seen ~= '1' or ARGV[5] == '1' and dismissed ~= '1'
if ARGV[4] == '1' then seen = '1' end
if ARGV[5] == '1' then dismissed = '1' end
if is_new then redis.call('HSET', task, 'seen', seen or '', 'dismissed', dismissed or '') end
return {is_new and 1 or 0, r.epoch, owner, seen or '', dismissed or ''}
