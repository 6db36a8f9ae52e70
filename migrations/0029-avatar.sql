-- The picture that an account has in all places (XEP-0398): its SHA-1 hash in hexadecimal digits, empty where it has none
-- any more.
create table avatar (
  owner text collate "C" primary key references account on delete cascade,
  hash text not null
);
