/** RFC 5802 as a client, for tests of the server's side: it shares no code with it, so that both can't err alike. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

export interface ScramClientOptions {
  readonly digest: 'sha1' | 'sha256' | 'sha512'
  readonly user: string
  readonly password: string
  readonly nonce: string
  /** The GS2 header: `n,,` where nothing is said. */
  readonly header?: string
  /** What follows the header in `c=`. */
  readonly bindingData?: Buffer
}

export class ScramClient {
  readonly #options: ScramClientOptions
  #authMessage = ''
  #saltedPassword: Buffer = Buffer.alloc(0)

  constructor (options: ScramClientOptions) {
    this.#options = options
  }

  get #header (): string {
    return this.#options.header ?? 'n,,'
  }

  get #firstBare (): string {
    return `n=${this.#options.user},r=${this.#options.nonce}`
  }

  first (): Buffer {
    return Buffer.from(this.#header + this.#firstBare)
  }

  /** `change` may spoil the part that is signed. */
  final (serverFirst: Buffer, change: (unproven: string) => string = text => text): Buffer {
    const { digest, password, bindingData = Buffer.alloc(0) } = this.#options
    const { r, s, i } = attributes(serverFirst)
    const { length } = createHash(digest).digest()
    this.#saltedPassword = pbkdf2Sync(password, Buffer.from(s!, 'base64'), Number(i), length, digest)
    const binding = Buffer.concat([Buffer.from(this.#header), bindingData]).toString('base64')
    const unproven = change(`c=${binding},r=${r}`)
    this.#authMessage = `${this.#firstBare},${serverFirst.toString()},${unproven}`
    const clientKey = this.#hmac(this.#saltedPassword, 'Client Key')
    const signature = this.#hmac(createHash(digest).update(clientKey).digest(), this.#authMessage)
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!))
    return Buffer.from(`${unproven},p=${proof.toString('base64')}`)
  }

  /** What a server that knows the account says at the end. */
  get serverFinal (): string {
    const serverKey = this.#hmac(this.#saltedPassword, 'Server Key')
    return `v=${this.#hmac(serverKey, this.#authMessage).toString('base64')}`
  }

  #hmac (key: Buffer, data: string): Buffer {
    return createHmac(this.#options.digest, key).update(data).digest()
  }
}

/** A SCRAM message's attributes by their letters. */
export function attributes (message: Buffer): Readonly<Record<string, string>> {
  return Object.fromEntries(message.toString().split(',').map(part => [part.slice(0, 1), part.slice(2)]))
}
