-- Members of groups: those who want no messages of a room that they are not in, and how far each has got, as far as the
-- member's client said so (XEP-0184, XEP-0333).

create table room_away_off (
  room text collate "C" not null references room on delete cascade,
  account text collate "C" not null,
  primary key (room, account)
);

create table room_position (
  room text collate "C" not null references room on delete cascade,
  account text collate "C" not null,
  delivered bigint not null, -- numbers of the room's archive
  displayed bigint not null,
  primary key (room, account)
);
