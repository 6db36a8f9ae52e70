-- Rooms' hats (XEP-0317), and who wears them.

create table room_hat (
  room text collate "C" not null references room on delete cascade,
  uri text collate "C" not null,
  title text not null,
  hue text,
  primary key (room, uri)
);

create table room_hat_wearer (
  room text collate "C" not null,
  uri text collate "C" not null,
  account text collate "C" not null,
  primary key (room, account, uri),
  foreign key (room, uri) references room_hat on delete cascade
);
