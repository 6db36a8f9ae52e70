-- Message archives (XEP-0313): one row per message and owner, numbered without gaps in the order of delivery. The key
-- is also the fence: if two nodes ever number the same archive, the second insert of a number fails.
-- Not partitioned by time: a unique key of a partitioned table must hold the partition key, and would no longer fence.

create table archive_message (
  owner text collate "C" not null,
  seq bigint not null,
  peer text collate "C" not null, -- bare; of an address that is too long for an index, its hash
  is_sent boolean not null,
  sent_at bigint not null, -- milliseconds since 1970
  fingerprint text, -- of who, to whom, origin-id and content, where there is an origin-id: tells a message that comes again
  stanza text not null, -- as it was delivered, with its namespace
  primary key (owner, seq)
);

create index archive_message_peer on archive_message (owner, peer, seq);

-- Offline delivery (XEP-0160) as a position: what comes after it was not delivered to any device.
create table archive_position (
  owner text collate "C" primary key,
  delivered bigint not null
);
