-- Local users, one row each, so that a login reads one row. A password is not kept: its SCRAM keys are (RFC 5802 §3),
-- in the form of RFC 5803 §2: `SCRAM-SHA-1$<iterations>:<salt>$<stored key>:<server key>`.
-- Addresses sort by bytes: an index over them outlives a new version of the system's collations.

create table account (
  jid text collate "C" primary key,
  created_at timestamptz not null default now(),
  scram_sha_1 text not null,
  scram_sha_256 text not null,
  scram_sha_512 text not null
);
