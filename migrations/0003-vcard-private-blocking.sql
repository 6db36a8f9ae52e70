-- What accounts keep at the server: the vCard (XEP-0054), private XML (XEP-0049), the block list (XEP-0191).

create table vcard (
  owner text collate "C" primary key references account on delete cascade,
  vcard text not null
);

create table private_element (
  owner text collate "C" not null references account on delete cascade,
  ns text not null,
  name text not null,
  element text not null,
  primary key (owner, ns, name)
);

create table block_item (
  owner text collate "C" not null references account on delete cascade,
  blocked text collate "C" not null,
  primary key (owner, blocked)
);
