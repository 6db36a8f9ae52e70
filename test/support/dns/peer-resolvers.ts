/** How Debian's Prosody and ejabberd are told to ask a name server at a port of its own. */

interface NameServer { readonly host: string, readonly port: number }

/** A line of Prosody's configuration, for its lua-unbound. */
export function prosodyResolver ({ host, port }: NameServer): string {
  return `unbound = { resolvconf = false, forward = "${host}@${port}", options = { ["do-not-query-localhost:"] = "no" } }`
}

/** Erlang's own file (inetrc): the system's resolv.conf would replace the name server, wherever it stands in it. */
export function erlangResolver ({ host, port }: NameServer): string {
  return `
{resolv_conf, ""}.
{hosts_file, ""}.
{lookup, [dns]}.
{nameserver, {${host.replaceAll('.', ',')}}, ${port}}.
`
}
