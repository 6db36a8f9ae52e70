-- Subscriptions end with an account in the transaction that removes it (XEP-0077 §3.2, RFC 6121 §2.5): nobody who has its
-- name later is seen by its contacts, is expected by them, or has asked them anything. Who is online is told right after.

create index roster_item_contact on roster_item (contact);

create function end_subscriptions () returns trigger language plpgsql as $$
begin
  delete from roster_item where contact = old.jid and not is_listed and version = 0;
  update roster_item as item set
    subscription = 'none', pending_out = false, approved = false, request = null,
    version = (select max(version) + 1 from roster_item where owner = item.owner)
  where contact = old.jid and (subscription <> 'none' or pending_out or approved or request is not null);
  return null;
end $$;

create trigger end_subscriptions after delete on account for each row execute function end_subscriptions();
