-- Whoever comes online is looked up: in which rooms is he something?
create index room_affiliation_jid on room_affiliation (jid);
drop index room_affiliation_owner;
