/**
 * What the key of an account's home holds, and the scripts that change it.
 * - `NODE`: that node is home.
 * - `BEFORE`, a line's end, `NODE`: it has yet to take up what the home before has left, or the account was given to it.
 *   `BEFORE` is the name of a node that was killed, or `-NAME` where it has given the account up with its records in
 *   order, or `-` where there are none.
 * - `-NAME` alone: the next that comes takes it.
 */

/** Stands before the name of a node that has given an account up. */
export const RELEASED = '-'

/** Stands before a node's name in the key of its records: a hash with a field for each account. */
export const RECORDS = 'hg:records:'

export function homeOf (account: string): string {
  return `hg:home:${account}`
}

const READ = `
  local owner = redis.call('get', KEYS[1])
  local before, home = '', owner
  if owner and string.find(owner, '\\n') then before, home = string.match(owner, '^([^\\n]*)\\n(.+)$')
  elseif owner and string.sub(owner, 1, 1) == '${RELEASED}' then before, home = owner, false end`

/**
 * Gives the home that is another live node, or an empty string and the node that was home before. A node that nobody
 * counts among the living may not claim: 'lapsed'.
 */
export const CLAIM = `${READ}
  if home and home ~= ARGV[1] and redis.call('zscore', KEYS[2], home) then return { home, '' } end
  if not redis.call('zscore', KEYS[2], ARGV[1]) then return { 'lapsed', '' } end
  if home and home ~= ARGV[1] and before == '' then before = home end
  if before == '${RELEASED}' then before = '' end
  redis.call('set', KEYS[1], before == '' and ARGV[1] or before .. '\\n' .. ARGV[1])
  return { '', before }`

/** Gives the home that is another live node, and whether one that is none any more has left records. */
export const FIND = `${READ}
  if not owner or owner == ARGV[1] then return { '', 0 } end
  if home and home ~= ARGV[1] and redis.call('zscore', KEYS[2], home) then return { home, 0 } end
  local node = string.gsub(before ~= '' and before or home, '^%${RELEASED}', '')
  return { '', redis.call('hexists', '${RECORDS}' .. node, ARGV[2]) }`

/** Gives an account up that is ours: for whoever comes, or with records, or for one node. */
export const RELEASE = `${READ}
  if home ~= ARGV[1] then return 0 end
  if ARGV[2] == '' then return redis.call('del', KEYS[1]) end
  redis.call('set', KEYS[1], ARGV[2])
  return 1`

/** Takes a claim back of which nothing came. */
export const RETURN = `${READ}
  if home ~= ARGV[1] then return 0 end
  if before == '' then return redis.call('del', KEYS[1]) end
  redis.call('set', KEYS[1], before)
  return 1`

/** After a lapse: claims again what was ours under another name, unless somebody else has it. */
export const RECLAIM = `
  local owner = redis.call('get', KEYS[1])
  if owner and owner ~= ARGV[1] and owner ~= ARGV[2] then return 0 end
  redis.call('set', KEYS[1], ARGV[1])
  return 1`

/** What the home before has left is taken up: there is a new record, and the old one goes. */
export const SETTLE = `${READ}
  if home ~= ARGV[1] then return 0 end
  redis.call('set', KEYS[1], home)
  if KEYS[2] ~= '${RECORDS}' .. home then redis.call('hdel', KEYS[2], ARGV[2]) end
  return 1`
