/** A server in the test's process, with the port for its components and the queues of what is for them. */
import { onTestFinished } from 'vitest'
import { Federation } from '../../../src/app/federation.ts'
import type { Cluster } from '../../../src/cluster/cluster.ts'
import { Certificates } from '../../../src/net/certificates.ts'
import type { Components, ComponentSettings, Privileges } from '../../../src/components/settings.ts'
import { openLog } from '../../../src/log.ts'
import { Streams } from '../../../src/s2s/streams.ts'
import type { World } from '../world/world.ts'
import { database } from '../world/world.ts'
import { ScriptedComponent } from './scripted-component.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NOTHING: Privileges = { roster: 'none', rosterPush: true, message: 'none', presence: 'none', iq: {} }

/** Settings with nothing allowed but what is given. */
export function settings (
  privileges: Partial<Privileges> = {}, others: Partial<Omit<ComponentSettings, 'privileges'>> = {},
): ComponentSettings {
  return { secret: 'secret', delegate: [], connections: 'one', ...others, privileges: { ...NOTHING, ...privileges } }
}

export interface ServedComponents {
  readonly federation: Federation
  readonly port: number
  connects (domain: string): Promise<ScriptedComponent>
  stop (): Promise<void>
}

/** Serves the components of `world`, which was made for them, until the test is finished. */
export async function serveComponents (
  world: World, components: Components, cluster?: Cluster,
): Promise<ServedComponents> {
  const log = await openLog({ level: 'silent' })
  const data = mkdtempSync(join(tmpdir(), 'heliograph-components-'))
  const certificates = await Certificates.load({ hosts: ['localhost'], data, log, filesOf: {} })
  const db = database()
  const federation = new Federation({
    settings: false, components, core: world.core, streams: new Streams(), db, messageDb: db, log, cluster,
  })
  const opened = await federation.start({
    hosts: ['localhost'], certificates, server: [], serverTls: [], component: ['127.0.0.1:0'],
  })
  const port = opened.flatMap(([, { addresses }]) => addresses)[0]?.port ?? 0
  const open: ScriptedComponent[] = []
  let isStopped = false
  const stop = async (): Promise<void> => {
    if (isStopped) return
    isStopped = true
    await federation.stop()
    for (const [, listener] of opened) listener.close()
    for (const component of open) component.cuts()
    certificates.close()
    rmSync(data, { recursive: true })
  }
  onTestFinished(stop)
  return {
    federation, port, stop,
    async connects (domain) {
      const component = await ScriptedComponent.connects(port, domain)
      open.push(component)
      return component
    },
  }
}
