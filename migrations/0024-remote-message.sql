-- Messages and subscriptions for other servers and components, from when they are accepted until the other side has
-- confirmed them. The node that owns a remote domain appends to its queue: under its claim, which ends with the next one.

create sequence remote_claim;

create table remote_domain (
  domain text collate "C" primary key,
  node text collate "C" not null,
  claim bigint not null
);

create table remote_message (
  domain text collate "C" not null,
  local text collate "C" not null,
  seq bigint not null,
  -- Who is told if it can't be delivered.
  sender text collate "C" not null,
  -- Milliseconds since 1970.
  queued_at bigint not null,
  fingerprint text,
  stanza text not null,
  primary key (domain, local, seq)
);
