-- What refers to an account in the memory of nodes, in rosters and sessions, ends with it as well: each removed account is
-- noted until all nodes have forgotten it.

alter table former_account add column removed_at timestamptz not null default now();

create or replace function forget_removed_account () returns trigger language plpgsql as $$
begin
  perform forget_account(old.jid);
  insert into former_account (jid, rooms) values (old.jid, '{}') on conflict (jid) do nothing;
  return null;
end $$;
