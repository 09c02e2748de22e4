//! An event switchboard: cloud events in, targeted refreshes out, rules in between.
//!
//! # The cast, in order of appearance
//!
//! - an [`Ems`] is a cloud that is managed; it emits native events
//! - the [`catcher`] takes a [`NativeEvent`], lets the script of its provider parse it into an [`EventHash`], and puts
//!   that on the queue of the [`Vmdb`]
//! - the [`handler`] saves it as an [`EmsEvent`] and asks the [`Switchboard`] what to do
//! - the switchboard answers with a [`Delivery`]: effects, a trace, errors
//! - an [`Effect`] is often a [`TargetCollection`], which waits in the database for a refresh
//! - [`refresh`] takes what waits, asks the cloud about that alone, and saves what came back as inventory
//! - one that concerns the world outside waits there too, until the [`Outbox`] has sent it
//! - [`reload`] puts another switchboard in its place when the rules change; every delivery names the one that made it
//! - the [`Appliance`] starts all of this and stops it in order
//! - [`verify`] proves from outside that nothing was lost on the way
//!
//! # The map
//!
//! Modules stand in reading order: first the words, then the rules, then the database, then the stages in the order of
//! an event's life, then what starts them. Each may import only those above it.
//!
//! Rules are pure: [`Switchboard::load`] makes a set of them from a [`SourceTree`], [`Switchboard::admit`] and
//! [`Switchboard::deliver`] look at nothing else, and [`Switchboard::simulate`] is the same decision, shown.
//!
//! [`Appliance`]: appliance::Appliance
//! [`Delivery`]: model::delivery::Delivery
//! [`Effect`]: model::delivery::Effect
//! [`Ems`]: model::ems::Ems
//! [`EmsEvent`]: model::event::EmsEvent
//! [`EventHash`]: model::event::EventHash
//! [`NativeEvent`]: model::event::NativeEvent
//! [`Outbox`]: handler::Outbox
//! [`SourceTree`]: source::SourceTree
//! [`Switchboard`]: switchboard::Switchboard
//! [`Switchboard::admit`]: switchboard::Switchboard::admit
//! [`Switchboard::deliver`]: switchboard::Switchboard::deliver
//! [`Switchboard::load`]: switchboard::Switchboard::load
//! [`Switchboard::simulate`]: switchboard::Switchboard::simulate
//! [`TargetCollection`]: model::target::TargetCollection
//! [`Vmdb`]: vmdb::Vmdb

pub mod model;
pub mod source;
pub mod settings;
pub mod outbound;
mod transport;
mod script;
mod provider;
mod automate;
pub mod switchboard;
mod crash_point;
mod precedence;
pub mod vmdb;
pub mod catcher;
pub mod handler;
pub mod refresh;
pub mod reload;
pub mod web;
pub mod appliance;
pub mod verify;
pub mod cli;
