-- What only the servers of one installation know, whichever node they are and however often they start.

create table server_secret (
  name text primary key,
  secret bytea not null
);
