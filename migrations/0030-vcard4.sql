-- Digests of the vCard4 (XEP-0292) and the vCard (XEP-0054) of an account that say the same.
create table vcard4 (
  owner text collate "C" primary key references account on delete cascade,
  modern text not null,
  temp text not null
);
