//! The shipped tree: whole events through `/System/Process/Event` (statements C146 to C159, section 8).
