/** What is shipped in deploy/: the tools that it is for have nothing to say against it, and it fits the program. */
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { makeCertificate, makeFolder } from '../../conformance/peers/server.ts'
import { HAPROXY, HAPROXY_CONFIG, whyNoHaproxy, writeConfig } from './haproxy.ts'
import { Installation } from './installation.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const DEPLOY = join(ROOT, 'deploy')
const SYSTEMD = '/usr/bin/systemd-analyze'

const run = promisify(execFile)

/** Gone with the end of the test. */
function folder (): string {
  const path = makeFolder('deploy')
  onTestFinished(() => { rmSync(path, { recursive: true }) })
  return path
}

interface Service {
  readonly image: string
  readonly environment?: Readonly<Record<string, string>>
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly depends_on?: unknown
}

const noSystemd = existsSync(SYSTEMD) ? undefined : `${SYSTEMD} is missing`
if (noSystemd !== undefined) console.warn(`heliograph.service is not tested: ${noSystemd}`)
const noHaproxy = whyNoHaproxy()
if (noHaproxy !== undefined) console.warn(`haproxy.cfg is not tested: ${noHaproxy}`)

test.skipIf(noSystemd !== undefined)('systemd understands the unit, and what it starts is there', async () => {
  const unit = join(folder(), 'heliograph.service')
  const text = readFileSync(join(DEPLOY, 'heliograph.service'), 'utf8').replaceAll('/opt/heliograph', ROOT)
  writeFileSync(unit, text)

  const { stdout, stderr } = await run(SYSTEMD, ['verify', '--man=no', unit])

  expect(stdout + stderr).toBe('')
  const [, program = '', entry = ''] = /^ExecStart=(\S+) (\S+) serve --config \S+$/m.exec(text) ?? []
  expect(execFileSync(program, ['--version'], { encoding: 'utf8' })).toMatch(/^v(2[4-9]|[3-9]\d)\./)
  expect(existsSync(join(ROOT, entry))).toBe(true)
})

test.skipIf(noHaproxy !== undefined)('HAProxy understands its configuration', async () => {
  const config = writeConfig(folder(), text => text.replaceAll(/node-[abc]/g, '127.0.0.1'))

  const { stdout, stderr } = await run(HAPROXY, ['-c', '-f', config])

  expect(stdout + stderr).toContain('Configuration file is valid')
  expect(stdout + stderr).not.toMatch(/WARNING|ALERT/)
}, 60_000)

describe('compose.yaml', () => {
  let services: Readonly<Record<string, Service>>

  beforeAll(() => {
    const text = readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8').replaceAll(/\$\{\w+:-(\w+)\}/g, '$1')
    services = (parse(text, { merge: true }) as { readonly services: typeof services }).services
  })

  test('has two nodes, their databases and a balancer, which alone can be reached', () => {
    expect(Object.entries(services).map(([name, { image, ports }]) => [name, image.split(':')[0], ports])).toEqual([
      ['node-a', 'heliograph', undefined], ['node-b', 'heliograph', undefined],
      ['haproxy', 'haproxy', ['5222:5222', '5223:5223', '443:443']],
      ['postgres', 'postgres', undefined], ['redis', 'redis', undefined],
    ])
  })

  test.each(['node-a', 'node-b'])('tells %s nothing that the program does not take', async name => {
    const home = await Installation.forTest()
    const { certificate, key } = makeCertificate(home.folder)
    const pem = join(home.folder, 'chat.pem')
    writeFileSync(pem, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'))
    const environment = Object.entries(services[name]?.environment ?? {})
    const env = Object.fromEntries(environment.map(([key, value]) => [key, value.replace('/certs/chat.pem', pem)]))

    const { code, out, err } = await home.run('check', { env })

    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).not.toContain('HELIOGRAPH_') // a variable that stands for nothing is warned of
    expect(env).toMatchObject({
      HELIOGRAPH_NODE: name.at(-1), HELIOGRAPH_SESSIONS: 'redis://redis:6379',
      HELIOGRAPH_DATABASE: 'postgres://heliograph:heliograph@postgres:5432/heliograph',
    })
  })

  test('gives HAProxy its configuration, which knows these nodes and the ports that they listen on', () => {
    const config = readFileSync(HAPROXY_CONFIG, 'utf8')
    const targets = new Set([...config.matchAll(/^ {2}server \w (\S+)/gm)].map(([, target]) => target))
    const listening = Object.entries(services['node-a']?.environment ?? {})
      .flatMap(([key, value]) => key.startsWith('HELIOGRAPH_LISTEN') ? [(parse(value) as { at: string }).at] : [])

    expect(services['haproxy']?.volumes).toContain('./haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro')
    expect(listening.map(at => at.split(':')[1])).toEqual(['5222', '5223', '5280'])
    for (const name of ['node-a', 'node-b']) {
      for (const at of listening) expect(targets).toContain(at.replace('0.0.0.0', name))
    }
  })
})

test('the image holds all that the program needs', async () => {
  const image = folder()
  const copied = [...readFileSync(join(DEPLOY, 'Dockerfile'), 'utf8').matchAll(/^COPY (.+) \S+$/gm)]
  for (const name of copied.flatMap(([, names = '']) => names.split(' '))) {
    cpSync(join(ROOT, name), join(image, name), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(image, 'node_modules'))

  const env = { ...process.env, HELIOGRAPH_DATA: join(image, 'data') }
  const command = (text: string): Promise<{ readonly stdout: string }> =>
    run(process.execPath, `heliograph.mjs ${text} --config config/server.yaml`.split(' '), { cwd: image, env })
  await command('user add romeo@localhost --password wherefore')
  const { stdout } = await command('user list')

  expect(stdout).toBe('romeo@localhost\n')
}, 60_000)
