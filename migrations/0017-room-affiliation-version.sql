-- When the affiliation of somebody in a room last changed, by a number that goes up with each change (XEP-0463), also of
-- those who have none any more. The row without an account: of those who had none, what changed up to there is forgotten.

create table room_affiliation_version (
  room text collate "C" not null references room on delete cascade,
  account text collate "C" not null,
  version bigint not null,
  primary key (room, account)
);
