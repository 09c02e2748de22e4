//! An event switchboard: cloud events in, targeted refreshes out, rules in between.

pub mod model;
pub mod source;
pub mod settings;
mod script;
mod provider;
mod automate;
pub mod switchboard;
pub mod vmdb;
pub mod catcher;
pub mod handler;
pub mod reload;
pub mod web;
pub mod appliance;
pub mod cli;
