-- Retractions (XEP-0424) that an archive keeps and that have not been carried out there: written with the message, so
-- that none is forgotten when the server ends before the tombstone is there.

create table retraction_waiting (
  owner text collate "C" not null,
  seq bigint not null,
  primary key (owner, seq)
);

create or replace function remove_archive () returns trigger language plpgsql as $$
begin
  delete from archive_message where owner = old.jid;
  delete from archive_end where owner = old.jid;
  delete from archive_position where owner = old.jid;
  delete from retraction_waiting where owner = old.jid;
  return null;
end $$;
