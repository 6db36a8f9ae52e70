/** Plays a script: one step at a time, against whatever server listens there, at one endpoint or at several. */
import { Client, type Endpoint } from './client.ts'
import { findMismatch, type Captures } from './match.ts'
import { OtherServer, type OtherServers } from './other-servers.ts'
import type { Script, Step } from './script.ts'
import { formatXml, parseXml, type XmlElement } from './xml.ts'

const FENCE = "<iq type='get' id='fence'><fence xmlns='urn:example:fence'/></iq>"

interface Player {
  readonly client: Client | OtherServer
  /** What may come besides what is expected: each once. */
  readonly tolerated: Step[]
}

interface Stage {
  /** Its nodes. */
  readonly server: readonly Endpoint[]
  readonly others: OtherServers | undefined
  /** How often somebody has connected. */
  connected: number
  readonly script: Script
  readonly players: Map<string, Player>
  /** Also of those who have left. */
  readonly fullJids: Map<string, string>
  readonly captures: Captures
}

/**
 * Resolves when the last step is played; rejects with the line and the difference at the first that fails. Each client
 * that connects does so at the server's next node, and so does each of the `others`.
 */
export async function playScript (script: Script, server: readonly Endpoint[], others?: OtherServers): Promise<void> {
  const stage: Stage = {
    server, others, connected: 0, script, players: new Map(), fullJids: new Map(), captures: new Map(),
  }
  for (const { domain } of script.strangers) others?.add(domain)
  const { steps } = script
  try {
    for (let index = 0; index < steps.length;) {
      const step = steps[index]
      if (!step) break
      const together = step.group === undefined ? [step] : steps.filter(({ group }) => group === step.group)
      await playSteps(stage, together)
      index += together.length
    }
    await Promise.all([...stage.players.values()].map(({ client }) => client.disconnect()))
  } finally {
    for (const { client } of stage.players.values()) client.destroy()
  }
}

async function playSteps (stage: Stage, steps: readonly Step[]): Promise<void> {
  // Optional ones first: another of their group may come after them.
  let left: readonly Step[] = [...steps].sort((a, b) => Number(b.optional) - Number(a.optional))
  while (left[0]) {
    const [step] = left
    try {
      left = await playStep(stage, step, left)
    } catch (error) {
      throw new Error(`line ${step.line}: ${step.who} ${step.verb}: ${error instanceof Error ? error.message : error}`)
    }
  }
}

/** Gives the steps that are left: in a group, what came may have been one of the later ones. */
async function playStep (stage: Stage, step: Step, group: readonly Step[]): Promise<readonly Step[]> {
  switch (step.verb) {
    case 'connects':
      await connect(stage, step.who)
      break
    case 'disconnects':
      await playerOf(stage, step.who).client.disconnect()
      stage.players.delete(step.who)
      break
    case 'begins':
      await strangerOf(stage, step.who).begin()
      break
    case 'proves':
      await strangerOf(stage, step.who).prove()
      break
    case 'learns':
      await learn(stage, step.who)
      break
    case 'sends':
      playerOf(stage, step.who).client.send(interpolate(stage, step.xml))
      break
    case 'receives':
      if (step.optional) playerOf(stage, step.who).tolerated.push(step)
      else if (step.xml === 'nothing') await receiveNothing(stage, step.who)
      else return await receiveOne(stage, step.who, group)
  }
  return group.slice(1)
}

async function connect (stage: Stage, who: string): Promise<void> {
  const endpoint = stage.server[stage.connected++ % stage.server.length]
  if (!endpoint) throw new Error('there is no server')
  const stranger = stage.script.strangers.find(({ name }) => name === who)
  if (stranger) {
    const other = await stage.others?.connect(stranger.domain, endpoint, stranger.isPlain)
    if (other) stage.players.set(who, { client: other, tolerated: [] })
    return
  }
  const client = await Client.connect(endpoint, login(stage.script, who))
  stage.players.set(who, { client, tolerated: [] })
  stage.fullJids.set(who, client.fullJid)
}

async function receiveOne (stage: Stage, who: string, group: readonly Step[]): Promise<readonly Step[]> {
  const expected = group.filter(step => step.who === who && !step.optional)
  for (;;) {
    const actual = await playerOf(stage, who).client.receive()
    const mismatches: string[] = []
    for (const step of expected) {
      const mismatch = findMismatch(parseXml(interpolate(stage, step.xml)), actual, stage.captures)
      if (mismatch === undefined) return group.filter(other => other !== step)
      mismatches.push(mismatch)
    }
    if (!isTolerated(stage, who, actual)) throw new Error(`${mismatches.join('; ')}\n      got ${formatXml(actual)}`)
  }
}

/** What is still to come stands before the answer to a request that is sent now. */
async function receiveNothing (stage: Stage, who: string): Promise<void> {
  const { client } = playerOf(stage, who)
  client.send(FENCE)
  for (;;) {
    const actual = await client.receive()
    if (actual.attributes.get('id') === 'fence') return
    if (!isTolerated(stage, who, actual)) throw new Error(`got ${formatXml(actual)}`)
  }
}

function isTolerated (stage: Stage, who: string, actual: XmlElement): boolean {
  const { tolerated } = playerOf(stage, who)
  const isIt = (xml: string): boolean =>
    findMismatch(parseXml(interpolate(stage, xml)), actual, stage.captures) === undefined
  const index = tolerated.findIndex(({ xml }) => isIt(xml))
  if (index !== -1) tolerated.splice(index, 1)
  return index !== -1 || stage.script.tolerated.some(isIt)
}

/** The key that its domain was shown, and the stream's id that this is for, can be sent from now on. */
async function learn (stage: Stage, who: string): Promise<void> {
  const { key, id } = await strangerOf(stage, who).learn()
  stage.captures.set('key', key).set('key id', id)
}

function strangerOf (stage: Stage, who: string): OtherServer {
  const { client } = playerOf(stage, who)
  if (!(client instanceof OtherServer)) throw new Error('is no server')
  return client
}

function login (script: Script, who: string): Script['cast'][number] {
  const character = script.cast.find(({ name }) => name === who)
  if (!character) throw new Error('is not in the cast')
  return character
}

function playerOf (stage: Stage, who: string): Player {
  const player = stage.players.get(who)
  if (!player) throw new Error('is not connected')
  return player
}

function interpolate (stage: Stage, xml: string): string {
  return xml.replace(/\$\{([^}]+)\}/g, (variable, name: string) => {
    const [, who = '', full] = /^(.+)'s (full )?JID$/.exec(name) ?? []
    const value = who === '' ? stage.captures.get(name)
      : full ? stage.fullJids.get(who) : login(stage.script, who).jid
    if (value === undefined) throw new Error(`${variable} is not known`)
    return value
  })
}
