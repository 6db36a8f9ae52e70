-- What became of what an account sent to somebody: everything up to here is with a device of theirs, or was displayed.
-- Positions in the account's archive, written behind and forwards only.

create table conversation_status (
  owner text collate "C" not null references account on delete cascade,
  peer text collate "C" not null, -- bare
  delivered bigint not null,
  displayed bigint not null,
  primary key (owner, peer)
);
