//! All tests through the public face, in one binary.

mod support;
mod vmdb;
