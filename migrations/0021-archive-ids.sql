-- The ids of archives (XEP-0313) are no longer the numbers of messages. Clients of accounts that were made before have
-- seen such numbers, and may ask by them.

alter table account add column had_numbers boolean not null default true;
alter table account alter column had_numbers set default false;
