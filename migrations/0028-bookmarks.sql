-- Bookmarks as all formats had them when they were the same last, as a list (XEP-0048): what has changed since in
-- which of them follows from it.
create table bookmark_list (
  owner text collate "C" primary key references account on delete cascade,
  list text not null
);
