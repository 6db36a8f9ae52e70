-- Nodes that can't reach Redis, and when they last said so. Worth nothing after a moment, so it need not survive a crash.

create unlogged table node_without_redis (
  node text collate "C" primary key,
  at timestamptz not null
);
