//! The statements of the reliability reference, section 7, that concern one process, SQLite and behaviour, each with
//! its number. 19, 21 to 24 and 26 to 29 stand with the loss points they cover, 33 with the reload, 1 to 17, 19, 30
//! to 32 and 39 where files, crashes and the outbox are tried.

mod clock;
mod decisions;
mod front_door;
mod pauses;
mod secrets;
