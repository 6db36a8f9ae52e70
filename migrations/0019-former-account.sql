-- What refers to an account ends with the account, and not with the program's next step: in the same transaction. What is
-- in rooms, and in the memory of the nodes that are their homes, ends right after; until then nobody may have the name.

create table former_account (
  jid text collate "C" primary key,
  rooms text[] not null -- that are to forget it
);

create index room_away_off_account on room_away_off (account);
create index room_position_account on room_position (account);
create index room_hat_wearer_account on room_hat_wearer (account);
create index room_affiliation_version_account on room_affiliation_version (account);
create index conversation_status_peer on conversation_status (peer);

create function forget_account (former text) returns void language plpgsql as $$
declare
  referring text[];
begin
  select array_agg(refers.room) into referring from (
    select room from room_affiliation where jid = former
    union select room from room_affiliation_version where account = former
    union select room from room_hat_wearer where account = former
    union select room from room_away_off where account = former
    union select room from room_position where account = former
  ) as refers;
  delete from room_hat_wearer where account = former;
  delete from room_away_off where account = former;
  delete from room_position where account = former;
  delete from conversation_status where peer = former;
  update room set creator = null where creator = former;
  if referring is not null then
    insert into former_account (jid, rooms) values (former, referring) on conflict (jid) do update set rooms = excluded.rooms;
  end if;
end $$;

create function forget_removed_account () returns trigger language plpgsql as $$
begin
  perform forget_account(old.jid);
  return null;
end $$;

create trigger forget_account after delete on account for each row execute function forget_removed_account();
