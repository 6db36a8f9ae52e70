-- What remains of an archive when its messages are gone (XEP-0313 §3.2: no id is used twice), what its owner wants to be
-- kept (XEP-0441), and the words of a message for full text search (XEP-0431), whose index is made where it is wanted.

create table archive_end (
  owner text collate "C" primary key,
  last bigint not null -- of the messages that were removed
);

create table archive_preference (
  owner text collate "C" primary key references account on delete cascade,
  by_default text not null check (by_default in ('always', 'never', 'roster')),
  always text[] not null,
  never text[] not null
);

-- A foreign key would be looked up for each message.
create function remove_archive () returns trigger language plpgsql as $$
begin
  delete from archive_message where owner = old.jid;
  delete from archive_end where owner = old.jid;
  delete from archive_position where owner = old.jid;
  return null;
end $$;

create trigger remove_archive after delete on account for each row execute function remove_archive();

-- The words of the body, and one that stands for the owner: a search reads one archive's part of the index. What else
-- is called body declares a namespace. A body without end is cut, since a tsvector has one.
create function archive_words (owner text, stanza text) returns tsvector language sql immutable parallel safe as $$
  select to_tsvector('simple', left(coalesce(
      substring(stanza from '<body(?:\s+xml:lang=(?:''[^'']*''|"[^"]*"))?\s*>([^<]*)</body\s*>'), ''), 100000))
    || array_to_tsvector(array[md5(owner)])
$$;
