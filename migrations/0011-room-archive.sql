-- Rooms' archives (XEP-0313) are in the same table as those of accounts, and go with their rooms. A room's numbers begin
-- with the milliseconds at which it was made: one that is made anew under the same name uses none again, which clients
-- would take for what they have already.

alter table room add column created_at timestamptz not null default now();

create trigger remove_archive after delete on room for each row execute function remove_archive();
