-- Conversations are found by a number that stands for both addresses: the index of the addresses themselves took nearly
-- half of the time in which a message is written. Two conversations may share a number; queries compare the rest as well.

create function archive_conversation (owner text, peer text) returns bigint language sql immutable parallel safe as $$
  select hashtextextended(peer, hashtext(owner))
$$;

create index archive_message_conversation on archive_message (archive_conversation(owner, peer), seq);

drop index archive_message_peer;
