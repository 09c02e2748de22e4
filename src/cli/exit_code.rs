//! How a command ends, as scripts see it.

/// The exit status of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// 0: fine.
    Fine,
    /// 1: the answer is no: findings, failed tests, nothing found.
    No,
    /// 2: wrong usage or unreadable input.
    Unusable,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(match code {
            ExitCode::Fine => 0,
            ExitCode::No => 1,
            ExitCode::Unusable => 2,
        })
    }
}
