//! Every integration test, in one binary: one Postgres cluster serves them all.
//!
//! A story is an `async fn name(db: TestDb)`; `both! { name, … }` tells it once on
//! Postgres and once on SQLite. One of a single database is an `async fn name()`, which
//! `once! { name, … }` tells. Either way it has five minutes.

#[macro_use]
mod harness;

mod fsck;
mod fsck_damage;
mod fsck_notes;
mod fsck_resume;
mod fsck_unreadable;
mod guard;
mod guard_courses;
mod guard_process;
mod guard_remote;
mod guard_remote_failures;
mod guard_remote_process;
mod http_create;
mod http_hostile;
mod http_kinds;
mod http_load;
mod http_negotiation;
mod http_read;
mod http_routing;
mod http_search;
mod http_writers;
mod log_clock;
mod log_duplicates;
mod log_faults;
mod log_following;
mod log_standby;
mod log_story;
mod log_tiles;
mod log_turns;
mod log_upper_tiles;
mod openapi;
mod postgres_failures;
mod postgres_settings;
mod process;
mod process_hostile;
mod process_lines;
mod process_orders;
mod replicas;
mod sqlite_failures;
mod sqlite_file;
mod sqlite_wal;
mod store_damage;
mod store_outage;
mod store_plans;
mod store_races;
mod store_schema;
mod store_search;
mod store_shots;
mod store_story;
mod store_turn;
