"""A slixmpp component that echoes messages, and tells what it sees in lines of JSON on standard output.

Usage: slixmpp_component.py DOMAIN SECRET PORT

A message `roster JID` gets that account's roster, `speak JID TEXT` says the text in its name (XEP-0356).
"""
import json
import os
import sys

from slixmpp import ComponentXMPP

# What slixmpp itself prints is for nobody.
OUT, sys.stdout = sys.stdout, open(os.devnull, 'w')


def say(**seen):
    print(json.dumps(seen), file=OUT, flush=True)


class Component(ComponentXMPP):
    def __init__(self, domain, secret, port):
        super().__init__(domain, secret, 'localhost', port)
        for plugin in ('xep_0030', 'xep_0199', 'xep_0356'):
            self.register_plugin(plugin)
        self['xep_0030'].add_identity(category='gateway', itype='test', name='Echo')
        self.add_event_handler('session_start', lambda _: say(kind='session'))
        self.add_event_handler('privileges_advertised', self.privileged)
        self.add_event_handler('message', self.heard)
        self.add_event_handler('disconnected', lambda _: say(kind='disconnected'))

    def privileged(self, _):
        say(kind='privileges', **self['xep_0356'].granted_privileges)

    async def heard(self, message):
        if message['type'] == 'error' or not message['body']:
            return
        what, _, rest = message['body'].partition(' ')
        if what == 'roster':
            iq = await self['xep_0356'].get_roster(rest)
            message.reply(' '.join(str(jid) for jid in iq['roster']['items'])).send()
        elif what == 'speak':
            jid, _, text = rest.partition(' ')
            said = self.make_message(mto=message['from'], mfrom=jid, mbody=text, mtype='chat')
            self['xep_0356'].send_privileged_message(said)
        else:
            message.reply('echo: ' + message['body']).send()


def main():
    domain, secret, port = sys.argv[1:]
    component = Component(domain, secret, int(port))
    component.connect()
    component.process(forever=True)


main()
