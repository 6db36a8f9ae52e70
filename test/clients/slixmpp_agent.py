"""A slixmpp client as it comes, led by a test: a command per line of standard input, a line of JSON for all it sees.

Usage: slixmpp_agent.py JID PASSWORD PORT CERTIFICATE
"""
import asyncio
import hashlib
import json
import os
import sys

from slixmpp import ClientXMPP
from slixmpp.exceptions import XMPPError

PLUGINS = ('xep_0030', 'xep_0045', 'xep_0048', 'xep_0049', 'xep_0054', 'xep_0060', 'xep_0084', 'xep_0092', 'xep_0115',
           'xep_0163', 'xep_0191', 'xep_0198', 'xep_0199', 'xep_0202', 'xep_0249')

# What slixmpp itself prints is for nobody.
OUT, sys.stdout = sys.stdout, open(os.devnull, 'w')


def say(**seen):
    print(json.dumps(seen), file=OUT, flush=True)


class Agent(ClientXMPP):
    def __init__(self, jid, password, address, certificate):
        super().__init__(jid, password)
        self.reached_at = address
        self.ca_certs = certificate
        self.asked = []
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
        self.add_event_handler('groupchat_presence', self.saw_occupant)
        self.add_event_handler('groupchat_subject', self.saw_subject)
        self.add_event_handler('groupchat_invite', self.saw_invitation)
        self.add_event_handler('groupchat_direct_invite', self.saw_direct_invitation)
        self.add_filter('in', self.saw_request)
        self.add_event_handler('avatar_metadata_publish', self.saw_avatar)
        self.add_event_handler('session_resumed', lambda _: say(kind='resumed'))
        self.add_event_handler('blocked', lambda iq: say(kind='blocked', jids=named(iq['block'])))
        self.add_event_handler('unblocked', lambda iq: say(kind='unblocked', jids=named(iq['unblock'])))

    async def started(self, _):
        say(kind='session', jid=str(self.boundjid), mechanism=self['feature_mechanisms'].mech.name,
            tls=self.socket.version())
        await self.get_roster()
        self.send_presence()

    def saw_presence(self, presence):
        if presence.get_plugin('muc', check=True) is None:
            say(kind='presence', type=presence['type'], jid=str(presence['from']), status=presence['status'])

    def saw_request(self, stanza):
        if stanza.name == 'iq' and stanza['type'] == 'get' and stanza['from'] == self.boundjid.domain and stanza.get_plugin('disco_info', check=True) is not None:
            self.asked.append(stanza['disco_info']['node'].partition('#')[2])
            say(kind='asked', ver=self.asked[-1])
        return stanza

    def saw_avatar(self, event):
        infos = event['pubsub_event']['items']['item']['avatar_metadata']['items']
        say(kind='avatar', jid=str(event['from']), ids=[info['id'] for info in infos])

    def saw_occupant(self, presence):
        room = presence['muc']
        say(kind='presence', type=presence['type'], jid=str(presence['from']), status=presence['status'],
            role=room['role'], affiliation=room['affiliation'], codes=sorted(room['status_codes']))

    def saw_message(self, message):
        say(kind='message', type=message['type'], jid=str(message['from']), body=message['body'])

    def saw_subject(self, message):
        say(kind='subject', jid=str(message['from']), subject=message['subject'])

    def saw_invitation(self, message):
        invitation = message['muc']['invite']
        say(kind='invitation', room=str(message['from']), by=str(invitation['from']), reason=invitation['reason'])

    def saw_direct_invitation(self, message):
        invitation = message['groupchat_invite']
        say(kind='invitation', room=str(invitation['jid']), by=str(message['from']), reason=invitation['reason'])

    async def obey(self, line):
        command = json.loads(line)
        try:
            result = await getattr(self, 'do_' + command['do'])(**command['with'])
            say(kind='answer', id=command['id'], result=result)
        except XMPPError as error:
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

    async def do_want(self, node):
        self['xep_0030'].add_feature(node + '+notify')
        await self['xep_0115'].update_caps(preserve=False)
        return await self['xep_0115'].get_verstring(self.boundjid)

    async def do_count_asked(self, ver):
        return self.asked.count(ver)

    async def do_set_vcard(self, name):
        vcard = self['xep_0054'].make_vcard()
        vcard['FN'] = name
        await self['xep_0054'].publish_vcard(vcard)

    async def do_vcard(self, to):
        return (await self['xep_0054'].get_vcard(to, local=False))['vcard_temp']['FN']

    async def do_publish_avatar(self, text):
        data = text.encode()
        await self['xep_0084'].publish_avatar(data)
        info = {'id': hashlib.sha1(data).hexdigest(), 'type': 'image/png', 'bytes': len(data)}
        await self['xep_0084'].publish_avatar_metadata(info)
        return info['id']

    async def do_photo(self, to):
        vcard = (await self['xep_0054'].get_vcard(to, local=False))['vcard_temp']
        return hashlib.sha1(vcard['PHOTO']['BINVAL']).hexdigest()

    async def do_bookmark(self, room):
        bookmarks = self['xep_0048'].stanza.Bookmarks()
        bookmarks.add_conference(room, 'Garden', autojoin=True)
        await self['xep_0048'].set_bookmarks(bookmarks, method='xep_0049')

    async def do_bookmarked(self):
        found = await self['xep_0060'].get_items(self.boundjid.bare, 'urn:xmpp:bookmarks:1')
        return [item['id'] for item in found['pubsub']['items']]

    async def do_block(self, jid):
        await self['xep_0191'].block(jid)

    async def do_unblock(self, jid):
        await self['xep_0191'].unblock(jid)

    async def do_blocked(self):
        return named((await self['xep_0191'].get_blocked())['blocklist'])

    async def do_make_room(self, room, nick, options):
        rooms = self['xep_0045']
        presence, *_ = await rooms.join_muc_wait(room, nick, timeout=5)
        form = await rooms.get_room_config(room)
        form.set_values(options)
        await rooms.set_room_config(room, form)
        return sorted(presence['muc']['status_codes'])

    async def do_enter(self, room, nick, password=None):
        _, subject, occupants, history = await self['xep_0045'].join_muc_wait(room, nick, password=password, timeout=5)
        return {'subject': subject['subject'], 'occupants': sorted(one['from'].resource for one in occupants),
                'history': [message['body'] for message in history]}

    async def do_leave(self, room, nick):
        self['xep_0045'].leave_muc(room, nick)

    async def do_say(self, room, body):
        self.send_message(mto=room, mbody=body, mtype='groupchat')

    async def do_change_subject(self, room, subject):
        self['xep_0045'].set_subject(room, subject)

    async def do_invite(self, room, to, reason):
        self['xep_0045'].invite(room, to, reason)

    async def do_invite_directly(self, room, to, reason):
        self['xep_0249'].send_invitation(to, room, reason=reason)

    async def do_set_role(self, room, nick, role):
        await self['xep_0045'].set_role(room, nick, role)

    async def do_set_affiliation(self, room, jid, affiliation):
        await self['xep_0045'].set_affiliation(room, affiliation, jid=jid)

    async def do_affiliated(self, room, affiliation):
        return sorted(str(jid) for jid in await self['xep_0045'].get_affiliation_list(room, affiliation))

    async def do_destroy(self, room, reason):
        await self['xep_0045'].destroy(room, reason)


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
