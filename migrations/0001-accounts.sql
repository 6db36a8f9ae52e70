-- Local users and their SCRAM keys (RFC 5802 §3), one row each, so that a login reads one row. A password is not kept.
-- Addresses sort by bytes: an index over them outlives a new version of the system's collations.

create table account (
  jid text collate "C" primary key,
  created_at timestamptz not null default now(),
  sha1_salt bytea not null,
  sha1_iterations integer not null,
  sha1_stored_key bytea not null,
  sha1_server_key bytea not null,
  sha256_salt bytea not null,
  sha256_iterations integer not null,
  sha256_stored_key bytea not null,
  sha256_server_key bytea not null,
  sha512_salt bytea not null,
  sha512_iterations integer not null,
  sha512_stored_key bytea not null,
  sha512_server_key bytea not null
);
