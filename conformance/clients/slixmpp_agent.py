"""A slixmpp client as it comes, led by a test: a command per line of standard input, a line of JSON for all it sees.

Usage: slixmpp_agent.py JID PASSWORD PORT CERTIFICATE
"""
import asyncio
import json
import sys

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError

PLUGINS = ('xep_0030', 'xep_0054', 'xep_0092', 'xep_0191', 'xep_0198', 'xep_0199', 'xep_0202')


def say(**seen):
    print(json.dumps(seen), flush=True)


class Agent(ClientXMPP):
    def __init__(self, jid, password, address, certificate):
        super().__init__(jid, password)
        self.reached_at = address
        self.ca_certs = certificate
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        self['xep_0092'].software_name = 'slixmpp agent'
        self.add_event_handler('session_start', self.started)
        self.add_event_handler('failed_auth', lambda failure: say(kind='refused', condition=failure['condition']))
        self.add_event_handler('disconnected', lambda _: say(kind='disconnected'))
        for stanza in ('presence_available', 'presence_unavailable', 'presence_subscribe', 'presence_subscribed'):
            self.add_event_handler(stanza, self.saw_presence)
        self.add_event_handler('message', self.saw_message)
        self.add_event_handler('message_error', self.saw_message)
        self.add_event_handler('session_resumed', lambda _: say(kind='resumed'))
        self.add_event_handler('blocked', lambda iq: say(kind='blocked', jids=named(iq['block'])))
        self.add_event_handler('unblocked', lambda iq: say(kind='unblocked', jids=named(iq['unblock'])))

    async def started(self, _):
        say(kind='session', jid=str(self.boundjid), mechanism=self['feature_mechanisms'].mech.name,
            tls=self.socket.version())
        await self.get_roster()
        self.send_presence()

    def saw_presence(self, presence):
        say(kind='presence', type=presence['type'], jid=str(presence['from']), status=presence['status'])

    def saw_message(self, message):
        say(kind='message', type=message['type'], jid=str(message['from']), body=message['body'])

    async def obey(self, line):
        command = json.loads(line)
        try:
            result = await getattr(self, 'do_' + command['do'])(**command['with'])
            say(kind='answer', id=command['id'], result=result)
        except IqError as error:
            say(kind='answer', id=command['id'], error=error.condition)
        except Exception as error:  # what slixmpp can't read
            say(kind='answer', id=command['id'], error=repr(error))

    async def do_lose_connection(self):
        self.abort()

    async def do_come_back(self):
        self.connect(self.reached_at)

    async def do_chat(self, to, body):
        self.send_message(mto=to, mbody=body, mtype='chat')

    async def do_show(self, status):
        self.send_presence(pstatus=status)

    async def do_subscribe(self, to):
        self.send_presence_subscription(pto=to)

    async def do_roster(self):
        await self.get_roster()
        return {jid: self.client_roster[jid]['subscription'] for jid in self.client_roster if jid != self.boundjid.bare}

    async def do_ping(self, to):
        await self['xep_0199'].send_ping(to)

    async def do_version(self, to):
        return (await self['xep_0092'].get_version(to))['software_version']['name']

    async def do_time(self, to):
        answer = await self['xep_0202'].get_entity_time(to)
        # Its own reading of <utc/> adds a second Z, and can't read that.
        return answer['entity_time'].xml.findtext('{urn:xmpp:time}utc')

    async def do_disco(self, to):
        info = (await self['xep_0030'].get_info(to))['disco_info']
        return {'identities': [list(identity[:2]) for identity in info['identities']], 'features': sorted(info['features'])}

    async def do_set_vcard(self, name):
        vcard = self['xep_0054'].make_vcard()
        vcard['FN'] = name
        await self['xep_0054'].publish_vcard(vcard)

    async def do_vcard(self, to):
        return (await self['xep_0054'].get_vcard(to, local=False))['vcard_temp']['FN']

    async def do_block(self, jid):
        await self['xep_0191'].block(jid)

    async def do_unblock(self, jid):
        await self['xep_0191'].unblock(jid)

    async def do_blocked(self):
        return named((await self['xep_0191'].get_blocked())['blocklist'])


def named(block):
    return sorted(str(jid) for jid in block['items'])


async def lead(agent):
    """Obeys until standard input ends."""
    reader = asyncio.StreamReader()
    await agent.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        await agent.obey(line)
    await agent.disconnect()


def main():
    jid, password, port, certificate = sys.argv[1:]
    agent = Agent(jid, password, ('127.0.0.1', int(port)), certificate)
    agent.connect(agent.reached_at)
    agent.loop.run_until_complete(lead(agent))


main()
