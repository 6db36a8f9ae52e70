-- The rooms of other servers that an account has entered, or asked to be a member of: these may send it messages at its
-- bare address.

create table room_elsewhere (
  owner text collate "C" not null references account on delete cascade,
  room text collate "C" not null,
  entered_at timestamptz not null default now(),
  primary key (owner, room)
);
