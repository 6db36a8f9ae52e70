-- Invitations that rooms have passed on (XEP-0045 §7.8.2), and that are not answered yet: only who has one can decline it.
create table room_invitation (
  room text collate "C" not null references room on delete cascade,
  invitee text collate "C" not null,
  inviter text collate "C" not null,
  at timestamptz not null default now(),
  primary key (room, invitee)
);

create index room_invitation_invitee on room_invitation (invitee);
create index room_invitation_inviter on room_invitation (inviter);

-- With a room for members only nobody could register without an admin.
update room_affiliation set is_own = false from room
where is_own and room.jid = room_affiliation.room and room.config -> 'muc#roomconfig_membersonly' ->> 0 = '1';

create or replace function forget_account (former text) returns void language plpgsql as $$
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
  delete from room_invitation where invitee = former or inviter = former;
  delete from conversation_status where peer = former;
  update room set creator = null where creator = former;
  if referring is not null then
    insert into former_account (jid, rooms) values (former, referring) on conflict (jid) do update set rooms = excluded.rooms;
  end if;
end $$;
