//! Proof from outside that nothing is lost: what was sent, by somebody's own list, against what the database holds.
//!
//! Three who send: any sender that kept a [`ledger`]; [`live`] probes through a running system; and [`chaos`], which
//! has a system of its own and kills it. [`oracle`] compares, for all of them and for the tests.

pub mod chaos;
mod client;
pub mod ledger;
pub mod live;
pub mod oracle;
mod sender;
mod serve_process;
