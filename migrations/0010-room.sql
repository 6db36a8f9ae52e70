-- Rooms (XEP-0045): what each is set to, and who is what in it. Every room that its owner has configured has a row, so
-- that it can go on at another node; one that is not persistent loses it with its last occupant.

create table room (
  jid text collate "C" primary key,
  service text collate "C" not null, -- the domain, for the list of its rooms
  name text not null,
  is_public boolean not null,
  is_persistent boolean not null,
  config jsonb not null, -- the owner's form: values by field
  subject bytea, -- the message that set it
  subject_at timestamptz
);

create index room_public on room (service, jid) where is_public;

create table room_affiliation (
  room text collate "C" not null references room on delete cascade,
  jid text collate "C" not null, -- bare, or a domain
  affiliation text not null check (affiliation in ('outcast', 'member', 'admin', 'owner')),
  nick text collate "C", -- that nobody else may use
  reason text,
  primary key (room, jid)
);

create unique index room_affiliation_nick on room_affiliation (room, nick);
create index room_affiliation_owner on room_affiliation (jid) where affiliation = 'owner';
