-- Rosters (RFC 6121 §2 and §3). A contact that was removed remains as a row that is not listed, so that a client that
-- asks for what changed since its version (§2.6) hears of it; so does one that only asked and has no answer yet.

create table roster_item (
  owner text collate "C" not null references account on delete cascade,
  contact text collate "C" not null,
  is_listed boolean not null,
  name text,
  groups text[] not null,
  subscription text not null check (subscription in ('none', 'to', 'from', 'both')),
  pending_out boolean not null,
  approved boolean not null,
  request text, -- the stanza of a subscription request that waits for the owner's answer (§3.1.3)
  version bigint not null,
  primary key (owner, contact)
);
