-- Rooms' vCards (XEP-0054), in which their pictures are (XEP-0486), and the SHA-1 of each picture.

create table room_avatar (
  room text collate "C" primary key references room on delete cascade,
  vcard text not null,
  hashes text[] not null
);
