-- The features behind hashes that clients announce (XEP-0115), for hashes that were verified.
create table caps (
  hash text collate "C" not null,
  ver text collate "C" not null,
  features text[] not null,
  used_at timestamptz not null default now(),
  primary key (hash, ver)
);
