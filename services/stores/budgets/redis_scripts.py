"""The steps of counters in Valkey or Redis, each of which is one script: nothing comes between its commands.

A counter has four keys: a hash `c` of its slots, with the sum of what is reserved in `r` and the seal in `s`; a hash
`t` of what was settled in which slot and slice of time, for the next seal; a hash `a` of reservations by id, and a
sorted set `z` of when their leases end. Lua's numbers are exact up to 2**53, which limits of budgets are far below;
'-0' is no number to a server.
"""

from typing import Final

_COMMON: Final = """
local clock = redis.call('time')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local function text(number) return string.format('%.0f', number) end
local function expire(c, z, a)
  for _, id in ipairs(redis.call('zrangebyscore', z, '-inf', now)) do
    local amount = redis.call('hget', a, id)
    if amount and amount ~= '0' then redis.call('hincrby', c, 'r', '-' .. amount) end
    redis.call('hdel', a, id)
    redis.call('zrem', z, id)
  end
end
local function spent(c, slot, oldest)
  if slot == oldest then return tonumber(redis.call('hget', c, text(slot)) or '0') end
  local sum, stored = 0, redis.call('hgetall', c)
  for n = 1, #stored, 2 do
    local place = tonumber(stored[n])
    if place and place >= oldest then sum = sum + tonumber(stored[n + 1]) end
  end
  return sum
end
"""

# KEYS: c z a i m of each counter. ARGV: id, amount, lease in ms; slot, oldest, limit, enforced, kept, name of each.
RESERVE: Final = (
    _COMMON
    + """
local id, amount, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local granted, found = 1, {}
for n = 0, #KEYS / 5 - 1 do
  local c, z, a, m = KEYS[n * 5 + 1], KEYS[n * 5 + 2], KEYS[n * 5 + 3], KEYS[n * 5 + 5]
  expire(c, z, a)
  local used = spent(c, tonumber(ARGV[n * 6 + 4]), tonumber(ARGV[n * 6 + 5]))
  local held, limit = tonumber(redis.call('hget', c, 'r') or '0'), tonumber(ARGV[n * 6 + 6])
  local fits = used + held < limit and used + held + amount <= limit
  if not fits and ARGV[n * 6 + 7] == '1' then granted = 0 end
  found[#found + 1] = {fits and 1 or 0, used, held, redis.call('exists', m)}
end
local reply = {granted}
for n, one in ipairs(found) do
  local held = one[3]
  if granted == 1 then
    local c, z, a, i = KEYS[n * 5 - 4], KEYS[n * 5 - 3], KEYS[n * 5 - 2], KEYS[n * 5 - 1]
    local kept = tonumber(ARGV[n * 6 + 2])
    held = tonumber(redis.call('hincrby', c, 'r', text(amount)))
    redis.call('hset', a, id, text(amount))
    redis.call('zadd', z, text(now + lease), id)
    redis.call('sadd', i, ARGV[n * 6 + 3])
    for _, key in ipairs({c, z, a, i}) do
      if redis.call('ttl', key) < kept then redis.call('expire', key, kept) end
    end
  end
  reply[#reply + 1] = one[1]
  reply[#reply + 1] = text(one[2])
  reply[#reply + 1] = text(held)
  reply[#reply + 1] = one[4]
end
return reply
"""
)

# KEYS: c z a t i of each counter. ARGV: id, amount, slice; slot, kept and name of each.
SETTLE: Final = """
local id, amount, slice = ARGV[1], ARGV[2], tonumber(ARGV[3])
for n = 0, #KEYS / 5 - 1 do
  local c, z, a, t, i = KEYS[n * 5 + 1], KEYS[n * 5 + 2], KEYS[n * 5 + 3], KEYS[n * 5 + 4], KEYS[n * 5 + 5]
  local held = redis.call('hget', a, id)
  if held then
    if held ~= '0' then redis.call('hincrby', c, 'r', '-' .. held) end
    redis.call('hdel', a, id)
    redis.call('zrem', z, id)
  end
  if amount ~= '0' and slice >= tonumber(redis.call('hget', c, 's') or '0') then
    local slot, kept = ARGV[n * 3 + 4], ARGV[n * 3 + 5]
    redis.call('hincrby', c, slot, amount)
    redis.call('hincrby', t, slot .. ':' .. ARGV[3], amount)
    redis.call('sadd', i, ARGV[n * 3 + 6])
    for _, key in ipairs({c, t, i}) do
      if redis.call('ttl', key) < tonumber(kept) then redis.call('expire', key, kept) end
    end
  end
end
"""

# KEYS: z of each counter. ARGV: id, lease in ms.
RENEW: Final = """
local clock = redis.call('time')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
for _, z in ipairs(KEYS) do
  redis.call('zadd', z, 'XX', string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
end
"""

# KEYS: c z a t m of one counter. Returns whether it was rebuilt, and the fields of its hashes `c` and `t`.
READ: Final = (
    _COMMON
    + """
expire(KEYS[1], KEYS[2], KEYS[3])
return {redis.call('exists', KEYS[5]), redis.call('hgetall', KEYS[1]), redis.call('hgetall', KEYS[4])}
"""
)

# KEYS: c z a t i of one counter, which leaves its budget's index `i` when there is nothing in it any more. ARGV: seal,
# first slot, slot to forget before, kept, name; slot and amount of each that has any.
REBUILD: Final = (
    _COMMON
    + """
local c, z, a, t, i, name = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[5]
local seal = tonumber(ARGV[1])
local first, forgotten, kept = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
expire(c, z, a)
if seal < tonumber(redis.call('hget', c, 's') or '0') then return end
local sums = {}
for n = 6, #ARGV, 2 do sums[ARGV[n]] = tonumber(ARGV[n + 1]) end
local recent = redis.call('hgetall', t)
for n = 1, #recent, 2 do
  local slot, slice = string.match(recent[n], '^(-?%d+):(-?%d+)$')
  if tonumber(slice) < seal or tonumber(slot) < forgotten then
    redis.call('hdel', t, recent[n])
  elseif tonumber(slot) >= first then
    sums[slot] = (sums[slot] or 0) + tonumber(recent[n + 1])
  end
end
for _, field in ipairs(redis.call('hkeys', c)) do
  local slot = tonumber(field)
  if slot and not sums[field] and (slot >= first or slot < forgotten) then redis.call('hdel', c, field) end
end
for slot, sum in pairs(sums) do redis.call('hset', c, slot, string.format('%.0f', sum)) end
redis.call('hdel', c, 's')
local left = redis.call('hkeys', c)
if redis.call('zcard', z) == 0 and (#left == 0 or (#left == 1 and left[1] == 'r')) then
  redis.call('del', c, t)
  redis.call('srem', i, name)
  return
end
redis.call('hset', c, 's', ARGV[1])
redis.call('sadd', i, name)
for _, key in ipairs({c, i}) do
  if redis.call('ttl', key) < kept then redis.call('expire', key, ARGV[4]) end
end
"""
)
