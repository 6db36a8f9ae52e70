-- Nodes (XEP-0060, XEP-0163) of accounts and of the service at pubsub.HOST, keyed by the address that has them.

-- Each change of a node's configuration, affiliations or subscriptions gives it another version: what a process
-- remembers of a node counts as long as the version is the same, also where a node was deleted and made again.
create sequence pubsub_version;

create table pubsub_node (
  owner text collate "C" not null, -- bare: an account, or a service
  node text collate "C" not null,
  creator text collate "C" not null, -- bare: whose limits it counts against
  created_at timestamptz not null default now(),
  version bigint not null default nextval('pubsub_version'),
  config jsonb not null, -- values by field, where they differ from the defaults of the owner's kind
  -- Of the configuration, what queries over many nodes need.
  access text not null,
  roster_groups text[] not null,
  sends_last text not null,
  last_seq bigint not null default 0,
  items integer not null default 0,
  bytes bigint not null default 0, -- of the items' payloads
  primary key (owner, node)
);

create index pubsub_node_creator on pubsub_node (creator);

create table pubsub_item (
  owner text collate "C" not null,
  node text collate "C" not null,
  id text collate "C" not null,
  seq bigint not null, -- the order of publication: an item that is published again is the newest
  publisher text collate "C" not null, -- full
  published_at timestamptz not null,
  expires_at timestamptz,
  payload text not null, -- as it was sent; empty where there was none
  primary key (owner, node, id),
  unique (owner, node, seq),
  foreign key (owner, node) references pubsub_node on delete cascade
);

create index pubsub_item_expiry on pubsub_item (expires_at) where expires_at is not null;

create table pubsub_affiliation (
  owner text collate "C" not null,
  node text collate "C" not null,
  jid text collate "C" not null, -- bare
  affiliation text not null check (affiliation in ('owner', 'publisher', 'publish-only', 'member', 'outcast')),
  primary key (owner, node, jid),
  foreign key (owner, node) references pubsub_node on delete cascade
);

create index pubsub_affiliation_jid on pubsub_affiliation (jid, owner);

create table pubsub_subscription (
  owner text collate "C" not null,
  node text collate "C" not null,
  jid text collate "C" not null, -- bare, full or a domain: where the events go
  account text collate "C" not null, -- the same without a resource
  state text not null check (state in ('pending', 'subscribed')),
  options jsonb not null,
  primary key (owner, node, jid),
  foreign key (owner, node) references pubsub_node on delete cascade
);

create index pubsub_subscription_account on pubsub_subscription (account, owner);

-- What an account has here ends with it, and a new owner of the name inherits nothing.
create function forget_account_in_pubsub () returns trigger language plpgsql as $$
begin
  delete from pubsub_node where owner = old.jid;
  -- A node that nobody is left to manage.
  delete from pubsub_node as node using pubsub_affiliation as own
  where own.jid = old.jid and own.affiliation = 'owner' and (node.owner, node.node) = (own.owner, own.node)
    and not exists (
      select from pubsub_affiliation as other
      where (other.owner, other.node) = (node.owner, node.node) and other.affiliation = 'owner' and other.jid <> old.jid
    );
  with left_over as (
    delete from pubsub_affiliation where jid = old.jid returning owner, node
  ), unsubscribed as (
    delete from pubsub_subscription where account = old.jid returning owner, node
  )
  update pubsub_node set version = nextval('pubsub_version')
  where (owner, node) in (select owner, node from left_over union select owner, node from unsubscribed);
  return null;
end $$;

create trigger forget_account_in_pubsub after delete on account
  for each row execute function forget_account_in_pubsub();
