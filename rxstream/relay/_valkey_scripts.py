"""The scripts that the server runs, one for each call of a log. Each is atomic.

`KEYS[1]` is a hash, the head of a stream; `KEYS[2]` a stream of the server, whose entries are the batches. The id of an
entry is `N-0`, where N is the position behind its last event. So the entries that hold an event behind a position are
those with a larger id, and the server refuses an entry that is out of order a second time.

Times are the server's, in milliseconds.
"""

_TIME = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
local function head_of(key)
    local head = redis.call('HMGET', key, 'next', 'end', 'deadline', 'grace', 'cancel')
    if not head[1] then return {'unknown'} end
    return {'head', head[1], head[2] or '', text(head[3] - now), head[4], head[5] or '0'}
end
"""

CLAIM = (
    _TIME
    + """
local owner, lease, ttl, grace, takes_over, channel = unpack(ARGV)
local kept = redis.call('HMGET', KEYS[1], 'owner', 'token', 'end', 'deadline')
if kept[1] ~= owner then
    local token = time[1] * 1000000 + time[2]
    if kept[1] then
        if kept[3] or tonumber(kept[4]) > now or takes_over == '0' then return head_of(KEYS[1]) end
        token = math.max(token, kept[2] + 1)
    else
        if takes_over == '1' then return {'unknown'} end
        redis.call('DEL', KEYS[2])
        redis.call('HSET', KEYS[1], 'next', '0', 'lease', lease, 'ttl', ttl, 'grace', grace)
    end
    redis.call('HSET', KEYS[1], 'owner', owner, 'token', text(token))
end
local head = redis.call('HMGET', KEYS[1], 'token', 'next', 'lease', 'grace', 'cancel', 'ttl')
redis.call('HSET', KEYS[1], 'deadline', text(now + head[3]))
redis.call('PEXPIRE', KEYS[1], head[6])
redis.call('PEXPIRE', KEYS[2], head[6])
redis.call('PUBLISH', channel, '')
return {'claimed', head[1], head[2], head[3], head[4], head[5] or '0'}
"""
)

APPEND = (
    _TIME
    + """
local token, first, count, data, ending, channel = unpack(ARGV)
local head = redis.call('HMGET', KEYS[1], 'token', 'next', 'end', 'lease', 'ttl', 'cancel')
if not head[1] then return {'unknown'} end
if head[1] ~= token then return {'replaced'} end
local next = tonumber(head[2])
local behind = count == '0' and next or first + count
if behind == next and (head[3] or '') == ending then return {'ok', head[6] or '0'} end
if head[3] or (count ~= '0' and tonumber(first) ~= next) then return {'replaced'} end
if count ~= '0' then
    if next > 0 and redis.call('EXISTS', KEYS[2]) == 0 then return {'unknown'} end
    redis.call('XADD', KEYS[2], text(behind) .. '-0', 'n', count, 'd', data)
    redis.call('HSET', KEYS[1], 'next', text(behind))
end
if ending ~= '' then redis.call('HSET', KEYS[1], 'end', ending) end
redis.call('HSET', KEYS[1], 'deadline', text(now + head[4]))
redis.call('PEXPIRE', KEYS[1], head[5])
redis.call('PEXPIRE', KEYS[2], head[5])
redis.call('PUBLISH', channel, '')
return {'ok', head[6] or '0'}
"""
)

RENEW = (
    _TIME
    + """
local token, release, channel = unpack(ARGV)
local head = redis.call('HMGET', KEYS[1], 'token', 'lease', 'ttl', 'cancel')
if not head[1] then return {'unknown'} end
if head[1] ~= token then return {'replaced'} end
redis.call('HSET', KEYS[1], 'deadline', text(release == '1' and now or now + head[2]))
redis.call('PEXPIRE', KEYS[1], head[3])
redis.call('PEXPIRE', KEYS[2], head[3])
if release == '1' then redis.call('PUBLISH', channel, '') end
return {'ok', head[4] or '0'}
"""
)

CANCEL = (
    _TIME
    + """
local head = head_of(KEYS[1])
if head[1] == 'head' then
    redis.call('HSET', KEYS[1], 'cancel', '1')
    redis.call('PUBLISH', ARGV[1], '')
end
return head
"""
)

DELETE = """
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('PUBLISH', ARGV[1], '')
redis.call('PUBLISH', ARGV[2], '')
return {'ok', '0'}
"""

READ = (
    _TIME
    + """
local head = head_of(KEYS[1])
if head[1] == 'unknown' then return {head, {}} end
local found = redis.call('XRANGE', KEYS[2], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
local page, size = {}, 0
for _, entry in ipairs(found) do
    if size >= tonumber(ARGV[3]) then break end
    size = size + #entry[2][4]
    page[#page + 1] = {entry[1], entry[2][2], entry[2][4]}
end
return {head, page}
"""
)
