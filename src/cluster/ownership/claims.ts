/**
 * The values of an account's ownership key, and the scripts that change it.
 * - `NODE`: that node is the owner.
 * - `BEFORE`, a line feed, `NODE`: the new owner has not yet loaded the previous owner's state, or ownership was handed
 *   to it. `BEFORE` is a node that died, `-NAME` one that released the account with complete records, `-` none.
 * - `-NAME` alone: the next node that claims it takes over from NAME.
 */

/** Prefix of a node that has released an account. */
export const RELEASED = '-'

/** Prefix of the key of a node's records: a hash with a field for each account. */
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
 * Returns the owner that is another live node, or an empty string and the previous owner. A node that is no member may
 * not claim: 'lapsed'.
 */
export const CLAIM = `${READ}
  if home and home ~= ARGV[1] and redis.call('zscore', KEYS[2], home) then return { home, '' } end
  if not redis.call('zscore', KEYS[2], ARGV[1]) then return { 'lapsed', '' } end
  if home and home ~= ARGV[1] and before == '' then before = home end
  if before == '${RELEASED}' then before = '' end
  redis.call('set', KEYS[1], before == '' and ARGV[1] or before .. '\\n' .. ARGV[1])
  return { '', before }`

/** Returns the owner that is another live node, and whether a dead owner left records. */
export const FIND = `${READ}
  if not owner or owner == ARGV[1] then return { '', 0 } end
  if home and home ~= ARGV[1] and redis.call('zscore', KEYS[2], home) then return { home, 0 } end
  local node = string.gsub(before ~= '' and before or home, '^%${RELEASED}', '')
  return { '', redis.call('hexists', '${RECORDS}' .. node, ARGV[2]) }`

/** Releases an account of ours: for any node, with records, or for one node. */
export const RELEASE = `${READ}
  if home ~= ARGV[1] then return 0 end
  if ARGV[2] == '' then return redis.call('del', KEYS[1]) end
  redis.call('set', KEYS[1], ARGV[2])
  return 1`

/** Undoes a claim after which the state was not loaded. */
export const RETURN = `${READ}
  if home ~= ARGV[1] then return 0 end
  if before == '' then return redis.call('del', KEYS[1]) end
  redis.call('set', KEYS[1], before)
  return 1`

/** After a lost lease: claims what we owned under the old id, unless another node has it. */
export const RECLAIM = `
  local owner = redis.call('get', KEYS[1])
  if owner and owner ~= ARGV[1] and owner ~= ARGV[2] then return 0 end
  redis.call('set', KEYS[1], ARGV[1])
  return 1`

/** The previous owner's state is loaded: there is a new record, and the old one is deleted. */
export const SETTLE = `${READ}
  if home ~= ARGV[1] then return 0 end
  redis.call('set', KEYS[1], home)
  if KEYS[2] ~= '${RECORDS}' .. home then redis.call('hdel', KEYS[2], ARGV[2]) end
  return 1`
