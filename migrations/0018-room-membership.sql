-- How somebody came to be a member of a room: by others' doing, or by registering where nobody had to agree
-- (XEP-0045 §7.10), which opens nothing that is closed to others. Of those there are, who has a nick has registered it.
alter table room_affiliation add column is_own boolean not null default false;

update room_affiliation set is_own = true where affiliation = 'member' and nick is not null;

-- Others have made him that, and he has neither come in since nor asked for it.
alter table room_affiliation add column is_unasked boolean not null default false;

-- Since when he is that.
alter table room_affiliation add column since timestamptz not null default now();

-- Who made a room: for whom it counts, whoever owns it by now.
alter table room add column creator text collate "C";

update room set creator = (
  select min(affiliation.jid) from room_affiliation as affiliation
  where affiliation.room = room.jid and affiliation.affiliation = 'owner'
);

create index room_creator on room (creator);
